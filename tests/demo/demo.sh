#!/bin/bash
# demo.sh - what `sudo make demo` runs: Cooper in two minutes, without the internet. It installs the packages that are
# missing, builds, puts a small image into a registry on loopback, and shows each command with its output. All
# state lives in one temporary directory, all networks in a namespace; whatever way this ends, nothing of it stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/demo/registry.sh

# Packages and the compiler need this machine's network, the tour gets one of its own.
if [ -z "${COOPER_DEMO_INSIDE:-}" ]; then
    tests/deps.sh build test
    make --no-print-directory --silent -j"${JOBS:-2}" all
    COOPER_DEMO_INSIDE=1 exec unshare --net "$0" "$@"
fi
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward # or the first container's command would say that it has switched this on

build=${BUILD:-build}
state=
cooper() { "$build/bin/cooper" --root "$state/cooper" "$@"; }

# Runs on every way out, also Ctrl-C and errors: containers first, then the server, then the files.
clean_up() {
    local status=$? ids
    trap - EXIT
    trap '' INT TERM HUP
    if [ -n "$state" ]; then
        if [ -d "$state/cooper" ]; then
            ids=$(cooper ps -aq 2>/dev/null) || true
            # shellcheck disable=SC2086  # one word an id
            [ -z "$ids" ] || cooper rm -f $ids >/dev/null 2>&1 || true
        fi
        registry_stop
        rm -rf --one-file-system "$state"
    fi
    [ "$status" = 0 ] || echo "demo: ended with status $status; nothing was left behind" >&2
    exit "$status"
}

bold='' plain=''
if [ -t 1 ]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi

say() { printf '\n%s\n' "# $*"; }

# Shows a command as a user would type it (cooper for build/bin/cooper --root ...), then does it.
show() {
    printf '%s$ %s%s\n' "$bold" "$(quoted "$@")" "$plain"
    "$@"
}

# The words of a command, in quotes where a shell would need them.
quoted() {
    local word line=
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./:=@,-]*) line+="'$word' " ;;
        *) line+="$word " ;;
        esac
    done
    echo "${line% }"
}

# Waits until a command succeeds, for a bounded number of tries.
until_true() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}

prepare() {
    "$PWD/tests/demo/busybox-image.sh" "$state" >/dev/null
    registry_start "$state/registry"
    image=$registry_address/demo/busybox:1
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$state/oci:1" "docker://$image"
}

tour() {
    say "An image comes from a registry, here one on $registry_address; nothing is used before its digest is checked."
    show cooper pull "$image"
    show cooper images

    say "The kernel is this machine's; the host name, the process list and the files are the container's own."
    show cooper run --rm "$image" uname -sr
    show cooper run --rm --hostname cask "$image" sh -c 'id; hostname; /bin/ps'
    show cooper run --rm --user www --memory 64m --read-only "$image" sh -c 'id; touch /file; echo status $?'

    say "A server in the background, at a port of this machine: no daemon, one small shim keeps it."
    show cooper run -d --name web --init -p 8080:80 "$image" httpd -f -v -p 80 -h /www
    show cooper ps
    until_true curl -s http://127.0.0.1:8080/
    show curl -s http://127.0.0.1:8080/index.html
    show cooper logs web
    show cooper inspect --format '{{.State.Status}} {{.State.Pid}}' web

    say "Stop it, look at what it left, remove it."
    show cooper stop web
    show cooper ps -a
    show cooper rm web
    show cooper rmi "$image"
}

what_next() {
    cat <<NEXT

That was all of it, and it is gone again. To go on:

    sudo make install                                    cooper in /usr/local/bin
    sudo cooper pull debian:12                           with internet: from Docker Hub
    sudo cooper run -it --rm debian:12 bash              a shell in it; Ctrl-P Ctrl-Q leaves it running
    sudo make check                                      every test
NEXT
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
state=$(mktemp -d /var/tmp/cooper-demo.XXXXXX)
prepare
tour
what_next
