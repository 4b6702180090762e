# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# inside.sh COMMANDS: types the commands that commands.sh has found into one shell, in the
# root of the tree. Runs in the fresh machine, by fresh.sh.
#
# Stops at the first that does not end as it says. What one leaves (variables, jobs, files) is
# there for the next; a job that still runs at the end is an error.
set -m # as a shell at a terminal: jobs have numbers
mapfile -d '' fresh_list <"$1"
exec </dev/null
fresh_count=0

while [ ${#fresh_list[@]} -gt 0 ]; do
    fresh_line=${fresh_list[0]} fresh_expected=${fresh_list[1]} fresh_text=${fresh_list[2]}
    fresh_list=("${fresh_list[@]:3}")
    printf '\n$ %s\n' "$fresh_text"
    fresh_began=$SECONDS
    eval "$fresh_text"
    fresh_code=$?
    if [ "$fresh_code" -ne "$fresh_expected" ]; then
        printf '\nFAILED: README.md:%s: exit code %s instead of %s: %s\n' "$fresh_line" \
            "$fresh_code" "$fresh_expected" "$fresh_text"
        exit 1
    fi
    fresh_count=$((fresh_count + 1))
    [ $((SECONDS - fresh_began)) -lt 2 ] || echo "($((SECONDS - fresh_began)) s)"
done

# What was just told to end may need a moment.
for ((fresh_i = 0; fresh_i < 50; fresh_i++)); do
    [ -n "$(jobs -rp)" ] || break
    sleep 0.1
done
if [ -n "$(jobs -rp)" ]; then
    printf '\nFAILED: README.md leaves this running:\n%s\n' "$(jobs -r)"
    exit 1
fi
printf '\nAll %s commands of README.md ended as they say, after %s s.\n' "$fresh_count" "$SECONDS"
[ "$fresh_count" -gt 0 ]
