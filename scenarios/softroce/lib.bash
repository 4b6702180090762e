# SPDX-License-Identifier: Apache-2.0
#
# lib.bash: two soft-RoCE devices on one kernel, and trouble on the wire between them. Sourced
# by softroce.sh, by the guest, and by tests inside (". $SOFTROCE_LIB"). Needs root and rdma_rxe.
#
#   rxe0 --- sr0  192.0.2.1  <== veth ==>  192.0.2.2  sr1 --- rxe1
#
# Both are in one network namespace: rxe knows no other. What goes from rxe0 to rxe1 crosses
# the wire, and so netem works on it; TCP from 192.0.2.1 to 192.0.2.2 stays in the loopback
# and never suffers. Between two queue pairs of one device nothing crosses any wire.
# The path MTU is 1024. On each device the GID of the IPv4 address has the index 1.

softroce_say() {
    echo "softroce: $*" >&2
}

# softroce_wire N: the network device under rxeN; softroce_addr N: its address.
softroce_wire() { echo "sr$1"; }
softroce_addr() { echo "192.0.2.$(($1 + 1))"; }

# softroce_wait SECONDS COMMAND...: until it succeeds.
softroce_wait() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.02
    done
}

# softroce_limited SECONDS COMMAND...: its exit status; 124, and a word on stderr, if its time was
# up. Its descendants end with it, unless they made a process group of their own.
softroce_limited() {
    local seconds=$1 began=${EPOCHREALTIME/[.,]/} status
    shift
    timeout -k 5 "$seconds" "$@"
    status=$?
    # 137: it did not care about SIGTERM. A command may end with these by itself, too.
    case $status in
    124 | 137)
        [ $((${EPOCHREALTIME/[.,]/} - began)) -ge $((seconds * 1000000)) ] || return $status
        softroce_say "the time of the command is up: $seconds s"
        return 124
        ;;
    esac
    return $status
}

softroce_is_active() {
    local state
    read -r state <"/sys/class/infiniband/$1/ports/1/state" && [[ $state == *ACTIVE* ]]
}

# The GID of the IPv4 address is where everybody looks for it.
softroce_has_gid() {
    local gid
    read -r gid <"/sys/class/infiniband/rxe$1/ports/1/gids/1" || return 1
    [[ $gid == *:ffff:c000:020$(($1 + 1)) ]]
}

# softroce_up: makes the devices. Says what failed.
softroce_up() {
    local i
    ip -batch - <<'EOF' || {
link set lo up
link add sr0 address 02:00:c0:00:02:01 type veth peer name sr1 address 02:00:c0:00:02:02
addr add 192.0.2.1/24 dev sr0
addr add 192.0.2.2/24 dev sr1
link set sr0 up
link set sr1 up
neigh replace 192.0.2.2 lladdr 02:00:c0:00:02:02 dev sr0 nud permanent
neigh replace 192.0.2.1 lladdr 02:00:c0:00:02:01 dev sr1 nud permanent
EOF
        softroce_say "cannot make the veth pair"
        return 1
    }
    # Packets for an address of this very machine, coming by a wire, are welcome.
    read -r softroce_rp_filter </proc/sys/net/ipv4/conf/all/rp_filter
    echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
    for i in 0 1; do
        echo 1 >"/proc/sys/net/ipv4/conf/sr$i/accept_local"
        echo 0 >"/proc/sys/net/ipv4/conf/sr$i/rp_filter"
    done
    for i in 0 1; do
        rdma link add "rxe$i" type rxe netdev "sr$i" || {
            softroce_say "cannot make rxe$i: is rdma_rxe loaded, and a crc32 of the crypto layer?"
            return 1
        }
    done
    for i in 0 1; do
        softroce_wait 20 softroce_is_active "rxe$i" && softroce_wait 20 softroce_has_gid $i || {
            softroce_say "rxe$i does not become ready"
            return 1
        }
    done
}

# softroce_down: takes them away; for a host that goes on living.
softroce_down() {
    rdma link del rxe0 2>/dev/null
    rdma link del rxe1 2>/dev/null
    ip link del sr0 2>/dev/null
    echo "${softroce_rp_filter:-0}" >/proc/sys/net/ipv4/conf/all/rp_filter
}

# softroce_leftover: the verbs objects of programs, a line each. What the kernel made for itself
# has its name in brackets.
softroce_leftover() {
    local kind
    for kind in qp cq pd mr srq ctx; do
        rdma resource show $kind 2>/dev/null | grep -v ' comm \[' | sed "s/^/$kind: /"
    done
}
softroce_is_clean() { [ -z "$(softroce_leftover)" ]; }

# ---- trouble on the wire ---------------------------------------------------------------

# netem N WHAT...: from now on this happens to what rxeN sends: loss 5%, delay 20ms 5ms,
# duplicate 2%, corrupt 1%, reorder 25% delay 10ms, in any mixture. Data of rxe0 and the
# acknowledgements of rxe0 go the same way; to lose acknowledgements of data from rxe0, use 1.
netem() {
    local wire
    wire=$(softroce_wire "$1")
    shift
    # "replace" would keep reorder and corrupt of the one before.
    tc qdisc del dev "$wire" root 2>/dev/null
    tc qdisc add dev "$wire" root netem limit 10000 "$@" || {
        softroce_say "netem on $wire refuses: $*"
        return 1
    }
}

# netem_both WHAT...: both ways.
netem_both() { netem 0 "$@" && netem 1 "$@"; }

netem_clear() {
    netem_clear_one 0
    netem_clear_one 1
}
netem_clear_one() {
    [ -e "/sys/class/net/sr$1" ] && tc qdisc del dev "sr$1" root 2>/dev/null
    return 0
}

# netem_dropped N: how many packets netem has dropped of what rxeN sent.
netem_dropped() {
    tc -s qdisc show dev "$(softroce_wire "$1")" root |
        sed -n 's/.*(dropped \([0-9]*\),.*/\1/p' | head -n 1
}

# rxe_counter N NAME: a hardware counter of rxeN (see its folder hw_counters); the kernel
# refreshes them every 10 ms.
rxe_counter() {
    sleep 0.02
    cat "/sys/class/infiniband/rxe$1/ports/1/hw_counters/$2"
}

# wire_packets N: packets that rxeN's network device has sent.
wire_packets() { cat "/sys/class/net/sr$1/statistics/tx_packets"; }

# link_down N, link_up N: takes rxeN's network device down and up again, ready for use.
link_down() { ip link set "sr$1" down; }
link_up() {
    local other=$((1 - $1))
    ip link set "sr$1" up || return 1
    # Going down lost the neighbour.
    ip neigh replace "$(softroce_addr $other)" lladdr "02:00:c0:00:02:0$((other + 1))" \
        dev "sr$1" nud permanent
    softroce_wait 20 softroce_is_active "rxe$1"
}

# addr_remove N, addr_add N: the IPv4 address of rxeN, and with it its GID. As long as a queue
# pair holds the index that the GID had, the GID comes back at another one.
addr_remove() { ip addr del "$(softroce_addr "$1")/24" dev "sr$1"; }
addr_add() {
    local other=$((1 - $1))
    ip addr add "$(softroce_addr "$1")/24" dev "sr$1" || return 1
    ip neigh replace "$(softroce_addr $other)" lladdr "02:00:c0:00:02:0$((other + 1))" \
        dev "sr$1" nud permanent
    softroce_wait 20 softroce_has_some_gid "$1"
}
softroce_has_some_gid() {
    grep -q ":ffff:c000:020$(($1 + 1))" "/sys/class/infiniband/rxe$1/ports/1/gids/"[0-7]
}

# softroce_mend: after a test: wires clean, links up, the GIDs where they belong.
softroce_mend() {
    local i
    netem_clear
    for i in 0 1; do
        softroce_is_active "rxe$i" || link_up $i
        softroce_has_gid $i && continue
        addr_remove $i 2>/dev/null
        addr_add $i
        softroce_wait 5 softroce_has_gid $i ||
            softroce_say "the GID of rxe$i is not at the index 1 any more"
    done
}
