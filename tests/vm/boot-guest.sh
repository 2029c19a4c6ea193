#!/bin/sh
# /init of the virtual machine (busybox sh): load modules, assemble a root directory, hand over to bash.
# The steps are in this order because each needs the one before.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for m in $($b cat /modules/order); do $b insmod "$m"; done

# The host's root below, memory above it.
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /host
$b mount -t tmpfs -o size=75% tmpfs /overlay
$b mkdir /overlay/upper /overlay/work
$b mount -t overlay -o lowerdir=/host,upperdir=/overlay/upper,workdir=/overlay/work overlay /root

for d in proc sys dev; do $b mount --move /$d /root/$d; done
$b mkdir -p /root/dev/pts /root/dev/shm
$b mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /root/dev/shm
# udev makes these elsewhere; bash's <(...) needs the first.
$b ln -s /proc/self/fd /root/dev/fd
for n in 0:stdin 1:stdout 2:stderr; do $b ln -s "/proc/self/fd/${n%:*}" "/root/dev/${n#*:}"; done
$b mount -t tmpfs -o mode=755 tmpfs /root/run
$b mkdir /root/run/vm /root/run/lock
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 vm /root/run/vm

# overlayfs takes neither 9p nor another overlay as its upper directory, so the places where engines and tests keep
# their state are plain memory. A working directory below one of them is put back.
cwd=$($b cat /root/run/vm/directory)
$b mkdir /keep
$b mount --bind "/root$cwd" /keep
for d in tmp var/tmp var/lib/cooper; do
    $b mkdir -p /root/$d
    $b mount -t tmpfs -o mode=1777 tmpfs /root/$d
done
case $cwd in
/tmp/* | /var/tmp/*)
    $b mkdir -p "/root$cwd"
    $b mount --bind /keep "/root$cwd" ;;
esac
$b umount /keep

# As systemd mounts it: a cgroup namespace is a border.
$b mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /root/sys/fs/cgroup
# Not chroot: the tests call pivot_root, which refuses a process whose root is not a mount.
exec $b switch_root /root /bin/bash /run/vm/run
