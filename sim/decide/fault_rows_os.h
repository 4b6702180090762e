/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_rows_os.h: what the injector does to calls of an os, real or virtual. For
 * fault_list.h, which says how rows are read.
 */
#ifndef MSGRLAB_SIM_DECIDE_FAULT_ROWS_OS_H
#define MSGRLAB_SIM_DECIDE_FAULT_ROWS_OS_H

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
// clang-format on

#endif
