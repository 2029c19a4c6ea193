/* engine.h - a container's life and the images it comes from, as calls. cli/ and later the REST
 * server are callers; nothing here prints. Objects that describe containers are docker's own JSON
 * (the API's Config and HostConfig), so that what the command line fills in is what inspect shows.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "storage/storage.h"

struct shim_process;
struct net_place;
struct step_ground;
struct engine {
    struct store *store;
    bool debug;
    struct net_place *place; /* of the networks, when one was needed */
    struct strv
        notes; /* what was done to this host that its owner should know, for the caller to show */
    struct shim_process *shim; /* started ahead of engine_start() or engine_exec(), or NULL */
    char next_id[65];          /* the container it is for: engine_create() uses this id, if any */
};
int engine_open(const char *root, struct engine **ret, struct err *err);
void engine_close(struct engine *e);

/* Optional, for speed: starts the helper process of the engine_create() and engine_start() to come,
 * so that its start-up goes on beside them. It ends by itself when it is not needed. */
int engine_prepare_run(struct engine *e, struct err *err);

/* --- containers ------------------------------------------------------------------------------- */

struct create_request {
    const char *name;     /* NULL: generated */
    const char *image;    /* as the user wrote it: reference or id prefix */
    const char *platform; /* asked for; NULL: none, and an image for other machines is warned of */
    json_t *config;       /* Config: what the user gave; merged with the image's here */
    json_t *host;         /* HostConfig */
    json_t *networks;     /* NetworkingConfig.EndpointsConfig, in order, or NULL */
    bool start_follows; /* `run`: if this process dies before engine_start(), there was no container
                         */
    /* For a step of a build, else NULL: what it lies on, where it writes, what nobody else sees. */
    const struct step_ground *ground;
};
/* Creates the record, directories and config.json. -ENOENT with err "No such image: X" if the image
 * is not here (the caller pulls). `ret_warnings`: what will not be as asked. err->exit_status is
 * set for bad input. */
int engine_create(struct engine *e, const struct create_request *request, char ret_id[65],
                  struct strv *ret_warnings, struct err *err);

/* Starts a created or exited container. With `ret_attach` not NULL the caller is attached before
 * the first byte of output (see attach.h) and, if the container is --rm, removes it (engine_remove)
 * after the end. */
struct start_options {
    unsigned short rows, columns; /* of the caller's terminal, 0 without */
    bool leash;                   /* the container is killed when the caller ends or lets go */
};
int engine_start(struct engine *e, const char *id, const struct start_options *options,
                 int *ret_attach, struct err *err);

/* The restart policy's start, by the process that was the container's shim. */
int engine_start_again(struct engine *e, const char *id, struct err *err);

/* Fills *ret with the truth: a record that says "running" is checked against the shim and
 * corrected. -ENOENT: "No such container: X". */
int engine_find(struct engine *e, const char *name_or_id, struct container *ret, struct err *err);
int engine_list(struct engine *e, struct container_list *ret, struct err *err);

/* Docker's words when its state does not allow to attach. */
int engine_check_attach(const struct container *c, struct err *err);
/* Connects to a running container's shim: an attach descriptor (attach.h). */
int engine_attach(struct engine *e, const struct container *c, struct err *err);
int engine_kill(struct engine *e, const struct container *c, int sig, struct err *err);
/* All processes of it stand still, or go on (cgroups(7)). */
int engine_pause(struct engine *e, const struct container *c, struct err *err);
int engine_unpause(struct engine *e, const struct container *c, struct err *err);
/* Stops it if it runs, and starts it. */
int engine_restart(struct engine *e, const struct container *c, int sig, int timeout_s,
                   struct err *err);
int engine_rename(struct engine *e, const struct container *c, const char *name, struct err *err);
/* Changes members of HostConfig (RestartPolicy, resources) in the record and in the kernel. */
int engine_update(struct engine *e, const struct container *c, const json_t *host, struct err *err);
/* timeout_s < 0: wait forever; ENGINE_STOP_DEFAULT: the container's StopTimeout, else 10. sig 0:
 * its StopSignal, else SIGTERM. Then SIGKILL. Returns once it has stopped. */
#define ENGINE_STOP_DEFAULT INT32_MIN
int engine_stop(struct engine *e, const struct container *c, int sig, int timeout_s,
                struct err *err);
/* Waits until the container is not running; *ret_code is its exit code. */
int engine_wait(struct engine *e, const struct container *c, int *ret_code, struct err *err);
int engine_remove(struct engine *e, const struct container *c, bool force, bool volumes,
                  struct err *err);
/* `run --rm`, after ATTACH_EXIT on its socket: removes the container beside its shim, which is
 * tidying up, and waits for the shim's end. Takes the descriptor. */
int engine_remove_ended(struct engine *e, const char *id, int attach, struct err *err);

/* After a boot: starts what should run by its restart policy, oldest first. What an earlier command
 * of this boot started or stopped is left as it is, so calling it twice does no harm. `told` is
 * called for each container that was tried, with err->code 0 or why it could not be started.
 * Negative: nothing could be found out. */
typedef void engine_told(void *context, const struct container *c, const struct err *err);
int engine_start_all(struct engine *e, engine_told *told, void *context, struct err *err);
/* Before a shutdown: stops what runs, all at once, each with its own signal and time, so that
 * engine_start_all() starts it again. Returns once everything has stopped. */
int engine_stop_all(struct engine *e, engine_told *told, void *context, struct err *err);

struct exec_request {
    struct strv argv;
    struct strv env;            /* added to the container's */
    const char *user, *workdir; /* NULL: the container's */
    bool tty, interactive, privileged, detach;
    unsigned short rows, columns;
};
/* Runs a process in a running container; attached unless `detach` (then *ret_attach is -1). */
int engine_exec(struct engine *e, const struct container *c, const struct exec_request *request,
                int *ret_attach, struct err *err);

/* The container's processes as ps(1) shows them with these options (none: -ef):
 * {"Titles":[...],"Processes":[[...],...]}, with the host's pids. NULL and err. */
json_t *engine_top(struct engine *e, const struct container *c, const struct strv *ps_options,
                   struct err *err);

/* What it uses now; all zero when it does not run. */
struct engine_stats {
    bool running;
    uint64_t cpu_ns;    /* CPU time of the container since it started */
    uint64_t system_ns; /* of the whole machine since boot, all CPUs together, idle time too */
    unsigned cpus;      /* that are online */
    uint64_t memory, memory_limit;      /* bytes; the host's memory where there is no limit */
    uint64_t received, sent;            /* bytes, by its networks */
    uint64_t block_read, block_written; /* bytes */
    uint64_t pids;
};
int engine_stats(struct engine *e, const struct container *c, struct engine_stats *ret,
                 struct err *err);

/* Calls `line` with 'A', 'C' or 'D' and a path ("etc/passwd") for each difference between the
 * container's files and its image's, directories before what is in them. */
typedef int engine_diff_line(void *context, char kind, const char *path);
int engine_diff(struct engine *e, const struct container *c, engine_diff_line *line, void *context,
                struct err *err);

/* cp, with docker's rules for what goes where. Paths of the container are resolved inside its root,
 * running or not. err->exit_status 1: docker's client would have found the mistake by itself. */
struct copy_options {
    bool follow;       /* a source that is a symlink: what it leads to */
    bool archive;      /* to the host: owners, set-user-ID bits, devices too */
    const char *asked; /* the container as the user named it */
    void (*progress)(void *context, uint64_t bytes); /* may be NULL */
    void *context;
};
int engine_copy_out(struct engine *e, const struct container *c, const char *from, const char *to,
                    const struct copy_options *options, uint64_t *ret_bytes, struct err *err);
int engine_copy_in(struct engine *e, const struct container *c, const char *from, const char *to,
                   const struct copy_options *options, uint64_t *ret_bytes, struct err *err);
/* As a tar to a descriptor; from one (this one needs libarchive: cooper-image only). */
int engine_copy_out_tar(struct engine *e, const struct container *c, const char *from, int out,
                        const struct copy_options *options, struct err *err);
int engine_copy_in_tar(struct engine *e, const struct container *c, int tar, const char *to,
                       const struct copy_options *options, uint64_t *ret_bytes, struct err *err);
/* All files of a container, without what is mounted on them, as a tar. */
int engine_export(struct engine *e, const struct container *c, int out, struct err *err);

/* Bytes the container wrote. */
uint64_t engine_container_size(struct engine *e, const struct container *c);
/* Removes all containers that do not run and that the filter allows. The lists are filled also when
 * it fails half way. */
struct prune_filter {
    int64_t until_ns;               /* only what was made before; 0: any */
    struct strv labels, not_labels; /* "name" or "name=value" */
};
void prune_filter_free(struct prune_filter *filter);
bool prune_allows(const struct prune_filter *filter, const json_t *labels, int64_t created_ns);
int engine_prune_containers(struct engine *e, const struct prune_filter *filter,
                            struct strv *ret_ids, uint64_t *ret_bytes, struct err *err);

/* --- volumes ---------------------------------------------------------------------------------- */

/* Makes it unless there is one of this name (NULL: an anonymous one). Options: what the local
 * driver is to mount, "type", "device" and "o"; an object, or NULL. The caller frees *ret_name. */
int engine_volume_create(struct engine *e, const char *name, const char *driver,
                         const json_t *labels, const json_t *options, char **ret_name,
                         struct err *err);
/* -ENOENT: "get X: no such volume". */
int engine_volume_find(struct engine *e, const char *name, struct volume *ret, struct err *err);
int engine_volumes(struct engine *e, struct volume_list *ret, struct err *err);
json_t *engine_inspect_volume(struct engine *e, const struct volume *v);
char *engine_volume_path(struct engine *e, const char *name); /* the caller frees */
/* Ids of the containers that use it, running or not. */
int engine_volume_users(struct engine *e, const char *name, struct strv *ret, struct err *err);
uint64_t engine_volume_size(struct engine *e, const char *name);
/* -EBUSY: "volume is in use". */
int engine_volume_remove(struct engine *e, const char *name, struct err *err);
/* Those no container uses; only anonymous ones unless `all`. */
int engine_prune_volumes(struct engine *e, const struct prune_filter *filter, bool all,
                         struct strv *ret_names, uint64_t *ret_bytes, struct err *err);

/* docker's State.Health of a container that has run and is checked; else NULL. A new reference. */
json_t *engine_health(struct engine *e, const struct container *c);
/* Its Status: "starting", "healthy", "unhealthy"; "none" where there is none. */
void engine_health_status(struct engine *e, const struct container *c, char ret[16]);

/* Custom networks that no running container is on. The names are filled also when it fails half
 * way. */
int engine_prune_networks(struct engine *e, const struct prune_filter *filter,
                          struct strv *ret_names, struct err *err);

/* What is on disk. `unused` is what prune would give back: of images without containers, of
 * containers that do not run, of volumes nobody uses; of the build cache all that images do not
 * have, too (their layers are counted as theirs). */
struct usage_part {
    size_t total, active;
    uint64_t bytes, unused;
};
struct engine_usage {
    struct usage_part images, containers, volumes, cache;
};
int engine_usage(struct engine *e, struct engine_usage *ret, struct err *err);
/* Of the build cache alone; *ret is zero before. */
int engine_cache_usage(struct engine *e, struct usage_part *ret, struct err *err);

/* docker's inspect documents; NULL and err. The caller owns them. */
json_t *engine_inspect_container(struct engine *e, const struct container *c, struct err *err);
json_t *engine_inspect_image(struct engine *e, const struct image *image, struct err *err);
json_t *engine_info(struct engine *e, struct err *err);

/* --- events ----------------------------------------------------------------------------------- */

/* Tells whoever runs `cooper events`: docker's types, actions and attributes. Takes `attributes`
 * (an object of strings; NULL: none). Containers' events the engine emits itself; other callers use
 * it for images, networks and volumes. What happened can be read with store_events_read(). */
void engine_event(struct engine *e, const char *type, const char *action, const char *id,
                  json_t *attributes);
/* An event of a container that no call here stands for, such as "attach". */
void engine_container_event(struct engine *e, const struct container *c, const char *action);

/* --- networks --------------------------------------------------------------------------------- */

/* Makes a network. `config` has docker's members (Driver, Internal, EnableIPv6, IPAM, Options,
 * Labels) and is completed. */
int engine_network_create(struct engine *e, const char *name, json_t *config, char ret_id[65],
                          struct err *err);
/* The record alone, with its subnets checked; for the engine's own networks. */
int engine_network_record(struct engine *e, struct network *n, struct err *err);
/* By name, id or prefix; "bridge", "host" and "none" are always there. -ENOENT: "network X not
 * found". */
int engine_network_find(struct engine *e, const char *name, struct network *ret, struct err *err);
int engine_networks(struct engine *e, struct network_list *ret, struct err *err);
/* 1 while a running container is on it, else 0. */
int engine_network_used(struct engine *e, const struct network *n, struct err *err);
int engine_network_remove(struct engine *e, const struct network *n, struct err *err);
json_t *engine_inspect_network(struct engine *e, const struct network *n, struct err *err);
/* `wish` is docker's EndpointConfig: IPAMConfig, Aliases, Links, MacAddress, DriverOpts,
 * GwPriority. */
int engine_network_connect(struct engine *e, const struct network *n, const struct container *c,
                           json_t *wish, struct err *err);
int engine_network_disconnect(struct engine *e, const struct network *n, const struct container *c,
                              bool force, struct err *err);
/* docker's NetworkSettings.Ports of a container: {"80/tcp": [{"HostIp", "HostPort"}], "81/tcp":
 * null}. */
json_t *engine_container_ports(struct engine *e, const struct container *c, struct err *err);

/* --- logs ------------------------------------------------------------------------------------- */

struct log_options {
    bool follow, timestamps;
    bool want_stdout, want_stderr;
    int64_t since_ns, until_ns; /* 0: no bound */
    long long tail;             /* -1: all */
};
/* Calls `line` for each entry in order. stream is 1 or 2, attrs an object or NULL; a negative
 * result ends it. Follows across rotation, and from one run to the next that a policy or `restart`
 * makes. -ENOTSUP where nothing is kept: docker's text. */
typedef int engine_log_line(void *context, int stream, int64_t time_ns, const char *text,
                            size_t len, const json_t *attrs);
int engine_logs(struct engine *e, const struct container *c, const struct log_options *options,
                engine_log_line *line, void *context, struct err *err);

/* --- images ----------------------------------------------------------------------------------- */

/* By reference or id prefix, docker's rules. -ENOENT: "No such image: X:latest". */
int engine_find_image(struct engine *e, const char *name, struct image *ret, struct err *err);
/* -ENOENT, in docker's words, unless the image is for this platform ("os[/arch[/variant]]"). */
int engine_check_platform(struct engine *e, const struct image *image, const char *name,
                          const char *platform, struct err *err);
/* Gives an image one more name; moves the name if another image has it. */
int engine_tag(struct engine *e, const char *source, const char *target, struct err *err);
/* [{"Id","Created","CreatedBy","Size","Comment"}], last step first; Id "<missing>" for steps that
 * no image here stands for. NULL and err; the caller owns it. */
json_t *engine_image_history(struct engine *e, const struct image *image, struct err *err);

/* What went, as docker tells it: "Untagged: ..." and "Deleted: ..." lines. */
struct removed {
    struct strv lines;
    uint64_t bytes; /* given back */
};
void removed_free(struct removed *r);
/* What `rmi NAME` does. `ret` is filled also when it fails half way. */
int engine_remove_image(struct engine *e, const char *name, bool force, bool keep_parents,
                        struct removed *ret, struct err *err);
/* Removes images that have no name and that nothing needs; with `all` also those that have. An
 * image goes only if `filter` holds; with NULL any, and what broken-off pulls left goes, too. */
typedef bool engine_image_filter(void *context, const struct image *image);
int engine_prune_images(struct engine *e, bool all, engine_image_filter *filter, void *context,
                        struct removed *ret, struct err *err);

/* What follows lives in the program cooper-image (they need libcurl and libarchive); cooper runs
 * it.
 */

/* One step from an image to the next one, of commit and of builds. */
struct image_step {
    const char *parent; /* id of the image it is made on; NULL: of nothing */
    json_t *config;     /* docker's Config; what belongs to a container only is left out */
    const char *created_by, *author, *comment; /* NULL or "": none */
    const char *reference;                     /* NULL: it gets no name */
    int64_t created_ns;                        /* 0: now */
};
/* Makes the image. `stage` is a store_stage() that has become a layer's tree (layer_copy(),
 * layer_unpack_...), and `stage_fd` its descriptor; NULL, or a tree with nothing in it, for a step
 * that changes the configuration only. The stage is used up, also on failure. To be called under
 * store_hold(). */
int engine_make_image(struct engine *e, const struct image_step *step, const char *stage,
                      int stage_fd, char ret_id[DIGEST_LEN + 1], struct err *err);

/* --- steps of a build: step.c */

struct step_ground {
    const struct strv *layers; /* directories below layers/, base first; instead of the image's */
    const char *place;         /* the directory in staging/ that has upper and work */
    const struct strv *secret_env; /* variables that are written into no record, or NULL */
};

/* What a step changes: a directory in staging/ with the "upper" and "work" of an overlay. */
struct step_stage {
    char name[64];
    int fd; /* its descriptor */
};
/* Makes one over `layers`; to be dropped or published. */
int engine_step_begin(struct engine *e, const struct strv *layers, struct step_stage *ret,
                      struct err *err);
void engine_step_drop(struct engine *e, struct step_stage *stage); /* once dropped, nothing */
/* For another container over the same files, after the first has ended. */
int engine_step_renew(struct engine *e, struct step_stage *stage, struct err *err);

/* Bytes the command wrote; stream 1 or 2. */
typedef void engine_step_output(void *context, int stream, const char *data, size_t len);
struct step_command {
    const char *image; /* id of an image that stands for the container in its record */
    json_t *config;    /* docker's Config, complete: nothing is merged into it */
    json_t *host;      /* HostConfig */
    const struct strv *layers, *secret_env;
    void (*started)(void *context, const char *id);
    engine_step_output *output;
    void *context;
    int cancel_fd; /* readable: end it; -1 */
};
/* Runs it in a container of its own, which is gone afterwards whatever happens. *ret_code: its exit
 * code. -ECANCELED. */
int engine_step_run(struct engine *e, const struct step_command *command,
                    const struct step_stage *stage, int *ret_code, struct err *err);

struct step_finish {
    int64_t newest_s;                /* seconds: times after that become that */
    const struct strv *mount_points; /* paths ("run/secrets/x") made only to mount there */
};
/* What the command changed becomes a layer over `parent` (a chain id, or ""). ret->chain_id is ""
 * when nothing was changed: then there is no layer. The stage is used up, also on failure. To be
 * called under store_hold(). */
int engine_step_publish(struct engine *e, struct step_stage *stage, const struct strv *layers,
                        const char *parent, const struct step_finish *finish, struct layer *ret,
                        struct err *err);
/* The same for a directory of store_stage() that is a layer's tree already. */
int engine_publish_tree(struct engine *e, const char *stage, int stage_fd, const char *parent,
                        struct layer *ret, struct err *err);

/* Until engine_step_return() this thread, and containers it starts, are in a mount namespace of
 * their own: what is mounted there goes with them, however they end. Returns what to return with.
 */
int engine_step_enter(struct err *err);
void engine_step_return(int entered);

/* A finished image: the whole config document, and where its layers are. */
struct finished_image {
    const json_t *document;
    const struct strv *chain_ids;  /* base first */
    const char *base;              /* the image whose layers are among them, or NULL */
    const struct strv *references; /* as the user wrote them */
};
/* Records it. To be called under store_hold(). */
int engine_record_image(struct engine *e, const struct finished_image *image,
                        char ret_id[DIGEST_LEN + 1], struct err *err);
/* The members of docker's Config that belong to an image. A new reference. */
json_t *engine_image_members(const json_t *config);

/* A new image from what a container wrote; volumes are left out. */
struct commit_request {
    const char *reference; /* NULL: it gets no name */
    const char *author, *message;
    json_t *config; /* docker's Config: the container's, changed as wished */
    bool pause;     /* the container stands still meanwhile */
};
int engine_commit(struct engine *e, const struct container *c, const struct commit_request *request,
                  char ret_id[DIGEST_LEN + 1], struct err *err);

/* What a pull has to say; called from several threads, one at a time (the engine holds a lock). */
struct pull_progress {
    void (*line)(void *context, const char *text); /* "latest: Pulling from library/alpine", ... */
    /* id: 12 hex of the layer's blob; status: "Pulling fs layer", "Waiting", "Downloading",
     * "Verifying Checksum", "Download complete", "Extracting", "Pull complete", "Already exists" */
    void (*layer)(void *context, const char *id, const char *status, uint64_t done, uint64_t total);
    void *context;
};
struct pull_options {
    const char *platform; /* NULL: the host's */
    bool all_tags;        /* every tag of the repository */
    const volatile bool *cancelled;
};
int engine_pull(struct engine *e, const char *name, const struct pull_options *options,
                const struct pull_progress *progress, struct err *err);
/* Imports a root filesystem tar (any compression) as an image of one layer. */
struct import_request {
    const char *source;    /* what the user calls it: an address that begins with http:// or */
    int fd;                /* https:// is fetched, anything else is what `fd` reads */
    const char *reference; /* NULL: it gets no name */
    const char *platform;  /* what the image is for; NULL: this machine */
    const char *message;   /* NULL: "Imported from " and the address, or "-": where a file was on
                              this machine is nobody's business who gets the image */
    const json_t *config;  /* docker's Config */
    const volatile bool *cancelled;
};
int engine_import(struct engine *e, const struct import_request *request,
                  char ret_id[DIGEST_LEN + 1], struct err *err);
/* A new image: `image` with the file that `url` gives at `path`, mode 0644. */
int engine_insert(struct engine *e, const char *image, const char *url, const char *path,
                  const volatile bool *cancelled, char ret_id[DIGEST_LEN + 1], struct err *err);
/* Loads all images of an archive (docker's or OCI's, compressed or not) or of an OCI layout's
 * directory. `ret_lines` gets what docker says; also what was loaded before an error. */
struct load_options {
    const char *platform; /* of images for several: NULL: the host's */
    const volatile bool *cancelled;
};
int engine_load(struct engine *e, int fd, const struct load_options *options,
                const struct pull_progress *progress, struct strv *ret_lines, struct err *err);

/* Writes images to `fd`, layers each once. The same images give the same bytes. */
struct save_options {
    const char *platform; /* refuse images for another one; NULL: any */
    bool oci_only;        /* an OCI archive; else one that is docker's at the same time */
};
/* A name without a tag means all tags of that repository. */
int engine_save(struct engine *e, char *const *names, const struct save_options *options, int fd,
                struct err *err);

/* Pushes an image, or every tag of a repository that is here. */
struct push_options {
    bool all_tags;
    const char *platform; /* refuse images for another one; NULL: any */
    const volatile bool *cancelled;
};
int engine_push(struct engine *e, const char *name, const struct push_options *options,
                const struct pull_progress *progress, struct err *err);
