# SPDX-License-Identifier: Apache-2.0
#
# test.bash: what the tests t_*.sh share; sourced by them after cd to the root of the tree.
# Gives each a scratch folder ($dir) that stays in build/softroce, bounds every step in time,
# ends every process at the end, clears the wire, and fails a test that leaves a verbs object
# behind. One "ok ..." line per check; the first failure ends the script.
set -u
. scenarios/softroce/lib.bash

[ -n "${SOFTROCE:-}" ] || {
    echo "run this by msgrlab softroce --out DIR -- $0"
    exit 1
}
B=${B:-build/plain}
MSGRLAB=${MSGRLAB:-$PWD/$B/msgrlab}
STEP_SECONDS=${STEP_SECONDS:-60}
test_name=$(basename "$0" .sh)
dir=$SOFTROCE_OUT/$test_name
rm -rf "$dir"
mkdir -p "$dir"

ok() { echo "ok   $*"; }

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

skip() {
    echo "skipped: $*"
    exit 77
}

# run NAME CODE COMMAND...: must end with that code in time; output in $dir/NAME.out.
run() {
    local name=$1 want=$2 code
    shift 2
    timeout -k 5 "$STEP_SECONDS" "$@" >"$dir/$name.out" 2>&1 </dev/null
    code=$?
    [ $code -eq "$want" ] || fail "$name: '$*' ended with $code, not $want" "$dir/$name.out"
}

# says NAME PATTERN: a line that NAME printed matches (grep -E).
says() {
    grep -qE -- "$2" "$dir/$1.out" || fail "$1: nothing printed matches '$2'" "$dir/$1.out"
}

# spawn NAME COMMAND...: runs it behind us, output in $dir/NAME.out; pid in $spawned.
spawn() {
    local name=$1
    shift
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

is_gone() { ! is_running "$1"; }

# ended PID NAME [CODE]: it ends by itself, in time, with that code (0).
ended() {
    local code
    softroce_wait "$STEP_SECONDS" is_gone "$1" || fail "$2 does not end" "$dir/$2.out"
    wait "$1"
    code=$?
    [ $code -eq "${3:-0}" ] || fail "$2 ended with $code, not ${3:-0}" "$dir/$2.out"
}

# stop PID [SIGNAL]: ends it and returns its exit code.
stop() {
    is_running "$1" && kill -"${2:-TERM}" "$1"
    softroce_wait "$STEP_SECONDS" is_gone "$1" || kill -KILL "$1"
    wait "$1" 2>/dev/null
}

listens() { ss -Htln "sport = :$1" | grep -q .; }

at_end() {
    local code=$? pid
    [ "$BASHPID" = $$ ] || return
    for pid in $(jobs -rp); do
        kill -CONT "$pid"
        stop "$pid" KILL
    done
    # The kernel frees some of it a moment after the last close.
    if ! softroce_wait 5 softroce_is_clean; then
        echo "FAIL verbs objects are left over (rdma resource show):"
        softroce_leftover
        [ $code -eq 0 ] && code=1
    fi
    softroce_mend
    exit $code
}
trap at_end EXIT
trap 'exit 130' INT TERM
