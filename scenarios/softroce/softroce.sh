#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# softroce.sh [OPTION...] -- COMMAND [ARG...]: what "msgrlab softroce" runs: the command where
# there are two soft-RoCE devices, rxe0 and rxe1 (lib.bash). "msgrlab softroce --help" and
# docs/softroce.md tell users the same; cmd_softroce.c checks the options.
#
#   -w WHERE    vm (that is the default), host, or any: the host if it can, else vm
#   -c DIR      the cache of kernels
#   -m MEM      memory of the machine in MiB (768)
#   -s N        processors of the machine (1)
#   -t SECONDS  limit for the command (120)
#   -o DIR      what is written there comes back; the command finds it in $SOFTROCE_OUT
#   -p          only prepare: fill the cache, say what would be done; exit 1 if nothing can be
#
# vm: QEMU boots Debian's kernel (kernel.sh) with nothing emulated but the processor: no KVM,
# no root, no network. In there is the host's file system at the same paths, the same directory
# and the same environment, but everything written is lost, except below DIR. The command runs
# as root, sees no standard input, and its output comes as it is printed.
# host: the devices are made right here, and taken away again. Needs root and rdma_rxe.
#
# Exit status: that of the command, 126 and 127 if it cannot be run or found; 124 if its time was
# up; 125 if the machine could not be had, or died. Nothing is left running, whatever happens.
#
# Environment: SOFTROCE_ACCEL (tcg). Do not set it to kvm without having seen it work: where
# virtual machines are nested, a /dev/kvm may be there and hang or abort. SOFTROCE_KEEP=1 keeps
# the folder with the console of the machine and says where it is. SOFTROCE_DEB: see kernel.sh.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
where=vm memory=768 processors=1 limit=120 out= only_prepare=no

say() {
    echo "softroce: $*" >&2
}

# cannot TEXT...: the command was not run, or its end is not known.
cannot() {
    say "$@"
    exit 125
}

while getopts w:c:m:s:t:o:p option; do
    case $option in
    w) where=$OPTARG ;;
    c) export SOFTROCE_CACHE=$OPTARG ;;
    m) memory=$OPTARG ;;
    s) processors=$OPTARG ;;
    t) limit=$OPTARG ;;
    o) out=$OPTARG ;;
    p) only_prepare=yes ;;
    *) cannot "wrong options; the head of $here/softroce.sh says the right ones" ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || [ $only_prepare = yes ] || cannot "no command was given"

. "$here/host.bash"
. "$here/vm.bash"

if [ $where = any ]; then
    where=vm
    host_can && where=host
elif [ $where = host ] && ! host_can; then
    cannot "this host cannot: it takes root, iproute2, and a kernel that has rdma_rxe"
fi

if [ $only_prepare = yes ]; then
    if [ $where = host ]; then
        echo "on this host: it has rdma_rxe"
    else
        vm_prepare
        echo "in a virtual machine: QEMU, Linux $(cat "$kernel/release")"
    fi
    exit 0
fi

unset SOFTROCE_OUT
if [ -n "$out" ]; then
    mkdir -p "$out" && [ -w "$out" ] || cannot "cannot write to the folder $out"
    out=$(cd "$out" && pwd -P)
    [ "$out" != / ] || cannot "the folder that comes back cannot be /"
    export SOFTROCE_OUT=$out
fi
export SOFTROCE_LIB=$here/lib.bash

"${where}_run" "$@"
