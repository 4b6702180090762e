#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_devices.sh: the two devices are what the other tests take for granted.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

for i in 0 1; do
    run "devinfo_$i" 0 ibv_devinfo -v -d rxe$i
    says "devinfo_$i" 'PORT_ACTIVE'
    says "devinfo_$i" 'active_mtu:[[:space:]]+1024'
    says "devinfo_$i" "GID\[ *1\]:.*::ffff:192\.0\.2\.$((i + 1)), RoCE v2"
done
ok "rxe0 and rxe1 are active, their MTU is 1024, GID 1 is that of the IPv4 address"

[ "$(ulimit -l)" = unlimited ] || fail "the limit of locked memory is $(ulimit -l)"
ok "locked memory is not limited"

echo stays >"$dir/file" && [ "$(<"$dir/file")" = stays ] || fail "cannot write to $dir"
ok "$dir is writable"
