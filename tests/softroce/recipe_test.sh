#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# recipe_test.sh: the recipe of docs/softroce.md, literally, the way a reader would paste it: his
# program goes green, and red with its bug. Runs on the host.
cd "$(dirname "$0")/../.." || exit 1
"${MSGRLAB:?}" softroce --prepare >/dev/null || exit 77
set -u
page=docs/softroce.md
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAIL $1"
    [ -s "$dir/log" ] && tail -n 30 "$dir/log"
    exit 1
}

# block NAME: the text of that block of the page.
block() {
    awk -v name="$1" '/^```$/ { on = 0 } on; $0 == "```sh " name { on = 1 }' $page | grep .
}

# The blocks one after the other in one shell, which stops at the first failure.
for name in install green red; do
    block "$name" >"$dir/block" || fail "$page has no block $name"
    cat "$dir/block"
    echo "echo 'the block $name went well'"
done >"$dir/script"
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u GOAL -u FLAVOUR HOME="$dir" DEPS=no \
    bash -e "$dir/script" >"$dir/log" 2>&1
code=$?
grep -q 'the block green went well' "$dir/log" || fail "a right program: exit code $code"
echo "ok   somebody else's program is green"
[ $code -eq 1 ] || fail "a program with a bug: exit code $code, not 1"
grep -q 'this failed: strcmp' "$dir/log" || fail "what failed is not said"
echo "ok   and red with a bug"

# The other file on the page runs the same, but for the way in which the program comes there.
for name in packages install green; do block $name; done >"$dir/known"
sed -n '/^```yaml$/,/^```$/p' $page | sed -n '/run: |$/,/- /s/^          //p' >"$dir/workflow"
[ "$(wc -l <"$dir/workflow")" -ge 7 ] || fail "the workflow runs too little"
grep -vxF -f "$dir/known" "$dir/workflow" >"$dir/log" &&
    fail "the workflow has lines that the recipe has not"
echo "ok   the workflow runs the recipe"
