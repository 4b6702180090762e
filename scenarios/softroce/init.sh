#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# init.sh: the first program in the virtual machine that softroce.sh boots. Loads the modules,
# puts the host's root (read only, by 9p) under a memory file system, and hands over to
# guest.sh in there. Only busybox exists here. Whatever fails ends the machine.
b=/bin/busybox

# One byte to this port ends QEMU at once.
die() {
    echo "softroce: guest: $*"
    printf '\001' | $b dd of=/dev/port bs=1 seek=244 conv=notrunc 2>/dev/null
    $b poweroff -f
}

$b mkdir -p /proc /sys /dev /host /ram /new
$b mount -t proc proc /proc && $b mount -t sysfs sys /sys && $b mount -t devtmpfs dev /dev ||
    die "no proc, sys or dev"
exec >/dev/console 2>&1 </dev/null

while read -r name; do
    $b insmod "/modules/$name.ko" || die "cannot load the module $name"
done </modules/order

p9=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o "ro,cache=loose,$p9" host /host || die "cannot mount the host's root"
$b mount -t tmpfs -o size=95% ram /ram && $b mkdir /ram/upper /ram/work
$b mount -t overlay -o lowerdir=/host,upperdir=/ram/upper,workdir=/ram/work root /new ||
    die "cannot put an overlay on the host's root"

$b mount -t proc proc /new/proc && $b mount -t sysfs sys /new/sys &&
    $b mount --move /dev /new/dev || die "no proc, sys or dev in the new root"
$b mkdir -p /new/dev/pts /new/dev/shm
$b ln -s /proc/self/fd /new/dev/fd
$b ln -s /proc/self/fd/0 /new/dev/stdin
$b ln -s /proc/self/fd/1 /new/dev/stdout
$b ln -s /proc/self/fd/2 /new/dev/stderr
$b mount -t devpts -o mode=620,ptmxmode=666 devpts /new/dev/pts
$b mount -t tmpfs shm /new/dev/shm
$b mount -t tmpfs run /new/run && $b mkdir -p /new/run/softroce /new/run/lock
$b mount -t 9p -o "cache=none,$p9" run /new/run/softroce || die "cannot mount the run share"

out=$($b cat /new/run/softroce/out-path)
if [ -n "$out" ]; then
    $b mkdir -p "/new$out"
    $b mount -t 9p -o "cache=mmap,$p9" out "/new$out" || die "cannot mount the output share"
fi

exec $b chroot /new /bin/bash "$($b cat /new/run/softroce/guest-path)" </new/dev/null
die "cannot start the guest script"
