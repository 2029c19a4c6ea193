#!/bin/bash
# busybox-image.sh DIRECTORY - makes a small image without any internet: DIRECTORY/rootfs, the tree, and
# DIRECTORY/oci, the same as an OCI layout with the tag "1". Needs busybox-static and umoci.
set -euo pipefail
dir=$1
busybox=$(command -v busybox)

mkdir -p "$dir"/rootfs/{bin,sbin,usr/bin,usr/sbin,etc,root,tmp,var,proc,sys,dev,www}
chmod 1777 "$dir/rootfs/tmp"
cp "$busybox" "$dir/rootfs/bin/busybox"
for applet in $("$busybox" --list-full); do
    case $applet in
    bin/busybox | linuxrc) ;;
    *) ln -sf /bin/busybox "$dir/rootfs/$applet" ;;
    esac
done
echo 'root:x:0:0:root:/root:/bin/sh
www:x:82:82:the web server:/www:/bin/false' >"$dir/rootfs/etc/passwd"
echo 'root:x:0:
www:x:82:' >"$dir/rootfs/etc/group"
echo 'Hello from inside a container.' >"$dir/rootfs/www/index.html"

umoci init --layout "$dir/oci"
umoci new --image "$dir/oci:1"
umoci config --image "$dir/oci:1" --config.cmd sh --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The difference between an empty bundle and one with the tree in it is the layer.
umoci unpack --image "$dir/oci:1" "$dir/bundle"
cp -a "$dir/rootfs/." "$dir/bundle/rootfs/"
umoci repack --image "$dir/oci:1" "$dir/bundle"
rm -rf "$dir/bundle"
