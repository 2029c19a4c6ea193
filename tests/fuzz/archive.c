/* What `load` reads: docker's archives and OCI archives. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/fuzz.h"
#include "fuzz/images.h"

FUZZ(archive)
{
    cleanup_free char *tar = fuzz_tar(data, len);
    cleanup_close int fd = fuzz_file(tar, len);

    image_archive_is_plain(fd);
    fuzz_images(fd);
}
