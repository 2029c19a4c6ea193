/* features: what this build can do, for engines that ask before they use it. OCI runtime-spec 1.2,
 * features.md and features-linux.md. The lists come from the tables that the work is done by. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/caps.h"
#include "runtime/cli/bundle.h"
#include "runtime/cli/commands.h"
#include "runtime/hooks.h"
#include "runtime/mount_options.h"
#include "runtime/scheduling.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec.h"

static const struct flag no_flags[] = {FLAGS_END};

static json_t *enabled(bool yes)
{
    json_t *object = json_object();

    json_put(object, "enabled", json_boolean(yes));
    return object;
}

/* A list that somebody's function fills. */
static json_t *listed(void (*fill)(struct strv *ret))
{
    cleanup_strv struct strv names = {0};

    fill(&names);
    return json_from_strings(&names);
}

static json_t *namespaces(void)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof spec_namespace_kinds / sizeof *spec_namespace_kinds; i++)
        json_push(list, json_string(spec_namespace_kinds[i].name));
    return list;
}

static json_t *cgroup(void)
{
    json_t *object = json_object();

    json_put(object, "v1", json_true());
    json_put(object, "v2", json_true());
    json_put(object, "systemd", json_true());
    json_put(object, "systemdUser", json_true());
    json_put(object, "rdma", json_true());
    return object;
}

static json_t *seccomp(void)
{
    cleanup_strv struct strv actions = {0}, operators = {0}, archs = {0};
    cleanup_strv struct strv flags = {0}, supported = {0};
    json_t *object = enabled(true);

    seccomp_json_words(&actions, &operators, &archs, &flags, &supported);
    json_put(object, "actions", json_from_strings(&actions));
    json_put(object, "operators", json_from_strings(&operators));
    json_put(object, "archs", json_from_strings(&archs));
    json_put(object, "knownFlags", json_from_strings(&flags));
    json_put(object, "supportedFlags", json_from_strings(&supported));
    return object;
}

static json_t *intel_rdt(void)
{
    json_t *object = enabled(true);

    json_put(object, "schemata", json_true());
    json_put(object, "monitoring", json_true());
    return object;
}

static json_t *memory_policy(void)
{
    cleanup_strv struct strv modes = {0}, flags = {0};
    json_t *object = json_object();

    scheduling_memory_words(&modes, &flags);
    json_put(object, "modes", json_from_strings(&modes));
    json_put(object, "flags", json_from_strings(&flags));
    return object;
}

static json_t *linux_part(void)
{
    json_t *object = json_object(), *extensions = json_object();

    json_put(object, "namespaces", namespaces());
    json_put(object, "capabilities", listed(caps_known));
    json_put(object, "cgroup", cgroup());
    json_put(object, "seccomp", seccomp());
    json_put(object, "apparmor", enabled(true));
    json_put(object, "selinux", enabled(true));
    json_put(object, "intelRdt", intel_rdt());
    json_put(object, "memoryPolicy", memory_policy());
    json_put(extensions, "idmap", enabled(true));
    json_put(object, "mountExtensions", extensions);
    json_put(object, "netDevices", enabled(true));
    return object;
}

static int cmd_features(struct cli *cli)
{
    cleanup_json json_t *document = json_object(), *annotations = json_object();
    cleanup_free char *text = NULL;

    (void)cli;
    json_put_str(document, "ociVersionMin", BUNDLE_VERSION_MIN);
    json_put_str(document, "ociVersionMax", BUNDLE_VERSION_MAX);
    json_put(document, "hooks", listed(hooks_known));
    json_put(document, "mountOptions", listed(mount_options_known));
    json_put(document, "linux", linux_part());
    json_put_str(annotations, "org.cooper.runtime.version", COOPER_VERSION);
    json_put_str(annotations, "org.cooper.runtime.commit", COOPER_COMMIT);
    json_put_str(annotations, "org.opencontainers.runc.checkpoint.enabled", "false");
    json_put(document, "annotations", json_incref(annotations));
    json_put(document, "potentiallyUnsafeConfigAnnotations",
             json_pack("[s,s]", "org.cooper.", "run.oci."));
    text = json_text(document, JSON_INDENT(4));
    printf("%s\n", text);
    return 0;
}

const struct command command_features = {
    .name = "features",
    .arguments = "",
    .summary = "show the enabled features",
    .details = "   A JSON document: OCI runtime-spec, features.md.\n",
    .flags = no_flags,
    .max = 0,
    .run = cmd_features,
};
