#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# trace_cut.sh: ": > x.trace" while the program $MSGRLAB records into it.
#
#   1. `peer serve` goes on serving, and ends with exit code 5 and the reason
#   2. `run` goes on, and ends so, too
#   3. `show` of what is left says what is wrong with it
#
# Prints what was not as expected; exit 0 if nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
# shellcheck source=tests/interop/cli.bash
. "$here/cli.bash"

cd "$root" || exit 1
reason='somebody else cut the file, or wrote over it, while it was recorded'

# await WHAT COMMAND...: until the command succeeds.
await() {
    local what=$1
    shift
    for _ in $(seq 3000); do
        "$@" && return
        sleep 0.02
    done
    fail "$what did not come about"
}

# ---- 1. peer serve -----------------------------------------------------------------

"$msgrlab" peer serve v2:127.0.0.1:0 --trace "$tmp/serve.trace" >"$tmp/serve" 2>&1 &
server=$!
await "serving" grep -q 'v2:127' "$tmp/serve"
addr=$(grep -o 'v2:127[^ ,]*' "$tmp/serve" | head -n 1)
: >"$tmp/serve.trace"
for i in 1 2 3; do
    run "ping$i" 0 peer ping "$addr" --count 20
done
kill -TERM $server
wait $server
code=$?
[ $code -eq 5 ] || fail "peer serve: exit code $code, not 5" "$tmp/serve"
says serve "$reason"

# ---- 2. run ------------------------------------------------------------------------

# It records long enough for somebody to come along.
cat >"$tmp/busy.lua" <<'END'
local a, b = node "a", node "b"
local c = a:connect(b)
for i = 1, 400 do
    c:send_many(20, { data = 100 })
    sleep "2ms"
end
expect.delivered(b, 8000)
END
is_recorded() { [ -s "$tmp/busy.trace" ]; }
"$msgrlab" run "$tmp/busy.lua" --on linux --trace "$tmp/busy.trace" >"$tmp/busy" 2>&1 &
runner=$!
await "recording" is_recorded
: >"$tmp/busy.trace"
wait $runner
code=$?
[ $code -eq 5 ] || fail "run: exit code $code, not 5" "$tmp/busy"
says busy "$reason"

# ---- 3. show -----------------------------------------------------------------------

run show 5 show "$tmp/busy.trace" --view text
says show "the file is empty"

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
