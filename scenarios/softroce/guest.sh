#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# guest.sh: runs in the virtual machine as process 1, on the host's root: brings up the two
# soft-RoCE devices, runs the command under its time limit, passes on what it prints as it
# comes, leaves its exit status in the run share and ends the machine.
#
# In the run share: environment and command (each string ended by a NUL), directory, limit,
# out-path and guest-path; it leaves: status.
run=/run/softroce
here=$(dirname "$0")

finish() {
    echo "$1" >$run/status.new && mv $run/status.new $run/status
    sync -f $run/status
    printf '\0' | dd of=/dev/port bs=1 seek=244 conv=notrunc 2>/dev/null
    echo o >/proc/sysrq-trigger
    sleep 10
}

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
hostname softroce

# By name, not by number: the kernel numbers them in the order it finds them.
for port in /sys/class/virtio-ports/*; do
    case $(<"$port/name") in
    out) exec 3>"/dev/${port##*/}" ;;
    err) exec 4>"/dev/${port##*/}" ;;
    esac
done

. "$here/lib.bash"
softroce_up 2>&4 || finish 125

mapfile -d '' -t environment <$run/environment
mapfile -d '' -t command <$run/command
cd "$(<$run/directory)" 2>/dev/null || {
    echo "softroce: the machine cannot see the directory $(<$run/directory)" >&4
    finish 125
}
ulimit -l unlimited
ulimit -n 65536

# Pipes, so that the command may open /dev/stdout; a port can be opened only once.
mkfifo /run/out /run/err
cat /run/out >&3 &
cat_out=$!
cat /run/err >&4 &
cat_err=$!

limited() {
    exec 3>&- 4>&- </dev/null >/run/out 2>/run/err
    softroce_limited "$(<$run/limit)" env -i "${environment[@]}" SOFTROCE=vm "${command[@]}"
}
(limited)
status=$?

has_all_passed() { ! kill -0 $cat_out 2>/dev/null && ! kill -0 $cat_err 2>/dev/null; }

# What it left running may hold the pipes open: not for long. What was printed passes, however
# slow the reader.
if ! softroce_wait 1 has_all_passed; then
    for process in /proc/[1-9]*; do
        case ${process#/proc/} in
        1 | "$cat_out" | "$cat_err") ;;
        *) kill -KILL "${process#/proc/}" 2>/dev/null ;;
        esac
    done
    wait $cat_out $cat_err
fi
finish $status
