#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel.sh: makes the kernel and the first root of the virtual machine that softroce.sh boots,
# and prints the directory they are in: vmlinux, initrd, release.
#
# The kernel is Debian's package linux-image-..., fetched with "apt-get download" and taken
# apart; nothing is installed. It is made once and kept in
#   $SOFTROCE_CACHE, else $XDG_CACHE_HOME/msgrlab, else build/cache
# Several callers may come at the same time: one makes it, the others wait.
#
# SOFTROCE_DEB=FILE takes that package instead of fetching one.
set -u
cd "$(dirname "$0")/../.." || exit 1

cache=${SOFTROCE_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/msgrlab}}
cache=${cache:-$PWD/build/cache}
init=scenarios/softroce/init.sh

# What the guest loads, beside whatever these depend on; the order does not matter. rxe needs
# a crc32 from the crypto layer and does not say so. What is built in is passed over.
wanted="virtio_pci virtio_console 9pnet_virtio 9p overlay crc32_generic ib_uverbs rdma_rxe
    veth sch_netem"

fail() {
    echo "kernel.sh: $*" >&2
    exit 1
}

for need in dpkg-deb:dpkg xz:xz-utils flock:util-linux busybox:busybox-static; do
    command -v "${need%:*}" >/dev/null ||
        fail "no program '${need%:*}': install the package ${need#*:}"
done
busybox=$(command -v busybox)
# The guest's first program runs before there is any library.
if ldd "$busybox" >/dev/null 2>&1; then
    fail "$busybox is not a static program: install the package busybox-static"
fi

mkdir -p "$cache" || fail "cannot make the directory $cache"
exec {lock}>"$cache/softroce.lock"
flock -w 300 "$lock" || fail "somebody else has been making $cache for 5 minutes"

# Anew when what it is made from changed.
recipe="$(cat "$0" "$init" | cksum) ${SOFTROCE_DEB:-}"
if [ -e "$cache/softroce/made" ] && [ "$(cat "$cache/softroce/made")" = "$recipe" ]; then
    echo "$cache/softroce"
    exit 0
fi

tmp=$(mktemp -d "$cache/softroce.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# ---- the package -------------------------------------------------------------------

# The package that the name without a version stands for today.
image_name() {
    apt-cache depends linux-image-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' | head -n 1
}

fetch() {
    local name
    command -v apt-get >/dev/null ||
        fail "no apt-get here: get Debian's linux-image-...-amd64 and set SOFTROCE_DEB to it"
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
        fail "the virtual machine is an amd64 one, and so must be this system"
    name=$(image_name)
    if [ -z "$name" ] && [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq >&2
        name=$(image_name)
    fi
    [ -n "$name" ] || fail "apt-get knows no kernel: run apt-get update"
    echo "softroce: fetching $name (70 MB, once) into ${cache#"$PWD/"}" >&2
    (cd "$tmp" && apt-get download -qq "$name") >"$tmp/log" 2>&1 || {
        cat "$tmp/log" >&2
        fail "apt-get download $name failed; an old list? run apt-get update"
    }
    deb=$(echo "$tmp"/linux-image-*.deb)
}

# Only what may be needed: the rest is 380 MB.
unpack() {
    mkdir "$tmp/package"
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tmp/package" --wildcards \
        './boot/vmlinuz-*' './lib/modules/*/modules.builtin' './lib/modules/*/kernel/crypto/*' \
        './lib/modules/*/kernel/arch/x86/crypto/crc32*' './lib/modules/*/kernel/lib/*' \
        './lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/drivers/infiniband/*' \
        './lib/modules/*/kernel/drivers/char/virtio_console*' './lib/modules/*/kernel/fs/9p/*' \
        './lib/modules/*/kernel/fs/netfs/*' './lib/modules/*/kernel/fs/fscache/*' \
        './lib/modules/*/kernel/fs/overlayfs/*' './lib/modules/*/kernel/net/*' \
        './lib/modules/*/kernel/drivers/net/veth*' \
        2>"$tmp/log" || ls "$tmp"/package/boot/vmlinuz-* >/dev/null 2>&1 || {
        cat "$tmp/log" >&2
        fail "cannot take $deb apart"
    }
    modules=$(echo "$tmp"/package/lib/modules/*)
    [ -d "$modules" ] || modules=$(echo "$tmp"/package/usr/lib/modules/*)
    [ -d "$modules/kernel/drivers/infiniband/sw/rxe" ] ||
        fail "the kernel in $deb has no rdma_rxe (the cloud flavour has none)"
}

# ---- the kernel: plain ELF starts 3.5 s sooner in an emulated machine ----------------

# Debian's vmlinuz holds the ELF file as one xz stream, with other bytes behind it.
unpack_kernel() {
    local image at
    image=$(echo "$tmp"/package/boot/vmlinuz-*)
    mkdir "$tmp/made"
    for at in $(LC_ALL=C grep -obUaP '\xfd7zXZ\x00' "$image" | cut -d: -f1); do
        tail -c +$((at + 1)) "$image" | xz -dc --single-stream >"$tmp/made/vmlinux" 2>/dev/null
        [ "$(head -c 4 "$tmp/made/vmlinux" | tail -c 3)" = ELF ] && return
    done
    cp "$image" "$tmp/made/vmlinux"
}

# ---- the modules, those that others depend on first ---------------------------------

find_module() {
    find "$modules/kernel" -name "${1//_/[-_]}.ko*" | head -n 1
}

# is_chosen NAME
is_chosen() {
    case " ${chosen[*]} " in
    *" $1 "*) true ;;
    *) false ;;
    esac
}

# choose NAME: puts it behind what it depends on, which it says in its own text.
choose() {
    local name=${1//-/_} file other
    is_chosen "$name" && return
    file=$(find_module "$name")
    if [ -z "$file" ]; then
        grep -qE "/${name//_/[-_]}\.ko" "$modules/modules.builtin" && return
        fail "the kernel package has no module $name"
    fi
    case $file in
    *.xz) xz -dc "$file" >"$tmp/first/modules/$name.ko" ;;
    *) cp "$file" "$tmp/first/modules/$name.ko" ;;
    esac
    # Each of these strings ends with a NUL.
    for other in $(tr '\0' '\n' <"$tmp/first/modules/$name.ko" |
        LC_ALL=C sed -n 's/^depends=\([a-zA-Z0-9_,-]*\)$/\1/p' | tr , ' '); do
        choose "$other"
    done
    # Found only while it loads: virtio_pci cannot without its old half.
    [ "$name" = virtio_pci ] && [ -n "$(find_module virtio_pci_legacy_dev)" ] &&
        choose virtio_pci_legacy_dev
    chosen+=("$name")
}

first_root() {
    local name
    mkdir -p "$tmp/first/modules" "$tmp/first/bin"
    chosen=()
    for name in $wanted; do
        choose "$name"
    done
    printf '%s\n' "${chosen[@]}" >"$tmp/first/modules/order"
    cp "$busybox" "$tmp/first/bin/busybox"
    cp "$init" "$tmp/first/init"
    chmod 755 "$tmp/first/init"
    (cd "$tmp/first" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$tmp/made/initrd"
    [ -s "$tmp/made/initrd" ] || fail "cannot pack the first root"
}

deb=${SOFTROCE_DEB:-}
[ -n "$deb" ] || fetch
unpack
unpack_kernel
first_root
basename "$modules" >"$tmp/made/release"
echo "$recipe" >"$tmp/made/made"
rm -rf "$cache/softroce"
mv "$tmp/made" "$cache/softroce" || exit 1
echo "$cache/softroce"
