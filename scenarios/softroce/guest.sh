#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# guest.sh: runs in the virtual machine as process 1, on the host's root: brings up the
# two soft-RoCE devices, runs the command of softroce.sh under its time limit, passes on what it
# prints as it comes, leaves its exit status in the run share and ends the machine.
#
# In the run share: environment and command (each string ended by a NUL), directory, limit;
# it leaves: status, dmesg.
run=/run/softroce
here=$(dirname "$0")

finish() {
    dmesg >$run/dmesg 2>&1
    echo "$1" >$run/status.new && mv $run/status.new $run/status
    sync -f $run/status
    printf '\0' | dd of=/dev/port bs=1 seek=244 conv=notrunc 2>/dev/null
    echo o >/proc/sysrq-trigger
    sleep 10
}

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
hostname softroce
. "$here/lib.bash"
softroce_up || finish 125

# By name, not by number: the kernel numbers them in the order it finds them.
for port in /sys/class/virtio-ports/*; do
    case $(<"$port/name") in
    out) exec 3>"/dev/${port##*/}" ;;
    err) exec 4>"/dev/${port##*/}" ;;
    esac
done

mapfile -d '' -t environment <$run/environment
mapfile -d '' -t command <$run/command
cd "$(<$run/directory)" || finish 125
ulimit -l unlimited
ulimit -n 65536

# Pipes, so that the command may open /dev/stdout; a port can be opened only once.
mkfifo /run/out /run/err
cat /run/out >&3 &
cat_out=$!
cat /run/err >&4 &
cat_err=$!
env -i "${environment[@]}" SOFTROCE=vm timeout -k 5 "$(<$run/limit)" "${command[@]}" \
    </dev/null >/run/out 2>/run/err 3>&- 4>&-
status=$?
# What it left running may hold the pipes open: not longer than this.
for ((i = 0; i < 20; i++)); do
    kill -0 $cat_out 2>/dev/null || kill -0 $cat_err 2>/dev/null || break
    sleep 0.05
done
finish $status
