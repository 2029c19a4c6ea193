/* storage.h - everything the engine keeps on disk, under one root directory (0700):
 *
 *     cooper.db            SQLite, WAL: images, references, layers, containers, networks, volumes
 *     events/log           what happened, a JSON object a line, newest last; log.1: what was before
 *     blobs/sha256/<hex>   content as it came; the root is an OCI layout others can read
 *     layers/<dir>/        unpacked layers in overlayfs form, complete and never changed again
 *     containers/<id>/     upper, work, merged, log, config.json, hostname, hosts, resolv.conf
 *     volumes/<name>/_data
 *     staging/             what is being made; collected when its maker is gone
 *     run/                 what must not survive a boot (/run/cooper for the default root)
 *
 * The order of every change: write the record, make the thing; remove the thing, clear the record.
 * Files appear complete, by rename. So a kill at any moment leaves either a record whose thing is
 * missing or a thing in staging/, and store_collect() can tell both.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/proc.h"
#include "base/str.h"

struct sqlite3;

struct store {
    char *root;    /* absolute path */
    char *run;     /* absolute path of the run directory */
    int root_fd;   /* directory descriptors, O_PATH or O_DIRECTORY */
    int layers_fd; /* layers/ : the working directory of every overlay mount */
    int run_fd;
    struct sqlite3 *db;
};

#define STORE_DEFAULT_ROOT "/var/lib/cooper"

/* Opens the store, making it when it is not there. `root` NULL: COOPER_ROOT, else
 * STORE_DEFAULT_ROOT. Refuses a root that is not a directory of ours with mode 0700 (it makes it so
 * when it is ours), and a database of a newer version. */
int store_open(const char *root, struct store **ret, struct err *err);
void store_close(struct store *store); /* NULL is fine */

/* --- images ----------------------------------------------------------------------------------- */

struct image {
    char id[DIGEST_LEN + 1];       /* digest of the config blob: "sha256:..." */
    char manifest[DIGEST_LEN + 1]; /* digest of its manifest, or "" (made here, never pushed) */
    char parent[DIGEST_LEN + 1];   /* the image it was made from here, or "" */
    int64_t created_ns;            /* from the config */
    int64_t tagged_ns;             /* when it last got a name here, 0: never, or by pulling */
    uint64_t size;                 /* bytes of all layers unpacked (docker's SIZE) */
    unsigned children, containers; /* images made from it here; containers that use it */
    struct strv references;        /* canonical "docker.io/library/alpine:3.20", sorted */
    struct strv digests;           /* canonical "docker.io/library/alpine@sha256:...", sorted */
};

void image_free(struct image *image);
struct image_list {
    struct image *items;
    size_t len;
};
void image_list_free(struct image_list *list);

/* All images, newest first. */
int store_images(struct store *store, struct image_list *ret, struct err *err);
/* Finds by canonical reference ("domain/path:tag" or "domain/path@digest"). -ENOENT without a
 * message. */
int store_image_by_reference(struct store *store, const char *canonical, struct image *ret,
                             struct err *err);
/* Finds by unique prefix of the id (with or without "sha256:"). -ENOENT, or -ENOTUNIQ when
 * ambiguous. */
int store_image_by_prefix(struct store *store, const char *prefix, struct image *ret,
                          struct err *err);
/* The parsed config blob of an image; NULL and err. */
json_t *store_image_config(struct store *store, const char *image_id, struct err *err);
/* The layer directories of an image, base first (names below layers/), and their chain ids. */
int store_image_layers(struct store *store, const char *image_id, struct strv *ret_dirs,
                       struct strv *ret_chain_ids, struct err *err);

/* A container sees it at a mount point: it stays as long as the container. -ENOENT: it is gone. */
int store_image_mount(struct store *store, const char *container_id, const char *image_id,
                      struct err *err);

/* Records an image in one transaction: its row, layers in order (published already), the blobs it
 * keeps alive, and optionally a reference and a repository digest (canonical, NULL for none). A
 * reference that named another image moves to this one. Idempotent. */
struct image_record {
    const char *id, *manifest; /* manifest may be "" */
    const char *parent;        /* NULL: none */
    int64_t created_ns;
    struct strv chain_ids;           /* base first */
    struct strv blobs;               /* digests: index, manifest, config, layers as they came */
    const struct layer_blob *packed; /* how the layers' tars are packed in those blobs */
    size_t packed_count;
    const char *reference, *repo_digest;
    bool pulled;                   /* the reference is no tag that somebody gave it here */
    const struct strv *references; /* more of them; NULL: none */
    bool known; /* only more about an image that is here; -ENOENT: it no longer is */
};
int store_image_add(struct store *store, const struct image_record *record, struct err *err);
/* Notes which image it was made from, if that is here and nothing was noted yet. */
int store_image_set_parent(struct store *store, const char *image_id, const char *parent,
                           struct err *err);
/* The blobs an image keeps alive, in no order. */
int store_image_blobs(struct store *store, const char *image_id, struct strv *ret_digests,
                      struct err *err);
/* Adds or moves a reference to an image; -ENOENT: it exists no more. */
int store_reference_set(struct store *store, const char *canonical, const char *image_id,
                        struct err *err);
/* Notes that an image is known as "domain/path@digest" somewhere: it was pushed there. -ENOENT: it
 * exists no more. */
int store_repo_digest_set(struct store *store, const char *canonical, const char *image_id,
                          struct err *err);
/* Repositories ("domain/path") that begin with `prefix` and have this blob, as far as is known: an
 * image that has it was pulled from there, or pushed to there. */
int store_blob_repositories(struct store *store, const char *digest, const char *prefix,
                            struct strv *ret, struct err *err);
/* Removes one reference (tag or digest form) or, with NULL, all references of the image. */
int store_reference_remove(struct store *store, const char *image_id, const char *canonical,
                           struct err *err);
/* Removes an image and its references, unless a container uses it (-EBUSY). `ret_deleted` gets
 * "sha256:<id>" and the chain ids nobody else has, top first; *ret_bytes grows by what they and the
 * blobs nobody else has take. The files go with the next store_collect(). */
int store_image_remove(struct store *store, const char *image_id, struct strv *ret_deleted,
                       uint64_t *ret_bytes, struct err *err);

/* What images take on disk, each layer and blob once however many images have it. */
struct image_usage {
    uint64_t total;  /* of all images */
    uint64_t unused; /* of those layers and blobs that no container's image has */
};
int store_image_usage(struct store *store, struct image_usage *ret, struct err *err);
/* Of one image's layers and blobs: what other images have too, and what only it has. */
int store_image_shares(struct store *store, const char *image_id, uint64_t *ret_shared,
                       uint64_t *ret_unique, struct err *err);

/* --- blobs and layers ------------------------------------------------------------------------- */

/* Held (shared) while blobs and layers are made that no image refers to yet, so that nobody
 * collects them. Closing the descriptor lets go. */
int store_hold(struct store *store, struct err *err);

bool store_has_blob(struct store *store, const char *digest, uint64_t *ret_size);
int store_blob_open(struct store *store, const char *digest, struct err *err); /* O_RDONLY */
int store_blob_load(struct store *store, const char *digest, size_t max, struct buf *ret,
                    struct err *err);

/* A blob that is coming in. It is written to blobs/partial/<hex>, kept when the transfer breaks off
 * and found by the next attempt: `*ret_have` is what is there already (the caller hashes those
 * bytes again by reading them, then continues at that offset). One writer a digest (flock): a
 * second one waits for the first, and then finds the blob published (-EEXIST). */
int store_partial_open(struct store *store, const char *digest, int *ret_fd, uint64_t *ret_have,
                       struct err *err);
/* Publishes a verified partial blob (fsync, rename) / throws a wrong one away. The fd stays the
 * caller's. */
int store_partial_publish(struct store *store, const char *digest, int fd, struct err *err);
int store_partial_drop(struct store *store, const char *digest, struct err *err);
/* A blob whose digest is known only when all of it is there: a file in staging/, then published as
 * `digest` (fsync, rename). Dropped with store_stage_drop(). The fd stays the caller's. */
int store_blob_begin(struct store *store, char ret_name[64], struct err *err);
int store_blob_commit(struct store *store, const char *name, int fd, const char *digest,
                      struct err *err);
/* Adds to either. It must be on disk before it is published: starting that early, while the disk
 * has nothing to do, leaves fdatasync(2) little to wait for at the end. */
int store_blob_write(int fd, const void *data, size_t len, struct err *err);
/* Publishes bytes in memory whose digest the caller computed. */
int store_blob_put(struct store *store, const char *digest, const void *data, size_t len,
                   struct err *err);

/* A private 0700 directory in staging/, marked with our process so that it is collected when we
 * die. Returns its O_DIRECTORY descriptor; `ret_name` names it for the calls below. */
int store_stage(struct store *store, char ret_name[64], struct err *err);
int store_stage_drop(struct store *store, const char *name, struct err *err);

/* A blob that holds a layer's tar, compressed or not. */
struct layer_blob {
    char diff_id[DIGEST_LEN + 1]; /* of the tar */
    char digest[DIGEST_LEN + 1];  /* of the blob */
    char media_type[80];
    uint64_t size; /* of the blob */
};
/* One that is here. -ENOENT without a message. */
int store_layer_blob(struct store *store, const char *diff_id, struct layer_blob *ret,
                     struct err *err);

struct layer {
    char chain_id[DIGEST_LEN + 1], diff_id[DIGEST_LEN + 1];
    char parent[DIGEST_LEN + 1]; /* chain id of the layer below, or "" */
    char dir[64];                /* its directory below layers/ */
    uint64_t size;
};
/* -ENOENT without a message when it is not there. */
int store_layer_find(struct store *store, const char *chain_id, struct layer *ret, struct err *err);
/* Makes a staged, complete directory the layer `layer->chain_id` (rename, then record). If another
 * process was first, the staged one is dropped and that is success. Fills layer->dir. */
int store_layer_publish(struct store *store, const char *stage, struct layer *layer,
                        struct err *err);

/* Options of an overlay mount with the given layer directories (base first), relative to layers/:
 * "lowerdir=c:b:a,upperdir=../containers/ID/upper,workdir=...,redirect_dir=...". `place` has the
 * directories upper and work: "containers/ID", "staging/NAME". At most 127 layers. */
int store_overlay_options(struct store *store, const struct strv *layer_dirs, const char *place,
                          bool disposable, char **ret, struct err *err);

/* --- build cache --------------------------------------------------------------------------------
 *
 * What the steps of builds gave, by everything that decides it. Who asks does so under
 * store_hold().
 */

struct build_step {
    char key[DIGEST_LEN + 1];      /* of `inputs` */
    char parent[DIGEST_LEN + 1];   /* chain id of what it lies on, or "" */
    char chain_id[DIGEST_LEN + 1]; /* of the layer it gave, or "": it changed no file */
    char *slot, *description;      /* where it stands in which Dockerfile; "RUN make" */
    char *inputs;                  /* JSON */
    uint64_t size;                 /* of its layer */
    int64_t created_ns, used_ns;
    unsigned uses;
    bool in_use; /* an image has its layer */
};
void build_step_free(struct build_step *step);
struct build_step_list {
    struct build_step *items;
    size_t len;
};
void build_step_list_free(struct build_step_list *list);
/* -ENOENT without a message, also when its layer is gone. `inputs` is not filled. */
int store_build_find(struct store *store, const char *key, struct build_step *ret, struct err *err);
/* The newest one of this place; -ENOENT without a message. */
int store_build_last(struct store *store, const char *slot, struct build_step *ret,
                     struct err *err);
/* In the place of one with this key, if there is one: `--no-cache` renews. */
int store_build_add(struct store *store, const struct build_step *step, struct err *err);
/* Notes that these were used now. */
int store_build_used(struct store *store, const struct strv *keys, struct err *err);
/* All of them, the longest unused first; without `inputs`. */
int store_build_list(struct store *store, struct build_step_list *ret, struct err *err);
/* 1; 0 when there was no such record. Layers go with the next store_collect(). */
int store_build_remove(struct store *store, const char *key, struct err *err);
/* The directory build/cache/<name>, made when `make`; what a RUN --mount=type=cache keeps. */
int store_build_directory(struct store *store, const char *name, bool make, struct err *err);

/* --- containers ------------------------------------------------------------------------------- */

/* The states a record goes through; each change is one transaction.
 *
 *     creating -> created -> starting -> running <-> paused
 *                    ^          ^ |         |  |
 *                    '----------|-'         |  '--> restarting --> starting
 *              (start failed)   |           v           |
 *                               '-------- exited <------'
 *     any of them that does not run -> removing -> gone, or dead when it cannot be removed */
struct container {
    char id[65];
    char *name;       /* without the slash */
    char *image_id;   /* "sha256:..." */
    char *image_name; /* as the user gave it */
    char *state;      /* see above */
    json_t
        *config; /* {"Path","Args","Config":{..},"HostConfig":{..},"Mounts":[..]}: docker's names */
    bool auto_remove;
    int64_t created_ns, started_ns, finished_ns; /* 0: not yet */
    int exit_code;
    bool oom_killed;
    int restarts;         /* starts by the restart policy since somebody started it */
    char *error;          /* why the start failed, or "" */
    struct proc_id owner; /* the process that answers for it: the command, then the shim */
    struct proc_id init;  /* PID 1 of the running container */
    int64_t revision;     /* of the record: counts its updates */
    char boot_id[37];     /* of the boot in which `owner` and `init` mean something */
};
void container_free(struct container *c);
struct container_list {
    struct container *items;
    size_t len;
};
void container_list_free(struct container_list *list);

/* Inserts in state "creating" with this process as owner; fills c->owner and c->boot_id.
 * -EEXIST with docker's text when the name is taken, -ENOENT when the image is gone. */
int store_container_add(struct store *store, struct container *c, struct err *err);
/* full id, then exact name, then unique prefix of an id. -ENOENT / -ENOTUNIQ without a message. */
int store_container_find(struct store *store, const char *name_or_id, struct container *ret,
                         struct err *err);
/* All containers, newest first. */
int store_containers(struct store *store, struct container_list *ret, struct err *err);
/* Writes the config of a container that is "creating", and c->state: "created", or still "creating"
 * when its maker goes on to start it at once. */
int store_container_created(struct store *store, const struct container *c, struct err *err);
/* Writes everything but id, name, image and config, if nobody has done so since *c was read
 * (-EAGAIN when another command was faster). */
int store_container_update(struct store *store, struct container *c, struct err *err);
/* Reads a record, lets `change` change its name and config, writes these, and lets `written` write
 * the files that say the same, all in one transaction: of two edits at once none is lost, and files
 * and records are in one order. A negative result of either leaves the record as it was; -EEXIST
 * when the name is taken; -ENOENT without a message when the record is gone. */
struct store_edit {
    int (*change)(void *context, struct container *c, struct err *err);
    int (*written)(void *context, const struct container *c, struct err *err);
    void *context;
};
int store_container_edit(struct store *store, const char *id, const struct store_edit *edit,
                         struct err *err);
/* 1; 0 when there was no such record. */
int store_container_remove(struct store *store, const char *id, struct err *err);
/* Names of containers (ids) that use an image. */
int store_image_users(struct store *store, const char *image_id, struct strv *ret_ids,
                      struct err *err);
/* Makes this process, in this boot, the one that answers for the container (in memory only). */
int store_container_own(struct container *c, struct err *err);
bool store_name_taken(struct store *store, const char *name);

/* Directory descriptor of containers/<id> / run/<id>; `make` creates it 0700. */
int store_container_dir(struct store *store, const char *id, bool make, struct err *err);
int store_run_dir(struct store *store, const char *id, bool make, struct err *err);

/* --- networks --------------------------------------------------------------------------------- */

struct ip;

struct network {
    char id[65];
    char *name;
    int64_t created_ns;
    json_t *config; /* docker's members: Driver, Internal, EnableIPv6, IPAM, Options, Labels */
    bool ready;     /* its rules have been made */
};
void network_free(struct network *n);
struct network_list {
    struct network *items;
    size_t len;
};
void network_list_free(struct network_list *list);

/* Several of the calls of this section as one transaction: begin, calls, end (which commits unless
 * r < 0 and returns r or its own error). What is read inside cannot be outdated when it is written.
 */
int store_begin(struct store *store, struct err *err);
int store_end(struct store *store, int r, struct err *err);

/* -EEXIST with docker's text when the name is taken. */
int store_network_add(struct store *store, const struct network *n, struct err *err);
/* Whether its rules have been made. */
int store_network_ready(struct store *store, const char *id, bool ready, struct err *err);
/* Exact name, full id, unique prefix of an id. -ENOENT / -ENOTUNIQ without a message. */
int store_network_find(struct store *store, const char *name_or_id, struct network *ret,
                       struct err *err);
/* All networks, by name. */
int store_networks(struct store *store, struct network_list *ret, struct err *err);
/* -EBUSY while it has endpoints; without a message. */
int store_network_remove(struct store *store, const char *id, struct err *err);

/* Keeps an address from containers; -EADDRINUSE without a message when it is taken. */
int store_address_reserve(struct store *store, const char *network, const struct ip *ip,
                          struct err *err);
/* Chooses an address for a container, which has it as soon as its endpoint is recorded, in the same
 * transaction. `wanted` set: that one, -EADDRINUSE without a message. Else the first free one
 * behind the one chosen last, from `first` to `last`, round and round: what was freed is used again
 * last. -ENOSPC without a message when there is none. */
int store_address_take(struct store *store, const char *network, const struct ip *first,
                       const struct ip *last, const struct ip *wanted, struct ip *ret,
                       struct err *err);

/* What a running container has on a network. */
struct endpoint {
    char container[65], network[65];
    json_t *config;
};
struct endpoint_list {
    struct endpoint *items;
    size_t len;
};
void endpoint_list_free(struct endpoint_list *list);
/* Adds it, with its addresses (IPAddress, GlobalIPv6Address), or changes the rest of it. */
int store_endpoint_put(struct store *store, const char *container, const char *network,
                       size_t position, const json_t *config, struct err *err);
/* Of a container, in order; or, with `container` NULL, of a network (NULL: of all). */
int store_endpoints(struct store *store, const char *container, const char *network,
                    struct endpoint_list *ret, struct err *err);
/* Removes endpoints, and so gives back the addresses, of a container, on one network or (NULL) on
 * all. */
int store_endpoints_release(struct store *store, const char *container, const char *network,
                            struct err *err);

/* --- volumes ---------------------------------------------------------------------------------- */

struct volume {
    char *name;
    bool anonymous;
    int64_t created_ns;
    json_t *labels, *options; /* objects of strings; options: what the driver was told */
};
void volume_free(struct volume *v);
struct volume_list {
    struct volume *items;
    size_t len;
};
void volume_list_free(struct volume_list *list);

/* Makes it if there is none of this name (NULL: an anonymous one), and records that `container_id`
 * uses it, unless that is NULL; both or nothing. labels and options may be NULL. 1: made, 0: it was
 * there, and is as it was. */
int store_volume_add(struct store *store, const char *name, const json_t *labels,
                     const json_t *options, const char *container_id, struct volume *ret,
                     struct err *err);
/* -ENOENT without a message. */
int store_volume_find(struct store *store, const char *name, struct volume *ret, struct err *err);
/* By name. */
int store_volumes(struct store *store, struct volume_list *ret, struct err *err);
/* Ids of the containers that use it. */
int store_volume_users(struct store *store, const char *name, struct strv *ret, struct err *err);
/* Its directory, without a container's leave: -EBUSY without a message while one uses it, -ENOENT
 * when it is gone. */
int store_volume_remove(struct store *store, const char *name, struct err *err);
/* Absolute path of what is in it. The caller frees. */
char *store_volume_path(const struct store *store, const char *name);
/* Lets go of a container's volumes; anonymous ones nobody else uses are removed when asked, and
 * their names added to ret_removed. */
int store_volumes_release(struct store *store, const char *container_id, bool remove_anonymous,
                          struct strv *ret_removed, struct err *err);

/* --- events
 * --------------------------------------------------------------------------------------
 *
 * A file that everybody appends to, the shim too: no daemon and no database is in the way. It is
 * bounded: a full file becomes log.1, and the log.1 before it goes. */

struct event {
    const char *type, *action, *id; /* "container", "start", whose */
    const json_t *attributes;       /* an object of strings, or NULL */
};
/* Appends one event, with the present time, below the state directory. Events are news, not
 * records: who emits one goes on when that fails. */
int store_event_add(int root_fd, const struct event *event, struct err *err);

/* Calls `visit` for each event between the two moments (0: no bound), oldest first, with docker's
 * API object {"Type","Action","Actor":{"ID","Attributes"},"scope","time","timeNano"}; with `follow`
 * goes on with what comes until `until_ns`, or for ever. A negative result of `visit` ends it and
 * is returned. */
struct event_query {
    int64_t since_ns, until_ns;
    bool follow;
};
typedef int event_visit(void *context, const json_t *event);
int store_events_read(struct store *store, const struct event_query *query, event_visit *visit,
                      void *context, struct err *err);

/* Collects layers, blobs and staged directories nobody refers to. Cheap when there is nothing to
 * do; does nothing while another process holds store_hold(). */
int store_collect(struct store *store, struct err *err);
/* Removes what broken-off downloads left to be resumed; *ret_bytes grows by what that took. Does
 * nothing while another process holds store_hold(). */
int store_drop_partials(struct store *store, uint64_t *ret_bytes, struct err *err);
/* Only what dead processes left in staging/: safe at any time, whoever holds. For those who keep
 * what a broken-off attempt of theirs finished, which store_collect() would take for unused. */
int store_collect_stages(struct store *store, struct err *err);
