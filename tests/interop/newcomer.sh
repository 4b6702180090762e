#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# newcomer.sh: the program $MSGRLAB in the hands of somebody who uses it for the first time.
#
#   1. a first script as a campaign: no seed is a script error, and what faults took is told
#   2. the answers to usual mistakes: scripts, seeds, options
#   3. scenarios by name, from a build tree and from an installed one
#   4. scripts and records from other editors; times; the version
#   5. what cannot run here is skipped, or an error if that is wanted
#   6. what CI systems read
#
# Prints what was not as expected; exit 0 if nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
RUN_SECONDS=120
# shellcheck source=tests/interop/cli.bash
. "$here/cli.bash"
unset MSGRLAB_SCENARIOS
case ${FLAVOUR:-plain} in
asan | tsan) seeds=100 ;;
*) seeds=2000 ;;
esac

# never NAME TEXT
never() {
    checks=$((checks + 1))
    grep -qF -e "$2" "$tmp/$1" && fail "$1: says: $2" "$tmp/$1"
}

# script NAME: from stdin
script() {
    cat >"$1.lua"
}

mkdir "$tmp/desk" && cd "$tmp/desk" || exit 1

# ---- 1. a first campaign -------------------------------------------------------------

script first <<'LUA'
-- first.lua: somebody's first campaign
fault.accept { "conn_loss", "refused" }
local a, b = node "a", node "b"
local c = a:connect(b)
c:send_many(100, { front = 100 })
expect.delivered(b, 100):in_order():exactly_once()
LUA
script second <<'LUA'
fault.accept { "conn_loss", "refused", "no_resource", "corrupt" }
local a, b, d = node "a", node { "b", echo = true }, node { "d", type = "mon" }
local e, c = b:connect(d), a:connect(b)
a:on_message(function(msg) if msg:bytes() == 1 then e:send { front = "y" } end end)
for i = 1, 50 do
    c:send { front = i % 2 == 0 and "x" or 100 }
    c:keepalive()
end
a:sender_threads(c, 2, 10, { data = 3000 })
e:send_many(20, { data = 3000 })
a:send(b, { data = 7 })
expect.delivered(a, 71)
expect.delivered(d, 45):in_order()
expect.session(c)
LUA
for profile in lite chaos; do
    for stack in tcp rdma; do
        run "first-$profile-$stack" 0 campaign first --seeds 1..$seeds --profile $profile \
            --stack $stack --quiet -o kept --json "first-$profile-$stack.json"
        run "second-$profile-$stack" 0 campaign second --seeds 1..$((seeds / 8)) \
            --profile $profile --stack $stack --quiet -o kept
    done
done
# It did happen that a session was over when something was said.
[ ${FLAVOUR:-plain} = plain ] && says first-chaos-tcp "unsent "

# What is excused is what a fault took: the same without faults, and with a session that
# somebody wants whole, fails.
sed 's/100):in_order/101):in_order/' first.lua >wrong.lua
run wrong 1 run wrong.lua --seed 3
says wrong "100 delivered"
sed 's/:exactly_once()/:exactly_once():strict()/' first.lua >strict.lua
run strict 12 campaign strict --seeds 1..1000 --profile chaos --stack tcp --quiet -o kept
says strict "whatever faults take"
never strict "script strict.lua"

# ---- 2. mistakes ---------------------------------------------------------------------

# mistake NAME WORDS LUA...: exit 3 with these words, at the last line of the script
mistake() {
    printf '%s\n' "${@:3}" >"$1.lua"
    run "$1" 3 run "$1.lua" && says "$1" "$2" && says "$1" "$1.lua:$(($# - 2)): "
}

nodes='local a, b = node "a", node "b" local c = a:connect(b)'
mistake quote "unfinished string" 'local a = node "a'
mistake name "the name stands alone, first" 'local a = node { name = "a" }'
mistake option "did you mean 'workers'?" 'local a = node { "a", worker = 2 }'
mistake method "did you mean 'connect'?" "$nodes" 'a:conect(b)'
mistake text "'b' is the name of a node" "$nodes" 'a:connect "b"'
mistake order "how many? c:send_many(n, { front = 10 })" "$nodes" 'c:send_many({ front = 10 }, 5)'
mistake word "did you mean 'node'?" 'local a = nodes "a"'
mistake sandbox "sandbox" 'local socket = require "socket"'
mistake consequence "did you mean 'conn_loss'?" 'fault.accept "connloss"'
mistake time "'5 weeks' is no time; a time is like" 'sleep "5 weeks"'
mistake condition "wait(function() return ... end)" "$nodes" 'wait(c:is_connected())'
mistake closed "the script closed this connection (closed.lua:2)" "$nodes" 'c:close()' 'c:send {}'
mistake closed_many "the script closed this connection" "$nodes" 'c:close()' 'c:send_many(2)'
mistake closed_threads "the script closed this connection" "$nodes" 'c:close()' \
    'a:sender_threads(c, 1, 1)'
mistake killed "node a was killed" "$nodes" 'a:kill()' 'c:keepalive()'

script now <<'LUA'
local a, b = node "a", node "b"
expect.that(a:connect(b):is_connected(), "connected")
LUA
run now 1 run now && says now "wait(function() ... end) waits for something"
: >empty.lua
run empty 0 run empty && says empty "makes no node"
run empty-campaign 0 campaign empty --seeds 1..3 && says empty-campaign "no seed delivered a message"
echo 'local a, b = node "a", node "b" a:connect(b):send {}' >hopes.lua
run hopes 0 run hopes && says hopes "the script expects nothing"

run reversed 2 campaign first --seeds 10..1 && says reversed "write 1..10"
run dash 2 campaign first --seeds 1-10 && says dash "a range is written 1..10"
run too-large 2 campaign first --seeds 1..18446744073709551616 && says too-large "below 2^64"
run all-seeds 0 campaign first --seeds 0..18446744073709551615 --time 200ms --junit all.xml
says all-seeds "the time was up"
run no-jobs 2 campaign first --seeds 1..9 --jobs 0 && says no-jobs "from 1 to 256, not '0'"
run profile 2 campaign first --seeds 1..9 --profile caos && says profile "valid: none, schedule"
run world 2 campaign first --seeds 1..9 --on linux && says world "always in the simulated world"
run loose 2 campaign first seeds 1..9 && says loose "'seeds' is one too many"
run seed-range 2 run first --seed 1..9 && says seed-range "campaign --seeds A..B"
mkdir folder
run folder 5 run folder && says folder "it is a folder, and no script"
run folder-campaign 5 campaign folder --seeds 1..9 && says folder-campaign "it is a folder"
run none-such 5 run "" && says none-such "there is no script ''"

# ---- 3. by name ----------------------------------------------------------------------

run list 2 run && says list "two nodes, a few pings" && says list "campaigns/lite"
run list-campaign 2 campaign && says list-campaign "campaigns/lite"
run near 5 run helo && says near "did you mean 'hello'?" && says near "large_messages"
run hello 0 run hello && says hello "result        ok"
run hello-file 0 run scenarios/hello.lua
run lite 0 campaign lite --seeds 1..5 && says lite "campaigns/lite.lua"
run errors 0 hashes errors --seeds 1..2
mkdir mine && sed 's/a few pings/mine/' "$root/scenarios/hello.lua" >mine/hello.lua
MSGRLAB_SCENARIOS=/nowhere:$tmp/desk/mine run mine 0 run hello
says mine "$tmp/desk/mine/hello.lua"
MSGRLAB_SCENARIOS=mine run mine-list 2 run
says mine-list "two nodes, mine"
cp "$root/scenarios/rate.lua" hello.lua
run file-first 0 run hello --set count=10 && says file-first "scenario      hello.lua"
rm hello.lua

if [ ${FLAVOUR:-plain} = plain ]; then
    checks=$((checks + 1))
    env -u GOAL -u MAKEFLAGS -u MAKELEVEL make -C "$root" DEPS=no DESTDIR="$tmp/tree" PREFIX=/opt/x install >make.log 2>&1 ||
        fail "make install" make.log
    built=$msgrlab msgrlab=$tmp/tree/opt/x/bin/msgrlab
    run installed 0 run hello
    says installed "$tmp/tree/opt/x/share/msgrlab/scenarios/hello.lua"
    run installed-list 2 run && says installed-list "rdma/errors"
    run installed-campaign 0 campaign rdma_small --seeds 1..5
    msgrlab=$built
fi

# ---- 4. editors, times, version -------------------------------------------------------

printf '\xef\xbb\xbf#!/usr/bin/env msgrlab\r\n-- stack: tcp \r\n' >windows.lua
sed 's/$/\r/' first.lua >>windows.lua
run windows 0 run windows --record windows.rec && says windows "stack         tcp"
run windows-hashes 0 hashes windows --seeds 1..2
{ printf '\xef\xbb\xbf' && sed 's/$/\r/' windows.rec; } >other.rec
run windows-replay 0 replay other.rec && says windows-replay "the same run"
run windows-replace 0 run windows --record other.rec
printf '\xff\xfex\0' >wide.lua
run wide 5 run wide && says wide "it is UTF-16; save it as UTF-8"
run wide-campaign 5 campaign wide --seeds 1..9
printf -- '-- stack: tpc\n' >stack.lua
run stack 3 run stack && says stack "stack.lua:1: there is no stack 'tpc'; valid: tcp, rdma"

for time in 1h 2min 1d "90 s"; do
    run "time-$time" 0 run hello --timeout "$time" --real-timeout 1m
done
run time-campaign 0 campaign first --seeds 1..2 --time 1h --timeout 1h
run time-bad 2 run hello --timeout 1y && says time-bad "ns, us, ms, s, m or min, h, d"
run time-long 2 run hello --timeout 99999999999d && says time-long "at most 3650d"
run time-peer 2 peer ping v2:127.0.0.1:1 --timeout 1y && says time-peer "m or min, h, d"
echo 'sleep "1h" sleep "30min" sleep "1.5h" sleep "20 s"' >long.lua
run long 0 run long --timeout 1d && says long "time          1.082e+04 s (virtual)"

for ask in version --version -V; do
    run "ask$ask" 0 $ask && says "ask$ask" "stacks        tcp, rdma"
    checks=$((checks + 1))
    head -n 1 "$tmp/ask$ask" | grep -qE '^msgrlab [0-9]+\.[0-9]+\.[0-9]+$' || fail "the version" "$tmp/ask$ask"
done
run version-help 0 version --help
run version-word 2 version x
run help 0 --help && says help "  version "

# ---- 5. what cannot run here -----------------------------------------------------------

if [ -z "$(ls /sys/class/infiniband 2>/dev/null)" ]; then
    run skip-devices 0 run two_devices --on linux && says skip-devices "result        skipped"
    run skipped 0 run errors --on linux && says skipped "result        skipped: there is no RDMA device"
    run required 4 run errors --on linux --require && says required "cannot run here (--require)"
    run asked 4 run errors --on linux --stack rdma && says asked "there is no RDMA device"
fi
printf -- '-- world: linux\nlocal a = node "a" expect.that(a:addr() ~= "", "x")\n' >linux.lua
run world-sim 0 run linux && says world-sim "result        skipped: this scenario is for --on linux"
run world-linux 0 run linux --on linux && says world-linux "result        ok"
run world-required 4 run linux --require
run world-campaign 0 campaign linux --seeds 1..3 && says world-campaign "skipped       3"
run world-campaign-required 4 campaign linux --seeds 1..3 --require -o kept
echo 'skip "not today"' >today.lua
run today 0 run today && says today "result        skipped: not today"
run today-required 4 run today --require && says today-required "not today"

# ---- 6. JUnit ------------------------------------------------------------------------

# junit NAME FILE EXPRESSION...
junit() {
    checks=$((checks + 1))
    python3 "$here/junit.py" "${@:2}" >"$1.junit" 2>&1 || fail "$1: JUnit" "$1.junit"
}

junit all-seeds all.xml 'suite.get("skipped") != "0" and suite.get("failures") == "0"'
run junit-good 0 campaign first --seeds 1..250 --profile lite --stack tcp --quiet \
    --junit good.xml --must-reach proto:READY
junit junit-good good.xml \
    'names == ["seeds 1..100", "seeds 101..200", "seeds 201..250", "reaches proto:READY"]' \
    'suite.get("name") == "first"' \
    'all(c.get("classname") == "first.lite" for c in cases.values())'
script 'bad & "worse" é' <<'LUA'
local mode = swarm.pick("mode", { "good", "<bad> & \"worse\" \1 é" })
if mode ~= "good" then error(mode) end
expect.that(swarm.pick("chance", { 1, 2 }) == 1, "a < b")
LUA
run junit-bad 1 campaign 'bad & "worse" é' --seeds 1..120 --profile lite --quiet -o kept \
    --junit bad.xml --must-reach proto:WAIT
junit junit-bad bad.xml 'int(suite.get("errors")) > 5 and int(suite.get("failures")) > 5' \
    '"é" in suite.get("name")' '"seeds 101..120" in names' \
    'cases["reaches proto:WAIT"].find("failure") is not None' \
    'all(names.count("seed %d" % n) <= 1 for n in range(121))' \
    'sum(n.startswith("seed ") for n in names) == int(suite.get("errors")) + int(suite.get("failures")) - 1' \
    'all("run" in c.find("system-out").text and "--profile lite" in c.find("system-out").text for n, c in cases.items() if n.startswith("seed "))'
# The command in it fails in the same way.
again=$(python3 - bad.xml <<'PYTHON'
import sys, xml.etree.ElementTree as tree
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.find("error") is not None:
        print(case.find("system-out").text.strip().split("\n")[0])
        break
PYTHON
)
checks=$((checks + 1))
eval "${again/#msgrlab/\"\$msgrlab\"}" >again 2>&1
[ $? -eq 3 ] || fail "the command of a case does not repeat it: $again" again
run junit-shard 0 campaign first --seeds 1..300 --shard 2/3 --stack tcp --quiet --junit shard.xml
junit junit-shard shard.xml '"seeds 1..100 of shard 2/3" in names and suite.get("tests") == "3"'
run junit-skip 0 campaign linux --seeds 1..150 --quiet --junit skip.xml
junit junit-skip skip.xml 'suite.get("skipped") == suite.get("tests") == "2"'
run junit-more 3 campaign quote --seeds 1..1500 --max-failures 0 --quiet -o kept --junit more.xml
junit junit-more more.xml 'suite.get("errors") == "1001"'

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
