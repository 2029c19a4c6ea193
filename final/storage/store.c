#include "storage/storage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/db.h"
#include "storage/internal.h"

#define DEFAULT_RUN "/run/cooper"

/* "layers" is the last thing made: that it is there says that all are. */
static const char *const directories[] = {
    "blobs", "blobs/sha256", "blobs/partial", "containers", "volumes", "staging", "run"};

/* The absolute form of the root: other processes (the shim) get it, with other working directories.
 */
static char *absolute(const char *root)
{
    cleanup_free char *here = NULL;

    if (*root == '/')
        return str_copy(root);
    here = getcwd(NULL, 0);
    return str_format("%s/%s", here ? here : "", root);
}

/* 0700 and ours: everything below is trusted, and unpacked setuid files must be out of users'
 * reach. */
static int check_root(int fd, const char *root, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, "cannot stat '%s'", root);
    if (st.st_uid != geteuid())
        return err_set(err, EPERM,
                       "the state directory '%s' belongs to user %u, not to user %u: "
                       "run cooper as its owner or choose another --root",
                       root, st.st_uid, geteuid());
    if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
        return err_errno(err, "cannot make '%s' private (mode 0700)", root);
    return 0;
}

static int open_directory(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int store_file(struct store *s, const char *path, const void *data, size_t len, bool durable,
               struct err *err)
{
    char name[64], staged[96];
    int r = store_stage_name(name, staged, err);

    if (r < 0)
        return r;
    return file_store_through(s->root_fd, staged, path, data, len, 0600, durable, err);
}

static int make_directories(struct store *s, struct err *err)
{
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        if (mkdirat(s->root_fd, directories[i], 0700) < 0 && errno != EEXIST)
            return err_errno(err, "cannot make directory '%s' in the state directory",
                             directories[i]);
    if (store_file(s, "oci-layout", layout, strlen(layout), false, err) < 0)
        return -err->code;
    if (mkdirat(s->root_fd, "layers", 0700) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make directory 'layers' in the state directory");
    return 0;
}

static int open_root(struct store *s, struct err *err)
{
    int r;

    s->root_fd = open_directory(AT_FDCWD, s->root);
    if (s->root_fd < 0 && errno == ENOENT) {
        if (file_make_dirs(AT_FDCWD, s->root, 0700, err) < 0)
            return err_wrap(err, geteuid() ? "cooper needs root for its state (try sudo)"
                                           : "cannot make the state directory");
        s->root_fd = open_directory(AT_FDCWD, s->root);
    }
    if (s->root_fd < 0)
        return err_errno(err, "cannot open the state directory '%s'", s->root);
    r = check_root(s->root_fd, s->root, err);
    if (r < 0)
        return r;
    s->layers_fd = open_directory(s->root_fd, "layers");
    if (s->layers_fd < 0) {
        r = make_directories(s, err);
        if (r < 0)
            return r;
        s->layers_fd = open_directory(s->root_fd, "layers");
    }
    return s->layers_fd < 0 ? err_errno(err, "cannot open '%s/layers'", s->root) : 0;
}

/* /run is emptied at boot and may be wiped at any time: made again whenever it is missing. */
static int open_run(struct store *s, struct err *err)
{
    s->run_fd = open_directory(AT_FDCWD, s->run);
    if (s->run_fd < 0 && errno == ENOENT) {
        if (file_make_dirs(AT_FDCWD, s->run, 0700, err) < 0)
            return err_wrap(err, "cannot make the run directory");
        s->run_fd = open_directory(AT_FDCWD, s->run);
    }
    return s->run_fd < 0 ? err_errno(err, "cannot open the run directory '%s'", s->run) : 0;
}

int store_open(const char *root, struct store **ret, struct err *err)
{
    struct store *s = mem_alloc(sizeof *s);
    const char *from_env = getenv("COOPER_ROOT");
    cleanup_free char *database = NULL;
    int r;

    if (!root)
        root = from_env && *from_env ? from_env : STORE_DEFAULT_ROOT;
    s->root_fd = s->layers_fd = s->run_fd = -1;
    s->root = absolute(root);
    s->run = !strcmp(s->root, STORE_DEFAULT_ROOT) ? str_copy(DEFAULT_RUN)
                                                  : str_format("%s/run", s->root);
    database = str_format("%s/cooper.db", s->root);
    r = open_root(s, err);
    if (!r)
        r = open_run(s, err);
    if (!r)
        r = db_open(database, &s->db, err);
    if (r < 0) {
        store_close(s);
        return r;
    }
    store_tidy(s);
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->db)
        db_close(s->db);
    close_fd(&s->root_fd);
    close_fd(&s->layers_fd);
    close_fd(&s->run_fd);
    free(s->root);
    free(s->run);
    free(s);
}
