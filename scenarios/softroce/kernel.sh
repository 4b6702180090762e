#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel.sh: makes the kernel of the virtual machine and prints the folder it is in:
#   vmlinux    the kernel, as a plain ELF file: that starts 3.5 s sooner in an emulated machine
#   modules/   what the guest loads, and "order", a name a line
#   release    the kernel's version
#   sizes      of all these: a folder that does not agree with it is made again
#
# The kernel is Debian's package linux-image-..., fetched with "apt-get download", which needs no
# root, and taken apart; nothing is installed. It is kept in $SOFTROCE_CACHE, else
# $XDG_CACHE_HOME/msgrlab, else ~/.cache/msgrlab, in a folder whose name stands for the way it was
# made. Many users and processes may share a cache: one makes the folder under another name
# while the others wait, and renames it when it is whole, so whatever ends it leaves nothing that
# counts. Who finds the folder whole only reads.
#
# SOFTROCE_DEB=FILE takes that package instead of fetching one.
set -u -o pipefail

# Beside whatever these depend on; the order does not matter. rxe needs a crc32 from the crypto
# layer and does not say so. What is built in is passed over.
wanted="virtio_pci virtio_console 9pnet_virtio 9p overlay crc32_generic ib_uverbs rdma_rxe
    veth sch_netem"

say() {
    echo "softroce: $*" >&2
}
fail() {
    say "$@"
    exit 1
}

cache=${SOFTROCE_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/msgrlab}}
cache=${cache:-${HOME:+$HOME/.cache/msgrlab}}
[ -n "$cache" ] || fail "where is the cache of kernels to be? Name a folder with --cache"
deb=${SOFTROCE_DEB:+$(realpath "$SOFTROCE_DEB")}
[ -z "$deb" ] || [ -r "$deb" ] || fail "cannot read $deb, which SOFTROCE_DEB names"

recipe=$({
    cat "$0"
    [ -z "$deb" ] || stat -c '%n %s %Y' "$deb"
} | cksum)
folder=softroce-${recipe%% *}

# ---- what is there -------------------------------------------------------------------

sizes_of() {
    (cd "$1" && find vmlinux modules release -type f -printf '%s %p\n' | LC_ALL=C sort) 2>/dev/null
}

# Prints the folder and ends the script, if it is there and whole.
take() {
    [ -r "$cache/$folder/sizes" ] &&
        [ "$(sizes_of "$cache/$folder")" = "$(cat "$cache/$folder/sizes")" ] || return
    (cd "$cache/$folder" && pwd)
    exit 0
}

take
mkdir -p "$cache" 2>/dev/null
[ -d "$cache" ] || fail "cannot make the folder $cache for kernels; name another with --cache"
[ -w "$cache" ] && [ -x "$cache" ] ||
    fail "$cache has no whole kernel for this msgrlab, and $(id -un) cannot write there: it" \
        "belongs to $(stat -c %U "$cache"). Let its owner run" \
        "\"msgrlab softroce --cache $cache --prepare\", or name another folder with --cache"

# A lock on the folder itself: a file could be somebody else's.
exec {lock}<"$cache" || exit 1
if ! flock -n "$lock"; then
    say "waiting for another process that makes the kernel in $cache"
    flock "$lock"
fi
take

# Nobody but the holder of the lock makes these: what is there now is what somebody left who
# was killed.
rm -rf "$cache"/softroce-new.* 2>/dev/null
tmp=$(mktemp -d "$cache/softroce-new.XXXXXX") || fail "cannot write to $cache"
fetcher=
clean() {
    [ -z "$fetcher" ] || kill "$fetcher" 2>/dev/null
    rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- the package ---------------------------------------------------------------------

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
    [ -n "$name" ] || fail "apt-get knows no package linux-image-amd64: as root, run apt-get" \
        "update; where there is none, get Debian's linux-image-...-amd64 and set SOFTROCE_DEB to it"
    say "fetching $name (70 MB, once) into $cache"
    # In the background, so that a signal is heard.
    (cd "$tmp" && exec apt-get download -qq "$name") >"$tmp/log" 2>&1 {lock}<&- &
    fetcher=$!
    wait "$fetcher" || {
        cat "$tmp/log" >&2
        fail "apt-get download $name failed; an old list? As root, run apt-get update"
    }
    fetcher=
    deb=$(echo "$tmp"/linux-image-*.deb)
}

# Only what may be needed: the rest is 380 MB. Not every kernel has all of it.
unpack() {
    local codes
    mkdir "$tmp/package"
    dpkg-deb --fsys-tarfile "$deb" | LC_ALL=C tar -x -C "$tmp/package" --wildcards \
        './boot/vmlinuz-*' '*/modules.builtin' '*/kernel/crypto/*' '*/kernel/lib/*' \
        '*/kernel/arch/x86/crypto/crc32*' '*/kernel/drivers/virtio/*' \
        '*/kernel/drivers/infiniband/*' '*/kernel/drivers/char/virtio_console*' \
        '*/kernel/drivers/net/veth*' '*/kernel/fs/9p/*' '*/kernel/fs/netfs/*' \
        '*/kernel/fs/fscache/*' '*/kernel/fs/overlayfs/*' '*/kernel/net/*' 2>"$tmp/log"
    codes=("${PIPESTATUS[@]}")
    if grep -vE 'Not found in archive|Exiting with failure status' "$tmp/log" >&2 ||
        [ "${codes[0]}" -ne 0 ]; then
        fail "cannot take $deb apart into $cache"
    fi
    modules=$(echo "$tmp"/package/lib/modules/*)
    [ -d "$modules" ] || modules=$(echo "$tmp"/package/usr/lib/modules/*)
    [ -d "$modules/kernel/drivers/infiniband/sw/rxe" ] ||
        fail "the kernel in $deb has no rdma_rxe (the cloud flavour has none)"
}

# Debian's vmlinuz holds the ELF file as one xz stream, with other bytes behind it.
unpack_kernel() {
    local image at
    image=$(echo "$tmp"/package/boot/vmlinuz-*)
    for at in $(LC_ALL=C grep -obUaP '\xfd7zXZ\x00' "$image" | cut -d: -f1); do
        xz -dc --single-stream < <(tail -c +$((at + 1)) "$image") >"$tmp/made/vmlinux" \
            2>"$tmp/log" || continue
        [ "$(head -c 4 "$tmp/made/vmlinux" | tail -c 3)" = ELF ] && return
    done
    cp "$image" "$tmp/made/vmlinux" || exit 1
}

# ---- the modules, those that others depend on first ------------------------------------

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
    local name=${1//-/_} file other copy
    is_chosen "$name" && return
    file=$(find_module "$name")
    if [ -z "$file" ]; then
        grep -qE "/${name//_/[-_]}\.ko" "$modules/modules.builtin" && return
        fail "the kernel package has no module $name"
    fi
    copy=$tmp/made/modules/$name.ko
    case $file in
    *.xz) xz -dc "$file" >"$copy" ;;
    *) cp "$file" "$copy" ;;
    esac || fail "cannot write $copy"
    # Each of these strings ends with a NUL.
    for other in $(tr '\0' '\n' <"$copy" |
        LC_ALL=C sed -n 's/^depends=\([a-zA-Z0-9_,-]*\)$/\1/p' | tr , ' '); do
        choose "$other"
    done
    # Found only while it loads: virtio_pci cannot without its old half.
    [ "$name" = virtio_pci ] && [ -n "$(find_module virtio_pci_legacy_dev)" ] &&
        choose virtio_pci_legacy_dev
    chosen+=("$name")
}

choose_modules() {
    local name
    chosen=()
    for name in $wanted; do
        choose "$name"
    done
    printf '%s\n' "${chosen[@]}" >"$tmp/made/modules/order"
}

# ---- all of it -------------------------------------------------------------------------

[ -n "$deb" ] || fetch
unpack
mkdir -p "$tmp/made/modules"
unpack_kernel
choose_modules
basename "$modules" >"$tmp/made/release"
sizes_of "$tmp/made" >"$tmp/made/sizes"
[ -s "$tmp/made/sizes" ] || fail "cannot write to $cache: is there no space left?"
chmod -R a+rX "$tmp/made"
# What is there under that name is not whole: take has looked.
rm -rf "${cache:?}/$folder"
mv -T "$tmp/made" "$cache/$folder" || fail "cannot put the kernel into $cache"
take
fail "the kernel in $cache is not whole: is there no space left?"
