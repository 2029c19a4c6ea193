#!/bin/bash
# bench.sh - what `make bench` runs: how long a container takes from start to exit, how long what is done to containers
# takes (life.sh), how long images take to come and go (images.sh) and to be built (builds.sh), how much memory is held,
# how fast networks are; Cooper beside the bare kernel and whatever of crun, runc, podman and docker is installed.
#
# Everything runs in one private mount and network namespace: a dockerd, a registry and all stores are our own and go
# when this ends. Peers that refuse hybrid cgroups (crun) get to see only v1.
#
# ROUNDS (40), PULL_ROUNDS (3), MIRROR (apt's own) and SUITE change what is measured; ONLY="start runtime life network
# images builds memory" leaves out what is not in it.
# shellcheck disable=SC2086,SC2046  # $podman and `runtime` are commands with options
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/demo/registry.sh
. tests/bench/images.sh
. tests/bench/builds.sh
. tests/bench/life.sh

if [ -z "${COOPER_BENCH_INSIDE:-}" ]; then
    COOPER_BENCH_INSIDE=1 exec unshare --mount --net --propagation private "$0" "$@"
fi

build=$(realpath "${BUILD:-build}")
bench=$build/bench
rounds=${ROUNDS:-40}
pull_rounds=${PULL_ROUNDS:-3}
groups=cooper-bench-$$ # the peers' control groups
state=
dockerd_pid=
holders=() # processes that are there for their network namespaces

have() { command -v "$1" >/dev/null; }
cooper() { "$build/bin/cooper" --root "$state/cooper" "$@"; }
peer_podman="podman --root PODMAN/root --runroot PODMAN/run --cgroup-manager cgroupfs --events-backend none"

clean_up() {
    local status=$? ids mount
    trap - EXIT
    trap '' INT TERM HUP
    if [ -n "$state" ]; then
        ids=$(cooper ps -aq 2>/dev/null) || true
        [ -z "$ids" ] || cooper rm -f $ids >/dev/null 2>&1 || true
        if [ -n "$dockerd_pid" ]; then
            kill "$dockerd_pid" 2>/dev/null || true
            wait "$dockerd_pid" 2>/dev/null || true
        fi
        [ ${#holders[@]} = 0 ] || kill "${holders[@]}" 2>/dev/null || true
        registry_stop
        # What podman and docker leave mounted is in this namespace only.
        awk -v s="$state/" 'index($5, s) == 1 {print $5}' /proc/self/mountinfo | tac | while read -r mount; do
            umount -l "$mount" || true
        done
        rm -rf --one-file-system "$state"
    fi
    # The peers' empty control groups, deepest first; the kernel refuses to remove one in use.
    find /sys/fs/cgroup -depth -type d -path "*/$groups*" -exec rmdir {} \; 2>/dev/null || true
    exit "$status"
}

start_dockerd() {
    local tries
    export DOCKER_HOST=unix://$state/docker.sock DOCKER_CONFIG=$state/docker-config
    mkdir "$DOCKER_CONFIG"
    echo '{}' >"$DOCKER_CONFIG/config.json"
    dockerd --data-root "$state/docker" --exec-root /run/docker-bench --pidfile "$state/docker.pid" -H "$DOCKER_HOST" \
        --insecure-registry 127.0.0.0/8 \
        </dev/null >"$state/dockerd.log" 2>&1 &
    dockerd_pid=$!
    for ((tries = 0; tries < 150; tries++)); do
        docker version >/dev/null 2>&1 && return 0
        kill -0 "$dockerd_pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "bench: dockerd did not come up, left out: $(tail -n 1 "$state/dockerd.log")" >&2
    dockerd_pid=
}

# The same root filesystem for everybody: one static program; and the floor's overlay over it.
make_rootfs() {
    mkdir -p "$state/floor"/{upper,work,merged}
    ln -s ../rootfs "$state/floor/lower"
    mkdir -p "$state/rootfs"/{bin,proc,sys,dev,etc}
    cp "$bench/true" "$state/rootfs/bin/true"
    tar -C "$state/rootfs" -cf "$state/rootfs.tar" .
}

# make_bundle NAME: for runc and crun, which take a bundle. An absolute control group path keeps them out of ours.
make_bundle() {
    mkdir -p "$state/$1"
    cp -a "$state/rootfs" "$state/$1/rootfs"
    (cd "$state/$1" && "$1" spec)
    sed -i -e 's/"terminal": true/"terminal": false/' -e 's|"sh"|"/bin/true"|' \
        -e "s|\"linux\": {|&\"cgroupsPath\": \"/$groups/$1\",|" "$state/$1/config.json"
}

# add NAME PREPARE COMMAND...: one more line for measure
add() {
    local name=$1 prepare=$2
    shift 2
    printf '%s\t%s\t%s\n' "$name" "$prepare" "$*" >>"$state/commands"
}

# Adds a peer only if it works here, and says so if it does not.
add_if_works() {
    if "${@:3}" >/dev/null 2>"$state/error"; then
        add "$@"
    else
        echo "left out: $1: $(tail -n 1 "$state/error")" >&2
    fi
}

# The faster of two, as far as they are there.
faster() {
    awk -F '  +' -v a="$1" -v b="$2" '
        ($1 == a || $1 == b) && (best == "" || $2 + 0 < t) {best = $1; t = $2 + 0} END {print best}' "$state/table"
}

# verdict RATIO-OF BASE LIMIT: compares two medians in the table printed last
verdict() {
    [ -n "$2" ] && grep -q "^$2  " "$state/table" || return 0
    awk -F '  +' -v of="$1" -v base="$2" -v limit="$3" '
        $1 == of {a = $2 + 0} $1 == base {b = $2 + 0}
        END {printf "%s: %.2f times %s (aim: at most %s): %s\n", of, a / b, base, limit, a / b <= limit ? "reached" : "MISSED"}
    ' "$state/table"
}

# measure ROUNDS [COMMAND...]: in front of it, to run it elsewhere
measure() {
    "${@:2}" "$bench/measure" "$1" "$state/commands" | tee "$state/table"
    rm "$state/commands"
}

# The runtimes there are, ours first, and how each is called: with a state directory of its own, in memory as usual.
runtimes() {
    local name
    for name in cooper-runtime crun runc; do
        if [ $name = cooper-runtime ] || have $name; then echo $name; fi
    done
}
runtime() {
    local program=$1
    [ "$1" != cooper-runtime ] || program=$build/bin/cooper-runtime
    echo "$program --root /run/bench-$1"
}

bench_start() {
    local podman=${peer_podman//PODMAN/$state/podman} name
    add floor "" "$bench/floor" "$state/floor" /bin/true
    add "floor with cgroups" "" "$bench/floor" -c "$state/floor" /bin/true
    add "cooper run --rm" "" "$build/bin/cooper" --root "$state/cooper" run --rm --network none bench:1 /bin/true
    for name in crun runc; do
        have $name || continue
        make_bundle $name
        add_if_works "$name run" "" $(runtime $name) run --bundle "$state/$name" bench
    done
    if have podman && $podman import "$state/rootfs.tar" bench:1 >/dev/null 2>&1; then
        # Without CAP_SYS_RESOURCE (many virtual machines) it cannot raise limits as it wants to.
        local limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
        add_if_works "podman run --rm" "" $podman run $limits --cgroup-parent /$groups --rm --network none bench:1 /bin/true
    fi
    if [ -n "$dockerd_pid" ] && docker import "$state/rootfs.tar" bench:1 >/dev/null; then
        add_if_works "docker run --rm" "" docker run --cgroup-parent /$groups --rm --network none bench:1 /bin/true
    fi
    printf '\nStart to exit of true, %s rounds, without a network\n' "$rounds"
    measure "$rounds"
    verdict "cooper run --rm" floor 2.0
}

# A container of each that waits, for exec to go into: the same bundle with another program and control group.
start_waiting() {
    mkdir "$state/$1-waits"
    sed -e 's|"/bin/true"|"/bin/true", "wait"|' -e "s|/$groups/|&waits-|" -e "s|\"rootfs\"|\"$state/$1/rootfs\"|" \
        "$state/$1/config.json" >"$state/$1-waits/config.json"
    $(runtime "$1") run --detach --bundle "$state/$1-waits" waits </dev/null >/dev/null 2>&1
}

# cooper-runtime beside the runtimes whose place it takes.
bench_runtime() {
    local name
    for name in $(runtimes); do
        [ -d "$state/$name" ] || PATH=$build/bin:$PATH make_bundle "$name"
        add_if_works "$name run" "" $(runtime "$name") run --bundle "$state/$name" bench
    done
    for name in $(runtimes); do
        start_waiting "$name" || continue
        add_if_works "$name exec" "" $(runtime "$name") exec waits /bin/true
    done
    for name in $(runtimes); do
        # One shell, the same for all.
        echo "r='$(runtime "$name")'; \$r create --bundle $state/$name life && \$r start life && \$r delete --force life" \
            >"$state/$name-life"
        add_if_works "$name create, start, delete" "" sh "$state/$name-life"
    done
    printf '\nOCI runtimes: run and exec of true; create, start and delete, %s rounds\n' "$rounds"
    measure "$rounds"
    for name in $(runtimes); do $(runtime "$name") delete --force waits || true; done
    if have crun; then
        verdict "cooper-runtime run" "crun run" 0.75
        verdict "cooper-runtime exec" "crun exec" 0.75
        verdict "cooper-runtime create, start, delete" "crun create, start, delete" 0.75
    fi
}

private_memory() {
    awk '/^Private_(Clean|Dirty):/ {sum += $2} END {print sum}' "/proc/$1/smaps_rollup"
}

# Resident memory of the command in the foreground and private memory of the shim behind it.
bench_memory() {
    local client init='' shim tries resident private started
    # The program itself, not a subshell around the function.
    "$build/bin/cooper" --root "$state/cooper" run --rm --name memory --network none bench:1 /bin/true wait </dev/null &
    client=$!
    for ((tries = 0; tries < 200; tries++)); do
        init=$(cooper inspect --format '{{.State.Pid}}' memory 2>/dev/null) || true
        [ "${init:-0}" -gt 0 ] && break
        sleep 0.05
    done
    shim=$(awk '/^PPid:/ {print $2}' "/proc/$init/status")
    resident=$(awk '/^VmRSS:/ {print $2}' "/proc/$client/status")
    started=$(private_memory "$shim")
    # What starting needed is given back when the container has run for a moment.
    private=$started
    for ((tries = 0; tries < 40 && private >= started; tries++)); do
        sleep 0.05
        private=$(private_memory "$shim")
    done
    cooper kill memory >/dev/null
    wait "$client" || true
    printf '\nMemory while a container runs\n'
    awk -v r="$resident" -v p="$private" -v s="$started" 'BEGIN {
        printf "cooper run: %.1f MiB resident (aim: below 10): %s\n", r / 1024, r < 10240 ? "reached" : "MISSED"
        printf "cooper-shim: %.2f MiB private, %.2f just after starting (aim: below 1): %s\n",
            p / 1024, s / 1024, p < 1024 ? "reached" : "MISSED"}'
}

# A network namespace, kept by a process: *holder* is its pid.
hold_network() {
    local tries
    unshare --net sleep infinity &
    holder=$!
    holders+=("$holder")
    for ((tries = 0; tries < 200; tries++)); do
        [ "$(readlink "/proc/$holder/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
        sleep 0.01
    done
    nsenter --net="/proc/$holder/ns/net" ip link set lo up
}

# A root file system that borrows this machine's programs: /usr is bound into it.
make_tools() {
    mkdir -p "$state/tools"/{proc,sys,dev,etc,tmp,usr}
    ln -s usr/bin usr/lib usr/lib64 usr/sbin "$state/tools/"
    tar -C "$state/tools" -cf "$state/tools.tar" .
}

# iperf3's megabits a second, as the receiver saw them, from a command in front to an address.
throughput() {
    "${@:2}" iperf3 -f m -t 3 -c "$1" 2>/dev/null | awk '/receiver/ {printf "%.0f\n", $7}'
}

line() { printf '%-44s %10s %s\n' "$1" "${2:-failed}" "$3"; }

# rates NAME ENGINE...: throughput and names of one engine's containers; host_side runs on its host.
rates() {
    local name=$1 address gateway server run
    shift
    "$@" network create bench-net >/dev/null
    run="run --rm -v /usr:/usr:ro --network bench-net"
    "$@" $run -d --name server tools:1 iperf3 -s >/dev/null
    address=$("$@" inspect -f '{{(index .NetworkSettings.Networks "bench-net").IPAddress}}' server)
    gateway=$("$@" inspect -f '{{(index .NetworkSettings.Networks "bench-net").Gateway}}' server)
    "${host_side[@]}" iperf3 -s >/dev/null 2>&1 &
    server=$!
    sleep 1
    line "$name, container to host" "$(throughput "$gateway" "$@" $run tools:1)" Mbit/s
    line "$name, container to container" "$(throughput "$address" "$@" $run tools:1)" Mbit/s
    line "$name, answers about a container's name" \
        "$("$@" $run -v "$bench/dnsrate:/dnsrate:ro" tools:1 /dnsrate 127.0.0.11 server 3)" "a second"
    kill "$server"
    "$@" rm -f server >/dev/null 2>&1
    "$@" network rm bench-net >/dev/null
}

veth_limit() {
    local here=$1 there server
    hold_network
    there=$holder
    nsenter --net="/proc/$here/ns/net" ip link add v0 type veth peer name v1 netns "$there"
    nsenter --net="/proc/$here/ns/net" sh -c 'ip addr add 10.98.0.1/24 dev v0; ip link set v0 up'
    nsenter --net="/proc/$there/ns/net" sh -c 'ip addr add 10.98.0.2/24 dev v1; ip link set v1 up'
    nsenter --net="/proc/$there/ns/net" iperf3 -s >/dev/null 2>&1 &
    server=$!
    sleep 1
    line "a bare pair of virtual links" "$(throughput 10.98.0.2 nsenter --net="/proc/$here/ns/net")" Mbit/s
    kill "$server"
}

# Not in the namespace where dockerd is: its rules drop what it does not know.
bench_network() {
    local here
    make_tools
    hold_network
    here=$holder
    nsenter --net="/proc/$here/ns/net" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    host_side=(nsenter --net="/proc/$here/ns/net")
    cooper import "$state/tools.tar" tools:1 >/dev/null
    "${host_side[@]}" "$build/bin/cooper" --root "$state/cooper" run --rm bench:1 /bin/true # bridge and rules
    add floor "" "$bench/floor" "$state/floor" /bin/true
    add "cooper run --rm" "" "$build/bin/cooper" --root "$state/cooper" run --rm bench:1 /bin/true
    add "cooper run --rm -p" "" "$build/bin/cooper" --root "$state/cooper" run --rm -p 8080:80 bench:1 /bin/true
    if [ -n "$dockerd_pid" ] && docker import "$state/tools.tar" tools:1 >/dev/null && docker import "$state/rootfs.tar" bench:1 >/dev/null; then
        add_if_works "docker run --rm" "" docker run --cgroup-parent /$groups --rm bench:1 /bin/true
    fi
    printf '\nStart to exit of true, %s rounds, on the default bridge\n' "$rounds"
    measure "$rounds" "${host_side[@]}"
    verdict "cooper run --rm" floor 3.0
    have iperf3 || { echo "left out: throughput (no iperf3)"; return; }
    printf '\nNetworks\n'
    veth_limit "$here"
    rates cooper "${host_side[@]}" "$build/bin/cooper" --root "$state/cooper"
    if [ -n "$dockerd_pid" ]; then
        host_side=()
        rates docker docker
    fi
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
state=$(mktemp -d /var/tmp/cooper-bench.XXXXXX)
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
if mountpoint -q /sys/fs/cgroup/unified; then
    umount /sys/fs/cgroup/unified
fi
make_rootfs
cooper import "$state/rootfs.tar" bench:1 >/dev/null
if have dockerd && have docker; then
    start_dockerd
fi
for part in ${ONLY:-start runtime life network images builds memory}; do
    bench_$part
done
