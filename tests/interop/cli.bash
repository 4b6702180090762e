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

# may_give WORD CODE: if WORD is a command, its --help tells of that exit code
may_give() {
    local help=$tmp/.help-$1

    [[ $1 =~ ^[a-z]+$ ]] || return 0
    [ -e "$help" ] || "$msgrlab" "$1" --help >"$help" 2>/dev/null </dev/null || return 0
    grep -qE "^ +$2  " "$help"
}

# run NAME EXPECTED-EXIT ARG...: output in $tmp/NAME
run() {
    local name=$1 want=$2 code
    shift 2
    checks=$((checks + 1))
    timeout -k 5 "${RUN_SECONDS:-90}" "$msgrlab" "$@" >"$tmp/$name" 2>&1 </dev/null
    code=$?
    if [ $code -eq "$want" ]; then
        may_give "${1:-}" $code || fail "$name: --help of $1 says nothing of exit code $code"
        return 0
    fi
    fail "$name: exit code $code instead of $want: msgrlab $*" "$tmp/$name"
    return 1
}

# says NAME TEXT
says() {
    checks=$((checks + 1))
    grep -qF -e "$2" "$tmp/$1" || fail "$1: does not say: $2" "$tmp/$1"
}
