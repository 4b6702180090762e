#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_loss.sh: loss and failure between two devices, and what they cost. Packets are lost,
# delayed, moved, doubled, damaged; the link goes for less and for more than the retries last,
# or all packets and nobody says so; an address goes and comes back; nobody posts receives; a
# process is killed. Traffic survives or the session ends: in time, in the trace, and with no
# verbs object left.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

# A lost packet is sent again after 34 ms; the device never gives up.
patient=timeout=13,retry_cnt=7
# After 0.27 s, and it gives up after four times that.
brief=timeout=16,retry_cnt=3
# After 2.1 s, seven times.
persistent=timeout=19,retry_cnt=6
# Little memory to register, and a lost packet costs little more than itself.
small=buffer_size=4096,send_buffers=64,receive_queue_len=64

# listen NAME COMMAND...: runs it behind us; pid in $heard. What it prints is kept, and waited
# for by hear: without looking again and again, for there is one processor.
listen() {
    local name=$1 fifo=/dev/shm/$test_name.$$
    shift
    mkfifo "$fifo"
    env --default-signal=INT,QUIT "$@" >"$fifo" 2>&1 </dev/null &
    heard=$!
    exec {ear}<"$fifo"
    rm "$fifo"
}

# hear NAME PATTERN: it prints such a line, in time; the line is in $line. False: it does not.
hear() {
    while read -r -t "$STEP_SECONDS" line <&"$ear"; do
        echo "$line" >>"$dir/$1.out"
        [[ $line =~ $2 ]] && return
    done
    return 1
}
must_hear() { hear "$1" "$2" || fail "$1: does not say '$2'" "$dir/$1.out"; }

# begin NAME RDMA OPTION...: the conversation. It goes on behind us.
begin() {
    local name=$1 rdma=$2
    shift 2
    listen "$name" "$MSGRLAB" run scenarios/rdma/two_devices.lua --on linux \
        --rdma "$rdma,$small" --trace "$dir/$name.trace" "$@"
}

# finish NAME: it ends well and leaves nothing; its trace is in $dir/NAME.text.
finish() {
    must_hear "$1" '^result +ok$'
    ended "$heard" "$1"
    exec {ear}<&-
    nothing_left "$1"
    "$MSGRLAB" show "$dir/$1.trace" --view text >"$dir/$1.text" ||
        fail "$1: its trace cannot be shown"
}

# Counts of all objects; the kernel's own are always there. softroce_is_clean costs a second.
nothing_made=$(rdma resource)
is_as_before() { [ "$(rdma resource)" = "$nothing_made" ]; }

nothing_left() {
    softroce_wait 10 is_as_before || {
        softroce_leftover >"$dir/left.out"
        fail "$1: verbs objects are left over" "$dir/left.out"
    }
}

# traced NAME PATTERN...; untraced NAME PATTERN
traced() {
    local name=$1 pattern
    shift
    for pattern; do
        grep -qE -- "$pattern" "$dir/$name.text" ||
            fail "$name: nothing in its trace matches '$pattern'"
    done
}
untraced() {
    grep -E -m 5 -- "$2" "$dir/$1.text" >"$dir/lines.out" || return 0
    fail "$1: its trace has '$2'" "$dir/lines.out"
}

# slowest NAME: how many milliseconds the slowest SEND took to arrive, by its trace: the n-th
# completion of a connection is about its n-th work request.
slowest() {
    awk '/ post_send / {
            for (i = 1; i <= NF; i++) if ($i == "post_send") conn = $(i + 1)
            match($0, /wrs=[0-9]+/)
            for (n = substr($0, RSTART + 4, RLENGTH - 4); n > 0; n--) at[conn, ++posted[conn]] = $1
        }
        / cqe_send / {
            for (i = 1; i <= NF; i++) if ($i == "cqe_send") conn = $(i + 1)
            if (done[conn] < posted[conn]) took = $1 - at[conn, ++done[conn]]
            if (took > most) most = took
        }
        END { printf "%d", most / 1000 }' "$dir/$1.text"
}

# What the devices count, both together; they refresh it every 10 ms. count: from now on, in
# before[NAME]; cost: since then, in cost[NAME].
counters=(completer_retry_err out_of_seq_request duplicate_request send_rnr_err)
declare -A before=() cost=()
count() {
    local name i n
    sleep 0.02
    for name in "${counters[@]}"; do
        before[$name]=0
        for i in 0 1; do
            read -r n <"/sys/class/infiniband/rxe$i/ports/1/hw_counters/$name"
            before[$name]=$((before[$name] + n))
        done
    done
}
cost() {
    local name
    for name in "${counters[@]}"; do cost[$name]=$((-before[$name])); done
    count
    for name in "${counters[@]}"; do cost[$name]=$((cost[$name] + before[$name])); done
}

# survives NAME TEXT COUNTER...: with netem as it is, everything arrives, and each of the
# counters has grown.
survives() {
    local name=$1 text=$2 counter
    shift 2
    count
    begin "$name" "$patient" --set messages=40 --set bytes=2500
    finish "$name"
    untraced "$name" 'cqe_error.* RETRY_EXC_ERR'
    text+=", at the cost of"
    cost
    for counter; do
        [ "${cost[$counter]}" -gt 0 ] || fail "$name: $counter has not grown"
        text+=" ${cost[$counter]} $counter"
    done
    netem_clear
    ok "$text; the slowest SEND took $(slowest "$name") ms"
}

# ---- what only costs time --------------------------------------------------------------

netem_both delay 2ms 1ms loss 4% duplicate 5% reorder 2%
survives loss "loss, delay, packets moved and doubled: all messages arrive" \
    completer_retry_err out_of_seq_request duplicate_request

netem_both corrupt 12%
survives corrupt "damaged packets: all messages arrive" completer_retry_err out_of_seq_request

begin blink "$persistent" --set trouble=survives
must_hear blink '^quiet$'
link_down 1
must_hear blink '^sent$'
link_up 1 || fail "the link does not come back"
finish blink
traced blink 'async_event.* PORT_ERR' 'async_event.* PORT_ACTIVE'
untraced blink 'cqe_error.* RETRY_EXC_ERR'
ok "the link goes and comes back within the retries: a SEND takes $(slowest blink) ms, nothing is lost"

# ---- what ends a session ----------------------------------------------------------------

begin down "$brief" --set trouble=breaks
must_hear down '^quiet$'
link_down 1
must_hear down '^broken$'
link_up 1 || fail "the link does not come back"
finish down
traced down 'async_event.* PORT_ERR' 'cqe_error.* RETRY_EXC_ERR' 'rdma_fault.* RETRY_EXC_ERR'
ok "the link is away for longer: RETRY_EXC_ERR ends the session; it comes back: there is a new one"

begin address "$patient" --set trouble=breaks
must_hear address '^quiet$'
addr_remove 0
must_hear address '^broken$'
addr_add 0 || fail "the address does not come back"
finish address
traced address 'async_event.* GID_CHANGE' 'rdma_fault.* GID_CHANGE'
ok "the address goes: GID_CHANGE ends the session at once; it comes back: there is a new one"
softroce_mend

begin silence "$patient,linger_ms=200" --set trouble=silence
must_hear silence '^quiet$'
netem_both loss 100%
must_hear silence '^broken$'
netem_clear
finish silence
traced silence 'conn_fault.* nothing came from the peer for 3 s \(idle_timeout\)'
untraced silence 'cqe_error.* RETRY_EXC_ERR'
ok "no packet passes and retry_cnt is 7: the device says nothing, idle_timeout notices"

count
begin rnr "$persistent,rnr_retry=2" --set trouble=rnr --set messages=1 --set bytes=100
finish rnr
cost
traced rnr 'cqe_error.* RNR_RETRY_EXC_ERR' 'rdma_fault.* RNR_RETRY_EXC_ERR'
ok "no receive is posted and rnr_retry is 2: RNR_RETRY_EXC_ERR, ${cost[send_rnr_err]} RNR NAKs"

# ---- a process is killed -----------------------------------------------------------------

# ping NAME: a client that goes on asking.
ping() {
    spawn "$1" "$MSGRLAB" peer ping "$addr" --stack rdma --device rxe1 --rdma "$small" \
        --count 1000000 --timeout 120s --trace "$dir/$1.trace"
}
# A handshake takes fewer packets.
is_asking() { [ "$(wire_packets 1)" -gt $((packets + 100)) ] || is_gone "$spawned"; }

listen serve "$MSGRLAB" peer serve 192.0.2.1:0 --stack rdma --device rxe0 --rdma "$small"
must_hear serve '^listening on '
addr=${line#listening on } addr=${addr%/0}
ping killed
must_hear serve '^session 1: opened by client'
{ stop "$spawned" KILL; } 2>/dev/null
must_hear serve '^session 1: closed'
packets=$(wire_packets 1)
ping bereft
must_hear serve '^session 2: opened by client'
softroce_wait "$STEP_SECONDS" is_asking || fail "the client does not go on" "$dir/bereft.out"
{ stop "$heard" KILL; } 2>/dev/null
ended "$spawned" bereft 4
says bereft 'the connection was lost in the session'
nothing_left bereft
"$MSGRLAB" show "$dir/bereft.trace" --view text --kind rdma_fault >"$dir/bereft.text"
traced bereft 'rdma_fault.* the side channel ended without a FIN'
ok "a process is killed: its kernel ends the side channel, and so the other end knows"
