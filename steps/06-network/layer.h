/* The content of an image: blobs named by their digest, and layers unpacked from them. */
#pragma once

/* Opens the blob "sha256:<64 hex digits>" of the OCI layout `layout`. Dies unless it is `size`
 * bytes long and has this digest (OCI image specification, "Descriptors"). The descriptor returned
 * stands at its beginning. */
int layer_open_blob(const char *layout, const char *digest, long long size);

/* Unpacks the layer of this digest and size into $KEG_STORE/<hex of the digest> (without KEG_STORE:
 * /var/lib/keg), unless it is there already, and returns that directory; the caller frees it. Dies,
 * and leaves nothing behind, when an entry would land elsewhere. */
char *layer_unpack(const char *layout, const char *digest, long long size);
