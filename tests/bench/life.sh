# life.sh - to be sourced by bench.sh: what is done to containers that are there. exec, start and stop; lists of 1, 100,
# 1,000 containers and of 500 that run; the memory that each running one costs beside conmon and containerd-shim.
# shellcheck shell=bash disable=SC2154,SC2086,SC2046  # bench.sh has the variables; `engine` are words

# within NAME MILLISECONDS: compares a median in the table printed last with what it shall be
within() {
    awk -F '  +' -v of="$1" -v limit="$2" '
        $1 == of {printf "%s: %.1f ms (aim: at most %s): %s\n", of, $2 + 0, limit, $2 + 0 <= limit ? "reached" : "MISSED"}
    ' "$state/table"
}

# Each engine with a container that waits, called "life".
wait_everywhere() {
    local limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
    life_engines=("cooper")
    cooper run -d --name life --network none bench:1 /bin/true wait >/dev/null
    if have podman && $podman import "$state/rootfs.tar" bench:1 >/dev/null 2>&1 &&
        $podman run $limits -d --name life --cgroup-parent /$groups --network none bench:1 /bin/true wait >/dev/null 2>&1; then
        life_engines+=("podman")
    fi
    if [ -n "$dockerd_pid" ] && docker import "$state/rootfs.tar" bench:1 >/dev/null &&
        docker run -d --name life --cgroup-parent /$groups --network none bench:1 /bin/true wait >/dev/null; then
        life_engines+=("docker")
    fi
}

# The words that call an engine.
engine() {
    case $1 in
    cooper) echo "$build/bin/cooper --root $state/cooper" ;;
    podman) echo "$podman" ;;
    *) echo "$1" ;;
    esac
}

bench_commands() {
    local name
    for name in "${life_engines[@]}"; do
        add_if_works "$name exec" "$(engine $name) start life" $(engine $name) exec life /bin/true
    done
    for name in "${life_engines[@]}"; do
        add_if_works "$name start" "$(engine $name) stop -t 0 life" $(engine $name) start life
    done
    for name in "${life_engines[@]}"; do
        add_if_works "$name stop" "$(engine $name) start life" $(engine $name) stop -t 0 life
    done
    printf '\nexec of true, start, stop -t 0, %s rounds, without a network\n' "$rounds"
    measure "$rounds"
    within "cooper exec" 5
    for name in "${life_engines[@]}"; do $(engine $name) start life >/dev/null; done
}

# The private memory of what stands behind each engine's container, and what of shared memory falls to it.
bench_shims() {
    local name init shim tries private
    printf '\nMemory of the process behind a container that runs (private, proportional)\n'
    for name in "${life_engines[@]}"; do
        init=$($(engine $name) inspect --format '{{.State.Pid}}' life)
        shim=$(awk '/^PPid:/ {print $2}' "/proc/$init/status")
        for ((tries = 0; tries < 20; tries++)); do # what starting needed is given back after a moment
            sleep 0.05
            private=$(private_memory "$shim")
        done
        printf '%-20s %6d KiB %6d KiB\n' "$(cat /proc/$shim/comm)" "$private" \
            "$(awk '/^Pss:/ {print $2}' "/proc/$shim/smaps_rollup")"
    done
}

# fill COUNT: so that there are so many containers in all
fill() {
    local here
    here=$(cooper ps -aq | wc -l)
    for ((; here < $1; here++)); do cooper create --network none bench:1 /bin/true wait; done >/dev/null
}

bench_lists() {
    local count
    for count in 1 100 1000; do
        fill $count
        add "ps -a, $count containers" "" "$build/bin/cooper" --root "$state/cooper" ps -a
        printf '\nps with %s containers, %s rounds\n' "$count" "$rounds"
        measure "$rounds"
    done
    cooper rm $(cooper ps -aq --filter status=created | head -n 500) >/dev/null
    cooper start $(cooper ps -aq --filter status=created) >/dev/null
    add "ps, 500 running" "" "$build/bin/cooper" --root "$state/cooper" ps
    printf '\nps with 500 running, %s rounds\n' "$rounds"
    measure "$rounds"
    within "ps, 500 running" 50
    cooper rm -f $(cooper ps -aq) >/dev/null
}

bench_life() {
    local podman=${peer_podman//PODMAN/$state/podman-life} name
    wait_everywhere
    bench_commands
    bench_shims
    for name in "${life_engines[@]}"; do $(engine $name) rm -f life >/dev/null 2>&1; done
    cooper run -d --name life --network none bench:1 /bin/true wait >/dev/null
    bench_lists
}
