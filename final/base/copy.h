/* copy.h - the content of a file into another one, by the cheapest way the file systems offer. */
#pragma once

#include <sys/types.h>

/* Copies the first `size` bytes of regular file `from` into the empty regular file `to`, from
 * offset 0 whatever the offsets are. Blocks are shared where the file system can (FICLONE), else
 * the kernel copies (copy_file_range(2), Linux 4.5), else we do. Holes stay holes. Where `from` is
 * shorter than `size`, the rest is a hole. 0 or -errno. */
int copy_content(int from, int to, off_t size);
