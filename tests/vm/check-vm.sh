#!/bin/bash
# check-vm.sh COMMAND [ARGUMENT...]
#
# Runs COMMAND as root, in this directory, in a virtual machine with Debian's stock kernel and pure cgroup v2.
# Its output and exit status come back. The guest sees this machine's files, but what it writes is gone when it ends.
#
# Theory of operation. No disk image is made: the guest mounts this machine's root directory over 9p, read-only, and
# lays an overlay with its upper directory in memory on it. So the compiled tests, their libraries and tools are just
# there. A kernel and an initramfs are prepared once and kept in $COOPER_VM_CACHE (default: ~/.cache/cooper/vm):
#
#     vmlinux   Debian's kernel, unpacked: booted by PVH it need not decompress itself under emulation
#     initrd    busybox, the modules we need, and boot-guest.sh as /init
#     accel     "kvm" if a guest gets through its boot with it here, else "tcg" (emulation; works everywhere)
#
# The conversation runs over a second, writable 9p share: `run` (what the guest's shell executes) goes in, `status`
# comes out. The console is the standard output.
#
# COOPER_VM_TIMEOUT (seconds, 900), COOPER_VM_MEMORY (MiB, 2048), COOPER_VM_CPUS (2), COOPER_VM_CGROUPS (1: control
# groups of version 1 instead).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${COOPER_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper/vm}
modules="virtio_pci 9pnet_virtio 9p overlay veth bridge br_netfilter nft_masq nft_nat nft_chain_nat nft_ct nft_fib_ipv4 nft_fib_ipv6 nft_fib_inet nft_meta_bridge nf_conntrack_netlink netlink_diag dummy tun fuse loop"

die() { echo "check-vm: $*" >&2; exit 125; }

# The metapackage linux-image-amd64 depends on the image proper.
current_kernel() {
    apt-cache depends --no-recommends linux-image-amd64 2>/dev/null | awk '/Depends: linux-image-/ && !seen++ {print $2}'
}

# Fetches and unpacks the kernel that Debian calls current, without installing it.
fetch_kernel() {
    local package
    package=$(current_kernel)
    if [ -z "$package" ]; then
        apt-get -qq update || true
        package=$(current_kernel)
    fi
    [ -n "$package" ] || die "no package linux-image-amd64: this needs Debian's package sources (amd64)"
    echo "check-vm: fetching $package (once, into $cache)" >&2
    # apt's own user cannot write here: it says so and goes on as root.
    (cd "$work" && apt-get -qq download "$package" 2>/dev/null) || die "cannot download $package"
    dpkg-deb -x "$work/$package"_*.deb "$work/kernel"
    version=$(ls "$work/kernel/lib/modules")
    depmod -b "$work/kernel" "$version"
}

# number FILE OFFSET BYTES: a little-endian number in a file
number() { od -An -v -t "u$3" -j "$2" -N "$3" --endian=little "$1" | tr -d ' '; }

# The ELF image inside vmlinuz: the boot protocol's header says where the compressed payload is
# (Documentation/arch/x86/boot.rst: setup_sects 0x1f1, payload_offset 0x248, payload_length 0x24c).
unpack_kernel() {
    local image=$1 offset length
    offset=$((($(number "$image" $((0x1f1)) 1) + 1) * 512 + $(number "$image" $((0x248)) 4)))
    length=$(number "$image" $((0x24c)) 4)
    # The last four bytes are the unpacked size, not xz.
    head -c $((offset + length - 4)) "$image" | tail -c +$((offset + 1)) | xz -dc --single-stream
}

make_initrd() {
    local tree=$work/initrd module
    mkdir -p "$tree"/{bin,dev,proc,sys,host,overlay,root,modules}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    cp "$here/boot-guest.sh" "$tree/init"
    chmod 755 "$tree/init"
    # In the order in which they must be loaded, each once.
    for module in $modules; do
        modprobe -d "$work/kernel" -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' >"$work/list"
    while read -r module; do
        cp "$module" "$tree/modules/"
        echo "/modules/${module##*/}"
    done <"$work/list" >"$tree/modules/order"
    (cd "$tree" && find . -print0 | cpio --quiet --null --create --format=newc --owner=0:0)
}

prepare() {
    command -v qemu-system-x86_64 >/dev/null || die "qemu-system-x86_64 is missing: tests/deps.sh vm"
    # A new version of these scripts makes a new initramfs.
    if [ -s "$cache/accel" ] && cat "$here"/*-*.sh | cmp -s - "$cache/made-by"; then
        return
    fi
    mkdir -p "$cache"
    rm -f "$cache/accel"
    work=$(mktemp -d "$cache/work.XXXXXX")
    fetch_kernel
    unpack_kernel "$work/kernel/boot/vmlinuz-$version" >"$work/vmlinux"
    make_initrd >"$work/initrd.cpio"
    mv "$work/vmlinux" "$cache/vmlinux"
    mv "$work/initrd.cpio" "$cache/initrd"
    cat "$here"/*-*.sh >"$cache/made-by"
    rm -rf "$work"
    choose_accelerator
}

# Some machines offer /dev/kvm and then do not carry a guest through its boot (nested ones): try it, once.
choose_accelerator() {
    local accel=tcg,thread=multi
    if [ -w /dev/kvm ]; then
        write_job true
        COOPER_VM_TIMEOUT=20 boot kvm >/dev/null 2>&1 || true
        [ ! -s "$share/status" ] || accel=kvm
        rm -f "$share/status"
    fi
    echo "$accel" >"$cache/accel"
}

# Control groups, as lines for the guest. Version 2 wants processes in leaves only, so the shell moves out of the root
# group before the controllers are handed down. Version 1: the trees and links that distributions had until about 2020;
# it must be so from the beginning, because version 2 does not let go of memory it once counted.
control_groups() {
    if [ "${COOPER_VM_CGROUPS:-2}" = 2 ]; then
        cat <<'GROUPS'
mkdir /sys/fs/cgroup/init
echo $$ >/sys/fs/cgroup/init/cgroup.procs
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$c >/sys/fs/cgroup/cgroup.subtree_control; done
GROUPS
    else
        cat <<'GROUPS'
umount /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for tree in cpu,cpuacct net_cls,net_prio blkio cpuset devices freezer hugetlb memory perf_event pids rdma; do
    mkdir /sys/fs/cgroup/$tree
    mount -t cgroup -o $tree cgroup /sys/fs/cgroup/$tree
done
for name in cpu cpuacct; do ln -s cpu,cpuacct /sys/fs/cgroup/$name; done
for name in net_cls net_prio; do ln -s net_cls,net_prio /sys/fs/cgroup/$name; done
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
GROUPS
    fi
}

# What the guest's bash runs once the root is in place.
write_job() {
    cat >"$share/run" <<JOB
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb COOPER_VM=1
$(export -p | grep -E '^declare -x (CK_|CI=)' || true)
ip link set lo up
$(control_groups)
cd $(printf %q "$PWD") && ($(printf '%q ' "$@")) </dev/null
echo \$? >/run/vm/status
sync
busybox poweroff -f
JOB
    printf '%s\n' "$PWD" >"$share/directory"
}

boot() {
    # no_timer_check: on a busy machine the emulated clock is late, and the kernel would take it for broken.
    # Not in the background: a signal to our group ends both, and `timeout` ends a guest that hangs.
    timeout --foreground "${COOPER_VM_TIMEOUT:-900}" qemu-system-x86_64 \
        -accel "$1" -cpu max -smp "${COOPER_VM_CPUS:-2}" -m "${COOPER_VM_MEMORY:-2048}" -M q35 \
        -nodefaults -no-user-config -display none -no-reboot -serial stdio \
        -kernel "$cache/vmlinux" -initrd "$cache/initrd" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on no_timer_check" \
        -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
        -device virtio-9p-pci,fsdev=host,mount_tag=host \
        -fsdev local,id=vm,path="$share",security_model=none \
        -device virtio-9p-pci,fsdev=vm,mount_tag=vm </dev/null
}

[ $# -gt 0 ] || die "usage: check-vm.sh COMMAND [ARGUMENT...]"
share=$(mktemp -d)
work=
trap 'rm -rf "$share" ${work:+"$work"}' EXIT
trap 'exit 130' INT TERM HUP
prepare
write_job "$@"
# The console ends its lines as terminals do; the kernel has the last word.
boot "$(cat "$cache/accel")" | sed -u 's/\r$//; /reboot: Power down/d' || true
[ -s "$share/status" ] || die "the virtual machine ended without a status (timeout, or the kernel stopped: see above)"
exit "$(cat "$share/status")"
