#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh GROUP: sees to the packages that GROUP needs; says nothing when all are there.
#
#   build       compile and link the program, and draw its pictures
#   check-fast  also run its tests and check its style
#   check       also the sanitizer and fuzz builds, the tests against real peers, and those
#               on a fresh machine
#   fresh       only what makes the fresh machine (make check-fresh)
#
# A package is wanted when a probe fails, not when dpkg does not know it: what was
# installed by hand counts. On Debian and its children the missing ones are installed,
# elsewhere they are only named. Exit 0: everything is there now.
set -u

group=${1:-build}
only=
case $group in
build) level=1 ;;
check-fast) level=2 ;;
check) level=3 ;;
fresh) level=3 only=debootstrap ;;
*)
    echo "usage: scripts/deps.sh build|check-fast|check|fresh" >&2
    exit 2
    ;;
esac

# ---- probes: one word each, answering by exit code ---------------------------------

# Not everybody's PATH has the programs of administrators.
cmd() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }
pc() {
    local name
    for name; do
        pkg-config --exists "$name" 2>/dev/null && return 0
    done
    return 1
}
# A C header that has no pkg-config file: ask where the compilers look.
hdr() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; }
# libibverbs finds its drivers by these files.
verbs_provider() {
    [ -e "/etc/libibverbs.d/$1.driver" ] || [ -e "/usr/local/etc/libibverbs.d/$1.driver" ]
}
# In the Python that Debian's packages are for, whatever comes first in PATH.
python_module() { /usr/bin/python3 -c "import $1" 2>/dev/null; }
fuzzer_runtime() {
    cmd clang || return 1
    # Where Debian has it; asking clang itself takes longer than everything else here.
    local f
    for f in /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a \
        "$(clang --print-runtime-dir 2>/dev/null)"/libclang_rt.fuzzer*.a; do
        [ -e "$f" ] && return 0
    done
    return 1
}

# ---- the list ----------------------------------------------------------------------

missing=()
reasons=()

# need LEVEL PACKAGE REASON PROBE...: notes PACKAGE when PROBE fails.
need() {
    local at=$1 package=$2 reason=$3
    shift 3
    [ "$at" -le "$level" ] || return 0
    [ -z "$only" ] || [ "$only" = "$package" ] || return 0
    "$@" && return 0
    missing+=("$package")
    reasons+=("$reason")
}

need 1 gcc "the C compiler" cmd gcc
need 1 binutils "archives and symbol lists" cmd ar
need 1 libc6-dev "headers of the C library" hdr stdio.h
need 1 make "runs the Makefile" cmd make
need 1 pkg-config "finds the libraries below" cmd pkg-config
need 1 liblua5.4-dev "Lua, the language of scenarios" pc lua5.4 lua-5.4 lua54
need 1 graphviz "dot, lays out the pictures" cmd dot
need 1 libibverbs-dev "the verbs, for the RDMA stack" pc libibverbs
need 1 libisal-dev "ISA-L, fast crc32c" pc libisal
need 1 libboost-context-dev "Boost.Context, switches stacks in the simulator" hdr boost/context/continuation.hpp

need 2 check "Check, the unit test framework" pc check
need 2 clang-format "source format" cmd clang-format

need 3 clang "the second compiler" cmd clang
need 3 g++ "a C++ program that links the library" cmd g++
need 3 libclang-rt-dev "(of clang's version) libFuzzer and its sanitizers" fuzzer_runtime
need 3 tshark "reads the captures of the simulated network" cmd tshark
need 3 python3 "reads the JSON of ceph and of campaigns" cmd python3
need 3 procps "pgrep, for the tests that look at child processes" cmd pgrep
need 3 patch "puts old bugs into copies of the sources" cmd patch
need 3 util-linux "setarch for the thread sanitizer, unshare for the fresh machine" cmd unshare
need 3 ceph-mon "a real Ceph monitor as a peer" cmd ceph-mon
need 3 ceph-common "monmaptool, rados, rbd and friends, real clients" cmd rados
need 3 python3-rados "librados in Python, a real client" python_module rados
need 3 iproute2 "ss and ip, for the tests on real sockets" cmd ss
need 3 ibverbs-providers "the provider of soft-RoCE" verbs_provider rxe
need 3 ibverbs-utils "ibv_rc_pingpong, for the tests on real verbs" cmd ibv_rc_pingpong
need 3 perftest "ib_send_lat and ib_send_bw, the figures to compare with" cmd ib_send_lat
need 3 qemu-system-x86 "a virtual machine where rdma_rxe cannot be loaded" cmd qemu-system-x86_64
need 3 busybox-static "the first program in that machine" cmd busybox
need 3 xz-utils "unpacks its kernel" cmd xz
need 3 debootstrap "a fresh Debian to try the README in" cmd debootstrap

[ ${#missing[@]} -eq 0 ] && exit 0

# ---- say, then install -------------------------------------------------------------

echo "msgrlab: these packages are missing for \"$group\":"
for i in "${!missing[@]}"; do
    printf '  %-20s %s\n' "${missing[i]}" "${reasons[i]}"
done

if ! cmd apt-get; then
    echo "msgrlab: this system has no apt-get, so nothing was installed." >&2
    echo "Install what corresponds to the Debian packages above, then run make again." >&2
    exit 1
fi

# The runtime library is named after the clang that is here, or is about to be.
name_runtime() {
    local llvm
    llvm=$(clang -dumpversion 2>/dev/null ||
        apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-//p')
    llvm=${llvm%%.*}
    missing=("${missing[@]/#libclang-rt-dev/libclang-rt-${llvm:-14}-dev}")
}

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    if ! cmd sudo; then
        name_runtime
        echo "msgrlab: not root and no sudo. As root, run:" >&2
        echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
    echo "msgrlab: installing them with sudo, which may ask for your password" \
        "(make DEPS=no never installs anything)."
else
    echo "msgrlab: installing them with apt-get (make DEPS=no never installs anything)."
fi

fail() {
    echo "msgrlab: apt-get failed, see above. The packages wanted: ${missing[*]}" >&2
    exit 1
}
"${sudo[@]}" apt-get update -qq || fail
name_runtime
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" || fail
