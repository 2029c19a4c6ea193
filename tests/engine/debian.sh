#!/bin/sh
# debian.sh PACKAGE... - a tar (stdout) of a small Debian: the files of these packages and of all they depend on, as
# they are installed on this machine. A base image for builds, made without a network and without debootstrap.
set -eu

depends=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "$@" base-files base-passwd dash coreutils grep sed | grep '^[a-z]' | sort -u)
work=$(mktemp -d "${TMPDIR:-/tmp}/debian-XXXXXX")
trap 'rm -rf "$work"' EXIT

# Documentation makes images large and tells tests nothing.
# shellcheck disable=SC2086  # a list of words
dpkg-query -L $depends 2>/dev/null | grep '^/' | grep -Ev '^/usr/share/(doc|man|locale|info|lintian|bug)/|^/\.$' |
    sort -u >"$work/names"
# The names that programs are called by: awk, cc.
find /etc/alternatives -type l >>"$work/names"

mkdir -p "$work/root/etc" "$work/root/var/lib/dpkg/info" "$work/root/var/lib/dpkg/updates" "$work/root/tmp" \
    "$work/root/var/cache" "$work/root/var/log" "$work/root/root"
chmod 755 "$work/root" && chmod 1777 "$work/root/tmp"
for link in bin sbin lib lib32 lib64 libx32; do
    if [ -L /$link ]; then ln -s "usr/$link" "$work/root/$link"; fi
done
cp /usr/share/base-passwd/passwd.master "$work/root/etc/passwd"
cp /usr/share/base-passwd/group.master "$work/root/etc/group"
: >"$work/root/var/lib/dpkg/status"
: >"$work/root/var/lib/dpkg/available"
sed 's,^/\(bin\|sbin\|lib\|lib32\|lib64\|libx32\)\(/\|$\),/usr/\1\2,; s,^/,,' "$work/names" | sort -u >"$work/merged"
tar -C / -c --no-recursion --ignore-failed-read -T "$work/merged" 2>/dev/null | tar -C "$work/root" -x
tar -C "$work/root" -c .
