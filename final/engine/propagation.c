/* propagation.c - binds through which later mounts go on (mount_namespaces(7)).
 *
 * "shared" and "slave" say what becomes of mounts that are made after the container has started.
 * For that the source has to be in a peer group on the host, else the word is without effect:
 * better an error. And the root of the container must let through what its binds let through. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/mounts.h"

/* What the word asks for; "rshared" is "shared" for all that is below, too. */
enum meaning { PRIVATE, SLAVE, SHARED };

static enum meaning meaning_of(const char *word)
{
    word += *word == 'r';
    return !strcmp(word, "shared") ? SHARED : !strcmp(word, "slave") ? SLAVE : PRIVATE;
}

const char *mounts_root_propagation(const struct mount_list *list)
{
    const char *found = NULL;

    for (size_t i = 0; i < list->len; i++) {
        const char *word = list->items[i].propagation ? list->items[i].propagation : "";

        if (meaning_of(word) == SHARED)
            return "shared";
        if (meaning_of(word) == SLAVE)
            found = "rslave";
    }
    return found;
}

/* The line of /proc/self/mountinfo about the mount `id`: "36 35 98:0 / /mnt rw shared:1 - ext3 ..."
 */
static char *mount_line(unsigned long long id, struct err *err)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;

    while (file && getline(&line, &size, file) > 0)
        if (strtoull(line, NULL, 10) == id) {
            fclose(file);
            return line;
        }
    if (file)
        fclose(file);
    free(line);
    err_set(err, ENOENT, "mount %llu is not in /proc/self/mountinfo", id);
    return NULL;
}

/* Its optional fields are between the sixth and " - ". */
static bool has_field(const char *line, const char *field)
{
    const char *end = strstr(line, " - "), *at = strstr(line, field);

    return at && end && at < end;
}

static int check_source(const char *source, bool slave_will_do, struct err *err)
{
    struct statx st;
    cleanup_free char *line = NULL;
    char place[4096] = "";

    if (statx(AT_FDCWD, source, AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0) /* Linux 5.8 */
        return err_errno(err, "cannot find the mount of '%s'", source);
    line = mount_line(st.stx_mnt_id, err);
    if (!line)
        return -err->code;
    if (has_field(line, " shared:") || (slave_will_do && has_field(line, " master:")))
        return 0;
    sscanf(line, "%*s %*s %*s %*s %4095s", place);
    err_set(err, EINVAL, "path %s is mounted on %s but it is not a shared%s mount", source, place,
            slave_will_do ? " or slave" : "");
    err->exit_status = 125;
    return -EINVAL;
}

int mounts_check_propagation(const json_t *mounts, struct err *err)
{
    json_t *mount;
    size_t i;

    json_array_foreach((json_t *)mounts, i, mount)
    {
        enum meaning wanted = meaning_of(json_str(mount, "Propagation", ""));

        if (wanted != PRIVATE && !strcmp(json_str(mount, "Type", ""), "bind") &&
            check_source(json_str(mount, "Source", ""), wanted == SLAVE, err) < 0)
            return -err->code;
    }
    return 0;
}
