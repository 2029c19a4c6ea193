#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/log.h"
#include "engine/mounts.h"
#include "engine/network.h"
#include "runtime/runtime.h"

/* Everything engine_create gathers before it changes anything. */
struct draft {
    struct container c;
    struct image image;
    struct strv argv;
    struct mount_list mounts;
    struct security security;
    char *warning; /* about the image; NULL: none */
    json_t *host;  /* borrowed from the record's config */
    json_t *config;
    json_t *networks; /* borrowed from the request, or NULL */
    const struct step_ground *ground;
};

static void draft_free(struct draft *d)
{
    container_free(&d->c);
    image_free(&d->image);
    strv_free(&d->argv);
    mount_list_free(&d->mounts);
    security_free(&d->security);
    free(d->warning);
}
#define cleanup_draft __attribute__((cleanup(draft_free)))

static int choose_name(struct engine *e, const char *wanted, struct container *c, struct err *err)
{
    if (!wanted) {
        c->name = name_generate(e->store);
        return 0;
    }
    if (*wanted == '/')
        wanted++;
    if (!name_valid(wanted))
        return err_set(err, EINVAL,
                       "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                       wanted);
    c->name = str_copy(wanted);
    return 0;
}

static void choose_hostname(json_t *config, const json_t *host, const char *id)
{
    struct utsname uts;
    char short_id[13];

    if (*json_str(config, "Hostname", ""))
        return;
    if ((!strcmp(json_str(host, "NetworkMode", ""), "host") ||
         !strcmp(json_str(host, "UTSMode", ""), "host")) &&
        !uname(&uts)) {
        json_put_str(config, "Hostname", uts.nodename);
        return;
    }
    snprintf(short_id, sizeof short_id, "%.12s", id);
    json_put_str(config, "Hostname", short_id);
}

static int check_config(const json_t *config, struct err *err)
{
    const char *signal = json_str(config, "StopSignal", ""),
               *workdir = json_str(config, "WorkingDir", "");

    if (*signal && proc_signal_number(signal) < 0)
        return err_set(err, EINVAL, "Invalid signal: %s", signal);
    if (*workdir && *workdir != '/')
        return err_set(err, EINVAL,
                       "the working directory '%s' is invalid, it needs to be an absolute path",
                       workdir);
    return health_check(config, err);
}

static int check_runtime(json_t *host, struct err *err)
{
    cleanup_free char *program = NULL;

    if (!*json_str(host, "Runtime", ""))
        json_put_str(host, "Runtime", "cooper");
    return runtime_program(host, &program, err);
}

/* Path, Args, Config, HostConfig, Mounts: docker's members, in docker's order. */
static json_t *record_config(const struct draft *d)
{
    json_t *record = json_object(), *args = json_from_argv(d->argv.items + 1);

    json_put_str(record, "Path", d->argv.items[0]);
    json_put(record, "Args", args);
    json_object_set(record, "Config", d->config);
    json_object_set(record, "HostConfig", d->host);
    if (json_object_size(d->networks)) {
        json_t *networking = json_object();

        json_object_set(networking, "EndpointsConfig", d->networks);
        json_put(record, "NetworkingConfig", networking);
    }
    return record;
}

static int choose_id(struct engine *e, char ret[65], struct err *err)
{
    if (!*e->next_id)
        return id_generate(ret, err);
    strcpy(ret, e->next_id);
    e->next_id[0] = 0;
    return 0;
}

/* A step of a build says itself what its container is like. */
static int merge_image_config(struct engine *e, const struct create_request *request,
                              struct draft *d, struct err *err)
{
    cleanup_json json_t *image_config =
        d->ground ? NULL : store_image_config(e->store, d->image.id, err);

    if (d->ground)
        return 0;
    if (!image_config)
        return -err->code;
    d->warning = request->platform ? NULL : image_foreign(image_config);
    return config_merge(d->config, json_object_get(image_config, "config"), err);
}

/* Only questions, no effects: whatever is wrong with the request is found here. */
static int draft_fill(struct engine *e, const struct create_request *request, struct draft *d,
                      struct err *err)
{
    int r = engine_find_image(e, request->image, &d->image, err);

    if (r < 0)
        return r;
    d->config = request->config;
    d->host = request->host;
    d->networks = request->networks;
    d->ground = request->ground;
    r = merge_image_config(e, request, d, err);
    if (!r)
        r = config_command(d->config, &d->argv, err);
    if (!r)
        r = choose_name(e, request->name, &d->c, err);
    if (!r)
        r = choose_id(e, d->c.id, err);
    if (!r)
        r = network_check_request(e, d->config, d->host, request->networks, err);
    if (!r)
        r = check_config(d->config, err);
    if (!r)
        r = check_runtime(d->host, err);
    if (!r)
        r = modes_check(e, d->config, d->host, err);
    if (!r)
        r = policy_check(d->host, err);
    if (!r)
        r = log_check(d->host, err);
    if (!r)
        r = limits_check(d->host, false, err);
    if (!r)
        limits_default(d->host);
    if (!r)
        r = security_parse(d->host, &d->security, err);
    if (!r)
        r = mounts_parse(e, d->config, d->host, &d->mounts, err);
    return r;
}

static void draft_record(const struct create_request *request, struct draft *d)
{
    choose_hostname(d->config, d->host, d->c.id);
    d->c.image_id = str_copy(d->image.id);
    d->c.image_name =
        d->ground ? str_copy_n(digest_hex(d->image.id), 12) : str_copy(request->image);
    json_put_str(d->config, "Image", d->c.image_name);
    d->c.auto_remove = json_flag(d->host, "AutoRemove", false);
    d->c.created_ns = clock_now();
    d->c.config = record_config(d);
}

/* By this empty file programs know that they are in a container, as docker's do. Where the image
 * has one already (somebody exported a container and imported it), a second would be a change to
 * it. */
static int make_mark(struct engine *e, int dir, const struct strv *layers, struct err *err)
{
    cleanup_close int fd = -1;

    for (size_t i = 0; i < layers->len; i++) {
        cleanup_free char *path = str_format("%s/.dockerenv", layers->items[i]);

        if (!faccessat(e->store->layers_fd, path, F_OK, AT_SYMLINK_NOFOLLOW))
            return 0;
    }
    fd = openat(dir, "upper/.dockerenv", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (fd < 0 || fchmod(fd, 0755) < 0) /* whatever the umask */
        return err_errno(err, "cannot make the container's '.dockerenv'");
    return 0;
}

/* The overlay's root directory becomes the container's "/": mode and owner as in the image's top
 * layer. */
int container_make_upper(struct engine *e, int dir, const struct strv *layers, struct err *err)
{
    static const char *const names[] = {"upper", "work"};
    struct stat st = {.st_mode = 0755};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (mkdirat(dir, names[i], 0700) < 0 && errno != EEXIST)
            return err_errno(err, "cannot make the container's '%s'", names[i]);
    if (layers->len)
        fstatat(e->store->layers_fd, layers->items[layers->len - 1], &st, AT_SYMLINK_NOFOLLOW);
    if (fchmodat(dir, "upper", st.st_mode & 07777, 0) < 0 ||
        fchownat(dir, "upper", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set the mode of the container's root");
    return make_mark(e, dir, layers, err);
}

/* In the process's environment, and in no record. */
static json_t *add_secrets(const struct draft *d)
{
    const struct strv *secrets = d->ground ? d->ground->secret_env : NULL;
    json_t *config = secrets ? json_deep_copy(d->config) : json_incref(d->config);
    json_t *env = json_object_get(config, "Env");

    for (size_t i = 0; secrets && i < secrets->len; i++)
        json_push(env, json_string(secrets->items[i]));
    return config;
}

static int write_spec(struct engine *e, const struct draft *d, int dir, const struct strv *layers,
                      struct err *err)
{
    cleanup_free char *overlay = NULL, *path = container_path(e, d->c.id);
    cleanup_free char *layers_path = str_format("%s/layers", e->store->root);
    cleanup_json json_t *spec = NULL;
    cleanup_free char *text = NULL;
    struct spec_input input = {.id = d->c.id,
                               .dir = path,
                               .run = e->store->run,
                               .layers = layers_path,
                               .config = NULL,
                               .host = d->host,
                               .argv = &d->argv,
                               .mounts = &d->mounts,
                               .security = &d->security};
    cleanup_free char *place = d->ground ? str_format("staging/%s", d->ground->place)
                                         : str_format("containers/%s", d->c.id);
    cleanup_json json_t *with_secrets = add_secrets(d);
    int r = store_overlay_options(e->store, layers, place, d->c.auto_remove, &overlay, err);

    if (!r)
        r = security_filter(&d->security, dir, &input.seccomp, err);
    if (!r && strcmp(json_str(d->host, "Runtime", "cooper"), "cooper"))
        r = security_document(&d->security, dir, err);
    if (r < 0)
        return r;
    input.config = with_secrets;
    input.overlay_options = overlay;
    spec = spec_build(&input, err);
    if (!spec)
        return -err->code;
    text = json_text(spec, JSON_COMPACT);
    return file_create(dir, "config.json", text, strlen(text), 0600, err);
}

/* Layers of nothing (FROM scratch) are one all the same: overlayfs wants a lower directory. */
static int add_empty_layer(struct engine *e, struct strv *ret, struct err *err)
{
    if (ret->len)
        return 0;
    if (mkdirat(e->store->layers_fd, ".empty", 0755) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make the empty layer");
    strv_add(ret, ".empty");
    return 0;
}

int image_layers(struct engine *e, const char *image_id, struct strv *ret, struct err *err)
{
    int r = store_image_layers(e->store, image_id, ret, NULL, err);

    return r < 0 ? r : add_empty_layer(e, ret, err);
}

static int lower_layers(struct engine *e, const struct draft *d, struct strv *ret, struct err *err)
{
    for (size_t i = 0; d->ground && i < d->ground->layers->len; i++)
        strv_add(ret, d->ground->layers->items[i]);
    if (d->ground)
        return add_empty_layer(e, ret, err);
    return image_layers(e, d->image.id, ret, err);
}

static int make_files(struct engine *e, struct draft *d, struct err *err)
{
    cleanup_strv struct strv layers = {0};
    cleanup_close int dir = store_container_dir(e->store, d->c.id, true, err);
    int r = dir < 0 ? dir : lower_layers(e, d, &layers, err);

    if (!r && mkdirat(dir, "merged", 0700) < 0 && errno != EEXIST)
        r = err_errno(err, "cannot make the container's 'merged'");
    if (!r && !d->ground)
        r = container_make_upper(e, dir, &layers, err);
    if (!r)
        r = mounts_prepare(e, d->c.id, &d->mounts, err);
    if (!r) {
        json_put(d->c.config, "Mounts", mounts_json(&d->mounts));
        r = container_write_shim_file(&d->c, dir, true, err);
    }
    if (!r)
        r = write_spec(e, d, dir, &layers, err);
    return r;
}

/* The name may belong to a leftover: a half-made container of a killed command, or an --rm one
 * whose end nobody has noticed. Looking at it clears it away. */
static int add_record(struct engine *e, struct container *c, struct err *err)
{
    struct container holder;
    struct err gone = {0};
    int r = store_container_add(e->store, c, err);

    if (r != -EEXIST)
        return r;
    if (engine_find(e, c->name, &holder, &gone) != -ENOENT) {
        if (!gone.code)
            container_free(&holder);
        return r;
    }
    return store_container_add(e->store, c, err);
}

int engine_create(struct engine *e, const struct create_request *request, char ret_id[65],
                  struct strv *ret_warnings, struct err *err)
{
    cleanup_draft struct draft d = {0};
    int r = draft_fill(e, request, &d, err);

    if (r < 0)
        return r;
    limits_discard(d.host, ret_warnings);
    draft_record(request, &d);
    r = add_record(e, &d.c, err);
    if (r < 0)
        return r;
    r = make_files(e, &d, err);
    if (!r) {
        if (!request->start_follows)
            container_set_state(&d.c, "created");
        if (!request->start_follows || d.mounts.len)
            r = store_container_created(e->store, &d.c, err);
    }
    if (r < 0) {
        struct err ignored = {0};

        engine_remove(e, &d.c, true, true, &ignored);
        return r;
    }
    container_event(e, &d.c, "create", NULL);
    if (d.warning)
        strv_add(ret_warnings, d.warning);
    security_warnings(&d.security, ret_warnings);
    network_warnings(d.host, ret_warnings);
    strcpy(ret_id, d.c.id);
    return 0;
}
