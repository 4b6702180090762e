/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_rows_net.h: what only the simulated world can do to packets, links and nodes. For
 * fault_list.h, which says how rows are read.
 */
#ifndef MSGRLAB_SIM_DECIDE_FAULT_ROWS_NET_H
#define MSGRLAB_SIM_DECIDE_FAULT_ROWS_NET_H

// clang-format off
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
// clang-format on

#endif
