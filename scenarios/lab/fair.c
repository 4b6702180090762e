/* SPDX-License-Identifier: Apache-2.0 */
/* fair.c: the bound, and who is beyond it. What befell whom is noted in fair_trouble.c. */
#include "scenarios/lab/fair.h"

#include "engine/limits.h"
#include "engine/util.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/pause.h"
#include "sim/world/net_control.h"
#include "sim/world/world.h"
#include "stacks/rdma/rdma_stack.h"

#define CALLS_PER_MESSAGE 200 /* os calls that one message may cost, with all around it */
#define RNR_NS (10 * NSEC_PER_MSEC) /* how long a sender without receives waits */
#define BYTES_PER_CALL 16 /* of a message that is read and written in small pieces */

/* ---- the bound --------------------------------------------------------------------- */

static uint64_t bytes_of(const struct lab_entry *entry)
{
    return (uint64_t)entry->bytes[0] + entry->bytes[1] + entry->bytes[2];
}

static void narrow(uint64_t *window, int bytes)
{
    if (bytes > 0) {
        *window = MIN(*window, MAX((uint64_t)bytes / 2, 1u));
    }
}

/* Bytes that may be under way at one time between the two. */
static uint64_t window_of(const struct lab *lab, const struct lab_ledger *ledger)
{
    const struct socket_options *from = &ledger->from->opts.messenger.socket;
    const struct socket_options *to = &ledger->to->opts.messenger.socket;
    uint64_t window = 65536;

    narrow(&window, lab->world->shape.sndbuf);
    narrow(&window, lab->world->shape.rcvbuf);
    narrow(&window, from->sndbuf);
    narrow(&window, from->rcvbuf);
    narrow(&window, to->sndbuf);
    narrow(&window, to->rcvbuf);
    return window;
}

static uint64_t slowest(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

static void read_rdma(const struct lab_node *node, const char *of_run,
                      struct rdma_opts *ret)
{
    const char *why;

    rdma_opts_init(ret);
    rdma_opts_parse(ret, of_run != NULL ? of_run : "", &why);
    rdma_opts_parse(ret, node->opts.rdma, &why);
}

/* What all messages of the run may cost chunks: there and back for as many as are in the
 * sender's share, and for as many as are posted at the receiver. */
static uint64_t chunks_ns(const struct lab *lab, const struct lab_ledger *ledger,
                          uint64_t bytes, uint64_t rtt)
{
    struct rdma_opts from, to;
    uint64_t chunks, sends, receives;

    if (lab->world->stack != STACK_RDMA) {
        return 0;
    }
    read_rdma(ledger->from, lab->world->rdma, &from);
    read_rdma(ledger->to, lab->world->rdma, &to);
    chunks = bytes / from.buffer_size + lab->n_messages;
    sends = 1 + from.send_buffers / 8;
    receives = 1 + to.receive_queue_len / 8;
    return chunks / sends * rtt + chunks / receives * (rtt + RNR_NS);
}

/* What all messages of the run may cost the way between these two. */
static uint64_t work_ns(const struct lab *lab, const struct lab_ledger *ledger)
{
    struct sim_world *sim = lab->world->sim;
    struct sim_link out = sim_net_link(sim, ledger->from->os, ledger->to->os);
    struct sim_link back = sim_net_link(sim, ledger->to->os, ledger->from->os);
    uint64_t rtt = out.latency_ns + out.jitter_ns + back.latency_ns + back.jitter_ns;
    uint64_t rate = slowest(out.bytes_per_sec, back.bytes_per_sec);
    uint64_t call = MAX(lab->world->shape.call_ns, 1u), bytes = 0, ns;

    for (int i = 0; i < lab->n_nodes; i++) {
        bytes += lab->nodes[i]->sent_bytes;
    }
    ns = lab->n_messages * CALLS_PER_MESSAGE * call + bytes / BYTES_PER_CALL * call;
    ns += (bytes / window_of(lab, ledger) + 4) * rtt + chunks_ns(lab, ledger, bytes, rtt);
    if (rate != 0) {
        ns += (uint64_t)((double)bytes / (double)rate * 2 * NSEC_PER_SEC);
    }
    return ns;
}

static uint64_t bound_ns(const struct lab *lab, const struct lab_ledger *ledger)
{
    const struct lab_node_opts *to = &ledger->to->opts;
    uint64_t ready = to->messenger.ready_timeout_ns;
    bool narrow_budgets = to->throttle_messages != 0 || to->throttle_bytes != 0 ||
                          to->messenger.dispatch_bytes_max != 0;

    ready = ready != 0 ? ready : CONNECT_READY_TIMEOUT_NS;
    return LAB_FAIR_NS + work_ns(lab, ledger) + (narrow_budgets ? 2 * ready : 0);
}

/* ---- judging; under the lock ------------------------------------------------------- */

/* Its own handlers are slow, or it keeps what those of this type sent. */
static bool receiver_is_slow(const struct lab_ledger *ledger)
{
    const struct lab_node *to = ledger->to;

    return to->opts.handling_ns != 0 ||
           (to->keeps_from != NULL && to->keeps_from->opts.messenger.entity_type ==
                                          ledger->from->opts.messenger.entity_type) ||
           lab_node_is_paused(to) || lab_node_is_paused(ledger->from);
}

/* A fault during this session may have taken its transport away, and nobody knows yet. */
static bool may_be_lost(const struct lab_fair *fair, const struct lab_ledger *ledger)
{
    uint8_t from = ledger->from->number, to = ledger->to->number;
    uint64_t loss = MAX(fair->node_loss[from], fair->node_loss[to]);

    return MAX(loss, fair->pair_loss[from][to]) >= ledger->conn->up_ns;
}

static void note(uint64_t *last, uint64_t when)
{
    *last = MAX(*last, when);
}

/* Since when it could have arrived; UINT64_MAX: that cannot be said. */
static uint64_t judged_since(const struct lab *lab, const struct lab_ledger *ledger,
                             uint64_t sent_ns)
{
    const struct lab_fair *fair = lab->fair;
    const struct lab_conn *conn = ledger->conn;
    struct sim_world_stats stats;
    uint64_t since = sent_ns, trouble;

    if (conn == NULL || conn->up_ns == 0 || ledger->to == NULL || sent_ns == 0 ||
        ledger->from->os == NULL || ledger->to->os == NULL || receiver_is_slow(ledger) ||
        may_be_lost(fair, ledger)) {
        return UINT64_MAX;
    }
    note(&since, conn->up_ns);
    trouble = fair->node[ledger->from->number];
    note(&trouble, fair->node[ledger->to->number]);
    note(&trouble, fair->pair[ledger->from->number][ledger->to->number]);
    sim_world_stats(lab->world->sim, &stats);
    note(&trouble, stats.starved_until_ns);
    if (trouble > since) {
        since = trouble == UINT64_MAX ? trouble : trouble + LAB_FAIR_AGAIN_NS;
    }
    return since;
}

/* How late a message that was sent at that time is now; 0: it is not. */
static uint64_t lateness(const struct lab *lab, const struct lab_ledger *ledger,
                         uint64_t sent_ns)
{
    uint64_t since = judged_since(lab, ledger, sent_ns);
    uint64_t now = sim_world_now(lab->world->sim);

    if (since == UINT64_MAX || now < since || now - since <= LAB_FAIR_NS) {
        return 0;
    }
    return now - since > bound_ns(lab, ledger) ? now - sent_ns : 0;
}

static void complain(struct lab *lab, const struct lab_ledger *ledger, uint64_t index,
                     uint64_t late, const char *what)
{
    lab_violate(lab, ledger->to, "unfair",
                "message %llu from %s to %s (%llu bytes) %s %llu ms after it was sent, and "
                "nothing befell these two nodes: they wait for somebody else",
                (unsigned long long)index, ledger->from->opts.name, ledger->to->opts.name,
                (unsigned long long)bytes_of(&ledger->entries[index - 1]), what,
                (unsigned long long)(late / NSEC_PER_MSEC));
}

void lab_fair_arrived(struct lab *lab, const struct lab_ledger *ledger,
                      const struct lab_entry *entry)
{
    uint64_t late = lab->fair == NULL ? 0 : lateness(lab, ledger, entry->sent_ns);

    if (late != 0) {
        complain(lab, ledger, (uint64_t)(entry - ledger->entries) + 1, late, "arrives");
    }
}

/* The first message that has not arrived. */
static void judge_missing(struct lab *lab, const struct lab_ledger *ledger,
                          const char *what)
{
    for (uint32_t i = 0; i < ledger->n; i++) {
        const struct lab_entry *entry = &ledger->entries[i];

        if (entry->received == 0 && !entry->failed) {
            uint64_t late = lateness(lab, ledger, entry->sent_ns);

            if (late != 0) {
                complain(lab, ledger, i + 1, late, what);
            }
            return;
        }
    }
}

void lab_fair_reset(struct lab *lab, const struct lab_conn *conn)
{
    if (lab->fair != NULL && !lab->closing && !conn->closed) {
        judge_missing(lab, conn->ledger, "is lost with its session");
    }
}

void lab_fair_finish(struct lab *lab)
{
    if (lab->fair == NULL) {
        return;
    }
    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        const struct lab_conn *conn = lab->conns[i];

        if (!conn->closed && conn->conn != NULL) {
            judge_missing(lab, conn->ledger, "has not arrived");
        }
    }
    lab_unlock(lab);
}
