/* The tables, as a list of scripts: a database of version n has run the first n of them, and
 * opening it runs the rest. What was released is never edited; a change is a new script at the end.
 */
#include "storage/db.h"

/* 1: images, containers, volumes */
static const char first[] =
    "CREATE TABLE images(id TEXT PRIMARY KEY, manifest TEXT NOT NULL, created INTEGER NOT NULL,"
    " size INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE refs(name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images) WITHOUT ROWID;"
    "CREATE INDEX refs_by_image ON refs(image);"
    "CREATE TABLE layers(chain_id TEXT PRIMARY KEY, diff_id TEXT NOT NULL, parent TEXT NOT NULL,"
    " dir TEXT NOT NULL UNIQUE, size INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE image_layers(image TEXT NOT NULL REFERENCES images, position INTEGER NOT NULL,"
    " chain_id TEXT NOT NULL REFERENCES layers, PRIMARY KEY(image, position)) WITHOUT ROWID;"
    "CREATE INDEX image_layers_by_layer ON image_layers(chain_id);"
    "CREATE TABLE image_blobs(image TEXT NOT NULL REFERENCES images, digest TEXT NOT NULL,"
    " PRIMARY KEY(image, digest)) WITHOUT ROWID;"
    "CREATE INDEX image_blobs_by_digest ON image_blobs(digest);"
    "CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " image TEXT NOT NULL REFERENCES images, image_name TEXT NOT NULL, state TEXT NOT NULL,"
    " config TEXT NOT NULL, auto_remove INTEGER NOT NULL, created INTEGER NOT NULL,"
    " started INTEGER NOT NULL, finished INTEGER NOT NULL, exit_code INTEGER NOT NULL,"
    " oom_killed INTEGER NOT NULL, error TEXT NOT NULL, owner_pid INTEGER NOT NULL,"
    " owner_start INTEGER NOT NULL, init_pid INTEGER NOT NULL, init_start INTEGER NOT NULL,"
    " boot_id TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX containers_by_image ON containers(image);"
    "CREATE TABLE volumes(name TEXT PRIMARY KEY, anonymous INTEGER NOT NULL,"
    " created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE container_volumes(container TEXT NOT NULL, volume TEXT NOT NULL REFERENCES "
    "volumes,"
    " PRIMARY KEY(container, volume)) WITHOUT ROWID;"
    "CREATE INDEX container_volumes_by_volume ON container_volumes(volume);";

/* 2: how often the restart policy started a container; what `volume create` was told */
static const char life[] = "ALTER TABLE containers ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;"
                           "ALTER TABLE volumes ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';"
                           "ALTER TABLE volumes ADD COLUMN options TEXT NOT NULL DEFAULT '{}';";

/* 3: what an image was made from, when a name was given; which blob a layer's tar is packed in */
static const char images[] =
    "ALTER TABLE images ADD COLUMN parent TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX images_by_parent ON images(parent);"
    "ALTER TABLE refs ADD COLUMN tagged INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE layer_blobs(diff_id TEXT NOT NULL, digest TEXT NOT NULL,"
    " media_type TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY(diff_id, digest)) WITHOUT ROWID;"
    "CREATE INDEX layer_blobs_by_digest ON layer_blobs(digest);";

/* 4: counts the changes of a record, so that nobody writes what he read before another's change */
static const char revisions[] =
    "ALTER TABLE containers ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;";

/* 5: networks. Addresses are hexadecimal digits, so that their order is that of numbers. What a
 * container has on networks while it runs goes with its record. As few trees as can be: each is a
 * page more in the log for every start. */
static const char networks[] =
    "CREATE TABLE networks(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT "
    "NULL,"
    " config TEXT NOT NULL, ready INTEGER NOT NULL, cursor4 TEXT NOT NULL, cursor6 TEXT NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE TABLE reserved_addresses(network TEXT NOT NULL REFERENCES networks ON DELETE CASCADE,"
    " address TEXT NOT NULL, PRIMARY KEY(network, address)) WITHOUT ROWID;"
    "CREATE TABLE endpoints(container TEXT NOT NULL REFERENCES containers ON DELETE CASCADE,"
    " network TEXT NOT NULL REFERENCES networks, position INTEGER NOT NULL, address4 TEXT,"
    " address6 TEXT, config TEXT NOT NULL, PRIMARY KEY(container, network)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX endpoints_by_address4 ON endpoints(network, address4)"
    " WHERE address4 IS NOT NULL;"
    "CREATE UNIQUE INDEX endpoints_by_address6 ON endpoints(network, address6)"
    " WHERE address6 IS NOT NULL;";

/* 6: images that containers see as mounts (--mount type=image), and so everything that uses an
 * image */
static const char image_mounts[] =
    "CREATE TABLE image_mounts(container TEXT NOT NULL REFERENCES containers ON DELETE CASCADE,"
    " image TEXT NOT NULL REFERENCES images, PRIMARY KEY(container, image)) WITHOUT ROWID;"
    "CREATE INDEX image_mounts_by_image ON image_mounts(image);"
    "CREATE VIEW image_users(image, container, created) AS"
    " SELECT image, id, created FROM containers UNION"
    " SELECT image_mounts.image, container, created FROM image_mounts"
    " JOIN containers ON containers.id = container;";

/* 7: what the steps of builds gave. A row keeps its layer, but not the layers below that one: those
 * are an image's, or another row's. chain_id is NULL for a step that changed no file. `slot` names
 * the place in a Dockerfile the step has, for telling what is different this time. */
static const char builds[] =
    "CREATE TABLE build_cache(key TEXT PRIMARY KEY, parent TEXT NOT NULL, chain_id TEXT,"
    " slot TEXT NOT NULL, description TEXT NOT NULL, inputs TEXT NOT NULL, size INTEGER NOT NULL,"
    " created INTEGER NOT NULL, used INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX build_cache_by_layer ON build_cache(chain_id);"
    "CREATE INDEX build_cache_by_slot ON build_cache(slot, created);";

const char *const db_schema[] = {first, life, images, revisions, networks, image_mounts, builds};
const int db_schema_version = sizeof db_schema / sizeof *db_schema;
