/* Names of users belong to the root file system; the kernel knows numbers only. getpwnam(3) would
 * load plug-ins out of the keg into a process that is still root, so the two files are read as what
 * they are: lines of fields with colons between. */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"

enum { NAME, PASSWORD, ID, GROUP, COMMENT, HOME, FIELDS };

/* Finds the line whose name or number is `wanted`. The fields live as long as keg. */
static int find_line(const char *path, const char *wanted, char *ret_fields[FIELDS])
{
    char *line = NULL, *fields[FIELDS];
    FILE *file = fopen(path, "re");
    size_t size = 0;
    int found = 0;

    while (file && !found && getline(&line, &size, file) > 0) {
        char *rest = line;

        for (int i = 0; i < FIELDS; i++)
            fields[i] = rest ? strsep(&rest, ":\n") : "";
        found = !strcmp(fields[NAME], wanted) || !strcmp(fields[ID], wanted);
    }
    if (found)
        memcpy(ret_fields, fields, sizeof fields);
    if (file)
        fclose(file);
    return found;
}

/* 2^31 and more is refused: some kernel interfaces read it as "leave it as it is", which is root.
 */
static unsigned number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || value > 0x7fffffff)
        die("a number needs no line in /etc/passwd or /etc/group",
            "there is no user or group '%s' in the keg", text);
    return value;
}

static void set_home(char **environment, const char *home)
{
    while (*environment && strncmp(*environment, "HOME=", strlen("HOME=")))
        environment++;
    if (!*environment && asprintf(environment, "HOME=%s", home) < 0)
        die(NULL, "there is no memory left");
}

/* A user that no line knows is in group 0 and at home in "/", as with docker. */
void user_become(const char *user, const char *directory, char **environment)
{
    char *group = strdup(*user ? user : "0"), *name = strsep(&group, ":");
    char *row[FIELDS] = {[ID] = name, [GROUP] = "0", [HOME] = "/"};
    char *group_row[FIELDS] = {[ID] = group};
    uid_t uid;
    gid_t gid;

    find_line("/etc/passwd", name, row);
    if (group)
        find_line("/etc/group", group, group_row);
    uid = number(row[ID]);
    gid = number(group ? group_row[ID] : row[GROUP]);
    set_home(environment, row[HOME]);
    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        die(NULL, "cannot make the working directory '%s': %m", directory);
    /* In an ordinary user's keg there is one user, and setgroups(2) is denied. */
    if ((setgroups(0, NULL) < 0 && errno != EPERM) || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        die(errno == EINVAL ? "without root a keg has no user but 0: --user 0" : NULL,
            "cannot become user '%s': %m", name);
    /* The kernel unties a process that changes its user from its parent; namespaces.c had tied it.
     */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        die(NULL, "cannot tie our life to our parent's: %m");
    if (chdir(directory) < 0)
        die(NULL, "cannot enter the working directory '%s': %m", directory);
}
