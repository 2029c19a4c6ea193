# images.sh - to be sourced by bench.sh: how long images take to come, to go, and to be made; Cooper beside podman,
# docker, skopeo, and beside what the shell does with curl and tar.
# shellcheck shell=bash disable=SC2086,SC2154  # $podman is a command with options; bench.sh has the variables

# Runs a command in the network namespace bench.sh was started from: ours has no way out.
outside() { nsenter --net=/proc/"$PPID"/ns/net "$@"; }

# A real image, made once: Debian's (or Ubuntu's) base system in one gzip layer, from where apt gets its packages.
make_minbase() {
    local work=$bench/minbase.tmp mirror suite
    if [ ! -s "$bench/minbase/index.json" ]; then
        echo "making the image for pull with debootstrap, once (half a minute) ..."
        rm -rf "$work" "$bench/minbase"
        mkdir -p "$work"
        # shellcheck disable=SC2016  # apt fills these in
        read -r mirror suite < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages') || true
        umoci init --layout "$work/oci"
        umoci new --image "$work/oci:1"
        umoci unpack --image "$work/oci:1" "$work/bundle"
        outside debootstrap --variant=minbase "${SUITE:-$suite}" "$work/bundle/rootfs" "${MIRROR:-$mirror}" \
            >"$bench/debootstrap.log" 2>&1 || { tail -n 3 "$bench/debootstrap.log" >&2; return 1; }
        umoci repack --image "$work/oci:1" "$work/bundle"
        umoci gc --layout "$work/oci"
        mv "$work/oci" "$bench/minbase"
        rm -rf --one-file-system "$work"
    fi
}

has_docker() { [ -n "$dockerd_pid" ]; }

# Each command runs as often as ROUNDS says after what it needs, and after sync: writing back what went before is not
# left to the next.
title() { printf '\n%s, %s rounds\n' "$1" "$pull_rounds"; }

bench_pull() {
    cat >"$state/curl-tar" <<SCRIPT
set -o pipefail
mkdir $state/tree && curl -fsS http://$registry_address/v2/bench/minbase/blobs/$blob | tar -xz -C $state/tree
SCRIPT
    # Cold: the store is gone before each pull.
    add "curl | tar xz" "rm -rf $state/tree; sync" bash "$state/curl-tar"
    add "cooper pull" "rm -rf $state/pull; sync" $cooper pull "$image"
    if have podman; then
        add_if_works "podman pull" "$podman rmi -fa >/dev/null; sync" $podman pull --quiet --tls-verify=false "$image"
    fi
    if has_docker; then
        add_if_works "docker pull" "docker rmi -f $image >/dev/null; sync" docker pull --quiet "$image"
    fi
    title "Cold pull of debootstrap minbase, one gzip layer, from loopback"
    measure "$pull_rounds"
    verdict "cooper pull" "curl | tar xz" 0.9
    verdict "cooper pull" "docker pull" 0.4

    add "cooper pull" "" $cooper pull "$image"
    ! have podman || add_if_works "podman pull" "" $podman pull --quiet --tls-verify=false "$image"
    ! has_docker || add_if_works "docker pull" "" docker pull --quiet "$image"
    title "Pull with all layers here"
    measure "$pull_rounds"
    awk -F '  +' '$1 == "cooper pull" {printf "cooper pull: %s (aim: at most 50 ms): %s\n", $2, $2 + 0 <= 50 ? "reached" : "MISSED"}' \
        "$state/table"
}

bench_push() {
    # The registry has nothing each time.
    local wipe="rm -rf $state/registry/data/*; sync"
    add "cooper push" "$wipe" $cooper push -q "$image"
    ! have podman || add_if_works "podman push" "$wipe" $podman push --quiet --tls-verify=false "$image"
    ! has_docker || add_if_works "docker push" "$wipe" docker push --quiet "$image"
    add "skopeo copy" "$wipe" skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$bench/minbase:1" \
        "docker://$image"
    title "Push of the image that was pulled, to a registry that has nothing"
    measure "$pull_rounds"
    verdict "cooper push" "$(faster 'podman push' 'docker push')" 0.5
}

bench_save() {
    local clean="rm -f $state/saved.tar; sync"
    add "cooper save" "$clean" $cooper save -o "$state/saved.tar" "$image"
    ! have podman || add_if_works "podman save" "$clean" $podman save --quiet -o "$state/saved.tar" "$image"
    ! has_docker || add_if_works "docker save" "$clean" docker save -o "$state/saved.tar" "$image"
    add "skopeo copy" "$clean" skopeo --insecure-policy copy --quiet "oci:$bench/minbase:1" \
        "docker-archive:$state/saved.tar:bench:1"
    title "Save of the image that was pulled"
    measure "$pull_rounds"
    verdict "cooper save" "$(faster 'podman save' 'docker save')" 0.5
}

# The same archive for all: one that docker saves.
bench_load() {
    rm -f "$state/saved.tar"
    skopeo --insecure-policy copy --quiet "oci:$bench/minbase:1" "docker-archive:$state/saved.tar:localhost/bench:2"
    add "cooper load" "rm -rf $state/pull; sync" $cooper load -qi "$state/saved.tar"
    ! have podman || add_if_works "podman load" "$podman rmi -fa >/dev/null; sync" $podman load -qi "$state/saved.tar"
    if has_docker; then
        docker rmi -f "$image" >/dev/null
        add_if_works "docker load" "docker rmi -f localhost/bench:2 >/dev/null; sync" docker load -qi "$state/saved.tar"
    fi
    echo "tar -xOf $state/saved.tar --wildcards '*.tar' | tar -x -C $state/tree" >"$state/tar-tar"
    add "tar x | tar x" "rm -rf $state/tree; mkdir $state/tree; sync" sh "$state/tar-tar"
    title "Load of an archive of docker's form"
    measure "$pull_rounds"
    verdict "cooper load" "$(faster 'podman load' 'docker load')" 0.5
}

# commit_container PROGRAM...: two containers that wrote 100 MB, "one" and "many".
commit_containers() {
    "$@" run --name one --network none "$image" dd if=/dev/urandom of=/big bs=1M count=100 status=none
    # shellcheck disable=SC2016  # for the shell in the container
    "$@" run --name many --network none "$image" sh -c \
        'mkdir /many; for i in $(seq 1000); do head -c 100k /dev/urandom >/many/$i; done'
}

bench_commit() {
    local name limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --cgroup-parent /$groups"
    rm -rf "$state/pull"
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$bench/minbase:1" "docker://$image"
    $cooper pull -q "$image" >/dev/null
    commit_containers $cooper
    ! have podman || { $podman pull -q --tls-verify=false "$image" >/dev/null && commit_podman $limits; }
    ! has_docker || { docker pull -q "$image" >/dev/null && commit_containers docker; }
    for name in one many; do
        add "cooper commit, $name" "$cooper rmi made:1 >/dev/null 2>&1; sync" $cooper commit $name made:1
        ! have podman || add_if_works "podman commit, $name" "$podman rmi -f made:1 >/dev/null 2>&1; sync" \
            $podman commit -q $name made:1
        ! has_docker || add_if_works "docker commit, $name" "docker rmi made:1 >/dev/null 2>&1; sync" \
            docker commit $name made:1
    done
    title "Commit of 100 MB in one file, and in 1,000 files"
    measure "$pull_rounds"
    for name in one many; do verdict "cooper commit, $name" "docker commit, $name" 0.4; done
    $cooper rm one many >/dev/null
}

commit_podman() {
    $podman run "$@" --name one --network none "$image" dd if=/dev/urandom of=/big bs=1M count=100 status=none
    # shellcheck disable=SC2016  # for the shell in the container
    $podman run "$@" --name many --network none "$image" sh -c \
        'mkdir /many; for i in $(seq 1000); do head -c 100k /dev/urandom >/many/$i; done'
}

bench_images() {
    local podman=${peer_podman//PODMAN/$state/podman-pull} cooper="$build/bin/cooper --root $state/pull" image blob
    make_minbase || { echo "left out: images (no image)"; return; }
    registry_start "$state/registry"
    image=$registry_address/bench/minbase:1
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$bench/minbase:1" "docker://$image"
    blob=$(skopeo --insecure-policy inspect --tls-verify=false --format '{{index .Layers 0}}' "docker://$image")
    bench_pull
    bench_push
    bench_save
    bench_load
    bench_commit
}
