# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# host.bash: the two devices on this very host, for one command. Sourced by softroce.sh.

# host_can: the module must load and a device be made: being root, or having the folder in
# /sys, says little.
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

# host_run COMMAND...: ends the script with its exit status.
host_run() {
    . "$here/lib.bash"
    # Inside somebody else's run the devices are there.
    if [ -z "${SOFTROCE:-}" ]; then
        if [ -e /sys/class/net/sr0 ] || [ -e /sys/class/infiniband/rxe0 ]; then
            cannot "sr0 or rxe0 is there already: another run? (--where vm makes a machine)"
        fi
        trap softroce_down EXIT
        softroce_up || exit 125
        ulimit -l unlimited
    fi
    SOFTROCE=${SOFTROCE:-host} softroce_limited "$limit" "$@" </dev/null
    exit
}
