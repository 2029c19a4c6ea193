/* Platforms: which of the images behind one name this machine can run.
 *
 * OCI image index, "platform". Names are Go's (GOARCH), so the kernel's have to be translated, and
 * people's too. A variant is a level of the instruction set: a machine of a higher level runs
 * images of a lower one. */
#include "image/platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "image/image.h"

/* Sorted by nothing but use: what the kernel, Debian and docker's users call an architecture. */
static const struct {
    const char *name, *architecture, *variant;
} aliases[] = {
    {"x86_64", "amd64", ""},    {"x86-64", "amd64", ""},
    {"aarch64", "arm64", ""},   {"armv8l", "arm", "v7"},
    {"armv7l", "arm", "v7"},    {"armhf", "arm", "v7"},
    {"armv6l", "arm", "v6"},    {"armel", "arm", "v6"},
    {"armv5tel", "arm", "v5"},  {"i386", "386", ""},
    {"i486", "386", ""},        {"i586", "386", ""},
    {"i686", "386", ""},        {"loongarch64", "loong64", ""},
    {"ppc64el", "ppc64le", ""},
};

static const char *const architectures[] = {"amd64",    "arm64",   "arm",   "386",
                                            "riscv64",  "ppc64le", "s390x", "loong64",
                                            "mips64le", "mips64",  "ppc64", "wasm"};
static const char *const systems[] = {"linux", "windows", "darwin", "freebsd"};

/* Writes the canonical architecture, and the variant the name implies when none was given. arm64 is
 * always v8 and amd64 always at least v1, so those say nothing and are left out. */
static void normalise(const char *name, const char *variant, struct platform *ret)
{
    const char *architecture = name, *implied = "";

    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (!strcmp(name, aliases[i].name)) {
            architecture = aliases[i].architecture;
            implied = aliases[i].variant;
        }
    if (!*variant)
        variant = implied;
    if (!*variant && !strcmp(architecture, "arm"))
        variant = "v7";
    if ((!strcmp(architecture, "arm64") && (!strcmp(variant, "v8") || !strcmp(variant, "8"))) ||
        (!strcmp(architecture, "amd64") && !strcmp(variant, "v1")))
        variant = "";
    snprintf(ret->architecture, sizeof ret->architecture, "%s", architecture);
    snprintf(ret->variant, sizeof ret->variant, "%s%s",
             *variant >= '0' && *variant <= '9' ? "v" : "", variant);
}

void platform_host(struct platform *ret)
{
    struct utsname host;

    if (uname(&host) < 0)
        strcpy(host.machine, "x86_64"); /* uname(2) fails only for a bad pointer */
    strcpy(ret->os, "linux");
    normalise(host.machine, "", ret);
}

static bool known(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
    cleanup_strv struct strv parts = {0};
    struct platform platform = {.os = "linux"};

    strv_split(&parts, text, '/');
    if (parts.len < 1 || parts.len > 3)
        return err_set(err, EINVAL, "\"%s\": a platform is os/architecture[/variant]", text);
    for (size_t i = 0; i < parts.len; i++)
        if (!*parts.items[i] || strlen(parts.items[i]) >= (i == 2 ? 7 : 16))
            return err_set(err, EINVAL, "\"%s\": a platform is os/architecture[/variant]", text);
    /* One word alone is either: docker takes "linux" as well as "arm64". */
    if (parts.len == 1 && known(parts.items[0], systems, sizeof systems / sizeof *systems))
        platform_host(&platform);
    else
        normalise(parts.items[parts.len > 1], parts.len > 2 ? parts.items[2] : "", &platform);
    if (parts.len > 1 || known(parts.items[0], systems, sizeof systems / sizeof *systems))
        snprintf(platform.os, sizeof platform.os, "%s", parts.items[0]);
    if (!known(platform.os, systems, sizeof systems / sizeof *systems) ||
        !known(platform.architecture, architectures, sizeof architectures / sizeof *architectures))
        return err_set(err, EINVAL, "\"%s\": unknown operating system or architecture", text);
    *ret = platform;
    return 0;
}

void platform_text(const struct platform *p, char ret[PLATFORM_TEXT])
{
    snprintf(ret, PLATFORM_TEXT, "%s/%s%s%s", p->os, p->architecture, *p->variant ? "/" : "",
             p->variant);
}

/* "v7" -> 7; none -> the lowest there is. */
static int level(const char *variant)
{
    return variant[0] == 'v' && variant[1] >= '0' && variant[1] <= '9' ? variant[1] - '0' : 0;
}

/* The best that runs: of arm's v5, v6 and v7 a v7 machine takes v7, and v6 only where that is not
 * to be had. */
int platform_rank(const struct platform *wanted, const char *os, const char *architecture,
                  const char *variant)
{
    struct platform offered;

    if (strcmp(os, wanted->os) != 0 || strlen(architecture) >= sizeof offered.architecture ||
        strlen(variant) >= sizeof offered.variant - 1)
        return 0;
    normalise(architecture, variant, &offered);
    if (strcmp(offered.architecture, wanted->architecture) != 0 ||
        level(offered.variant) > level(wanted->variant))
        return 0;
    return 1 + level(offered.variant);
}
