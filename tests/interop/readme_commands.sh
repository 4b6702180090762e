#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# readme_commands.sh: how commands are taken out of README.md for a fresh machine, and that
# nothing in there is passed over in silence (tests/fresh/commands.sh, inside.sh).
#
# Prints what was not as expected; exit 0 if nothing.
set -u
cd "$(dirname "$0")/../fresh" || exit 1
fresh=$PWD
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failures=0

fail() {
    echo "FAILED: $1"
    sed 's/^/    | /' "$tmp/out" "$tmp/err"
    failures=$((failures + 1))
}

# page LINE...: makes $tmp/README.md of them
page() { printf '%s\n' "$@" >"$tmp/README.md"; }

# gives WHAT CODE [all]: commands.sh ends so; fields in $tmp/out, one a line
gives() {
    local code
    (cd "$tmp" && "$fresh/commands.sh" README.md ${3:-}) >"$tmp/nul" 2>"$tmp/err"
    code=$?
    tr '\0' '\n' <"$tmp/nul" >"$tmp/out"
    [ $code -eq "$2" ] || fail "$1: exit code $code instead of $2"
}

# is WHAT LINE...: and the fields are these
is() {
    local what=$1
    shift
    printf '%s\n' "$@" | cmp -s - "$tmp/out" || fail "$what: other commands than expected"
}

# refused WHAT TEXT LINE...
refused() {
    local what=$1 text=$2
    shift 2
    page "$@"
    gives "$what" 1
    grep -qF "$text" "$tmp/err" || fail "$what: does not say: $text"
}

# runs WHAT CODE TEXT: inside.sh does with these commands
runs() {
    local code
    (cd "$tmp" && timeout 60 bash "$fresh/inside.sh" "$tmp/nul") >"$tmp/out" 2>"$tmp/err"
    code=$?
    [ $code -eq "$2" ] || fail "$1: exit code $code instead of $2"
    grep -qF -e "$3" "$tmp/out" || fail "$1: does not say: $3"
}

# ---- what is taken out ---------------------------------------------------------------

page 'text `make x`' '```sh' 'one    # said' '' '# only said' 'two # fails (exit 3)' 'three \' \
    '  four' 'cat <<END' 'a # (exit 9)' 'END' '```' '```lua' 'local x' '```'
gives blocks 0
is blocks 3 0 'one    # said' 6 3 'two # fails (exit 3)' 7 0 'three \' '  four' \
    9 0 'cat <<END' 'a # (exit 9)' END

page '<!-- fresh: on demand -->' '```sh' 'long' '```' \
    '<!-- fresh: not run: no such device -->' '```sh' 'never' '```' '```sh' 'short' '```'
gives marks 0
is marks 10 0 short
grep -qF 'README.md:6: not run: no such device' "$tmp/err" || fail "the reason is not said"
gives "all marks" 0 all
is "all marks" 3 0 long 10 0 short

refused indented "an indented block" 'text' '' '    make x'
refused tab "an indented block" $'\tmake x'
refused language "a block of language 'bash'" '```bash' 'x' '```'
refused "no language" "a block of language ''" '```' 'x' '```'
refused mark "'fresh: later'" '<!-- fresh: later -->' '```sh' 'x' '```'
refused "a lonely mark" "not right before a block" '<!-- fresh: on demand -->' 'x'
refused open "the file ends within a block" '```sh' 'x'
refused "open command" "the block ends within the command of line 2" '```sh' 'x <<END' '```'

# ---- how they are run ----------------------------------------------------------------

page '```sh' 'export A=1' 'test $A = 1' 'sleep 100 &' 'kill $!' 'false # (exit 1)' '```'
gives good 0
runs good 0 "All 5 commands of README.md ended as they say"
page '```sh' 'true' 'no-such-program # said' '```'
gives missing 0
runs missing 1 "FAILED: README.md:3: exit code 127 instead of 0: no-such-program # said"
page '```sh' 'true # (exit 1)' '```'
gives "not failing" 0
runs "not failing" 1 "exit code 0 instead of 1"
page '```sh' 'sleep 100 &' '```'
gives "left running" 0
runs "left running" 1 "README.md leaves this running"

# ---- the page itself -----------------------------------------------------------------

cp ../../README.md "$tmp/README.md"
gives README.md 0 all
[ "$(wc -l <"$tmp/out")" -ge 60 ] || fail "README.md has hardly any commands"
grep -qx 'make check .*' "$tmp/out" || fail "README.md: make check is not among the commands"

[ $failures -eq 0 ]
