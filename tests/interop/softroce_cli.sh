#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# softroce_cli.sh: what "msgrlab softroce" says and does before a machine boots: its command line,
# what is missing, and the cache, which is made from a package of a few bytes: of many at the same
# time, of somebody else, with no right to write, damaged, and after the death of who made it.
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/cli.bash
set -u

# A package that has all that is looked for; what the kernel "has built in" is no file.
make_package() {
    local root=$tmp/package/root at name
    at=$root/lib/modules/1.2.3-test-amd64
    mkdir -p "$root/DEBIAN" "$root/boot" "$at/kernel/drivers/infiniband/sw/rxe" "$at/kernel/net"
    printf 'Package: linux-image-test\nVersion: 1\nArchitecture: amd64\n%s\n%s\n' \
        'Maintainer: nobody <nobody@example.org>' 'Description: a test' >"$root/DEBIAN/control"
    { printf 'head' && printf '\177ELF and so on' | xz && printf 'tail'; } >"$root/boot/vmlinuz-1"
    for name in virtio_pci virtio_console 9pnet_virtio 9p overlay crc32_generic ib_uverbs veth; do
        echo "kernel/$name.ko"
    done >"$at/modules.builtin"
    printf 'depends=udp_tunnel\0' >"$at/kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko"
    printf 'depends=\0' >"$at/kernel/net/udp_tunnel.ko"
    printf 'depends=\0' >"$at/kernel/net/sch_netem.ko"
    dpkg-deb --root-owner-group -b "$root" "$tmp/linux-image.deb" >/dev/null
}

# prepare NAME EXPECTED-EXIT CACHE [COMMAND...]: --prepare, by that command.
prepare() {
    local name=$1 want=$2 cache=$3 code
    shift 3
    checks=$((checks + 1))
    "$@" "$msgrlab" softroce --cache "$cache" --prepare >"$tmp/$name" 2>&1
    code=$?
    [ $code -eq "$want" ] || fail "$name: exit code $code instead of $want" "$tmp/$name"
}

# is_whole CACHE: one kernel, with its modules in order, and nothing else.
is_whole() {
    checks=$((checks + 1))
    [ "$(cd "$1" && find . -type f | sed 's/softroce-[0-9]*/K/' | LC_ALL=C sort | tr '\n' ' ')" = \
        "./K/modules/order ./K/modules/rdma_rxe.ko ./K/modules/sch_netem.ko \
./K/modules/udp_tunnel.ko ./K/release ./K/sizes ./K/vmlinux " ] &&
        [ "$(cat "$1"/*/vmlinux)" = $'\177ELF and so on' ] &&
        [ "$(tr '\n' ' ' <"$(echo "$1"/*/modules/order)")" = "udp_tunnel rdma_rxe sch_netem " ] ||
        fail "$1 is not whole: $(find "$1")"
}

# ---- the command line ------------------------------------------------------------------

run help 0 softroce --help
says help "usage: msgrlab softroce [OPTION...] -- COMMAND [ARG...]"
says help "  124  the time of COMMAND was up"
run nothing 2 softroce
says nothing "which command? msgrlab softroce -- COMMAND"
run both 2 softroce --prepare -- true
says both "--prepare runs no command"
run option 2 softroce --cahe x -- true
says option "did you mean '--cache'?"
for time in 0 -1 x 1y 1e9; do
    run time 2 softroce --time $time -- true
    says time "--time $time: a time is wanted"
done
run memory 2 softroce --memory 1 -- true
says memory "--memory 1: a number is wanted, 96 to"
run where 2 softroce --where there -- true
says where "valid are vm, host, any"
run no_folder 2 softroce --out "" -- true
says no_folder "--out: a folder is wanted"

# ---- what is missing ---------------------------------------------------------------------

mkdir "$tmp/bin"
ln -s "$(command -v bash)" "$(command -v dirname)" "$(command -v uname)" "$(command -v sed)" "$tmp/bin"
checks=$((checks + 1))
PATH=$tmp/bin "$msgrlab" softroce -- true >"$tmp/missing" 2>&1
code=$?
[ $code -eq 125 ] || fail "nothing there: exit code $code instead of 125" "$tmp/missing"
says missing "missing here: qemu-system-x86_64, busybox,"
says missing "apt-get install --no-install-recommends qemu-system-x86 busybox-static"
# Its packages are those of the recipe.
for package in $(sed -n 's/.*--no-install-recommends //p' "$tmp/missing"); do
    checks=$((checks + 1))
    sed -n '/^```sh packages/,/^```$/p' docs/softroce.md | grep -qw -e "$package" ||
        dpkg-query -W -f '${Essential} ${Priority}' "$package" | grep -qE 'yes|required' ||
        fail "docs/softroce.md does not name the package $package"
done

for need in qemu-system-x86_64 busybox rdma setpriv flock xz dpkg-deb; do
    command -v $need >/dev/null && continue
    echo "skipped: no program $need, so nothing of the cache was tested"
    exit 77
done

# ---- the cache -----------------------------------------------------------------------------

make_package || fail "no package"
export SOFTROCE_DEB=$tmp/linux-image.deb

# Many at a time: one makes it. Their folder is not there yet.
for i in 1 2 3 4 5 6; do
    "$msgrlab" softroce --cache "$tmp/a/b c" --prepare >"$tmp/many$i" 2>&1 &
done
wait
for i in 1 2 3 4 5 6; do
    says many$i "in a virtual machine: QEMU, Linux 1.2.3-test-amd64"
done
is_whole "$tmp/a/b c"

# A file is cut short, one is lost: made again.
: >"$(echo "$tmp/a/b c"/*/vmlinux)"
prepare cut 0 "$tmp/a/b c"
is_whole "$tmp/a/b c"
rm "$(echo "$tmp/a/b c"/*/modules/rdma_rxe.ko)"
prepare lost 0 "$tmp/a/b c"
is_whole "$tmp/a/b c"

# Who makes it is killed, at any moment of its work: what it leaves disturbs nobody.
mkdir "$tmp/slow"
cat >"$tmp/make_it" <<END
#!$(command -v bash)
echo \$\$ >$tmp/maker
PATH=$tmp/slow:\$PATH exec scenarios/softroce/kernel.sh
END
chmod +x "$tmp/make_it"
for program in xz find mv chmod; do
    cat >"$tmp/slow/$program" <<END
#!$(command -v bash)
kill -KILL \$(cat "$tmp/maker")
END
    chmod +x "$tmp/slow/$program"
    rm -rf "$tmp/killed"
    checks=$((checks + 1))
    { SOFTROCE_CACHE=$tmp/killed "$tmp/make_it"; } >"$tmp/maker.out" 2>&1
    code=$?
    [ $code -eq 137 ] || fail "killed in $program: exit code $code" "$tmp/maker.out"
    [ -n "$(ls "$tmp/killed")" ] || fail "killed in $program, but nothing was left"
    rm "$tmp/slow/$program"
    prepare "killed_in_$program" 0 "$tmp/killed"
    is_whole "$tmp/killed"
done

# Not a package at all.
echo "no package" >"$tmp/linux-image.deb"
prepare no_package 125 "$tmp/new"
says no_package "cannot take $tmp/linux-image.deb apart"
[ -z "$(ls "$tmp/new")" ] || fail "what is no package left something"
SOFTROCE_DEB=$tmp/nowhere prepare no_file 125 "$tmp/new"
says no_file "cannot read $tmp/nowhere, which SOFTROCE_DEB names"

# Somebody else's, and no right to write.
if [ "$(id -u)" -eq 0 ]; then
    make_package
    prepare ours 0 "$tmp/new"
    mkdir -p "$tmp/opt/bin" "$tmp/opt/share/msgrlab"
    cp -p "$msgrlab" "$tmp/opt/bin/msgrlab"
    cp -pr scenarios/softroce "$tmp/opt/share/msgrlab"
    chmod -R a+rX "$tmp/opt" "$tmp/new" "$tmp/linux-image.deb" && chmod a+x "$tmp"
    mkdir "$tmp/empty"
    nobody() {
        setpriv --reuid=65534 --regid=65534 --clear-groups \
            env -u XDG_CACHE_HOME -u SOFTROCE_CACHE HOME=/nonexistent "$@"
    }
    msgrlab=$tmp/opt/bin/msgrlab
    prepare foreign 0 "$tmp/new" nobody
    says foreign "Linux 1.2.3-test-amd64"
    prepare read_only 125 "$tmp/empty" nobody
    says read_only "$tmp/empty has no whole kernel for this msgrlab, and nobody cannot write there"
    says read_only "name another folder with --cache"
    prepare no_way 125 "$tmp/empty/deep" nobody
    says no_way "cannot make the folder $tmp/empty/deep"
    checks=$((checks + 1))
    nobody "$msgrlab" softroce --prepare >"$tmp/homeless" 2>&1
    says homeless "cannot make the folder /nonexistent/.cache/msgrlab for kernels; name another with --cache"
fi

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
