# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# vm.bash: the two devices in a virtual machine that lives as long as one command. Sourced by
# softroce.sh. QEMU gets three shares: the host's root, read only; the run folder with what the
# guest must know and where it leaves the exit status (guest.sh lists the files); the folder
# that comes back, if one was named.

boot_seconds=120

# ---- what it needs ---------------------------------------------------------------------

vm_find() {
    PATH=$PATH:/usr/sbin:/sbin command -v "$1"
}

# The provider is not needed to boot, but without it no program sees a device.
vm_has_provider() {
    local file
    for file in /etc/libibverbs.d/rxe.driver /usr/local/etc/libibverbs.d/rxe.driver; do
        [ -e "$file" ] && return 0
    done
    return 1
}

# vm_check: all programs, or one error that names them all, and their packages.
vm_check() {
    local need lacks=() packages=() busybox
    [ "$(uname -m)" = x86_64 ] ||
        cannot "the machine is an x86_64 one and runs this host's programs: not on $(uname -m)"
    for need in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static rdma:iproute2 \
        ip:iproute2 setpriv:util-linux flock:util-linux xz:xz-utils dpkg-deb:dpkg; do
        vm_find "${need%:*}" >/dev/null && continue
        lacks+=("${need%:*}")
        [[ " ${packages[*]-} " == *" ${need#*:} "* ]] || packages+=("${need#*:}")
    done
    # The guest's first program runs before there is any library.
    busybox=$(vm_find busybox) && ldd "$busybox" >/dev/null 2>&1 &&
        lacks+=("a busybox that is a static program") && packages+=(busybox-static)
    if [ ${#lacks[@]} -gt 0 ]; then
        say "missing here: $(printf '%s, ' "${lacks[@]}" | sed 's/, $//')"
        cannot "on Debian: apt-get install --no-install-recommends ${packages[*]}"
    fi
    vm_has_provider || say "libibverbs has no rxe driver here: the devices will be there, but no" \
        "program will see them; on Debian: apt-get install ibverbs-providers"
}

# vm_prepare: sets $kernel to a folder of the cache. In the background, so that a signal ends it
# at once.
vm_prepare() {
    vm_check
    run=$(mktemp -d "${TMPDIR:-/tmp}/msgrlab-softroce.XXXXXX") ||
        cannot "cannot make a folder in ${TMPDIR:-/tmp}: set TMPDIR to one that can be written"
    child=
    trap vm_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    setpriv --pdeathsig TERM "$here/kernel.sh" >"$run/kernel" &
    child=$!
    wait "$child" || exit 125
    child=
    kernel=$(cat "$run/kernel")
}

vm_cleanup() {
    [ "$BASHPID" = $$ ] || return
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null
        wait "$child" 2>/dev/null
    fi
    if [ -n "${SOFTROCE_KEEP:-}" ]; then
        say "kept: $run"
    else
        rm -rf "$run"
    fi
}

# ---- one machine -----------------------------------------------------------------------

# vm_write_orders COMMAND...: what guest.sh reads.
vm_write_orders() {
    case $(pwd -P)/ in
    /run/* | /dev/* | /proc/* | /sys/*)
        cannot "the machine has /run, /dev, /proc and /sys of its own: start in a directory" \
            "outside of them, not in $(pwd -P)"
        ;;
    esac
    mkdir "$run/share"
    env -0 >"$run/share/environment"
    printf '%s\0' "$@" >"$run/share/command"
    pwd >"$run/share/directory"
    echo "$limit" >"$run/share/limit"
    echo "$out" >"$run/share/out-path"
    echo "$here/guest.sh" >"$run/share/guest-path"
}

# The first root: what runs before the host's files are there.
vm_pack_first_root() {
    local busybox
    busybox=$(vm_find busybox)
    mkdir -p "$run/first/bin" && cp "$busybox" "$run/first/bin/busybox" &&
        cp "$here/init.sh" "$run/first/init" && chmod 755 "$run/first/init" &&
        cp -r "$kernel/modules" "$run/first/modules" &&
        (cd "$run/first" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$run/initrd" ||
        cannot "cannot write to $run: is there no space left?"
}

# vm_start: QEMU in the background, its pid in $child. Should this script be killed, QEMU goes,
# too; and after all limits it goes by itself. Its options have commas between them.
vm_start() {
    local share=security_model=none,multidevs=remap options=()
    [ -n "$out" ] && options=(-virtfs "local,path=${out//,/,,},mount_tag=out,$share")

    # Through a pipe and cat: QEMU would open, and truncate, a file by itself.
    mkfifo "$run/out" "$run/err" || cannot "cannot write to $run"
    cat <"$run/out" &
    cat_out=$!
    cat <"$run/err" >&2 &
    cat_err=$!
    exec {to_out}>"$run/out" {to_err}>"$run/err"
    setpriv --pdeathsig TERM timeout -k 5 $((limit + boot_seconds + 30)) \
        qemu-system-x86_64 -M pc -accel "${SOFTROCE_ACCEL:-tcg,thread=multi}" -cpu max \
        -smp "$processors" -m "$memory" -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$kernel/vmlinux" -initrd "$run/initrd" \
        -append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off tsc=reliable \
no_timer_check cryptomgr.notests nokaslr random.trust_cpu=on" \
        -serial "file:$run/console" -device isa-debug-exit,iobase=0xf4,iosize=4 \
        -device virtio-serial-pci \
        -chardev "file,id=out,path=/dev/fd/$to_out" -device virtserialport,chardev=out,name=out \
        -chardev "file,id=err,path=/dev/fd/$to_err" -device virtserialport,chardev=err,name=err \
        -virtfs "local,path=/,mount_tag=host,readonly=on,$share" \
        -virtfs "local,path=${run//,/,,}/share,mount_tag=run,$share" \
        "${options[@]}" </dev/null >"$run/qemu" 2>&1 &
    child=$!
    exec {to_out}>&- {to_err}>&-
}

# vm_wait: returns QEMU's exit status. Where nobody reads what the command prints any more, it
# ends as if by SIGPIPE.
vm_wait() {
    local status ended waiting=("$child" "$cat_out" "$cat_err")
    while true; do
        wait -n -p ended "${waiting[@]}"
        status=$?
        [ "$ended" = "$child" ] && break
        [ $status -eq 0 ] || exit 141
        # Its end of the pipe is closed: QEMU is about to end, too.
        waiting=("$child")
    done
    child=
    wait "$cat_out" "$cat_err"
    return $status
}

# vm_last_words: what the kernel said from its first complaint on, else its last lines.
vm_last_words() {
    local from
    [ -s "$run/console" ] || return
    from=$(grep -nE -m 1 'BUG:|Oops|Kernel panic|general protection|softroce:' "$run/console" |
        cut -d: -f1)
    tail -n "+${from:-1}" "$run/console" >"$run/words"
    if [ -n "$from" ]; then
        head -n 40 "$run/words"
    else
        tail -n 30 "$run/words"
    fi | sed 's/^/console: /'
}

# vm_run COMMAND...: ends the script with its exit status.
vm_run() {
    local status
    vm_prepare
    vm_write_orders "$@"
    vm_pack_first_root
    vm_start
    vm_wait
    status=$?
    [ -s "$run/share/status" ] && exit "$(cat "$run/share/status")"

    # It ended without a word: say what can be known.
    cat "$run/qemu" >&2
    vm_last_words >&2
    case $status in
    124 | 137) cannot "the machine gave no sign within $((limit + boot_seconds + 30)) s" ;;
    esac
    [ -s "$run/console" ] || cannot "QEMU did not run (its exit status: $status)"
    cannot "the machine died (QEMU's exit status: $status)"
}
