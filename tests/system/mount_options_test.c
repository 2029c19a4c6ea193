/* Every word a mount's options may have, by what the container finds in its mount table. */
#include "support/suite.h"

#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"
#include "runtime/mount_options.h"

/* Is `word` one of the words in "ro,nosuid shared:1 - tmpfs tmpfs rw,size=1k"? */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || strchr(", ", at[-1])) && (!at[n] || strchr(", :", at[n])))
            return true;
    return false;
}

/* Of the mount itself, or behind the dash: of the file system. */
static char *part(const char *line, bool of_filesystem)
{
    const char *dash = strstr(line, " - ");

    ck_assert_msg(dash != NULL, "not mounted: '%s'", line);
    return of_filesystem ? str_copy(dash + 3) : str_copy_n(line, (size_t)(dash - line));
}

/* Each word of `expected` must be there, or, with a '!' before it, must not. */
static void check_words(const char *text, const char *expected)
{
    cleanup_strv struct strv words = {0};

    strv_split(&words, expected, ' ');
    for (size_t i = 0; i < words.len; i++) {
        bool absent = words.items[i][0] == '!';

        ck_assert_msg(has_word(text, words.items[i] + absent) != absent, "'%s' in '%s'",
                      words.items[i], text);
    }
}

/* --- a new file system ------------------------------------------------------------------------ */

static const struct {
    const char *options, *mount, *filesystem;
} tmpfs_options[] = {
    {"", "rw relatime !nosuid !nodev !noexec", ""},
    {"defaults,async,loud,norelatime,rnorelatime", "rw relatime !nosuid", "!sync"},
    {"nosuid,nodev,noexec", "nosuid nodev noexec", ""},
    {"nosuid,nodev,noexec,suid,dev,exec", "!nosuid !nodev !noexec", ""},
    {"ro", "ro", "rw"},
    {"ro,rw", "rw", ""},
    {"rw,ro", "ro", ""},
    {"rro", "ro", ""},
    {"noatime", "noatime !relatime", ""},
    {"noatime,atime", "relatime !noatime", ""},
    {"strictatime", "!noatime !relatime", ""},
    {"strictatime,nostrictatime", "relatime", ""},
    {"noatime,strictatime", "!noatime !relatime", ""},
    {"nodiratime", "nodiratime relatime", ""},
    {"nodiratime,diratime", "!nodiratime", ""},
    {"nodiratime,noatime", "nodiratime noatime", ""},
    {"nosymfollow", "nosymfollow", ""},
    {"nosymfollow,symfollow", "!nosymfollow", ""},
    {"rnosuid,rnodev,rnoexec,rnoatime", "nosuid nodev noexec noatime", ""},
    {"sync", "", "sync"},
    {"sync,async", "", "!sync"},
    {"dirsync", "", "dirsync"},
    {"lazytime", "", "lazytime"},
    {"lazytime,nolazytime", "", "!lazytime"},
    {"mand", "rw", ""}, /* nothing since Linux 5.15 */
    {"mand,nomand,silent,iversion,noiversion,noacl", "rw relatime", ""},
    {"silent,iversion,acl,nosuid,sync,size=64k", "nosuid relatime", "sync size=64k"},
    {"size=64k,mode=700,uid=5", "", "size=64k mode=700 uid=5"},
    {"x-mine=1,X-yours,nosuid", "nosuid", "!x-mine=1"},
    {"private", "!shared !master", ""},
    {"shared", "shared", ""},
    {"slave", "!shared !master", ""},
    {"slave,shared", "shared", ""},
    {"unbindable", "unbindable", ""},
    {"unbindable,private", "!unbindable", ""},
    {"rshared", "shared", ""},
    {"runbindable", "unbindable", ""},
};

START_TEST(a_new_file_system_has_its_options)
{
    cleanup_free char *bundle = container_bundle(), *mount = NULL, *filesystem = NULL;
    cleanup_json json_t *config = container_config(bundle, "mounted /x");
    cleanup_outcome struct outcome o;

    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", "/x", tmpfs_options[_i].options));
    run_well(bundle, config, &o);
    mount = part(answer(&o, "mounted /x"), false);
    filesystem = part(answer(&o, "mounted /x"), true);
    check_words(mount, tmpfs_options[_i].mount);
    check_words(filesystem, tmpfs_options[_i].filesystem);
}
END_TEST

/* --- a bind of a tree of two ------------------------------------------------------------------ */

/* What the source and the mount below it have, what is asked for, and what comes out of it. */
static const struct {
    unsigned long source;
    const char *options, *top, *below;
} bind_options[] = {
    {0, "rbind", "rw !nosuid relatime", "rw !nosuid relatime"},
    {0, "rbind,ro,nosuid,nodev,noexec,noatime", "ro nosuid nodev noexec noatime",
     "rw !nosuid !nodev !noexec !noatime"},
    {0, "rbind,rro", "ro", "ro"},
    {0, "rbind,ro,rrw", "rw", "rw"},
    {0, "rbind,rnosuid", "nosuid", "nosuid"},
    {0, "rbind,rnodev", "nodev", "nodev"},
    {0, "rbind,rnoexec", "noexec", "noexec"},
    {0, "rbind,rnoatime", "noatime", "noatime"},
    {0, "rbind,rnodiratime", "nodiratime", "nodiratime"},
    {0, "rbind,rstrictatime", "!relatime !noatime", "!relatime !noatime"},
    {0, "rbind,rnosymfollow", "nosymfollow", "nosymfollow"},
    {0, "rbind,rro,rnosuid,rnodev,rnoexec", "ro nosuid nodev noexec", "ro nosuid nodev noexec"},
    {MS_NOSUID | MS_NODEV | MS_NOEXEC, "rbind,ro", "ro nosuid nodev noexec",
     "rw nosuid nodev noexec"},
    {MS_NOSUID | MS_NODEV | MS_NOEXEC, "rbind,suid,dev,exec", "!nosuid !nodev !noexec",
     "nosuid nodev noexec"},
    {MS_RDONLY, "rbind,rw", "rw", "ro"},
    {MS_RDONLY, "rbind,rrw", "rw", "rw"},
    {MS_NOSUID, "rbind,rsuid", "!nosuid", "!nosuid"},
    {MS_NODEV, "rbind,rdev", "!nodev", "!nodev"},
    {MS_NOEXEC, "rbind,rexec", "!noexec", "!noexec"},
    {MS_NOATIME, "rbind", "noatime", "noatime"},
    {MS_NOATIME, "rbind,atime", "relatime", "noatime"},
    {MS_NOATIME, "rbind,relatime", "relatime", "noatime"},
    {MS_NOATIME, "rbind,ratime", "relatime", "relatime"},
    {MS_NOATIME, "rbind,rrelatime", "relatime", "relatime"},
    {MS_NOATIME, "rbind,rnorelatime", "noatime", "noatime"},
    {MS_STRICTATIME, "rbind,rnostrictatime", "relatime", "relatime"},
    {MS_NODIRATIME, "rbind,diratime", "!nodiratime", "nodiratime"},
    {MS_NODIRATIME, "rbind,rdiratime", "!nodiratime", "!nodiratime"},
    {256 /* MS_NOSYMFOLLOW */, "rbind,symfollow", "!nosymfollow", "nosymfollow"},
    {256, "rbind,rsymfollow", "!nosymfollow", "!nosymfollow"},
    {0, "rbind,sync,dirsync,lazytime,mand,iversion,silent", "rw relatime", "rw relatime"},
    {0, "rbind,shared", "shared", "!shared"},
    {0, "rbind,rshared", "shared", "shared"},
    {0, "rbind,unbindable", "unbindable", "!unbindable"},
    {0, "rbind,runbindable", "unbindable", "unbindable"},
    {0, "rbind,rprivate", "!shared !master", "!shared !master"},
};

START_TEST(a_bind_has_its_options_and_r_means_all_below)
{
    cleanup_free char *bundle = container_bundle(), *top = NULL, *below = NULL;
    cleanup_free char *source = path_in(bundle, "source"), *sub = path_in(bundle, "source/sub");
    cleanup_json json_t *config = container_config(bundle, "mounted /x + mounted /x/sub");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source");
    ck_assert(!mount("tmpfs", source, "tmpfs", 0, NULL));
    put_dir(bundle, "source/sub");
    ck_assert(!mount("tmpfs", sub, "tmpfs", bind_options[_i].source, NULL));
    ck_assert(!mount(NULL, source, NULL, MS_REMOUNT | MS_BIND | bind_options[_i].source, NULL));
    container_append(config, "mounts", bind_mount(source, "/x", bind_options[_i].options));
    container_run(bundle, config, &o);
    umount2(source, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    top = part(answer(&o, "mounted /x"), false);
    below = part(answer(&o, "mounted /x/sub"), false);
    check_words(top, bind_options[_i].top);
    check_words(below, bind_options[_i].below);
}
END_TEST

/* --- "remount" -------------------------------------------------------------------------------- */

static const struct {
    const char *options, *mount, *filesystem;
} remounts[] = {
    {"remount,ro", "ro nosuid", "size=128k"},
    {"remount,bind,ro,suid", "ro !nosuid", "size=128k"},
    {"remount,size=256k", "rw nosuid", "size=256k"},
    {"remount,shared", "shared", ""},
    {"remount,rnoexec", "noexec nosuid", ""},
};

START_TEST(what_is_mounted_can_be_changed)
{
    cleanup_free char *bundle = container_bundle(), *mount = NULL, *filesystem = NULL;
    cleanup_json json_t *config = container_config(bundle, "mounted /x");
    cleanup_outcome struct outcome o;

    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/x", "nosuid,size=128k"));
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", "/x", remounts[_i].options));
    run_well(bundle, config, &o);
    mount = part(answer(&o, "mounted /x"), false);
    filesystem = part(answer(&o, "mounted /x"), true);
    check_words(mount, remounts[_i].mount);
    check_words(filesystem, remounts[_i].filesystem);
}
END_TEST

/* --- what is refused
 * ------------------------------------------------------------------------------
 */

static const struct {
    const char *type, *source, *options;
    int error;
    const char *words;
} refused[] = {
    {"tmpfs", "tmpfs", "size=foo", EINVAL,
     "mounts[7]: cannot mount 'tmpfs' on '/x': option 'size=foo': Invalid argument: tmpfs: Bad "
     "value"},
    {"tmpfs", "tmpfs", "nosuch", EINVAL,
     "option 'nosuch': Invalid argument: tmpfs: Unknown parameter"},
    {"tmpfs", "tmpfs", "noexec,x-cooper.nosuch", EINVAL, "option 'x-cooper.nosuch'"},
    {"nosuchfs", "dummy", "", ENODEV,
     "cannot mount 'dummy' on '/x': type 'nosuchfs': No such device"},
    {"bind", "/tmp", "bind,size=4k", EINVAL, "a bind mount has no option 'size=4k'"},
    {"bind", "/tmp", "rbind,nosuch", EINVAL, "a bind mount has no option 'nosuch'"},
    {"bind", "/tmp", "rbind,tmpcopyup", EINVAL, "'tmpcopyup' is for a tmpfs"},
    {"bind", "/tmp", "copy-symlink,src-nofollow,bind", EINVAL, "excludes"},
    {"bind", "", "bind", EINVAL, "a bind needs a source"},
    {"bind", "/no/such/source", "bind", ENOENT,
     "mounts[7]: cannot mount '/no/such/source' on '/x': cannot bind '/no/such/source': No such "
     "file"},
    {"proc", "proc", "tmpcopyup", EINVAL, "'tmpcopyup' is for a tmpfs, not for a 'proc'"},
    {"tmpfs", "tmpfs", "copy-symlink", EINVAL, "for a bind mount only"},
    {"", "tmpfs", "nosuid", EINVAL, "it has no type, and none of the options 'bind' and 'rbind'"},
    {"tmpfs", "tmpfs", "remount,ro", EINVAL, "'remount': nothing is mounted there"},
    {"tmpfs", "tmpfs", "private,slave,shared,private,slave", EINVAL, "too many words"},
};

START_TEST(an_error_names_the_mount_and_the_option)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    put_dir(bundle, "rootfs/x");
    container_append(
        config, "mounts",
        container_mount(refused[_i].type, refused[_i].source, "/x", refused[_i].options));
    run_refused(bundle, config, refused[_i].error, refused[_i].words);
}
END_TEST

/* --- long options
 * ---------------------------------------------------------------------------------
 */

/* fsconfig(2) takes 255 bytes a value: an overlay of some layers has more. */
START_TEST(an_overlay_of_long_names_is_mounted)
{
    cleanup_free char *bundle = container_bundle(), *lower = NULL, *options = NULL;
    cleanup_json json_t *config = container_config(bundle, "cat /x/file + put /x/new y + list /");
    char name[201] = "";
    cleanup_outcome struct outcome o;

    memset(name, 'n', sizeof name - 1);
    lower = str_format("%s/%s/sub", bundle, name);
    cleanup_free char *relative = str_format("%s/sub/file", name);
    *strrchr(relative, '/') = 0;
    put_dir(bundle, relative);
    cleanup_free char *file = str_format("%s/sub/file", name);
    put_file(bundle, file, "lower");
    put_dir(bundle, "other");
    put_dir(bundle, "upper");
    put_dir(bundle, "work");
    options = str_format("lowerdir=%s:%s/other,upperdir=%s/upper,workdir=%s/work,nosuid", lower,
                         bundle, bundle, bundle);
    container_append(config, "mounts", container_mount("overlay", "overlay", "/x", options));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "cat /x/file"), "lower");
    ck_assert_str_eq(answer(&o, "put /x/new y"), "ok");
    ck_assert(exists(bundle, "upper/new"));
    ck_assert_ptr_eq(strstr(answer(&o, "list /"), "new"),
                     NULL); /* the place it was made in is gone */
}
END_TEST

START_TEST(options_that_do_not_fit_are_not_cut_off)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    char option[5000];

    memset(option, 'x', sizeof option);
    memcpy(option, "lowerdir=", 9);
    option[sizeof option - 1] = 0;
    container_append(config, "mounts", container_mount("overlay", "overlay", "/x", option));
    run_refused(bundle, config, E2BIG, "mount(2) takes one page");
}
END_TEST

/* --- the list for `features`
 * ----------------------------------------------------------------------
 */

START_TEST(the_list_has_every_word_of_the_specification)
{
    static const char words[] =
        "async atime bind defaults dev diratime dirsync exec idmap iversion lazytime loud mand "
        "noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime "
        "nosuid "
        "nosymfollow private ratime rbind rdev rdiratime relatime remount rexec ridmap rnoatime "
        "rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate "
        "rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared "
        "silent "
        "slave strictatime suid symfollow sync tmpcopyup unbindable";
    cleanup_strv struct strv spec = {0}, known = {0};

    strv_split(&spec, words, ' ');
    mount_options_known(&known);
    for (size_t i = 0; i < spec.len; i++)
        ck_assert_msg(strv_contains(&known, spec.items[i]), "%s", spec.items[i]);
    for (size_t i = 1; i < known.len; i++)
        ck_assert_msg(strcmp(known.items[i - 1], known.items[i]) < 0, "%s", known.items[i]);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_options)
{
    TCase *t = tcase_create("mount_options");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(a_new_file_system_has_its_options, tmpfs_options);
    LOOP(a_bind_has_its_options_and_r_means_all_below, bind_options);
    LOOP(what_is_mounted_can_be_changed, remounts);
    LOOP(an_error_names_the_mount_and_the_option, refused);
    tcase_add_test(t, an_overlay_of_long_names_is_mounted);
    tcase_add_test(t, options_that_do_not_fit_are_not_cut_off);
    tcase_add_test(t, the_list_has_every_word_of_the_specification);
    suite_add_tcase(suite, t);
}
