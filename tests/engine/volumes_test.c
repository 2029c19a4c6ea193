/* Volumes and mounts: what is seen where, what stays, what goes, and docker's words. */
#include "engine/world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static char *volume_file(const char *volume, const char *name)
{
    return str_format("%s/volumes/%s/_data/%s", world_root(), volume, name);
}

static void clear_volumes(void)
{
    world_clear();
    EXPECT(0, NULL, "", "volume", "prune", "-af");
}

/* --- the commands ---------------------------------------------------------------------------- */

static const struct {
    int code;
    const char *out, *err;
    const char *args[8];
} refusals[] = {
    {1,
     "",
     "create a: volume name is too short, names should be at least two alphanumeric "
     "characters\n",
     {"volume", "create", "a"}},
    {1,
     "",
     "create /foo: \"/foo\" includes invalid characters for a local volume name, only "
     "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
     "use absolute path\n",
     {"volume", "create", "/foo"}},
    {1,
     "",
     "create yy: error looking up volume plugin foo: plugin \"foo\" not found\n",
     {"volume", "create", "-d", "foo", "yy"}},
    {1, "", "create yy: invalid option: \"foo\"\n", {"volume", "create", "-o", "foo=bar", "yy"}},
    {1,
     "",
     "create yy: missing required option: \"device\"\n",
     {"volume", "create", "-o", "type=tmpfs", "yy"}},
    {1,
     "",
     "create yy: missing required option: \"type\"\n",
     {"volume", "create", "-o", "device=tmpfs", "yy"}},
    {1,
     "",
     "conflicting options: cannot specify a volume-name through both --name and as a "
     "positional arg\n",
     {"volume", "create", "--name", "bb", "cc"}},
    {1, "", "'cooper volume create' requires at most 1 argument", {"volume", "create", "b", "c"}},
    {1, "[]\n", "get nosuch: no such volume\n", {"volume", "inspect", "nosuch"}},
    {1, "", "get nosuch: no such volume\n", {"volume", "rm", "nosuch"}},
    {0, "nosuch\n", "", {"volume", "rm", "-f", "nosuch"}},
    {1, "", "invalid filter 'foo'\n", {"volume", "ls", "-f", "foo=bar"}},
    {1, "", "invalid filter 'dangling=[foo]'\n", {"volume", "ls", "-f", "dangling=foo"}},
    {125, "", "bad format of filter (expected name=value)\n", {"volume", "ls", "-f", "foo"}},
    {1, "", "invalid filter 'foo'\n", {"volume", "prune", "-f", "--filter", "foo=bar"}},
};

START_TEST(commands_explain)
{
    world_expect(refusals[_i].args[1], refusals[_i].code, refusals[_i].out, refusals[_i].err,
                 refusals[_i].args);
}
END_TEST

START_TEST(create_list_inspect)
{
    EXPECT(0, "v10\n", "", "volume", "create", "--label", "k=v", "--label", "c", "v10");
    EXPECT(0, "v9\n", "", "volume", "create", "v9");
    EXPECT(0, "v9\n", "", "volume", "create", "--label", "late=1", "v9");
    EXPECT(0, "DRIVER    VOLUME NAME\nlocal     v9\nlocal     v10\n", "", "volume", "ls");
    EXPECT(0, "v9\nv10\n", "", "volume", "ls", "-q");
    EXPECT(0, "v10\n", "", "volume", "ls", "-q", "-f", "label=k=v");
    EXPECT(0, "", "", "volume", "ls", "-q", "-f", "label=k=w");
    EXPECT(0, "", "", "volume", "ls", "-q", "-f", "label=c", "-f", "label=other");
    EXPECT(0, "v10\n", "", "volume", "ls", "-q", "-f", "label=c", "-f", "label=k");
    EXPECT(0, "v10\n", "", "volume", "list", "-q", "-f", "name=10");
    EXPECT(0, "v9\n", "", "volume", "ls", "-q", "-f", "name=^v.$");
    EXPECT(0, "c=,k=v|v|N/A\n", "", "volume", "ls", "-f", "label=c", "--format",
           "{{.Labels}}|{{.Label \"k\"}}|{{.Size}}");
    EXPECT(0, "v9 local local null null\n", "", "volume", "inspect", "-f",
           "{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}} {{json .Options}}", "v9");
    EXPECT(0, "v9\n", "", "inspect", "--type", "volume", "-f", "{{.Name}}", "v9");
    EXPECT(0, "v9\n", "", "inspect", "-f", "{{.Name}}", "v9");
    EXPECT(0, "v9\nv10\n", "", "volume", "rm", "v9", "v10");
}
END_TEST

START_TEST(what_is_used_stays)
{
    cleanup_free char *id = NULL, *text = NULL;

    id = OUTPUT("create", "-v", "used:/data", "-v", "/:/host:ro", BOX);
    EXPECT(0, "[used local][ ]\n", "", "inspect", "-f",
           "{{range .Mounts}}[{{.Name}} {{.Driver}}]{{end}}", id); /* a bind mount has none */
    text = str_format("remove used: volume is in use - [%s]\n", id);
    EXPECT(1, "", text, "volume", "rm", "used");
    EXPECT(1, "", text, "volume", "rm", "--force", "used");
    EXPECT(0, "used\n", "", "volume", "ls", "-q", "-f", "dangling=false");
    EXPECT(0, "", "", "volume", "ls", "-q", "-f", "dangling=true");
    EXPECT(0, NULL, "", "rm", id);
    EXPECT(0, "used\n", "", "volume", "ls", "-q", "-f", "dangling=1");
    EXPECT(0, "used\n", "", "volume", "rm", "used");
}
END_TEST

START_TEST(prune_takes_the_nameless_and_all_when_told)
{
    cleanup_free char *id = OUTPUT("create", "-v", "/anon", "-v", "used:/data", BOX), *name = NULL,
                      *text = NULL, *file = NULL;
    cleanup_run struct run_result r = {0};

    name = world_inspect(
        id, "{{range .Mounts}}{{if eq .Destination \"/anon\"}}{{.Name}}{{end}}{{end}}");
    EXPECT(0, "named\n", "", "volume", "create", "named");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "volume", "prune", "-f");
    file = volume_file(name, "f");
    run_argv_ok(&r, NULL, (const char *const[]){"sh", "-c", "printf 12345 >\"$0\"", file, NULL});
    EXPECT(0, NULL, "", "rm", id);
    text = str_format("Deleted Volumes:\n%s\n\nTotal reclaimed space: 5B\n", name);
    EXPECT(0, text, "", "volume", "prune", "-f");
    EXPECT(0, "named\nused\n", "", "volume", "ls", "-q");
    EXPECT(0, "Deleted Volumes:\nnamed\nused\n\nTotal reclaimed space: 0B\n", "", "volume", "prune",
           "-a", "-f");
}
END_TEST

START_TEST(events_of_volumes)
{
    cleanup_free char *id = NULL, *text = NULL;
    const char *out;

    EXPECT(0, "told\n", "", "volume", "create", "told");
    id = OUTPUT("create", "-v", "told:/data", BOX, "true");
    EXPECT(0, NULL, NULL, "start", "-a", id);
    EXPECT(0, NULL, "", "rm", id);
    EXPECT(0, "told\n", "", "volume", "rm", "told");
    text = str_format("create driver=local\nmount container=%s,destination=/data,driver=local,"
                      "propagation=,read/write=true\nunmount container=%s,driver=local\ndestroy "
                      "driver=local\n",
                      id, id);
    out = EXPECT(0, NULL, "", "events", "--since", "1", "--until", "0s", "--filter", "volume=told",
                 "--format",
                 "{{.Action}} {{range $i, $e := .Actor.Attributes}}{{$i}}={{$e}},{{end}}");
    (void)text;
    ck_assert_msg(strstr(out, "create driver=local") &&
                      strstr(out, "destination=/data,driver=local,") &&
                      strstr(out, "read/write=true") && strstr(out, "\nunmount container=") &&
                      strstr(out, "\ndestroy driver=local"),
                  "%s", out);
}
END_TEST

/* --- what a volume is filled with ------------------------------------------------------------ */

START_TEST(a_new_volume_gets_what_the_image_has)
{
    EXPECT(0, "root:x:0:0:root:/root:/bin/sh\n", "", "run", "--rm", "-v", "filled:/etc", BOX,
           "head", "-n1", "/etc/passwd");
    EXPECT(0, "", "", "run", "--rm", "-v", "filled:/x", BOX, "test", "-e", "/x/passwd");
    EXPECT(0, "", "", "run", "--rm", "-v", "empty:/etc:nocopy", BOX, "sh", "-c",
           "! test -e /etc/passwd");
    EXPECT(0, "", "", "run", "--rm", "--mount", "source=empty2,target=/etc,volume-nocopy", BOX,
           "sh", "-c", "! test -e /etc/passwd");
}
END_TEST

/* Not only what is in it: the directory itself, owner and mode, and links and owners below. */
START_TEST(a_new_volume_looks_as_in_the_image)
{
    static const char look[] = "cd /d; stat -c '%u:%g %a' . f; readlink l";

    EXPECT(0, NULL, NULL, "run", "--name", "base", BOX, "sh", "-c",
           "mkdir /d; cd /d; echo text >f; chown 7:8 f; chmod 4640 f; ln -s f l; chown 82:50 .; "
           "chmod 2751 .");
    EXPECT(0, NULL, NULL, "commit", "base", "owned:1");
    EXPECT(0, "82:50 2751\n7:8 4640\nf\n", "", "run", "--rm", "-v", "owned:/d", "owned:1", "sh",
           "-c", look);
    /* Once only: what somebody did to it stays. */
    EXPECT(0, "", "", "run", "--rm", "-v", "owned:/d", "owned:1", "chmod", "700", "/d");
    EXPECT(0, "82:50 700\n7:8 4640\nf\n", "", "run", "--rm", "-v", "owned:/d", "owned:1", "sh",
           "-c", look);
    EXPECT(0, "0:0 755\n", "", "run", "--rm", "-v", "bare:/d:nocopy", "owned:1", "stat", "-c",
           "%u:%g %a", "/d");
    EXPECT(0, NULL, "", "rm", "base");
    EXPECT(0, NULL, "", "rmi", "owned:1");
}
END_TEST

START_TEST(rm_v_takes_the_nameless_only)
{
    EXPECT(0, NULL, "", "create", "--name", "web", "-v", "/anon", "--mount", "target=/anon2", "-v",
           "kept:/data", BOX);
    EXPECT(0, "web\n", "", "rm", "-v", "web");
    EXPECT(0, "kept\n", "", "volume", "ls", "-q");
    EXPECT(0, "", "", "run", "--rm", "-v", "/anon", BOX, "true");
    EXPECT(0, "kept\n", "", "volume", "ls", "-q");
}
END_TEST

/* --- --mount and --volumes-from -------------------------------------------------------------- */

static const struct {
    const char *mount, *script, *out;
} mounts[] = {
    {"type=bind,source=@,target=/x", "cat /x/f; echo w >/x/w && cat /x/w", "file\nw\n"},
    {"type=bind,source=@,target=/x,readonly", "echo w >/x/w 2>/dev/null || cat /x/f", "file\n"},
    {"type=bind,src=@/f,dst=/x,ro=true", "cat /x", "file\n"},
    {"type=bind,source=@,target=/x,bind-recursive=disabled", "ls /x/below", ""},
    {"type=bind,source=@,target=/x", "ls /x/below", "inside\n"},
    {"type=bind,source=@,target=/x,readonly", "touch /x/below/t 2>&1 | sed 's/.*: //'",
     "Read-only file system\n"},
    {"type=bind,source=@,target=/x,readonly,bind-recursive=writable", "touch /x/below/t && echo ok",
     "ok\n"},
    {"type=bind,source=@/new,target=/x,bind-create-src", "ls -d /x", "/x\n"},
    {"type=volume,source=vol,target=/x", "echo a >/x/a; cat /x/a", "a\n"},
    {"source=vol,target=/x,readonly", "touch /x/a 2>&1 | sed 's/.*: //'",
     "Read-only file system\n"},
    {"target=/x", "touch /x/a && ls /x", "a\n"},
    {"source=sub,target=/x,volume-subpath=a/b", "cat /x/deep", "deep\n"},
    {"source=sub,target=/x,volume-subpath=link", "cat /x/deep", "deep\n"},
    {"type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=0750",
     "stat -c %a /x; df -k /x | awk 'END {print $2}'; grep -c ' /x .*noexec' /proc/self/mountinfo",
     "750\n1024\n1\n"},
    {"type=image,source=box:1,target=/x",
     "test -x /x/bin/busybox && touch /x/a 2>&1 | sed 's/.*: //'", "Read-only file system\n"},
    {"type=image,source=layers:1,target=/x", "cat /x/added; test -x /x/bin/busybox && echo ok",
     "added\nok\n"},
    {"type=image,source=layers:1,target=/x,image-subpath=sub", "ls /x", "inner\n"},
};

static char *source_directory(void)
{
    char *dir = world_path("source");
    cleanup_free char *script = str_format(
        "rm -rf %s/* && mkdir -p %s/below && echo file >%s/f && mkdir -p %s/../other && touch "
        "%s/../other/inside && mount --bind %s/../other %s/below",
        dir, dir, dir, dir, dir, dir, dir);
    cleanup_free char *below = str_format("%s/below", dir);
    cleanup_run struct run_result r = {0};

    umount2(below, MNT_DETACH);
    run_argv_ok(&r, NULL, (const char *const[]){"sh", "-c", script, NULL});
    return dir;
}

static void make_sources(void)
{
    EXPECT(0, "", "", "run", "--rm", "-v", "sub:/v", BOX, "sh", "-c",
           "mkdir -p /v/a/b; echo deep >/v/a/b/deep; ln -s /a/b /v/link");
    EXPECT(0, NULL, NULL, "run", "--name", "base", BOX, "sh", "-c",
           "echo added >/added; mkdir /sub; touch /sub/inner");
    EXPECT(0, NULL, NULL, "commit", "base", "layers:1");
}

START_TEST(mounts_show_what_they_say)
{
    cleanup_free char *dir = source_directory(), *below = str_format("%s/below", dir);
    const char *at = strchr(mounts[_i].mount, '@');
    cleanup_free char *spec =
        at ? str_format("%.*s%s%s", (int)(at - mounts[_i].mount), mounts[_i].mount, dir, at + 1)
           : str_copy(mounts[_i].mount);

    make_sources();
    EXPECT(0, mounts[_i].out, NULL, "run", "--rm", "--mount", spec, BOX, "sh", "-c",
           mounts[_i].script);
    ck_assert_int_eq(umount2(below, MNT_DETACH), 0);
    clear_volumes();
    EXPECT(0, NULL, NULL, "rmi", "layers:1");
}
END_TEST

/* What a container writes into its volume decides nothing about the host. */
START_TEST(a_subpath_stays_inside)
{
    EXPECT(0, "", "", "run", "--rm", "-v", "evil:/v", BOX, "sh", "-c",
           "ln -s / /v/root; ln -s /etc /v/etc; ln -s ../../.. /v/up; mkdir /v/in");
    EXPECT(0, "etc\nin\nroot\nup\n", "", "run", "--rm", "--mount",
           "source=evil,target=/x,volume-subpath=root", BOX, "ls", "/x");
    EXPECT(0, "etc\nin\nroot\nup\n", "", "run", "--rm", "--mount",
           "source=evil,target=/x,volume-subpath=up", BOX, "ls", "/x");
    EXPECT(125, "", "cannot access path 'etc'", "run", "--rm", "--mount",
           "source=evil,target=/x,volume-subpath=etc", BOX, "ls", "/x");
    EXPECT(125, "", "cannot access path 'nosuch'", "run", "--rm", "--mount",
           "source=evil,target=/x,volume-subpath=nosuch", BOX, "ls", "/x");
}
END_TEST

START_TEST(an_image_that_is_mounted_is_used)
{
    EXPECT(0, NULL, NULL, "tag", BOX, "shown:1");
    EXPECT(0, NULL, NULL, "run", "--name", "base", BOX, "touch", "/changed");
    EXPECT(0, NULL, NULL, "commit", "base", "other:1");
    EXPECT(0, NULL, "", "create", "--name", "web", "--mount", "type=image,source=other:1,target=/x",
           BOX);
    EXPECT(1, NULL, "container", "rmi", "other:1");
    EXPECT(125, NULL, "invalid mount config for type \"image\": No such image: nosuch:1", "run",
           "--mount", "type=image,source=nosuch:1,target=/x", BOX);
    EXPECT(0, NULL, "", "rm", "web", "base");
    EXPECT(0, NULL, "", "rmi", "other:1", "shown:1");
}
END_TEST

START_TEST(volumes_from_another)
{
    cleanup_free char *dir = source_directory(), *bind = str_format("%s:/bound", dir);
    cleanup_free char *below = str_format("%s/below", dir);

    EXPECT(0, NULL, "", "run", "-d", "--name", "donor", "-v", "named:/data", "-v", "/anon", "-v",
           bind, "--mount", "type=tmpfs,target=/tm,tmpfs-size=1m", BOX, "sh", "-c",
           "echo n >/data/n; echo a >/anon/a; echo ready; sleep 600");
    world_wait_log("donor", "ready");
    EXPECT(0, "n\na\nfile\n", "", "run", "--rm", "--volumes-from", "donor", BOX, "cat", "/data/n",
           "/anon/a", "/bound/f");
    EXPECT(0, "1\n1\n", "", "run", "--rm", "--volumes-from", "donor:ro", BOX, "sh", "-c",
           "touch /data/x 2>/dev/null; echo $?; touch /bound/x 2>/dev/null; echo $?");
    EXPECT(0, "root:x:0:\n", "", "run", "--rm", "--volumes-from", "donor", "-v", "/etc:/data:ro",
           "-v", "named:/n", BOX, "sh", "-c", "test -e /n/n && head -n1 /etc/group");
    EXPECT(125, "", "No such container: nosuch", "run", "--rm", "--volumes-from", "nosuch", BOX);
    EXPECT(125, "", "invalid mode: foo", "run", "--rm", "--volumes-from", "donor:foo", BOX);
    EXPECT(125, "", "invalid name or ID supplied: \"\"", "run", "--rm", "--volumes-from", ":ro",
           BOX);
    ck_assert_int_eq(umount2(below, MNT_DETACH), 0);
}
END_TEST

/* --- mounts that go on through binds --------------------------------------------------------- */

/* A directory that is a mount of its own, in a peer group. */
static char *make_peer(const char *name, unsigned long kind)
{
    char *dir = world_path(name);

    ck_assert(mkdir(dir, 0755) == 0 || errno == EEXIST);
    while (!umount2(dir, MNT_DETACH)) /* of a test that failed */
        ;
    ck_assert_int_eq(mount("peer", dir, "tmpfs", 0, "size=1m"), 0);
    ck_assert_int_eq(mount(NULL, dir, NULL, kind, NULL), 0);
    return dir;
}

static bool mount_point(const char *dir, const char *name)
{
    cleanup_free char *path = str_format("%s/%s", dir, name);
    struct statx st;

    return !statx(-1, path, 0, 0, &st) && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* A mount of the container's that the host sees, with "shared" only; one of the host's that the
 * container sees, with "shared" and "slave". */
static const struct {
    const char *word;
    bool out, in;
} propagations[] = {{"shared", true, true},  {"rshared", true, true},    {"slave", false, true},
                    {"rslave", false, true}, {"rprivate", false, false}, {"private", false, false},
                    {"rw", false, false}};

START_TEST(mounts_go_on_as_told)
{
    cleanup_free char *dir = make_peer("peer", MS_SHARED), *late = str_format("%s/late", dir);
    cleanup_free char *bind = str_format("%s:/x:%s", dir, propagations[_i].word);

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--cap-add", "SYS_ADMIN", "-v", bind, BOX,
           "sh", "-c",
           "mkdir /x/inner /x/late && mount -t tmpfs none /x/inner; echo ready; sleep 600");
    world_wait_log("web", "ready");
    ck_assert(mount_point(dir, "inner") == propagations[_i].out);
    ck_assert_int_eq(mount("late", late, "tmpfs", 0, "size=1m"), 0);
    EXPECT(0, propagations[_i].in ? "1\n" : "0\n", "", "exec", "web", "sh", "-c",
           "grep -c ' /x/late ' /proc/self/mountinfo || true");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
}
END_TEST

START_TEST(only_what_is_shared_is_shared)
{
    cleanup_free char *dir = make_peer("peer", MS_PRIVATE), *text = NULL;
    cleanup_free char *shared = str_format("%s:/x:shared", dir);
    cleanup_free char *slave = str_format("%s:/x:rslave", dir);

    text = str_format("path %s is mounted on %s but it is not a shared mount\n", dir, dir);
    EXPECT(125, "", text, "run", "--name", "web", "-v", shared, BOX, "true");
    EXPECT(0, "created\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    free(text);
    text = str_format("path %s is mounted on %s but it is not a shared or slave mount\n", dir, dir);
    EXPECT(125, "", text, "run", "--rm", "-v", slave, BOX, "true");
    ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
}
END_TEST

/* --- volumes that are file systems ----------------------------------------------------------- */

static bool is_mounted(const char *volume)
{
    cleanup_free char *path = volume_file(volume, ".");
    struct statx st;

    ck_assert_int_eq(statx(-1, path, 0, 0, &st), 0);
    return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

START_TEST(a_tmpfs_volume_is_there_while_it_is_used)
{
    EXPECT(0, "mem\n", "", "volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o",
           "o=size=1m,uid=82", "mem");
    ck_assert(!is_mounted("mem"));
    EXPECT(0, NULL, "", "run", "-d", "--name", "one", "-v", "mem:/m", BOX, "sh", "-c",
           "echo hi >/m/f; echo ready; sleep 600");
    world_wait_log("one", "ready");
    ck_assert(is_mounted("mem"));
    EXPECT(0, "hi\n82\n", "", "run", "--rm", "-v", "mem:/m", BOX, "sh", "-c",
           "cat /m/f; stat -c %u /m");
    ck_assert(is_mounted("mem"));
    EXPECT(0, "one\n", "", "stop", "-t", "0", "one");
    ck_assert(!is_mounted("mem"));
    EXPECT(1, "", "can't open '/m/f'", "run", "--rm", "-v", "mem:/m", BOX, "cat", "/m/f");
    ck_assert(!is_mounted("mem"));
}
END_TEST

/* Its mount is found and taken away by the next command, and what is behind it is never removed. */
START_TEST(a_killed_shim_leaves_no_mount)
{
    cleanup_free char *dir = source_directory(), *option = str_format("device=%s", dir), *id = NULL;
    cleanup_free char *file = str_format("%s/f", dir), *below = str_format("%s/below", dir);
    pid_t shim;

    ck_assert_int_eq(umount2(below, MNT_DETACH), 0);
    EXPECT(0, "host\n", "", "volume", "create", "-o", "type=none", "-o", option, "-o", "o=bind",
           "host");
    id = OUTPUT("run", "-d", "-v", "host:/m", BOX, "sleep", "600");
    ck_assert(is_mounted("host"));
    shim = world_shim_of(id);
    ck_assert_int_eq(kill(shim, SIGKILL), 0);
    EXPECT(0, NULL, "", "rm", "-f", id);
    ck_assert(!is_mounted("host"));
    EXPECT(0, "host\n", "", "volume", "rm", "host");
    ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

START_TEST(cp_reaches_a_volume_that_is_mounted_for_it)
{
    cleanup_free char *dir = source_directory(), *option = str_format("device=%s", dir);
    cleanup_free char *below = str_format("%s/below", dir), *file = str_format("%s/hosts", dir);

    ck_assert_int_eq(umount2(below, MNT_DETACH), 0);
    EXPECT(0, "host\n", "", "volume", "create", "-o", "type=none", "-o", option, "-o", "o=bind",
           "host");
    EXPECT(0, NULL, "", "create", "--name", "web", "-v", "host:/m", BOX);
    EXPECT(0, "", "", "cp", "/etc/hosts", "web:/m/");
    ck_assert(!is_mounted("host"));
    ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

START_TEST(what_cannot_be_mounted)
{
    cleanup_free char *text = NULL, *path = volume_file("odd", "");

    path[strlen(path) - 1] = 0;
    EXPECT(0, "odd\n", "", "volume", "create", "-o", "type=none", "-o", "device=/nonexist", "-o",
           "o=bind", "odd");
    text = str_format("error while mounting volume '%s': failed to mount local volume: mount "
                      "/nonexist:%s, flags: 0x1000: no such file or directory\n",
                      path, path);
    EXPECT(127, "", text, "run", "--rm", "-v", "odd:/x", BOX);
    EXPECT(0, "odd\n", "", "volume", "rm", "odd");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_loop_test(t, commands_explain, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(t, create_list_inspect);
    tcase_add_test(t, what_is_used_stays);
    tcase_add_test(t, prune_takes_the_nameless_and_all_when_told);
    tcase_add_test(t, events_of_volumes);
    tcase_add_test(t, a_new_volume_gets_what_the_image_has);
    tcase_add_test(t, a_new_volume_looks_as_in_the_image);
    tcase_add_test(t, rm_v_takes_the_nameless_only);
    tcase_add_loop_test(t, mounts_show_what_they_say, 0, sizeof mounts / sizeof *mounts);
    tcase_add_test(t, a_subpath_stays_inside);
    tcase_add_test(t, an_image_that_is_mounted_is_used);
    tcase_add_test(t, volumes_from_another);
    tcase_add_loop_test(t, mounts_go_on_as_told, 0, sizeof propagations / sizeof *propagations);
    tcase_add_test(t, only_what_is_shared_is_shared);
    tcase_add_test(t, a_tmpfs_volume_is_there_while_it_is_used);
    tcase_add_test(t, a_killed_shim_leaves_no_mount);
    tcase_add_test(t, cp_reaches_a_volume_that_is_mounted_for_it);
    tcase_add_test(t, what_cannot_be_mounted);
}

SUITE(volumes)
{
    TCase *t = tcase_create("volumes");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, clear_volumes, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
