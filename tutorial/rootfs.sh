#!/bin/sh
# rootfs.sh DIRECTORY - makes what the chapters run, without internet and without root:
#
#   DIRECTORY/rootfs   a small root file system: busybox and a handful of files
#   DIRECTORY/image    nearly the same as an OCI image layout with three layers and the tag "latest"
#
# Needs busybox-static, tar, gzip and coreutils. Two runs give the same digests: names are sorted, times are 0,
# and everything in a layer belongs to root, whoever runs this.
set -eu
export LC_ALL=C
umask 022

die() { echo "rootfs.sh: $*" >&2; exit 1; }

[ $# = 1 ] || die "usage: rootfs.sh DIRECTORY"
dir=$1
busybox=$(command -v busybox) || die "busybox is missing; install it: sudo apt-get install busybox-static"
# The plain package "busybox" links the C library dynamically, and a new root has no libraries.
if LD_TRACE_LOADED_OBJECTS=1 "$busybox" true 2>/dev/null | grep -q libc; then
    die "$busybox needs shared libraries; install the static one: sudo apt-get install busybox-static"
fi
mkdir -p "$dir" 2>/dev/null && [ -w "$dir" ] || die "cannot write '$dir': it belongs to $(stat -c %U "$dir"); take it back: sudo chown -R $(id -un) '$dir'"

work=$(mktemp -d "$dir/rootfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
base=$work/base www=$work/www changes=$work/changes image=$work/image

# --- the trees ---------------------------------------------------------------------------------------

# A link for each of busybox's commands. Relative ones: seen from the host too they stay in the tree.
add_busybox() {
    cp "$busybox" "$base/bin/busybox"
    chmod 755 "$base/bin/busybox"
    "$busybox" --list-full | while read -r applet; do
        case $applet in
        bin/busybox | linuxrc) ;;
        bin/*) ln -s busybox "$base/$applet" ;;
        sbin/*) ln -s ../bin/busybox "$base/$applet" ;;
        usr/bin/* | usr/sbin/*) ln -s ../../bin/busybox "$base/$applet" ;;
        esac
    done
}

make_base() {
    for d in bin sbin usr/bin usr/sbin etc proc dev sys tmp root home/reader usr/share/news; do
        mkdir -p "$base/$d"
    done
    chmod 1777 "$base/tmp"
    add_busybox
    cat >"$base/etc/passwd" <<END
root:x:0:0:root:/root:/bin/sh
reader:x:1000:1000:the reader:/home/reader:/bin/sh
END
    cat >"$base/etc/group" <<END
root:x:0:
reader:x:1000:
END
    echo 'This file is in the first layer. The third one deletes it.' >"$base/etc/issue"
    echo 'yesterday' >"$base/usr/share/news/monday"
    echo 'today' >"$base/usr/share/news/tuesday"
}

make_www() {
    mkdir -p "$www/www" "$www/etc"
    echo 'Hello from inside a keg.' >"$www/www/index.html"
    echo 'Three layers made this tree.' >"$www/etc/motd"
}

# A layer takes away by marks: ".wh.NAME" deletes NAME, and ".wh..wh..opq" hides all that the layers below have
# in this directory.
make_changes() {
    mkdir -p "$changes/etc" "$changes/usr/share/news"
    : >"$changes/etc/.wh.issue"
    : >"$changes/usr/share/news/.wh..wh..opq"
    echo 'tomorrow' >"$changes/usr/share/news/wednesday"
}

# --- the image ---------------------------------------------------------------------------------------

digest() { sha256sum "$1" | cut -d' ' -f1; }
size() { stat -c %s "$1"; }

# descriptor MEDIA-TYPE HEX: what the OCI specification calls so: a type, a digest, a size.
descriptor() {
    printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s%s}' \
        "$1" "$2" "$(size "$image/blobs/sha256/$2")" "${3-}"
}

# add_blob FILE: moves it to where its digest says and prints the digest.
add_blob() {
    hex=$(digest "$1")
    mv "$1" "$image/blobs/sha256/$hex"
    echo "$hex"
}

# add_layer TREE: the digest of the tar is the diffID; that of the compressed tar names the blob.
add_layer() {
    tar -C "$1" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$work/layer.tar" .
    diff_ids="${diff_ids:+$diff_ids,}\"sha256:$(digest "$work/layer.tar")\""
    gzip -n -9 "$work/layer.tar"
    layers="${layers:+$layers,}$(descriptor layer.v1.tar+gzip "$(add_blob "$work/layer.tar.gz")")"
}

# Debian calls it amd64 where the kernel says x86_64, and so does the specification.
architecture() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
    esac
}

make_image() {
    layers='' diff_ids=''
    mkdir -p "$image/blobs/sha256"
    for tree in "$base" "$www" "$changes"; do
        add_layer "$tree"
    done
    cat >"$work/config" <<END
{"architecture":"$(architecture)","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"User":"reader","WorkingDir":"/www",
"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin","GREETING=Hello"],
"Cmd":["sh","-c","echo \"\$GREETING, \$(id -un), from \$PWD\"; cat /etc/motd"]},
"rootfs":{"type":"layers","diff_ids":[$diff_ids]},
"history":[{"created":"1970-01-01T00:00:00Z","created_by":"busybox"},
{"created":"1970-01-01T00:00:00Z","created_by":"a web page and a message"},
{"created":"1970-01-01T00:00:00Z","created_by":"delete /etc/issue, replace /usr/share/news"}]}
END
    config=$(descriptor config.v1+json "$(add_blob "$work/config")")
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
        "$config" "$layers" >"$work/manifest"
    printf '{"schemaVersion":2,"manifests":[%s]}' "$(descriptor manifest.v1+json "$(add_blob "$work/manifest")" \
        ',"annotations":{"org.opencontainers.image.ref.name":"latest"}')" >"$image/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$image/oci-layout"
}

make_base
make_www
make_changes
make_image
rm -rf "$dir/rootfs" "$dir/image"
cp -a "$www/." "$base/"
chmod 755 "$base" "$image"
mv "$base" "$dir/rootfs"
mv "$image" "$dir/image"
