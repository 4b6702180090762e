#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# peer_refused.sh: who comes to our server and gets no session leaves one line that says why,
# and a client of ours that gets none says how far it came: through a forwarder, from a v1
# client, a web browser, ssh, TLS, garbage, somebody who falls silent, a flood. And answers
# that nobody asked for are no round trips. See lib.bash.
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/lib.bash || exit 1

# caller NAME [ARG]: somebody who opens a conversation with $port and reads to its end.
caller() {
    timeout -k 5 $STEP_SECONDS python3 - "$port" "$@" >"$dir/$1.out" 2>&1 <<'EOF' ||
import socket, ssl, sys

port, name = int(sys.argv[1]), sys.argv[2]
openings = {
    "http": b"GET /index.html HTTP/1.1\r\nHost: here\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "v1": b"ceph v027",
    "garbage": bytes([0xde, 0xad, 0xbe, 0xef]) * 8,
    "zeros": bytes(32),
    "rdma": b"0000:00000011:00000000:00000000:" + b"0" * 32 + b"\0",
    "newline": b"\n",
    "half": b"ceph v2\n\x10\0" + b"\1" + bytes(15),
    "silent": b"",
}

def read_to_end(s):
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass

if name == "tls":
    context = ssl._create_unverified_context()
    try:
        context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
    except (ssl.SSLError, OSError):
        pass
elif name == "flood":
    for _ in range(int(sys.argv[3])):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(openings["http"])
            read_to_end(s)
else:
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(openings[name])
        read_to_end(s)
EOF
        fail "caller $1" "$dir/$1.out"
}

# line PATTERN: the server has said so, once it had the time to.
line() {
    local until=$((SECONDS + STEP_SECONDS))
    while [ $SECONDS -lt $until ]; do
        grep -qE -- "$1" "$dir/$served.out" && return 0
        sleep 0.05
    done
    fail "the server does not say '$1'" "$dir/$served.out"
}

# ---- another address than its own ----

served=first
serve first --timeout 1s
port=${addr##*:}
cat >"$dir/forward.py" <<'EOF'
"""Forwards a port of the loopback, which it prints, to another one."""
import socket, sys, threading

def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for s in source, target:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for pair in (near, far), (far, near):
        threading.Thread(target=pump, args=pair, daemon=True).start()
EOF
spawn forward python3 "$dir/forward.py" "$port"
forward=$spawned
until [ -s "$dir/forward.out" ]; do
    is_running "$forward" || fail "no forwarder" "$dir/forward.out"
    sleep 0.05
done
detour=127.0.0.1:$(head -1 "$dir/forward.out")
run forwarded 6 "$MSGRLAB" peer monmap "$detour" --timeout 1s
says forwarded 'AUTH_DONE and AUTH_SIGNATURE came, but no SERVER_IDENT'
says forwarded "may know itself by another address than v2:$detour/0"
if grep -q 'stack rdma' "$dir/forwarded.err"; then
    fail "it is not the other stack" "$dir/forwarded.err"
fi
line "^refused 127\.0\.0\.1:[0-9]+: CLIENT_IDENT for an address that is not ours; it wants v2:$detour/0, we are $addr/0\$"
stop "$forward"
run nonce 6 "$MSGRLAB" peer monmap "$addr/7" --timeout 500ms
says nonce "another address than $addr/7"
ok "through a forwarder: both ends say which address was wanted"

# ---- other protocols ----

caller http
line '^refused 127\.0\.0\.1:[0-9]+: no msgr2 banner: the peer speaks HTTP; it began with "GET /index\.html HTTP/1\.1'
caller ssh
line 'the peer speaks SSH; it began with "SSH-2\.0-OpenSSH_9\.2p1'
caller tls
line 'the peer speaks TLS; it began with "\\x16\\x03'
caller v1
line 'the peer speaks msgr1 \(v1 port\?\); it began with "ceph v027"$'
caller garbage
line 'an unknown protocol; it began with "\\xde\\xad\\xbe\\xef'
caller zeros
line 'the peer sent zeros'
caller rdma
line 'the peer sent an RDMA handshake; it began with "0000:'
caller newline
line 'it began with "\\n"'
ok "HTTP, ssh, TLS, msgr1, garbage, zeros, RDMA, one newline: each is known by its first bytes"

timeout -k 5 $STEP_SECONDS ceph -c /dev/null --keyring /dev/null --auth-client-required none \
    --connect-timeout 2 -m "v1:127.0.0.1:$port" -s >"$dir/real_v1.out" 2>&1 </dev/null &&
    fail "a v1 client got an answer" "$dir/real_v1.out"
[ "$(grep -c 'the peer speaks msgr1' "$dir/first.out")" -gt 1 ] ||
    fail "a real v1 client leaves no line" "$dir/first.out"
ok "a real client of msgr1"

timeout -k 5 $STEP_SECONDS ceph -c /dev/null --keyring /dev/null --auth-client-required cephx \
    --connect-timeout 2 -m "$addr" -s >"$dir/cephx.out" 2>&1 </dev/null &&
    fail "a client of cephx got an answer" "$dir/cephx.out"
line '^refused .*: it wants other authentication than AUTH_NONE in crc mode; then .*it came as far as HELLO and says it is a client$'
ok "a real client that wants cephx"

caller half
line 'handshake took too long; it came as far as its banner$'
caller silent
line 'handshake took too long; it sent nothing$'
ok "who falls silent is left after a while, and named"

# ---- many ----

caller flood 300
line '^refused [0-9]+ more, after 10 lines in one second$'
lines=$(grep -c '"GET /index' "$dir/first.out")
[ "$lines" -lt 300 ] || fail "a flood of callers is a flood of lines" "$dir/first.out"
refused=$(grep -cE '^refused [0-9.]+:' "$dir/first.out")
ends first TERM
more=$(awk '/^refused [0-9]+ more, / { n += $2 } END { print n + 0 }' "$dir/first.out")
tail -1 "$dir/first.out" | grep -q "refused $((refused + more)) callers\$" ||
    fail "$refused lines and $more more are not what the server counted" "$dir/first.out"
ok "of a flood: some lines, and the number: $refused and $more"

# ---- our client, where nothing comes ----

spawn mute python3 -c '
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(1000)'
mute=$spawned
until [ -s "$dir/mute.out" ]; do
    is_running "$mute" || fail "nobody is mute" "$dir/mute.out"
    sleep 0.05
done
run mute_peer 6 "$MSGRLAB" peer monmap "127.0.0.1:$(head -1 "$dir/mute.out")" --timeout 300ms
says mute_peer 'nothing came from the peer; if its ms_type is async\+rdma, use --stack rdma$'
stop "$mute"
ok "the other stack is a guess only where nothing came"

# ---- answers to nothing ----

# A monitor that, once there is a session, does nothing but answer keepalives of its own
# invention.
cat >"$dir/flood.py" <<'EOF'
import socket, struct, threading

def crc32c(data, crc):
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack("<I", crc)

def frame(tag, payload):
    preamble = bytes([tag, 1]) + struct.pack("<IH", len(payload), 8) + bytes(20)
    return preamble + crc32c(preamble, 0) + payload + crc32c(payload, 0xFFFFFFFF)

def addr(port):
    return (b"\1\1\1" + struct.pack("<IIIIH", 28, 2, 0, 16, socket.AF_INET) +
            struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + bytes(8))

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
all_features = 0x3F01CFBDFFFDFFFF
handshake = (b"ceph v2\n" + struct.pack("<HQQ", 16, 1, 0) + frame(1, b"\1" + addr(port)) +
             frame(6, struct.pack("<QII", 4097, 1, 0)) + frame(7, bytes(32)) +
             frame(9, b"\2" + struct.pack("<I", 1) + addr(port) +
                   struct.pack("<qQQQQQ", 0, 1, all_features, 0, 1, 0)))
flood = frame(19, struct.pack("<II", 1, 2)) * 100

def serve(s):
    try:
        s.sendall(handshake)
        while True:
            s.sendall(flood)
    except OSError:
        pass

print(port, flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
EOF
spawn flooder python3 "$dir/flood.py"
flooder=$spawned
until [ -s "$dir/flooder.out" ]; do
    is_running "$flooder" || fail "nobody floods" "$dir/flooder.out"
    sleep 0.05
done
run strays 6 "$MSGRLAB" peer ping "127.0.0.1:$(head -1 "$dir/flooder.out")" --timeout 500ms
says strays 'no KEEPALIVE2_ACK came within 500 ms; [0-9]+ KEEPALIVE2_ACK came that answer no KEEPALIVE2 of ours$'
stop "$flooder"
ok "a flood of answers is none: $(grep -oE '[0-9]+ KEEPALIVE2_ACK came' "$dir/strays.err")"
