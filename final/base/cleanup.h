/* cleanup.h - variables that free what they own when they go out of scope (gcc's `cleanup`).
 *
 *     cleanup_close int fd = open(...);
 *     ...
 *     *ret_fd = steal_fd(&fd);      // success: the caller owns it now
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_p(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_fclose_p(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline void cleanup_closedir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}

#define cleanup_with(f)  __attribute__((cleanup(f)))
#define cleanup_free     cleanup_with(cleanup_free_p)
#define cleanup_close    cleanup_with(cleanup_close_p)
#define cleanup_fclose   cleanup_with(cleanup_fclose_p)
#define cleanup_closedir cleanup_with(cleanup_closedir_p)

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

static inline void *steal_void(void *pp)
{
    void **p = pp, *stolen = *p;

    *p = NULL;
    return stolen;
}
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_void(pp))

/* Closes *fd if it is open and marks it closed. */
static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
