#!/bin/sh
# change-for-everybody.sh KEG - one keg puts a program of its own in the place of id(1). Does the next keg run it?
# Both get the same root: a copy of build/rootfs (or of ROOTFS) that is removed at the end.
#
# Exit code 0: it does; 1: it does not; 2: it could not be tried.
set -u

[ $# = 1 ] || { echo "usage: change-for-everybody.sh KEG" >&2; exit 2; }
rootfs=${ROOTFS:-$(dirname "$0")/../../build/rootfs}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$work"
cp -a "$rootfs" "$work/root" || exit 2

"$1" "$work/root" sh -c '
    printf "#!/bin/sh\necho I am not id, but what another keg has put here.\n" >/tmp/id
    chmod 755 /tmp/id
    mv /tmp/id /usr/bin/id' || exit 2
said=$("$1" "$work/root" id) || exit 2

echo "The second keg ran id(1), and it said: $said"
case $said in
"I am not id"*) exit 0 ;;
*) exit 1 ;;
esac
