# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# host.bash: for the tests of "msgrlab softroce" itself, which run on the host, before those that
# run inside. Gives a scratch folder ($dir) that everybody may enter and that goes with all that
# is left running; installs msgrlab there ($prefix, $installed). SOFTROCE_CACHE must be set.
set -u

ok() { echo "ok   $*"; }

# fail TEXT [FILE...]: says what went wrong, shows the files, ends the script.
fail() {
    local file
    echo "FAIL $1"
    shift
    for file; do
        echo "---- ${file##*/}"
        tail -n 30 "$file"
    done
    exit 1
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/softroce_test.XXXXXX") || exit 1
chmod 755 "$dir"
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
prefix=$dir/prefix installed=$dir/prefix/bin/msgrlab

# What make has told the make that runs us is not for this one.
make_alone() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u GOAL -u FLAVOUR make "$@"; }

make_alone DEPS=no install PREFIX="$prefix" >"$dir/install" 2>&1 ||
    fail "make install" "$dir/install"

# expect NAME CODE WANTED: NAME has left its output in $dir/NAME.out and $dir/NAME.err.
expect() {
    [ "$2" -eq "$3" ] || fail "$1 ended with $2, not $3" "$dir/$1.out" "$dir/$1.err"
}

# says NAME PATTERN: its stderr has a line that matches (grep -E).
says() {
    grep -qE -- "$2" "$dir/$1.err" || fail "$1 does not say '$2'" "$dir/$1.out" "$dir/$1.err"
}

# await SECONDS COMMAND...: until it succeeds.
await() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.05
    done
}
