# builds.sh - to be sourced by bench.sh: how long builds take; Cooper beside podman, and docker's two builders.
# shellcheck shell=bash disable=SC2086,SC2154  # $podman is a command with options; bench.sh has the variables

# Ten commands and a thousand files, on the busybox that is installed.
make_build_context() {
    local i
    mkdir -p "$state/context/files" "$state/base/bin"
    for ((i = 0; i < 1000; i++)); do head -c 2000 /dev/urandom >"$state/context/files/$i"; done
    cp "$(command -v busybox)" "$state/base/bin/busybox"
    ln -s busybox "$state/base/bin/sh"
    tar -C "$state/base" -cf "$state/base.tar" .
    {
        echo 'FROM base:1'
        echo 'COPY files /files'
        for ((i = 0; i < 10; i++)); do echo "RUN echo $i >/step$i"; done
    } >"$state/context/Dockerfile"
}

# build_lines PREPARE: one line for everybody, after a preparation of each
build_lines() {
    add "cooper build" "${1//ENGINE/$cooper}" $cooper build -q "$state/context"
    ! have podman || add_if_works "podman build" "${2//ENGINE/$podman}" $podman build $podman_limits -q "$state/context"
    has_docker || return 0
    # It says at length that it is deprecated.
    echo "DOCKER_BUILDKIT=0 exec docker build -q $state/context 2>$state/classic.log" >"$state/classic"
    add_if_works "docker build, classic" "$3" sh "$state/classic"
    add_if_works "docker build, BuildKit" "$4" env DOCKER_BUILDKIT=1 docker build -q "$state/context"
}

bench_builds() {
    local podman=${peer_podman//PODMAN/$state/podman-build} cooper="$build/bin/cooper --root $state/builds" change
    local podman_limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --cgroup-parent /$groups --network none"
    have busybox || { echo "left out: builds (no busybox)"; return; }
    make_build_context
    $cooper import "$state/base.tar" base:1 >/dev/null
    ! have podman || $podman import -q "$state/base.tar" base:1 >/dev/null 2>&1 || true
    ! has_docker || docker import "$state/base.tar" base:1 >/dev/null
    build_lines "ENGINE image prune -f; ENGINE builder prune -af; sync" "ENGINE image prune -f; sync" \
        "docker image prune -f; sync" "docker builder prune -af; docker image prune -f; sync"
    title "Build of ten RUN and a COPY of 1,000 files, nothing known"
    measure "$pull_rounds"
    verdict "cooper build" "$(faster 'docker build, BuildKit' 'podman build')" 0.3
    build_lines "" "" "" ""
    title "The same, everything known"
    measure "$pull_rounds"
    verdict "cooper build" "$(faster 'docker build, BuildKit' 'podman build')" 0.3
    # shellcheck disable=SC2016  # for the shell that prepares
    change='date +%N >'"$state/context/files/500"
    build_lines "$change" "$change" "$change" "$change"
    title "The same, one file changed"
    measure "$pull_rounds"
    verdict "cooper build" "$(faster 'docker build, BuildKit' 'podman build')" 0.3
}
