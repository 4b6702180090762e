#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# linking.sh: an embedding program needs what "make install" gives and nothing else.
#
#   1. each installed header compiles by itself, as C11 and as C++17, without a warning
#   2. docs/examples/two.c, with gcc, clang and g++, by plain pkg-config --cflags --libs, runs
#   3. so does a program that uses the RDMA stack
#   4. no private header is installed, and uninstalling leaves no file
#
# Prints what was not as expected; exit 0 if nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS GOAL FLAVOUR OPT
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failures=0 checks=0

fail() {
    echo "FAILED: $1"
    [ -n "${2:-}" ] && sed 's/^/    | /' "$2"
    failures=$((failures + 1))
}

# try WHAT COMMAND...: must exit with 0; output in $tmp/out
try() {
    local what=$1
    shift
    checks=$((checks + 1))
    timeout -k 5 60 "$@" >"$tmp/out" 2>&1 </dev/null && return 0
    fail "$what: exit code $?: $*" "$tmp/out"
    return 1
}

install=(make DEPS=no PREFIX="$tmp/inst")
timeout 250 "${install[@]}" install >"$tmp/out" 2>&1 || {
    fail "make install" "$tmp/out"
    exit 1
}
export PKG_CONFIG_PATH=$tmp/inst/lib/pkgconfig
read -r -a cflags < <(pkg-config --cflags msgrlab)
read -r -a libs < <(pkg-config --libs msgrlab)
strict=(-Wall -Wextra -Werror)
as_c=("gcc -std=c11 -pedantic" "clang -std=c11 -pedantic")
as_cxx=("g++ -x c++ -std=c++17")
command -v clang++ >/dev/null && as_cxx+=("clang++ -x c++ -std=c++17")

# ---- 1. headers ----------------------------------------------------------------------

include=$tmp/inst/include/msgrlab
while read -r header; do
    echo "#include \"$header\"" >"$tmp/one.c"
    for compiler in "${as_c[@]}" "${as_cxx[@]}"; do
        # shellcheck disable=SC2086
        try "$header" $compiler "${strict[@]}" "${cflags[@]}" -fsyntax-only "$tmp/one.c"
    done
done < <(cd "$include" && find . -name '*.h' -printf '%P\n' | sort)

# ---- 2. two messengers ---------------------------------------------------------------

# builds SOURCE SAYS: with each compiler; what comes out says SAYS.
builds() {
    local compiler
    for compiler in "${as_c[@]}" "${as_cxx[@]}"; do
        # shellcheck disable=SC2086
        try "$1" $compiler "${strict[@]}" "$1" "${cflags[@]}" "${libs[@]}" -o "$tmp/program" &&
            try "$1 by $compiler" "$tmp/program" || continue
        grep -qF "$2" "$tmp/out" || fail "$1 by $compiler does not say: $2" "$tmp/out"
    done
}
builds docs/examples/two.c "received: hello"
[ "$(wc -l <docs/examples/two.c)" -lt 80 ] || fail "docs/examples/two.c is no short example"

# ---- 3. RDMA -------------------------------------------------------------------------

# No device has this name anywhere, so the stack says so.
cat >"$tmp/rdma.c" <<'END'
#include <stdio.h>
#include "engine/messenger.h"
#include "stacks/rdma/rdma_stack.h"

int main(void)
{
    struct os *os = os_linux_new(1, "a");
    struct network_stack *stack;
    struct rdma_opts opts;
    struct verbs *verbs;
    char why[200] = "";

    rdma_opts_init(&opts);
    rdma_opts_set(&opts, "device_name", "no such device");
    if (verbs_rdmacore_new(os, &verbs) == 0 &&
        rdma_stack_new(os, verbs, &opts, &stack, why, sizeof(why)) < 0) {
        printf("%s\n", why);
    }
    os_linux_free(os);
    return 0;
}
END
builds "$tmp/rdma.c" "device"

# ---- 4. what is there, and goes ------------------------------------------------------

for private in engine/proto/wire.h engine/util.h engine/msgr/connection.h stacks/rdma/rdma_impl.h; do
    [ ! -e "$include/$private" ] || fail "$private is private, and installed"
done
try uninstall "${install[@]}" uninstall
find "$tmp/inst" -type f >"$tmp/left"
[ ! -s "$tmp/left" ] || fail "make uninstall leaves files" "$tmp/left"

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
