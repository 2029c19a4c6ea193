/* follow.h - where a path leads inside a root, and by which real names. Private to build/.
 *
 * The kernel can resolve a path inside a root (openat2 with RESOLVE_IN_ROOT), but does not say
 * which way it went. COPY has to know: .dockerignore speaks of real names, and a destination is to
 * be made again in a layer of its own. So the way is gone here, a component at a time, and each
 * step is an openat2 that follows nothing: whoever exchanges names meanwhile can make it fail, but
 * not leave the root. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

struct followed {
    char *path;     /* real names, no slash at either end, the root is "" */
    size_t missing; /* so many names at its end do not exist; 0: it is there */
    struct stat st; /* of what is there */
};
/* Goes along `path`; "" , "." and ".." as in a chroot. `links`: also through symlinks, the last
 * component included; else a symlink is an end. -ENOTDIR, -ELOOP, -ENAMETOOLONG and what opening
 * may give, without a message. The caller calls followed_free(). */
int follow_path(int root, const char *path, bool links, struct followed *ret);
void followed_free(struct followed *f);

/* Opens what a path of real names is, following nothing. -errno without a message. */
int follow_open(int root, const char *path, int flags);
/* "a" and "b" -> "a/b"; "" and "b" -> "b". The caller frees. */
char *path_join(const char *directory, const char *name);
/* The last component; of "" it is "". Borrowed. */
const char *path_base(const char *path);
