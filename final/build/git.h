/* git.h - repositories as build contexts and for ADD, where git is installed. Private to build/. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* "git://...", "git@host:path", "ssh://git@...", "http(s)://... .git[#ref:directory]",
 * "github.com/..." without a scheme: what docker takes for one. */
bool git_is_url(const char *text);

struct git_request {
    const char *url;                /* with "#ref:directory" */
    bool keep_git_dir;              /* .git stays */
    const char *commit;             /* it must be this one; NULL */
    const volatile bool *cancelled; /* NULL: never */
};
/* Checks it out into `to`, an empty directory of ours. Submodules come along. The caller frees
 * *ret_directory, which is the one to use beneath it, "" for all; and *ret_commit, which is the
 * whole name of what was checked out (may be NULL: nobody asks). */
int git_checkout(const struct git_request *request, int to, char **ret_directory, char **ret_commit,
                 struct err *err);
