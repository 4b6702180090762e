#!/usr/bin/env bash
# Compiled with -DMSGRLAB_NO_TRACE the engine holds no trace point at all: no call into the
# recorder is left in any object.
set -eu

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for source in engine/*/*.c stacks/tcp/*.c; do
    [ "$source" = engine/trace/trace.c ] && continue
    gcc -std=gnu11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -DMSGRLAB_NO_TRACE -I. -c "$source" \
        -o "$out/$(basename "$source" .c).o"
done
if nm -u "$out"/*.o | grep -E 'trace_emit|trace_enter'; then
    echo "FAIL: trace points are left in a build without them"
    exit 1
fi
echo "ok: $(ls "$out"/*.o | wc -l) objects, no trace point in them"
