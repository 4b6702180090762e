#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# scenarios.sh: the program $MSGRLAB as people use it.
#
#   1. every scenario that is shipped, under each driver: exit code 0
#   2. every script in scripts/, on Linux and simulated: the exit code and the words that
#      its first lines name
#        -- only: linux  does not belong into the simulated world
#        -- args: ...    options for the run
#        -- exit: N      exit code
#        -- says: TEXT   the output has TEXT
#        -- never: TEXT  the output has it not
#   3. the command line: errors, help, Ctrl-C, a trace that is kept
#
# Prints what was not as expected; exit 0 if nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
# shellcheck source=tests/interop/cli.bash
. "$here/cli.bash"

# result_of SCRIPT: what it ends with on Linux. sim.sh runs the others where they belong.
result_of() {
    if grep -q 'if world.name ~= "sim" then skip' "$1"; then echo skipped; else echo ok; fi
}

cd "$root" || exit 1

# ---- 1. scenarios ------------------------------------------------------------------

for script in scenarios/*.lua; do
    name=$(basename "$script" .lua)
    for driver in epoll poll select; do
        run "$name-$driver" 0 run "$script" --on linux --driver $driver &&
            says "$name-$driver" "result        $(result_of "$script")"
    done
done

# ---- 2. scripts --------------------------------------------------------------------

# check_script SCRIPT WORLD
check_script() {
    local script=$1 world=$2 text
    local name=$(basename "$script").$world
    # shellcheck disable=SC2046 # options are words
    run "$name" "$(sed -n 's/^-- exit: //p' "$script")" \
        run "$script" --on "$world" $(sed -n 's/^-- args: //p' "$script") || return
    while IFS= read -r text; do
        says "$name" "$text"
    done < <(sed -n 's/^-- says: //p' "$script")
    while IFS= read -r text; do
        grep -qF -e "$text" "$tmp/$name" && fail "$name: says: $text" "$tmp/$name"
    done < <(sed -n 's/^-- never: //p' "$script")
}

for script in "$here"/scripts/*.lua; do
    check_script "$script" linux
    grep -q '^-- only: linux' "$script" || check_script "$script" sim
done

# ---- 3. the command line -----------------------------------------------------------

run help 0 --help && says help "exit codes:"
run version 0 --version && says version "msgrlab "
run nothing 2
run typo 2 rnu && says typo "did you mean 'run'?"
for command in run show peer bench doctor; do
    run "help-$command" 0 $command --help && says "help-$command" "usage: msgrlab $command"
done
run option-typo 2 run --sede 3 scenarios/hello.lua &&
    says option-typo "did you mean '--seed'?"
run no-value 2 run scenarios/hello.lua --seed && says no-value "'--seed' needs a value"
run bad-seed 2 run scenarios/hello.lua --seed x
run bad-driver 2 run scenarios/hello.lua --driver kqueue &&
    says bad-driver "valid: epoll, poll, select"
run bad-world 2 run scenarios/hello.lua --on mars && says bad-world "valid: linux, sim"
run bad-schedule 2 run scenarios/hello.lua --schedule lifo &&
    says bad-schedule "valid: fifo, random, pct"
[ -n "$(ls /sys/class/infiniband 2>/dev/null)" ] || run no-rdma 4 run scenarios/hello.lua --on linux --stack rdma
run no-script 5 run scenarios/helo.lua && says no-script "did you mean 'hello'?"
run no-script-2 2 run && says no-script-2 "which script?"
run directory 5 run scenarios
run unused-set 0 run scenarios/hello.lua --set pins=3 &&
    says unused-set "the script never asked for --set pins"
run used-set 0 run scenarios/hello.lua --set pings=17 && says used-set "34 sent, 34 received"
run no-trace 3 run scenarios/hello.lua --no-trace &&
    says no-trace "expect.steps needs a trace"
# Without the word in its script, a simulated run has no file that steps could be read from.
sed 's/expect\.steps/expect["st" .. "eps"]/; s/steps/ways/' scenarios/hello.lua >"$tmp/hidden.lua"
run hidden 3 run "$tmp/hidden.lua" && says hidden "keep one with --trace FILE"
run hidden-kept 0 run "$tmp/hidden.lua" --trace "$tmp/hidden.trace"
run doctor 0 doctor && says doctor "listen on 127.0.0.1"
run bench 0 bench --rounds 1 --count 50 && says bench "raw epoll"
run bench-sim 0 bench sim --rounds 1 && says bench-sim "messages of 64 bytes over RDMA"
run bench-sizes 2 bench rdma --sizes 64,2M && says bench-sizes "at most 1M"
run bench-bytes 2 bench rdma --bytes 64 && says bench-bytes "see --sizes"
[ -n "$(ls /sys/class/infiniband 2>/dev/null)" ] ||
    { run bench-rdma 4 bench rdma && says bench-rdma "there is no RDMA device"; }

# Too few descriptors: that cannot be done here, and no expectation failed for it. Either a
# node cannot be made, or, if the nodes are there before, a connection.
cat >"$tmp/many.lua" <<'LUA'
local a, b = node { "a", workers = 1 }, node { "b", workers = 1 }
a:start() b:start()
for _ = 1, 64 do a:connect(b, { anon = true }) end
wait(expect.event(b, "accept", 64):within("2s"))
LUA
for script in scenarios/many_connections.lua "$tmp/many.lua"; do
    name=few-files-$(basename "$script")
    checks=$((checks + 1))
    (
        ulimit -n 80
        "$msgrlab" run "$script" --on linux >"$tmp/$name" 2>&1 </dev/null
        [ $? -eq 4 ]
    ) || fail "$name: another exit code than 4" "$tmp/$name"
    says "$name" "oo many open files"
    says "$name" "raise the limit (ulimit -n)"
    says "$name" "result        cannot run here"
done
says few-files-many.lua "too many open files in this process (EMFILE)"

# A trace is kept, can be shown, and can be replaced; another file cannot.
run trace 0 run scenarios/hello.lua --trace "$tmp/hello.trace" && says trace "records, 0 lost"
run trace-again 0 run scenarios/hello.lua --trace "$tmp/hello.trace"
run show 0 show "$tmp/hello.trace" && says show "send_message"
run show-view 2 show "$tmp/hello.trace" --view nothing
run show-missing 5 show "$tmp/missing.trace"
cp scenarios/hello.lua "$tmp/precious.lua"
run trace-over-file 5 run scenarios/hello.lua --trace "$tmp/precious.lua" &&
    says trace-over-file "is no trace"
cmp -s scenarios/hello.lua "$tmp/precious.lua" || fail "a file was destroyed by --trace"
run trace-nowhere 5 run scenarios/hello.lua --trace "$tmp/no/such/dir/x.trace"

# Two runs with one seed print the same, timing aside.
for i in 1 2; do
    run "seed-$i" 0 run "$here/scripts/random.lua" --on linux --seed 99
    grep -v '^time' "$tmp/seed-$i" >"$tmp/seed-$i.lines"
done
cmp -s "$tmp/seed-1.lines" "$tmp/seed-2.lines" || fail "one seed, two outcomes"

# Ctrl-C: a clean end, the summary so far, a whole trace.
checks=$((checks + 1))
cat >"$tmp/long.lua" <<'LUA'
local a, b = node "a", node "b"
a:connect(b):send_many(5, { front = 10 })
wait(expect.delivered(b, 5))
print "ready"
sleep(60)
LUA
setsid "$msgrlab" run "$tmp/long.lua" --on linux --trace "$tmp/long.trace" >"$tmp/long" 2>&1 </dev/null &
pid=$!
for _ in $(seq 100); do
    grep -q ready "$tmp/long" && break
    sleep 0.1
done
kill -INT $pid
wait $pid
code=$?
[ $code -eq 130 ] || fail "Ctrl-C: exit code $code instead of 130" "$tmp/long"
says long "result        interrupted"
says long "5 sent, 5 received"
run show-long 0 show "$tmp/long.trace" && says show-long "dispatch"

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
