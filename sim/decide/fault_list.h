/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_list.h: the catalogue of faults, one row each. The number of a row (S06) is that of
 * the catalogue the field agrees on; several rows may share one.
 *
 * Four lists:
 *   FAULTS_OS      what the injector (fault_os.h) does to calls of an os, real or virtual;
 *                  each is a decision site of the same name (decisions.h)
 *   FAULTS_WORLD   what only the simulated world can do: to packets, links and nodes, and
 *                  to its RDMA devices (decision sites, too)
 *   FAULTS_GIVEN   what needs no injecting: it is always so, or a script says it
 *   FAULTS_NOT     what does not apply, and why
 *
 * No row is an excuse: whatever a fault does, a kernel, a network or a machine may do.
 */
#ifndef MSGRLAB_SIM_DECIDE_FAULT_LIST_H
#define MSGRLAB_SIM_DECIDE_FAULT_LIST_H

/* What a fault may legally lead to, for checkers and for scripts that tolerate it. */
enum fault_consequence {
    FC_DELAY = 1,        /* things take longer, nothing else */
    FC_CONN_LOSS = 2,    /* a transport breaks */
    FC_REFUSED = 4,      /* a connect fails */
    FC_NODE_LOSS = 8,    /* a node is gone */
    FC_CORRUPT = 16,     /* bytes are wrong; who reads them must notice and drop them */
    FC_NO_RESOURCE = 32, /* a call fails for want of something */
    FC_ALL = 63,
    /* Of the RDMA device: no new connection for a time; or a node that is deaf for ever. */
    FC_NO_CONN = FC_CONN_LOSS | FC_REFUSED | FC_NO_RESOURCE,
    FC_LOST_NODE = FC_NO_CONN | FC_NODE_LOSS,
};

// clang-format off
/* F(X, ID, name, group, site, consequences, what). `value`, `errno` and `time` are those of
 * struct fault_rule; [brackets] have what is taken when a rule says nothing. */
#define FAULT_OS_ROWS(F, X)                                                              \
    F(X, S01_SOCKET,       "s01_socket",       'S', "os.socket",         FC_NO_RESOURCE, \
      "socket() fails: EMFILE, ENFILE, ENOBUFS, ENOMEM, EAFNOSUPPORT")                   \
    F(X, S01_ACCEPT,       "s01_accept",       'S', "os.accept",         FC_NO_RESOURCE, \
      "accept fails for want of EMFILE, ENFILE, ENOBUFS, ENOMEM; the peer stays queued") \
    F(X, S01_PIPE,         "s01_pipe",         'S', "os.pipe",           FC_NO_RESOURCE, \
      "pipe() fails: EMFILE, ENFILE")                                                    \
    F(X, S01_EPOLL,        "s01_epoll",        'S', "os.epoll_create",   FC_NO_RESOURCE, \
      "epoll_create fails: EMFILE, ENFILE, ENOMEM")                                      \
    F(X, S02_ACCEPT_LOST,  "s02_accept_lost",  'S', "os.accept",         FC_CONN_LOSS,   \
      "who waited is gone: ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH, ...")    \
    F(X, S02_ACCEPT_EAGAIN,"s02_accept_eagain",'S', "os.accept",         FC_DELAY,       \
      "accept says EAGAIN although the listener was ready; ready again after time [1ms]")\
    F(X, S03_BIND,         "s03_bind",         'S', "os.bind",           FC_NO_RESOURCE, \
      "bind fails: EADDRINUSE, EADDRNOTAVAIL, EACCES")                                   \
    F(X, S03_LISTEN,       "s03_listen",       'S', "os.listen",         FC_NO_RESOURCE, \
      "listen fails: EADDRINUSE")                                                        \
    F(X, S03_PORTS,        "s03_ports",        'S', "os.connect",        FC_REFUSED,     \
      "no ephemeral port is left: connect fails with EADDRNOTAVAIL")                     \
    F(X, S04_CONNECT,      "s04_connect",      'S', "os.connect",        FC_REFUSED,     \
      "connect fails at once: ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT, ...")  \
    F(X, S04_CONNECT_LATER,"s04_connect_later",'S', "os.connect",        FC_REFUSED,     \
      "connect is in progress and fails after time [1ms], with the same errnos")         \
    F(X, S04_CONNECT_SLOW, "s04_connect_slow", 'S', "os.connect",        FC_DELAY,       \
      "connect is in progress for time [10ms] longer")                                   \
    F(X, S04_CONNECT_NOW,  "s04_connect_now",  'S', "os.connect",        FC_DELAY,       \
      "connect waits for time [1ms] at most and then says connected, not in progress")   \
    F(X, S04_ACCEPT_RESET, "s04_accept_reset", 'S', "os.accept",         FC_CONN_LOSS,   \
      "the accepted connection is reset before its first byte")                          \
    F(X, S06_SHORT_RECV,   "s06_short_recv",   'S', "os.recv",           FC_DELAY,       \
      "fewer bytes than there are: value 1: one; 2: to where the preamble or frame "     \
      "ends; 3: one more; n: n - 3")                                                     \
    F(X, S06_EAGAIN,       "s06_eagain",       'S', "os.recv",           FC_DELAY,       \
      "EAGAIN after readiness; ready again after time [1us]")                            \
    F(X, S06_FIN,          "s06_fin",          'S', "os.recv",           FC_CONN_LOSS,   \
      "the end of the stream, wherever it is")                                           \
    F(X, S06_RESET,        "s06_reset",        'S', "os.recv",           FC_CONN_LOSS,   \
      "ECONNRESET; what had arrived and was not read is lost")                           \
    F(X, S06_RESET_DRAINED,"s06_reset_drained",'S', "os.recv",           FC_CONN_LOSS,   \
      "ECONNRESET once all that had arrived was read")                                   \
    F(X, S06_TIMED_OUT,    "s06_timed_out",    'S', "os.recv",           FC_CONN_LOSS,   \
      "ETIMEDOUT: nobody acknowledged for too long")                                     \
    F(X, S07_SHORT_SEND,   "s07_short_send",   'S', "os.send",           FC_DELAY,       \
      "fewer bytes are taken than fit: value [1]")                                       \
    F(X, S07_EAGAIN,       "s07_eagain",       'S', "os.send",           FC_DELAY,       \
      "EAGAIN for time [10ms]: the peer's window is shut")                               \
    F(X, S07_EPIPE,        "s07_epipe",        'S', "os.send",           FC_CONN_LOSS,   \
      "EPIPE: the connection was reset before")                                          \
    F(X, S07_RESET,        "s07_reset",        'S', "os.send",           FC_CONN_LOSS,   \
      "ECONNRESET at the call that sends")                                               \
    F(X, S07_VANISH,       "s07_vanish",       'S', "os.send",           FC_CONN_LOSS,   \
      "from here on bytes are taken and lost; the reset comes after time [1ms]")         \
    F(X, S07_ENOBUFS,      "s07_enobufs",      'S', "os.send",           FC_CONN_LOSS,   \
      "ENOBUFS: the interface's queue is full")                                          \
    F(X, S08_IOV_CUT,      "s08_iov_cut",      'S', "os.send",           FC_DELAY,       \
      "what is taken ends at an iovec: value 3k-2: a byte before the end of the k-th, "  \
      "3k-1: there, 3k: a byte behind")                                                  \
    F(X, S10_CLOSE_RST,    "s10_close_rst",    'S', "os.close",          FC_CONN_LOSS,   \
      "close sends a RST, not a FIN: what the peer has not read is lost")                \
    F(X, S12_OPTION,       "s12_option",       'S', "os.set_option",     FC_DELAY,       \
      "a socket option is refused: ENOPROTOOPT, EINVAL, ENOMEM")                         \
    F(X, S12_OPTION_LOST,  "s12_option_lost",  'S', "os.set_option",     FC_DELAY,       \
      "a socket option is taken and has no effect")                                      \
    F(X, S14_SLOW_DRAIN,   "s14_slow_drain",   'S', "os.send",           FC_DELAY,       \
      "the peer reads value [64] bytes every time [1ms], for 300 sends")                 \
    F(X, T01_SPURIOUS,     "t01_spurious",     'T', "os.poller",         FC_DELAY,       \
      "a descriptor is reported ready and is not")                                       \
    F(X, T01_LATE,         "t01_late",         'T', "os.poller",         FC_DELAY,       \
      "readiness is reported time [100us] later")                                        \
    F(X, T01_TWICE,        "t01_twice",        'T', "os.poller",         FC_DELAY,       \
      "readiness is reported again at the next wait")                                    \
    F(X, T01_REORDER,      "t01_reorder",      'T', "os.poller",         FC_DELAY,       \
      "the events of a wait come in another order: rotated by value [1]")                \
    F(X, T01_ONE,          "t01_one",          'T', "os.poller",         FC_DELAY,       \
      "a wait reports value [1] event at most; the others come with the next")           \
    F(X, T01_EPOLL_CTL,    "t01_epoll_ctl",    'T', "os.epoll_ctl",      FC_NO_RESOURCE, \
      "adding a descriptor fails: ENOSPC, ENOMEM")                                       \
    F(X, T02_WAKE_FULL,    "t02_wake_full",    'T', "os.write",          FC_DELAY,       \
      "the wake-up pipe is full: EAGAIN (it holds a byte, so the reader will wake)")     \
    F(X, T02_WAKE_LATE,    "t02_wake_late",    'T', "os.write",          FC_DELAY,       \
      "the wake-up is noticed time [100us] later, with those of meanwhile")              \
    F(X, T02_READ_EAGAIN,  "t02_read_eagain",  'T', "os.read",           FC_DELAY,       \
      "reading the wake-up pipe says EAGAIN although it was ready")                      \
    F(X, T02_READ_SHORT,   "t02_read_short",   'T', "os.read",           FC_DELAY,       \
      "reading the wake-up pipe gives value [1] byte and leaves the rest")               \
    F(X, T03_LATE,         "t03_late",         'T', "os.wait",           FC_DELAY,       \
      "a wait returns time [1ms] late: many timers are due at once")                     \
    F(X, T03_COND,         "t03_cond",         'T', "os.cond_wait",      FC_DELAY,       \
      "a condition is woken although nobody signalled")                                  \
    F(X, T05_PAUSE,        "t05_pause",        'T', "os",                FC_DELAY,       \
      "the thread stands still for time [1ms] at a call: value 1 send, 2 recv, "         \
      "3 after a wait, 4 at a wake-up, 5 after a condition, 6 at its start, 7 close")    \
    F(X, T06_COARSE,       "t06_coarse",       'T', "os.clock",          FC_DELAY,       \
      "clocks move in steps of time [4ms]: equal readings")                              \
    F(X, T06_REALTIME,     "t06_realtime",     'T', "os.clock",          FC_DELAY,       \
      "the wall clock is value [-3600] s off: a step, and nodes disagree")               \
    F(X, T06_SUSPEND,      "t06_suspend",      'T', "os.clock",          FC_CONN_LOSS,   \
      "the monotonic clock jumps forward by time [60s], as after a suspend")             \
    F(X, R01_ALLOC,        "r01_alloc",        'R', "malloc",            FC_ALL,         \
      "an allocation of the engine or a stack gives NULL (test_faults_alloc)")           \
    F(X, R03_THREAD,       "r03_thread",       'R', "os.thread_start",   FC_NO_RESOURCE, \
      "a thread cannot be started: EAGAIN")                                              \
    F(X, R03_FDS,          "r03_fds",          'R', "os",                FC_NO_RESOURCE, \
      "EMFILE once the node has value [16] descriptors open")

/* What the simulated network does to a segment of a connection (world/net_control.h); each
 * is a decision site, and its actor the end which the segment goes to. */
#define FAULT_PACKET_ROWS(F, X)                                                          \
    F(X, L01_SPIKE,        "l01_spike",        'L', "world.packet",  FC_DELAY,           \
      "a segment takes time longer; drawn: 1ms, 10ms, 100ms")                            \
    F(X, L03_LOSS,         "l03_loss",         'L', "world.packet",  FC_DELAY,           \
      "a segment is lost value [1] times in a row; drawn: 1 to 3")                       \
    F(X, L05_REORDER,      "l05_reorder",      'L', "world.packet",  FC_DELAY,           \
      "segments of other connections overtake for time; drawn: up to 1ms")               \
    F(X, L06_BLINK,        "l06_blink",        'L', "world.packet",  FC_DELAY,           \
      "both ways between the nodes are cut for time; drawn: 100ms, 1s, 3s")              \
    F(X, L07_CLOG,         "l07_clog",         'L', "world.packet",  FC_DELAY,           \
      "what goes this way waits for time, then comes at once; drawn as l06_blink")       \
    F(X, L08_RESET,        "l08_reset",        'L', "world.packet",  FC_CONN_LOSS,       \
      "somebody between the nodes sends RST to both ends")                               \
    F(X, L08_SILENCE,      "l08_silence",      'L', "world.packet",  FC_CONN_LOSS,       \
      "nothing of the connection passes from here on, and nobody is told")               \
    F(X, L09_PIECES,       "l09_pieces",       'L', "world.packet",  FC_DELAY,           \
      "what is sent arrives in pieces of value bytes; "                                  \
      "drawn: 1, 2, 31, 32, 33, 100, 536, 1448")                                         \
    F(X, L14_SLOT,         "l14_slot",         'L', "world.packet",  FC_DELAY,           \
      "it arrives at the next multiple of time; drawn: 100us, 1ms, 10ms")                \
    F(X, L15_CORRUPT,      "l15_corrupt",      'L', "world.packet",                      \
      FC_CORRUPT | FC_CONN_LOSS,                                                         \
      "wrong bytes: value 1 a bit, 2 a byte, 3 zeroes, 4 shuffled, 5 one too "           \
      "many, 6 one too few, 7 older ones, 8 another connection's, 9 no tail")

/* What a script or a test says of links, connections and addresses
 * (world/net_control.h). */
#define FAULT_LINK_ROWS(F, X)                                                            \
    F(X, L01_LATENCY,      "l01_latency",      'L', "world.link",    FC_DELAY,           \
      "latency and jitter of a link: uniform, exponential, or with a tail")              \
    F(X, L02_RATE,         "l02_rate",         'L', "world.link",    FC_DELAY,           \
      "bytes a second of a link, headers counted")                                       \
    F(X, L02_QUEUE,        "l02_queue",        'L', "world.link",    FC_DELAY,           \
      "what does not fit in front of a slow link is lost, and sent again")               \
    F(X, L03_LINK_LOSS,    "l03_link_loss",    'L', "world.link",    FC_DELAY,           \
      "a link loses segments: at random, in bursts, or every nth")                       \
    F(X, L06_CUT,          "l06_cut",          'L', "world.link",    FC_DELAY,           \
      "nothing passes, one way or both, until it heals")                                 \
    F(X, L06_PARTITION,    "l06_partition",    'L', "world.link",    FC_DELAY,           \
      "the network falls into parts; or one node alone")                                 \
    F(X, L06_JAM,          "l06_jam",          'L', "world.link",    FC_DELAY,           \
      "nothing passes; what waited comes at once (net.jam, net.clog)")                   \
    F(X, L07_SWIZZLE,      "l07_swizzle",      'L', "world.link",    FC_DELAY,           \
      "nodes are clogged one by one, and freed in another order")                        \
    F(X, L08_HOLE,         "l08_hole",         'L', "world.link",    FC_CONN_LOSS,       \
      "established connections are silent, reset, or answered by ICMP")                  \
    F(X, L09_MTU,          "l09_mtu",          'L', "world.link",    FC_DELAY,           \
      "segments of n bytes")                                                             \
    F(X, L09_PMTU_HOLE,    "l09_pmtu_hole",    'L', "world.link",    FC_CONN_LOSS,       \
      "segments of more than n bytes vanish, smaller ones pass")                         \
    F(X, L10_HALF_OPEN,    "l10_half_open",    'L', "world.link",    FC_CONN_LOSS,       \
      "a rebooted machine answers RST to what it no longer knows")                       \
    F(X, L11_FAMILY,       "l11_family",       'L', "world.link",                        \
      FC_CONN_LOSS | FC_REFUSED,                                                         \
      "a node has no IPv4, or no IPv6, any more")                                        \
    F(X, L11_ADDRESS,      "l11_address",      'L', "world.link",                        \
      FC_CONN_LOSS | FC_REFUSED,                                                         \
      "a node gets another address; who uses the old one finds nobody")                  \
    F(X, L13_BOTTLENECK,   "l13_bottleneck",   'L', "world.link",    FC_DELAY,           \
      "links share one line, and one queue in front of it")                              \
    F(X, L14_SLOTS,        "l14_slots",        'L', "world.link",    FC_DELAY,           \
      "nothing arrives, then many things at one instant")                                \
    F(X, L15_LINK_CORRUPT, "l15_link_corrupt", 'L', "world.link",                        \
      FC_CORRUPT | FC_CONN_LOSS,                                                         \
      "a link turns bytes into wrong ones")                                              \
    F(X, S02_BACKLOG,      "s02_backlog",      'S', "world.listener", FC_DELAY,          \
      "the backlog is full: who comes is not heard, or refused (backlog_refuses)")       \
    F(X, S04_FILTER,       "s04_filter",       'S', "world.link",    FC_REFUSED,         \
      "new connections meet silence, RST or ICMP, or are reset once accepted")           \
    F(X, S13_TIMED_OUT,    "s13_timed_out",    'S', "world.link",    FC_CONN_LOSS,       \
      "nobody acknowledges for too long: ETIMEDOUT, or what ICMP said")                  \
    F(X, S14_WINDOW,       "s14_window",       'S', "world.node",    FC_DELAY,           \
      "a node's receive windows are shut, and open again")

/* Nodes of the simulated world; rows as above. */
#define FAULT_WORLD_ROWS(F, X)                                                           \
    F(X, T05_PAUSE_NODE,   "t05_pause_node",   'T', "world.node",        FC_DELAY,       \
      "all threads of a node stand still for time; T07 is the same, longer than the "    \
      "timers of its peers")                                                             \
    F(X, P01_CRASH,        "p01_crash",        'P', "world.node",        FC_NODE_LOSS,   \
      "the process dies: its kernel closes what was open")                               \
    F(X, P01_POWER_LOSS,   "p01_power_loss",   'P', "world.node",        FC_NODE_LOSS,   \
      "the machine dies: nothing is sent any more")

/* What the virtual RDMA device does wrong (sim/rdma); each is a decision site, and its
 * actor the queue pair or the device. Never without such a device. */
#define FAULT_VERBS_ROWS(F, X)                                                           \
    F(X, V01_LIST,         "v01_list",         'V', "verbs.device",  FC_LOST_NODE,       \
      "there is no device when the stack looks for one")                                 \
    F(X, V01_OPEN,         "v01_open",         'V', "verbs.device",  FC_LOST_NODE,       \
      "open_device fails: ENODEV, EACCES, EMFILE")                                       \
    F(X, V02_QUERY,        "v02_query",        'V', "verbs.query",   FC_LOST_NODE,       \
      "query_device, query_port or query_gid fails: EIO, ENOMEM, EINVAL")                \
    F(X, V02_LIMITS,       "v02_limits",       'V', "verbs.query",   FC_LOST_NODE,       \
      "the device has less than usual: value 1 max_qp_wr 16, 2 max_srq_wr 16, "          \
      "3 max_cqe 64, 4 max_qp 1")                                                        \
    F(X, V03_START,        "v03_start",        'V', "verbs.create",  FC_LOST_NODE,       \
      "alloc_pd, reg_mr, create_channel, create_cq, create_srq, post_srq_recv fail "     \
      "while the device has no queue pair: ENOMEM, EINVAL, EAGAIN, ENOSPC")              \
    F(X, V03_QP,           "v03_qp",           'V', "verbs.create",  FC_NO_CONN,         \
      "create_qp fails: ENOMEM, EINVAL, EAGAIN, ENOSPC")                                 \
    F(X, V04_MORE_CQE,     "v04_more_cqe",     'V', "verbs.create",  FC_DELAY,           \
      "create_cq gives value [100] entries more than asked for")                         \
    F(X, V05_REG_MR,       "v05_reg_mr",       'V', "verbs.reg_mr",  FC_NO_CONN,         \
      "reg_mr fails while there are queue pairs: ENOMEM, EFAULT, EINVAL")                \
    F(X, V06_TO_INIT,      "v06_to_init",      'V', "verbs.modify_qp", FC_NO_CONN,       \
      "modify_qp to INIT fails: EINVAL, ENOMEM")                                         \
    F(X, V06_TO_RTR,       "v06_to_rtr",       'V', "verbs.modify_qp", FC_NO_CONN,       \
      "modify_qp to RTR fails: ETIMEDOUT, EINVAL, ENOMEM")                               \
    F(X, V06_TO_RTS,       "v06_to_rts",       'V', "verbs.modify_qp", FC_NO_CONN,       \
      "modify_qp to RTS fails: EINVAL, ENOMEM")                                          \
    F(X, V06_WRONG,        "v06_wrong",        'V', "verbs.modify_qp", FC_NO_CONN,       \
      "to RTR with a wrong value, and nobody says so: value 1 dest_qp_num, 2 rq_psn one "\
      "too high, 3 one too low")                                                         \
    F(X, V06_TO_ERR,       "v06_to_err",       'V', "verbs.modify_qp", FC_CONN_LOSS,     \
      "modify_qp to ERR fails, and the queue pair goes on: ENOMEM, EINVAL")              \
    F(X, V07_POST_SEND,    "v07_post_send",    'V', "verbs.post_send", FC_CONN_LOSS,     \
      "post_send refuses a request and those behind it in the chain: ENOMEM, EINVAL")    \
    F(X, V08_POST_RECV,    "v08_post_recv",    'V', "verbs.post_recv", FC_CONN_LOSS,     \
      "post_recv or post_srq_recv refuses a request and those behind it: ENOMEM, EINVAL")\
    F(X, V10_SEND,         "v10_send",         'V', "verbs.cqe",     FC_CONN_LOSS,       \
      "a send fails with the ibv_wc_status value; drawn: what RC may say")               \
    F(X, V10_RECV,         "v10_recv",         'V', "verbs.cqe",     FC_CONN_LOSS,       \
      "a receive fails with the ibv_wc_status value; drawn: what RC may say")            \
    F(X, V15_QP,           "v15_qp",           'V', "verbs.qp",      FC_CONN_LOSS,       \
      "a queue pair dies by itself: value 1 QP_FATAL, 2 QP_REQ_ERR, 3 QP_ACCESS_ERR, "   \
      "4 to 6: the same, and the event comes behind the flushed completions")            \
    F(X, V15_SRQ,          "v15_srq",          'V', "verbs.srq",     FC_LOST_NODE,       \
      "SRQ_ERR: the SRQ takes and gives nothing any more, its queue pairs die")          \
    F(X, V16_LAST_WQE,     "v16_last_wqe",     'V', "verbs.event",   FC_DELAY,           \
      "LAST_WQE_REACHED: value 1 never comes, 2 comes twice, 3 comes time [1ms] late")   \
    F(X, V17_CQ,           "v17_cq",           'V', "verbs.cqe",     FC_LOST_NODE,       \
      "a CQ overruns, however deep it is: CQ_ERR")                                       \
    F(X, V18_LATE,         "v18_late",         'V', "verbs.cqe",     FC_DELAY,           \
      "a completion, and what comes behind it in its CQ, is seen time [100us] later")    \
    F(X, V18_FEW,          "v18_few",          'V', "verbs.poll_cq", FC_DELAY,           \
      "poll_cq gives value [1] completion at most")                                      \
    F(X, V18_NONE,         "v18_none",         'V', "verbs.poll_cq", FC_DELAY,           \
      "poll_cq gives nothing: what there is is seen time [1us] later")                   \
    F(X, V18_FAILS,        "v18_fails",        'V', "verbs.poll_cq", FC_LOST_NODE,       \
      "poll_cq fails: the CQ cannot be relied on any more")                              \
    F(X, V19_OVERTAKE,     "v19_overtake",     'V', "verbs.cqe",     FC_DELAY,           \
      "a completion overtakes value [all] of other queues in its CQ")                    \
    F(X, V20_LATE,         "v20_late",         'V', "verbs.event",   FC_DELAY,           \
      "a completion event comes time [100us] late")                                      \
    F(X, V20_EXTRA,        "v20_extra",        'V', "verbs.event",   FC_DELAY,           \
      "a completion event comes although nothing completed, when the CQ is armed")       \
    F(X, V21_EVENT,        "v21_event",        'V', "verbs.event",   FC_DELAY,           \
      "an async event that breaks nothing: value 1 LID_CHANGE, 2 PKEY_CHANGE, "          \
      "3 SM_CHANGE, 4 CLIENT_REREGISTER, 5 PORT_ACTIVE, 6 COMM_EST, 7 SQ_DRAINED, "      \
      "8 PATH_MIG, 9 PATH_MIG_ERR, 10 SRQ_LIMIT_REACHED, 11 one without a name")         \
    F(X, V22_PORT,         "v22_port",         'V', "verbs.port",    FC_NO_CONN,         \
      "the port has no link for time; drawn: 1ms, 100ms, 1s")                            \
    F(X, V23_GID,          "v23_gid",          'V', "verbs.port",    FC_NO_CONN,         \
      "the address at GID value [1] goes away for time; drawn: 1ms, 100ms, 1s")          \
    F(X, V24_DEVICE,       "v24_device",       'V', "verbs.device",  FC_LOST_NODE,       \
      "DEVICE_FATAL: every verb fails from here on, and nothing completes")              \
    F(X, V25_NUMBER,       "v25_number",       'V', "verbs.create",  FC_DELAY,           \
      "create_qp gives the number of the queue pair that was destroyed last")            \
    F(X, V26_PAYLOAD,      "v26_payload",      'V', "verbs.packet",                      \
      FC_CORRUPT | FC_CONN_LOSS,                                                         \
      "a byte of a message comes wrong into memory although the ICRC is right")          \
    F(X, V27_DROP,         "v27_drop",         'V', "verbs.packet",  FC_CONN_LOSS,       \
      "a packet of the device is lost")                                                  \
    F(X, V27_DAMAGE,       "v27_damage",       'V', "verbs.packet",  FC_CONN_LOSS,       \
      "a packet of the device arrives with wrong bits: its ICRC tells")                  \
    F(X, V27_REPEAT,       "v27_repeat",       'V', "verbs.packet",  FC_DELAY,           \
      "a packet of the device comes twice")                                              \
    F(X, V31_REG_MR,       "v31_reg_mr",       'V', "verbs.reg_mr",  FC_DELAY,           \
      "reg_mr takes time [1ms]")                                                         \
    F(X, V31_PAGE,         "v31_page",         'V', "verbs.qp",      FC_DELAY,           \
      "memory must be fetched first: a queue pair sends time [100us] later")

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

/* How the lists are read: with X of six or of three. */
// clang-format off
#define FAULT_ROW_(X, id, name, group, site, consequences, what)                         \
    X(id, name, group, site, consequences, what)
#define FAULT_SITE_(X, id, name, group, site, consequences, what) X(id, name, what)

/* X(ID, name, group, site, consequences, what) */
#define FAULTS(X)                                                                         \
    FAULT_OS_ROWS(FAULT_ROW_, X)                                                         \
    FAULT_PACKET_ROWS(FAULT_ROW_, X)                                                     \
    FAULT_VERBS_ROWS(FAULT_ROW_, X)                                                      \
    FAULT_LINK_ROWS(FAULT_ROW_, X)                                                       \
    FAULT_WORLD_ROWS(FAULT_ROW_, X)
/* X(ID, name, what), for decisions.h */
#define FAULT_OS_SITES(X) FAULT_OS_ROWS(FAULT_SITE_, X)
#define FAULT_PACKET_SITES(X) FAULT_PACKET_ROWS(FAULT_SITE_, X)
#define FAULT_VERBS_SITES(X) FAULT_VERBS_ROWS(FAULT_SITE_, X)
// clang-format on

#endif
