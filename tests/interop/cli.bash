# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# cli.bash: for tests that use the program $MSGRLAB as people do. To be sourced; makes $tmp,
# which is gone at the end, and counts $checks and $failures.
# RUN_SECONDS: how long a run may take (90).

msgrlab=${MSGRLAB:?"the program to test"}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failures=0 checks=0

# fail TEXT [FILE]
fail() {
    echo "FAILED: $1"
    [ -n "${2:-}" ] && sed 's/^/    | /' "$2"
    failures=$((failures + 1))
}

# run NAME EXPECTED-EXIT ARG...: output in $tmp/NAME
run() {
    local name=$1 want=$2 code
    shift 2
    checks=$((checks + 1))
    timeout -k 5 "${RUN_SECONDS:-90}" "$msgrlab" "$@" >"$tmp/$name" 2>&1 </dev/null
    code=$?
    [ $code -eq "$want" ] && return 0
    fail "$name: exit code $code instead of $want: msgrlab $*" "$tmp/$name"
    return 1
}

# says NAME TEXT
says() {
    checks=$((checks + 1))
    grep -qF -e "$2" "$tmp/$1" || fail "$1: does not say: $2" "$tmp/$1"
}
