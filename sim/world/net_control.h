/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_control.h: what can go wrong between nodes, while the world runs or before.
 *
 * Three ways lead to it:
 *
 *   said by name     the functions below: from now on, until healed
 *   a link's nature  struct sim_link (sched/world_opts.h): rates of loss and corruption,
 *                    queues, slots
 *   per segment      rules and rates of faults.h for FAULT_PACKET_ROWS of fault_list.h,
 *                    once sim_net_set_faults said where they are
 *
 * What is by chance is a decision: its actor is the end of the connection that the segment
 * goes to ("a>b.1": the dialler's end of the first connection from a to b; "b<a.1": the
 * other), its occurrence is the segment's number there, so that arming one fault moves
 * no other.
 *
 * Bytes of a stream are never lost, doubled or reordered (TCP), but by corruption. A
 * segment that does not get through is sent again after sim_world_opts.resend_ns, then
 * after twice the time, and so on; everything behind it waits. A RST is not sent again.
 *
 * `os` may be what decorates a node. Any thread of the world may call.
 */
#ifndef MSGRLAB_SIM_WORLD_NET_CONTROL_H
#define MSGRLAB_SIM_WORLD_NET_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/net/link_faults.h"
#include "sim/net/tap.h"
#include "sim/world/world.h"

struct sim_faults;

/* Rules and rates about segments (faults.h) are asked there; faults said by name are
 * counted there, too. Borrowed until sim_world_free; NULL: none. */
void sim_net_set_faults(struct sim_world *w, struct sim_faults *faults);

/* Called with each frame that sets out, as Ethernet; see sim/net/tap.h. One tap a world;
 * NULL takes it away. */
void sim_world_set_tap(struct sim_world *w, sim_tap_fn fn, void *arg);

/* ---- links ---- */

/* What it is like now; sim_world_set_link changes it. */
struct sim_link sim_net_link(struct sim_world *w, struct os *from, struct os *to);

/* Nodes of different groups are cut off from each other, those of one group are not;
 * nodes in no group are left as they are. `group[i]` is the group of nodes[i]. */
void sim_net_partition(struct sim_world *w, struct os *const *nodes, const int *group,
                       int n);
/* Cuts the node off from all that are there now. */
void sim_net_isolate(struct sim_world *w, struct os *os);
/* What goes this way waits for so long and then comes at once; UINT64_MAX: until healed.
 * `port`: only connections that have it at one end; 0: all. */
void sim_net_clog(struct sim_world *w, struct os *from, struct os *to, uint16_t port,
                  uint64_t ns);
/* Each of the nodes is clogged, both ways, from some time in the first half of `ns` to
 * some time in the second, by decision (site L07_CLOG): one by one, and in another
 * order back. */
void sim_net_swizzle(struct sim_world *w, struct os *const *nodes, int n, uint64_t ns);
/* Segments of more than so many bytes vanish; 0: none do. */
void sim_net_pmtu_hole(struct sim_world *w, struct os *from, struct os *to, uint32_t bytes);
/* The links between these nodes (never within one) share a line of this rate, with one
 * queue in front of it. 0 bytes_per_sec: they share nothing any more. */
void sim_net_bottleneck(struct sim_world *w, struct os *const *nodes, int n,
                        uint64_t bytes_per_sec, uint64_t queue_bytes);
/* The nth segment from now that goes this way arrives with wrong bytes; 1: the next. */
void sim_net_corrupt(struct sim_world *w, struct os *from, struct os *to,
                     enum sim_corrupt kind, uint32_t nth);

/* ---- connections ---- */

/* What goes this way on connections that are established now does not pass any more. How
 * many there are. SIM_PASS: it does again. */
int sim_net_blackhole(struct sim_world *w, struct os *from, struct os *to,
                      enum sim_block how);
/* What connections that are dialled from now on meet on their way from `from` to `to`. */
void sim_net_filter(struct sim_world *w, struct os *from, struct os *to,
                    enum sim_block how);
/* Every connection between the two ends now, at both ends, with this (positive) errno:
 * ECONNRESET as if both got a RST, ETIMEDOUT as if a user timeout or keepalive
 * expired. How many there were. */
int sim_net_reset(struct sim_world *w, struct os *a, struct os *b, int error);
/* The receive windows of the node's sockets are shut, or open again: its peers may
 * send only what their own buffers hold. */
void sim_net_shut_windows(struct sim_world *w, struct os *os, bool shut);

/* ---- addresses ---- */

/* The node has no addresses of the family any more, loopback ones between nodes
 * included, or has them again. Dialling from it says -ENETUNREACH; what is established
 * stalls, or (`how` SIM_RST) ends with ECONNABORTED at this node. -EAFNOSUPPORT. */
int sim_net_family(struct sim_world *w, struct os *os, int family, bool up,
                   enum sim_block how);
/* The node's address of the family is 10.0.0.host (fd00::host) from now on; 0: that of
 * its number. Connections of the old one stall. -EADDRINUSE, -EAFNOSUPPORT. */
int sim_net_readdress(struct sim_world *w, struct os *os, int family, uint8_t host);

/* ---- the end ---- */

/* Between the two: no cut, clog, hole, filter, loss, corruption; what is left is latency,
 * jitter, rate, queue, mtu, slots, a shared line. Connections that were in a blackhole go
 * on. */
void sim_net_heal_between(struct sim_world *w, struct os *a, struct os *b);
/* The same for all links; and all nodes have their families, and open windows. Addresses
 * stay as they are. */
void sim_net_heal(struct sim_world *w);

/* ---- counters ---- */

/* One way. */
void sim_net_stats(struct sim_world *w, struct os *from, struct os *to,
                   struct sim_link_stats *ret);

#endif
