#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# softroce.sh [OPTION...] -- COMMAND [ARG...]: runs the command where there are two soft-RoCE
# devices, rxe0 and rxe1 (see lib.bash).
#
#   -m MEM      memory of the machine in MiB (768)
#   -t SECONDS  limit for the command (120)
#   -o DIR      where what is written stays (build/softroce)
#   -s N        processors of the machine (1)
#   -k          keep the run directory and say where it is
#   -p          only say what would be done; exit 1 if nothing can be
#   -V          a virtual machine even if this host could do it
#
# On a host where root can load rdma_rxe the command runs right here. Elsewhere QEMU boots
# Debian's kernel (kernel.sh) with nothing emulated but the processor: no KVM, no root, no
# network. In there is the host's file system at the same paths, the same directory and the
# same environment, but everything written is lost, except below DIR. The command runs as
# root, sees no standard input, and its output comes as it is printed.
#
# Exit status: that of the command; 124 if it took too long, 125 if the machine died, 126 if
# QEMU did not run or something is missing. Nothing is left running, whatever happens.
#
# Environment: SOFTROCE_ACCEL (tcg). Do not set it to kvm without having seen it work: where
# virtual machines are nested, a /dev/kvm may be there and hang or abort.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
memory=768 limit=120 out=$root/build/softroce processors=1 keep=no only_probe=no force=no
boot_seconds=120

say() {
    echo "softroce: $*" >&2
}

usage() {
    sed -n '4,13p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 126
}

while getopts m:t:o:s:kpV option; do
    case $option in
    m) memory=$OPTARG ;;
    t) limit=$OPTARG ;;
    o) out=$OPTARG ;;
    s) processors=$OPTARG ;;
    k) keep=yes ;;
    p) only_probe=yes ;;
    V) force=yes ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || [ $only_probe = yes ] || usage

# ---- what this host can do -----------------------------------------------------------

# The module must load and a device be made: being root, or having the folder, says little.
host_can() {
    [ "$(id -u)" -eq 0 ] && command -v rdma >/dev/null && command -v ip >/dev/null || return 1
    [ -d /sys/module/rdma_rxe ] || modprobe rdma_rxe 2>/dev/null || return 1
    [ -d /sys/class/infiniband ] && [ -c /dev/infiniband/uverbs0 -o -d /sys/module/ib_uverbs ] ||
        return 1
    [ -n "${SOFTROCE:-}" ] && return 0
    ip link add sr9 type veth peer name sr8 2>/dev/null || return 1
    rdma link add rxe9 type rxe netdev sr9 2>/dev/null && rdma link del rxe9
    local code=$?
    ip link del sr9
    return $code
}

missing() {
    local need
    for need in qemu-system-x86_64:qemu-system-x86 rdma:iproute2 busybox:busybox-static; do
        command -v "${need%:*}" >/dev/null ||
            PATH=$PATH:/usr/sbin:/sbin command -v "${need%:*}" >/dev/null ||
            echo "no program '${need%:*}': install the package ${need#*:}"
    done
}

way=vm
[ $force = no ] && host_can && way=host

if [ $only_probe = yes ]; then
    if [ $way = host ]; then
        echo "on this host: it has rdma_rxe"
        exit 0
    fi
    lacks=$(missing)
    if [ -n "$lacks" ]; then
        echo "$lacks"
        exit 1
    fi
    kernel=$("$here/kernel.sh") || exit 1
    echo "in a virtual machine: QEMU, Linux $(cat "$kernel/release")"
    exit 0
fi

mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 126
export SOFTROCE_OUT=$out

# ---- right here ----------------------------------------------------------------------

on_host() {
    local status
    # Inside somebody else's run the devices are there.
    if [ -z "${SOFTROCE:-}" ]; then
        . "$here/lib.bash"
        if [ -e /sys/class/net/sr0 ] || [ -e /sys/class/infiniband/rxe0 ]; then
            say "sr0 or rxe0 is there already: another run? (softroce.sh -V makes a virtual machine)"
            return 126
        fi
        trap softroce_down EXIT
        softroce_up || return 126
        ulimit -l unlimited
    fi
    SOFTROCE=${SOFTROCE:-host} timeout -k 5 "$limit" "$@" </dev/null
    status=$?
    return $status
}

if [ $way = host ]; then
    on_host "$@"
    exit $?
fi

# ---- in a virtual machine ------------------------------------------------------------

lacks=$(missing)
if [ -n "$lacks" ]; then
    echo "$lacks" | while read -r line; do say "$line"; done
    exit 126
fi
kernel=$("$here/kernel.sh") || exit 126

run=$(mktemp -d "${TMPDIR:-/tmp}/msgrlab-softroce.XXXXXX") || exit 126
qemu=

cleanup() {
    [ "$BASHPID" = $$ ] || return
    if [ -n "$qemu" ]; then
        kill "$qemu" 2>/dev/null
        wait "$qemu" 2>/dev/null
    fi
    if [ $keep = yes ]; then
        say "kept: $run"
    else
        rm -rf "$run"
    fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

env -0 >"$run/environment"
printf '%s\0' "$@" >"$run/command"
pwd >"$run/directory"
echo "$limit" >"$run/limit"
echo "$out" >"$run/out-path"
echo "$here/guest.sh" >"$run/guest-path"
mkdir "$run/share"
mv "$run"/{environment,command,directory,limit,out-path,guest-path} "$run/share/"

# Through a pipe and cat: QEMU would open, and truncate, a file by itself.
exec {to_out}> >(exec cat)
cat_out=$!
exec {to_err}> >(exec cat >&2)
cat_err=$!

# Should this script be killed, QEMU goes, too; and after all limits it goes by itself.
setpriv --pdeathsig TERM timeout -k 5 $((limit + boot_seconds + 30)) \
    qemu-system-x86_64 -M pc -accel "${SOFTROCE_ACCEL:-tcg,thread=multi}" -cpu max \
    -smp "$processors" -m "$memory" -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$kernel/vmlinux" -initrd "$kernel/initrd" \
    -append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off tsc=reliable no_timer_check \
cryptomgr.notests nokaslr random.trust_cpu=on" \
    -serial "file:$run/console" -device isa-debug-exit,iobase=0xf4,iosize=4 \
    -device virtio-serial-pci \
    -chardev "file,id=out,path=/dev/fd/$to_out" -device virtserialport,chardev=out,name=out \
    -chardev "file,id=err,path=/dev/fd/$to_err" -device virtserialport,chardev=err,name=err \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$run/share,mount_tag=run,security_model=none" \
    -virtfs "local,path=$out,mount_tag=out,security_model=none,multidevs=remap" \
    </dev/null >"$run/qemu" 2>&1 &
qemu=$!
exec {to_out}>&- {to_err}>&-

wait "$qemu"
qemu_status=$?
qemu=
wait "$cat_out" "$cat_err" 2>/dev/null

if [ -s "$run/share/status" ]; then
    cp "$run/share/dmesg" "$out/dmesg" 2>/dev/null
    exit "$(cat "$run/share/status")"
fi

# last_words: what the kernel said from its first complaint on, else its last lines.
last_words() {
    local from
    [ -s "$run/console" ] || return
    from=$(grep -nE -m 1 'BUG:|Oops|Kernel panic|general protection|softroce:' "$run/console" |
        cut -d: -f1)
    tail -n "+${from:-1}" "$run/console" >"$run/words"
    if [ -n "$from" ]; then
        head -n 40 "$run/words"
    else
        tail -n 30 "$run/words"
    fi | sed 's/^/console: /'
}

# It ended without a word: say what can be known.
cat "$run/qemu" >&2
last_words >&2
case $qemu_status in
124 | 137)
    say "the machine gave no sign within $((limit + boot_seconds + 30)) s"
    exit 124
    ;;
1) [ -s "$run/console" ] || exit 126 ;;
esac
say "the machine died (QEMU's exit status: $qemu_status)"
exit 125
