# SPDX-License-Identifier: Apache-2.0
#
# lib.bash: what the tests against real Ceph share. Sourced by tests/interop/*.sh, which run
# from the root of the tree with the program in $MSGRLAB.
#
# Gives each script a scratch folder ($dir), takes it and every process away at the end, and
# bounds every step in time. One "ok ..." line per check; the first failure ends the script
# with the output of what failed. Nothing here needs root.
#
# Environment: MSGRLAB (build/plain/msgrlab), INTEROP_KEEP=1 keeps $dir and says where it is.
set -u
unset CEPH_ARGS CEPH_CONF CEPH_KEYRING

MSGRLAB=${MSGRLAB:-$PWD/build/plain/msgrlab}
STEP_SECONDS=20

skip() {
    echo "skipped: $*"
    exit 77
}

for tool in ceph-mon monmaptool ceph; do
    command -v $tool >/dev/null || skip "$tool is not installed (packages ceph-mon, ceph-common)"
done
[ -x "$MSGRLAB" ] || {
    echo "no program at $MSGRLAB: make it first, or set MSGRLAB"
    exit 1
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/msgrlab-interop.XXXXXX") || exit 1

# ---- processes -----------------------------------------------------------------------

# Whatever runs is asked of the shell, which knows its children: a bare number may belong to
# somebody else by now.

# spawn NAME COMMAND...: runs it behind us, output in $dir/NAME.out; pid in $spawned.
spawn() {
    local name=$1
    shift
    # A shell starts background jobs deaf to SIGINT; ours shall hear it.
    env --default-signal=INT,QUIT "$@" >"$dir/$name.out" 2>&1 </dev/null &
    spawned=$!
}

is_running() {
    local pid
    for pid in $(jobs -rp); do
        [ "$pid" = "$1" ] && return 0
    done
    return 1
}

# stop PID [SIGNAL]: ends it and returns its exit code; after STEP_SECONDS it is killed.
stop() {
    local pid=$1 until=$((SECONDS + STEP_SECONDS))
    is_running "$pid" && kill -"${2:-TERM}" "$pid"
    while [ $SECONDS -lt $until ] && is_running "$pid"; do
        sleep 0.02
    done
    is_running "$pid" && kill -KILL "$pid"
    wait "$pid" 2>/dev/null
}

cleanup() {
    local pid
    # A child that a signal hits before it has become its program would come here, too.
    [ "$BASHPID" = $$ ] || return
    for pid in $(jobs -rp); do
        kill -CONT "$pid"
        stop "$pid"
    done
    if [ "${INTEROP_KEEP:-}" = 1 ]; then
        echo "kept: $dir"
    else
        rm -rf "$dir"
    fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# ---- checks --------------------------------------------------------------------------

ok() {
    echo "ok   $*"
}

# fail TEXT [FILE...]: says what went wrong, shows the files, ends the script.
fail() {
    local file
    echo "FAIL $1"
    shift
    for file; do
        echo "---- ${file##*/}"
        tail -n 40 "$file"
    done
    exit 1
}

# run NAME CODE COMMAND...: must end with that exit code in time; output in $dir/NAME.out,
# errors in $dir/NAME.err.
run() {
    local name=$1 want=$2 code
    shift 2
    timeout -k 5 $STEP_SECONDS "$@" >"$dir/$name.out" 2>"$dir/$name.err" </dev/null
    code=$?
    [ $code -eq "$want" ] ||
        fail "$name: '$*' ended with $code, not $want" "$dir/$name.out" "$dir/$name.err"
}

# says NAME PATTERN: what that command printed, anywhere, matches (grep -E).
says() {
    cat "$dir/$1.out" "$dir/$1.err" 2>/dev/null >"$dir/said"
    grep -qE -- "$2" "$dir/said" || fail "$1: nothing printed matches '$2'" "$dir/said"
}

# same NAME NAME: both commands printed the same.
same() {
    diff -u "$dir/$1.out" "$dir/$2.out" >"$dir/diff" ||
        fail "$1 and $2 differ" "$dir/diff"
}

# ---- ports ---------------------------------------------------------------------------

is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_port: a port of the loopback that nobody listens on, in $port. Outside of the range
# that outgoing connections take theirs from; somebody may still be quicker, so users retry.
free_port() {
    local i
    for ((i = 0; i < 100; i++)); do
        port=$((20000 + RANDOM % 12000))
        is_free $port && return 0
    done
    fail "no free port found"
}

# ---- our server ----------------------------------------------------------------------

# serve NAME OPTION...: starts a server; sets server, addr.
serve() {
    local name=$1 until=$((SECONDS + STEP_SECONDS))
    shift
    spawn "$name" "$MSGRLAB" peer serve 127.0.0.1:0 "$@"
    server=$spawned
    while [ $SECONDS -lt $until ] && is_running "$server"; do
        addr=$(sed -n '1s/^listening on \(v2:127\.0\.0\.1:[0-9]*\)\/0$/\1/p' "$dir/$name.out" 2>/dev/null)
        [ -n "$addr" ] && return 0
        sleep 0.05
    done
    fail "peer serve does not listen" "$dir/$name.out"
}

# ends NAME SIGNAL: the server stops on it with exit code 0, every session closed.
ends() {
    stop "$server" "$2"
    local code=$?
    [ $code -eq 0 ] || fail "$1 ended with $code on SIG$2" "$dir/$1.out"
    tail -n 1 "$dir/$1.out" | grep -qE '^served [0-9]+ sessions, [0-9]+ messages(, refused [0-9]+ callers)?$' ||
        fail "$1 did not say what it served" "$dir/$1.out"
}

# ---- a monitor -----------------------------------------------------------------------

ceph_conf() {
    cat >"$dir/ceph.conf" <<EOF
[global]
fsid = $fsid
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
mon host = $mon_addrs
mon data = $dir/mon
run dir = $dir/run
admin socket = $dir/run/\$name.asok
log file = $dir/mon.log
mon cluster log file = $dir/cluster.log
mon data avail crit = 0
mon data avail warn = 0
EOF
}

# The ceph command as a client of the monitor that start_mon starts.
real_ceph=(ceph -c "$dir/ceph.conf" --connect-timeout 5)

# try_mon: one attempt, on two ports. Fails if the monitor ends or does not answer in time.
try_mon() {
    local until=$((SECONDS + STEP_SECONDS))
    free_port
    mon_v2=$port
    free_port
    mon_v1=$port
    mon_addrs="[v2:127.0.0.1:$mon_v2,v1:127.0.0.1:$mon_v1]"
    fsid=$(cat /proc/sys/kernel/random/uuid)
    rm -rf "$dir/mon" "$dir/run"
    mkdir "$dir/mon" "$dir/run"
    ceph_conf
    monmaptool --create --clobber --fsid "$fsid" --addv a "$mon_addrs" "$dir/monmap" &&
        ceph-mon -c "$dir/ceph.conf" --mkfs -i a --monmap "$dir/monmap" || return 1
    spawn mon ceph-mon -c "$dir/ceph.conf" -i a -f
    mon_pid=$spawned
    while [ $SECONDS -lt $until ] && is_running "$mon_pid"; do
        timeout 3 "${real_ceph[@]}" mon dump && return 0
        sleep 0.2
    done
    stop "$mon_pid" KILL
    return 1
}

# start_mon: a monitor without authentication on the loopback. Sets mon_pid, mon_v2, mon_v1
# (ports), fsid.
start_mon() {
    local attempt
    for attempt in 1 2 3; do
        try_mon >"$dir/start-$attempt.out" 2>&1 && return 0
    done
    fail "no monitor could be started" "$dir/start-$attempt.out" "$dir/mon.out" "$dir/mon.log"
}
