/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_rows_none.h: the rows of the catalogue that need no injecting (FAULTS_GIVEN), and
 * those that do not apply (FAULTS_NOT). For fault_list.h.
 */
#ifndef MSGRLAB_SIM_DECIDE_FAULT_ROWS_NONE_H
#define MSGRLAB_SIM_DECIDE_FAULT_ROWS_NONE_H

// clang-format off
#define FAULTS_GIVEN(X)                                                                  \
    X("S05", 'S', "an error is told once, by the call that comes first: s06_*, s07_*, "  \
                  "s04_connect_later")                                                   \
    X("S09", 'S', "half-closed streams are what sockets do; the engine shuts down both " \
                  "ways: s06_fin has the other half")                                    \
    X("S11", 'S', "the lowest free descriptor is reused at once, as on Linux; late "     \
                  "events of the old one: t01_late, t01_twice")                          \
    X("S15", 'S', "the listener's errors: s01_accept, s02_accept_lost; the queue that "  \
                  "is refused: closing a node, p01_crash")                               \
    X("S10 silence", 'S', "a close whose FIN or RST does not get through: net.cut, "     \
                  "net.blackhole, p01_power_loss")                                       \
    X("T04", 'T', "who comes first at one instant: --schedule, sites preempt, run, wake")\
    X("P02", 'P', "an older peer: node { msgr20 = true }, features, policies")           \
    X("V09", 'V', "memory that is used while the device has it: safety owned_buffer; "   \
                  "inline bytes are taken at once")                                      \
    X("V11", 'V', "when flushed completions come to be seen, and in which order of the " \
                  "queues: sites v11_flush, v11_order")                                  \
    X("V12", 'V', "a receiver without receives says RNR: --rdma receive_queue_len; "     \
                  "v08_post_recv")                                                       \
    X("V13", 'V', "retries run out in virtual time: net.cut, v27_drop; "                 \
                  "--rdma timeout, retry_cnt")                                           \
    X("V14", 'V', "errors of either side: v10_send, v10_recv; too long a message: "      \
                  "buffer_size in node { rdma }")                                        \
    X("V17", 'V', "what an overrun leads to is the device's: hca loses the CQ, rxe the " \
                  "completion; without one: v17_cq")                                     \
    X("V25", 'V', "what is destroyed with work in it is drawn with v11_flush, v18_late") \
    X("V29", 'V', "PSNs begin anywhere and wrap; a message has as many packets as the "  \
                  "path MTU says")                                                       \
    X("R02", 'R', "tiny buffers and throttles: node { throttle, dispatch_bytes, "        \
                  "message_bytes, out_queue, accepting, rcvbuf, sndbuf }")

#define FAULTS_NOT(X)                                                                    \
    X("L12", 'L', "there is no resolver in the engine: addresses are literal")           \
    X("L04", 'L', "TCP drops what comes twice; a stream has no duplicates")              \
    X("S02 EINTR, S06 EINTR, S07 EINTR, S11 EINTR", 'S', "os.h: EINTR never comes out")  \
    X("S04 self-connect", 'S', "simulated sockets refuse it; real ones need the dialled "\
                               "port to be the ephemeral one")                           \
    X("S07 EMSGSIZE, 0", 'S', "a stream never says so for a send that is not empty")     \
    X("S08 zerocopy, cork", 'S', "os.h has no zero-copy send; more is a hint only")      \
    X("S13 keepalive", 'S', "the engine sets neither keepalive nor user timeout; their " \
                  "error: s06_timed_out, s13_timed_out")                                 \
    X("T01 missing", 'T', "Linux loses no edge: readiness that never comes is a bug of " \
                          "the kernel; t01_late is what may happen")                     \
    X("T01 deleted", 'T', "epoll reports nothing for a deleted descriptor")              \
    X("T01 ENOENT, EEXIST", 'T', "those answers tell of the caller's mistake only")      \
    X("T03 early", 'T', "os.h: a wait is never cut short; the injector checks it")       \
    X("T06 cycle counter", 'T', "nobody reads it")                                       \
    X("T08", 'T', "a TCP run has no busy poller; a budget of one event: t01_one")        \
    X("R03 memlock, hugepages", 'R', "only memory for RDMA is locked")                   \
    X("R04 crypto, RNG", 'R', "no crypto in crc mode; random64 cannot fail")             \
    X("R04 sequence", 'R', "the engine starts at Ceph's numbers; 64 bits do not wrap")   \
    X("R05", 'R', "the engine reads its options once, when a messenger is made")         \
    X("V01 late, order", 'V', "a stack looks for its device once, when it is made")      \
    X("V04 resize", 'V', "the stack never resizes a CQ")                                 \
    X("V05 keys", 'V', "the stack deregisters at its end only: no key comes again")      \
    X("V09 limits", 'V', "the stack posts nothing inline")                               \
    X("V20 lost", 'V', "a device that loses completion events is broken: v20_late is "   \
                  "what may happen")                                                     \
    X("V24 again", 'V', "a device that comes back: a stack opens its device once")       \
    X("V26 late, torn", 'V', "a device that writes to memory after its completion is "   \
                             "broken; wrong bytes: v26_payload")                         \
    X("V28", 'V', "UD is not used")                                                      \
    X("V30", 'V', "there are no memory windows")                                         \
    X("V32", 'V', "nobody forks; libibverbs reads the environment, not the engine")      \
    X("B02", 'B', "AUTH_NONE has no tickets, no rounds and no rejection")
// clang-format on

#endif
