#include "runtime/mount_options.h"

#include <stddef.h>
#include <string.h>
#include <sys/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x200000 /* Linux 5.14 */
#endif

/* What a word does. */
enum effect {
    NOTHING,     /* says what is the case anyway */
    OWN,         /* attributes of this mount */
    ALL,         /* attributes of this mount and of all below it (AT_RECURSIVE, Linux 5.12) */
    SUPER_SET,   /* a property of the file system */
    SUPER_CLEAR, /* and its opposite */
    PROPAGATE,
    SWITCH, /* a bool of struct mount_options */
};

/* When reading a file changes its access time is a field of three values, of which "relatime" is 0:
 * whatever sets it clears all of it first. A word that takes one of the others back means the
 * kernel's default, and that is relatime. */
#define ATIME(value) (value), MOUNT_ATTR__ATIME
#define FLAG(name)   offsetof(struct mount_options, name), 0

static const struct entry {
    const char *word;
    enum effect effect;
    uint64_t set, clear; /* of attributes; else what belongs to the effect is in `set` */
} entries[] = {
    {"acl", SUPER_SET, MS_POSIXACL, 0},
    {"async", SUPER_CLEAR, MS_SYNCHRONOUS, 0},
    {"atime", OWN, ATIME(MOUNT_ATTR_RELATIME)},
    {"bind", SWITCH, FLAG(bind)},
    {"copy-symlink", SWITCH, FLAG(copy_symlink)},
    {"defaults", NOTHING, 0, 0},
    {"dest-nofollow", SWITCH, FLAG(target_nofollow)},
    {"dev", OWN, 0, MOUNT_ATTR_NODEV},
    {"diratime", OWN, 0, MOUNT_ATTR_NODIRATIME},
    {"dirsync", SUPER_SET, MS_DIRSYNC, 0},
    {"exec", OWN, 0, MOUNT_ATTR_NOEXEC},
    {"idmap", SWITCH, FLAG(idmap)},
    {"iversion", SUPER_SET, MS_I_VERSION, 0},
    {"lazytime", SUPER_SET, MS_LAZYTIME, 0},
    {"loud", SUPER_CLEAR, MS_SILENT, 0},
    {"mand", SUPER_SET, MS_MANDLOCK, 0},
    {"noacl", SUPER_CLEAR, MS_POSIXACL, 0},
    {"noatime", OWN, ATIME(MOUNT_ATTR_NOATIME)},
    {"nodev", OWN, MOUNT_ATTR_NODEV, 0},
    {"nodiratime", OWN, MOUNT_ATTR_NODIRATIME, 0},
    {"noexec", OWN, MOUNT_ATTR_NOEXEC, 0},
    {"noiversion", SUPER_CLEAR, MS_I_VERSION, 0},
    {"nolazytime", SUPER_CLEAR, MS_LAZYTIME, 0},
    {"nomand", SUPER_CLEAR, MS_MANDLOCK, 0},
    {"norelatime", NOTHING, 0,
     0}, /* mount(8): the kernel decides, and since 2.6.30 that is relatime */
    {"nostrictatime", OWN, ATIME(MOUNT_ATTR_RELATIME)},
    {"nosuid", OWN, MOUNT_ATTR_NOSUID, 0},
    {"nosymfollow", OWN, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"private", PROPAGATE, MS_PRIVATE, 0},
    {"ratime", ALL, ATIME(MOUNT_ATTR_RELATIME)},
    {"rbind", SWITCH, FLAG(bind)},
    {"rbind", SWITCH, FLAG(recursive)},
    {"rdev", ALL, 0, MOUNT_ATTR_NODEV},
    {"rdiratime", ALL, 0, MOUNT_ATTR_NODIRATIME},
    {"relatime", OWN, ATIME(MOUNT_ATTR_RELATIME)},
    {"remount", SWITCH, FLAG(remount)},
    {"rexec", ALL, 0, MOUNT_ATTR_NOEXEC},
    {"ridmap", SWITCH, FLAG(idmap)},
    {"ridmap", SWITCH, FLAG(idmap_recursive)},
    {"rnoatime", ALL, ATIME(MOUNT_ATTR_NOATIME)},
    {"rnodev", ALL, MOUNT_ATTR_NODEV, 0},
    {"rnodiratime", ALL, MOUNT_ATTR_NODIRATIME, 0},
    {"rnoexec", ALL, MOUNT_ATTR_NOEXEC, 0},
    {"rnorelatime", NOTHING, 0, 0},
    {"rnostrictatime", ALL, ATIME(MOUNT_ATTR_RELATIME)},
    {"rnosuid", ALL, MOUNT_ATTR_NOSUID, 0},
    {"rnosymfollow", ALL, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"ro", OWN, MOUNT_ATTR_RDONLY, 0},
    {"rprivate", PROPAGATE, MS_PRIVATE | MS_REC, 0},
    {"rrelatime", ALL, ATIME(MOUNT_ATTR_RELATIME)},
    {"rro", ALL, MOUNT_ATTR_RDONLY, 0},
    {"rrw", ALL, 0, MOUNT_ATTR_RDONLY},
    {"rshared", PROPAGATE, MS_SHARED | MS_REC, 0},
    {"rslave", PROPAGATE, MS_SLAVE | MS_REC, 0},
    {"rstrictatime", ALL, ATIME(MOUNT_ATTR_STRICTATIME)},
    {"rsuid", ALL, 0, MOUNT_ATTR_NOSUID},
    {"rsymfollow", ALL, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"runbindable", PROPAGATE, MS_UNBINDABLE | MS_REC, 0},
    {"rw", OWN, 0, MOUNT_ATTR_RDONLY},
    {"shared", PROPAGATE, MS_SHARED, 0},
    {"silent", SUPER_SET, MS_SILENT, 0},
    {"slave", PROPAGATE, MS_SLAVE, 0},
    {"src-nofollow", SWITCH, FLAG(source_nofollow)},
    {"strictatime", OWN, ATIME(MOUNT_ATTR_STRICTATIME)},
    {"suid", OWN, 0, MOUNT_ATTR_NOSUID},
    {"symfollow", OWN, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"sync", SUPER_SET, MS_SYNCHRONOUS, 0},
    {"tmpcopyup", SWITCH, FLAG(copy_up)},
    {"unbindable", PROPAGATE, MS_UNBINDABLE, 0},
    {"x-cooper.seed", SWITCH, FLAG(seed)},
};

static void change(struct mount_attributes *attributes, const struct entry *entry)
{
    attributes->set = (attributes->set & ~entry->clear) | entry->set;
    attributes->clear |= entry->clear;
}

static int propagate(const struct entry *entry, struct mount_options *ret, struct err *err)
{
    if (ret->propagation_count == sizeof ret->propagation / sizeof *ret->propagation)
        return err_set(err, EINVAL, "too many words about propagation: '%s'", entry->word);
    ret->propagation[ret->propagation_count++] = (unsigned long)entry->set;
    return 0;
}

static int apply(const struct entry *entry, struct mount_options *ret, struct err *err)
{
    switch (entry->effect) {
    case NOTHING:
        break;
    case OWN:
        change(&ret->own, entry);
        break;
    case ALL:
        change(&ret->all, entry);
        break;
    case SUPER_SET:
        ret->super |= (unsigned long)entry->set;
        break;
    case SUPER_CLEAR:
        ret->super &= ~(unsigned long)entry->set;
        break;
    case PROPAGATE:
        return propagate(entry, ret, err);
    case SWITCH:
        *(bool *)((char *)ret + entry->set) = true;
        break;
    }
    return 0;
}

/* crun gives the mapping with the word: "idmap=uids=0-1000-10;gids=0-1000-10". */
static bool take_idmap(const char *word, struct mount_options *ret)
{
    bool recursive = str_starts(word, "ridmap=");

    if (!recursive && !str_starts(word, "idmap="))
        return false;
    ret->idmap = true;
    ret->idmap_recursive |= recursive;
    ret->idmap_text = strchr(word, '=') + 1;
    return true;
}

/* Only a directory inside of what is mounted. */
static bool take_beneath(const char *word, struct mount_options *ret)
{
    if (!str_starts(word, "x-cooper.beneath="))
        return false;
    ret->beneath = strchr(word, '=') + 1;
    return true;
}

/* mount(8): "x-..." and "X-..." are notes of other programs. Ours are in the table, or mistyped. */
static bool is_note(const char *word)
{
    return (str_starts(word, "x-") || str_starts(word, "X-")) && !str_starts(word, "x-cooper.");
}

static int take(const char *word, struct mount_options *ret, struct err *err)
{
    bool known = false;

    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        if (*word != *entries[i].word || strcmp(word, entries[i].word))
            continue;
        if (apply(&entries[i], ret, err) < 0)
            return -err->code;
        known = true;
    }
    if (known || take_idmap(word, ret) || take_beneath(word, ret) || is_note(word) || !*word)
        return 0;
    strv_add(&ret->data, word);
    return 0;
}

int mount_options_parse(const struct strv *words, struct mount_options *ret, struct err *err)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < words->len; i++)
        if (take(words->items[i], ret, err) < 0)
            return -err->code;
    return 0;
}

void mount_options_free(struct mount_options *options)
{
    strv_free(&options->data);
}

void mount_options_known(struct strv *ret)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (!i || strcmp(entries[i].word, entries[i - 1].word))
            strv_add(ret, entries[i].word);
}
