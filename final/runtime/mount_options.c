#include "runtime/mount_options.h"

#include <string.h>
#include <sys/mount.h>

/* Where a word goes. A word in no table belongs to the file system and is passed on to it. */
enum target { SET, CLEAR, SET_RECURSIVE, CLEAR_RECURSIVE };

static const struct {
    const char *word;
    enum target target;
    uint64_t bits;
} attribute_words[] = {
    {"ro", SET, MOUNT_ATTR_RDONLY},
    {"rw", CLEAR, MOUNT_ATTR_RDONLY},
    {"nosuid", SET, MOUNT_ATTR_NOSUID},
    {"suid", CLEAR, MOUNT_ATTR_NOSUID},
    {"nodev", SET, MOUNT_ATTR_NODEV},
    {"dev", CLEAR, MOUNT_ATTR_NODEV},
    {"noexec", SET, MOUNT_ATTR_NOEXEC},
    {"exec", CLEAR, MOUNT_ATTR_NOEXEC},
    {"noatime", SET, MOUNT_ATTR_NOATIME},
    {"atime", CLEAR, MOUNT_ATTR_NOATIME},
    {"strictatime", SET, MOUNT_ATTR_STRICTATIME},
    {"nodiratime", SET, MOUNT_ATTR_NODIRATIME},
    {"diratime", CLEAR, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"symfollow", CLEAR, MOUNT_ATTR_NOSYMFOLLOW},
    {"relatime", SET, 0}, /* the kernel's default */
    {"norelatime", SET, 0},
    {"nostrictatime", SET, 0},
    {"defaults", SET, 0},
    {"async", SET, 0},
    {"rro", SET_RECURSIVE, MOUNT_ATTR_RDONLY},
    {"rrw", CLEAR_RECURSIVE, MOUNT_ATTR_RDONLY},
    {"rnosuid", SET_RECURSIVE, MOUNT_ATTR_NOSUID},
    {"rsuid", CLEAR_RECURSIVE, MOUNT_ATTR_NOSUID},
    {"rnodev", SET_RECURSIVE, MOUNT_ATTR_NODEV},
    {"rdev", CLEAR_RECURSIVE, MOUNT_ATTR_NODEV},
    {"rnoexec", SET_RECURSIVE, MOUNT_ATTR_NOEXEC},
    {"rexec", CLEAR_RECURSIVE, MOUNT_ATTR_NOEXEC},
    {"rnosymfollow", SET_RECURSIVE, MOUNT_ATTR_NOSYMFOLLOW},
};

static const struct {
    const char *word;
    unsigned long flags;
} propagation_words[] = {
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
    {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
};

static bool take_attribute(const char *word, struct mount_options *ret)
{
    for (size_t i = 0; i < sizeof attribute_words / sizeof *attribute_words; i++) {
        uint64_t bits = attribute_words[i].bits;

        if (strcmp(word, attribute_words[i].word))
            continue;
        /* The last word wins: "ro,rw" is writable. */
        switch (attribute_words[i].target) {
        case SET:
            ret->set |= bits;
            ret->clear &= ~bits;
            break;
        case CLEAR:
            ret->clear |= bits;
            ret->set &= ~bits;
            break;
        case SET_RECURSIVE:
            ret->set_recursive |= bits;
            break;
        case CLEAR_RECURSIVE:
            ret->clear_recursive |= bits;
            break;
        }
        return true;
    }
    return false;
}

static bool take_propagation(const char *word, struct mount_options *ret)
{
    for (size_t i = 0; i < sizeof propagation_words / sizeof *propagation_words; i++)
        if (!strcmp(word, propagation_words[i].word)) {
            ret->propagation = propagation_words[i].flags;
            return true;
        }
    return false;
}

static bool take_own(const char *word, struct mount_options *ret)
{
    if (!strcmp(word, "bind"))
        ret->bind = true;
    else if (!strcmp(word, "rbind"))
        ret->bind = ret->recursive = true;
    else if (!strcmp(word, "x-cooper.seed"))
        ret->seed = true;
    else
        return false;
    return true;
}

int mount_options_parse(const struct strv *words, struct mount_options *ret, struct err *err)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < words->len; i++) {
        const char *word = words->items[i];

        if (take_own(word, ret) || take_propagation(word, ret) || take_attribute(word, ret))
            continue;
        if (!strcmp(word, "idmap") || !strcmp(word, "ridmap") || !strcmp(word, "tmpcopyup"))
            return err_set(err, ENOTSUP, "the mount option '%s' is not supported", word);
        if (ret->data.len)
            buf_add_char(&ret->data, ',');
        buf_add_str(&ret->data, word);
    }
    return 0;
}

void mount_options_free(struct mount_options *options)
{
    buf_free(&options->data);
}

unsigned long mount_options_flags(uint64_t attributes)
{
    static const struct {
        uint64_t attribute;
        unsigned long flag;
    } pairs[] = {
        {MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
        {MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
        {MOUNT_ATTR_NOATIME, MS_NOATIME},       {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
        {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, 256 /* MS_NOSYMFOLLOW */},
    };
    unsigned long flags = 0;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (attributes & pairs[i].attribute)
            flags |= pairs[i].flag;
    return flags;
}
