#!/bin/sh
# deps.sh GROUP... - the Debian and Ubuntu packages Cooper needs, in one place; installs those that are missing.
# shellcheck disable=SC2086  # lists of words are meant to split
#
# Groups: build (make), test (make check, make demo), vm (make check-vm), bench (make bench), fuzz (make fuzz),
#         peers (make check-peers), book (a browser that looks at the book).
# When nothing is missing it does nothing at all: no package list is fetched, no root is needed.
set -eu

build="gcc make libc6-dev pkg-config libsqlite3-dev libjansson-dev libcap-dev libseccomp-dev
       libnftables-dev libcurl4-openssl-dev libarchive-dev libisal-dev libzstd-dev libbz2-dev
       liblzma-dev zlib1g-dev libssl-dev libsystemd-dev"
# docker-registry is the server to pull from; skopeo and umoci make images independently of Cooper.
test="bash check git python3-minimal diffutils dpic pandoc iproute2 libmnl-dev libnftables-dev nftables dnsmasq-base busybox-static docker-registry skopeo umoci curl openssl apache2-utils zstd strace procps uidmap"
# The guest finds apparmor_parser on this machine: its kernel has AppArmor.
vm="qemu-system-x86 busybox-static kmod cpio xz-utils apparmor"
# Peers (crun, runc, podman, docker.io) are measured where they are installed already.
bench="iperf3 debootstrap curl docker-registry skopeo umoci"
# Engines that run cooper-runtime; docker.io brings containerd.
peers="podman uidmap docker.io containerd curl"
# libFuzzer comes with clang's run-time library.
fuzz="clang-14 libclang-rt-14-dev"
# The browser that looks at the book; without it that test is left out.
book="pandoc dpic chromium"

wanted=
for group in "${@:-build}"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    vm) wanted="$wanted $vm" ;;
    bench) wanted="$wanted $bench" ;;
    peers) wanted="$wanted $peers" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    book) wanted="$wanted $book" ;;
    *) echo "deps.sh: no such group '$group': build, test, vm, bench, peers, fuzz or book" >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: this is not Debian or Ubuntu. Install your system's equivalents of:" $wanted >&2
    exit 1
fi

missing=
for package in $wanted; do
    # A virtual package or one of another architecture is found by its "Provides" only: good enough is
    # "some installed package of this name".
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
    *ii*) ;;
    *) case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "deps.sh: packages are missing; as root, run:" >&2
    echo "    apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt="apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
$apt update
$apt install -y --no-install-recommends $missing >/dev/null

# The package starts a registry on port 5000 for the world. Ours run on loopback, while they are needed.
case " $missing " in
*" docker-registry "*)
    if [ -d /run/systemd/system ]; then
        systemctl --quiet disable --now docker-registry.service || true
    fi ;;
esac
