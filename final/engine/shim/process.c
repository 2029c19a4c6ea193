/* process.c - what the shim does for any process it is the parent of: the container's init, that of
 * exec, and health checks. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/shim/shim.h"

/* Three pipes: ends[i] stays here, the other becomes the process's descriptor i (ret_theirs). */
static int make_pipes(bool with_stdin, struct shim_stdio *ret, int ret_theirs[3], struct err *err)
{
    int in[2] = {-1, -1}, out[2], errors[2];

    if ((with_stdin && pipe2(in, O_CLOEXEC) < 0) || pipe2(out, O_CLOEXEC) < 0 ||
        pipe2(errors, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make pipes for stdio");
    *ret = (struct shim_stdio){.in = in[1], .out = out[0], .err = errors[0], .console = -1};
    ret_theirs[0] = in[0];
    ret_theirs[1] = out[1];
    ret_theirs[2] = errors[1];
    return 0;
}

int shim_prepare_stdio(const struct shim_options *o, bool terminal, struct shim_stdio *ret,
                       int ret_theirs[3], struct err *err)
{
    if (!terminal)
        return make_pipes(o->open_stdin, ret, ret_theirs, err);
    *ret = (struct shim_stdio){-1, -1, -1, -1};
    ret_theirs[0] = ret_theirs[1] = ret_theirs[2] = -1;
    return 0;
}

void shim_close_theirs(int theirs[3])
{
    for (int i = 0; i < 3; i++)
        close_fd(&theirs[i]);
}

int shim_reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 255;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
