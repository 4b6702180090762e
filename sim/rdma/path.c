/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.c: what a link of the simulated network does to the device's packets: the same link
 * that carries the streams, with the same settings (sim/world/net_control.h). What it
 * loses or damages is lost, and the requester sends it again:
 *
 *   time   rate, queue, shared line, latency, jitter, clogs, slots; l01_spike, l14_slot
 *   order  l05_reorder lets the packets behind overtake
 *   loss   loss, loss_burst, loss_nth, corrupt (the ICRC tells), pmtu_hole; l03_loss
 *
 * Cuts are looked at in wire.c. Filters, blackholes, windows and resets are of connections
 * of TCP: the side channel has them, not the packets.
 */
#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

static struct sim_decisions *decisions_of(const struct nic_qp *qp)
{
    return nic_decisions(qp->nic);
}

/* `rate` of 1024, by decision; no rate, no choice. */
static bool chance(struct nic_qp *qp, enum sim_site site, uint16_t rate)
{
    return rate != 0 && sim_chance(decisions_of(qp), site, &qp->actor, rate);
}

static void count(struct net_link *link, enum fault_id id)
{
    link->stats.dropped++;
    net_count_fault(link, id);
}

/* What the link itself does to a packet. */
static bool link_loses(struct nic_qp *qp, struct net_link *link)
{
    const struct sim_link *is = &link->is;

    CHECK(link->special);
    link->segments++;
    link->lost = chance(qp, SIM_SITE_L03_LOSS,
                        link->lost ? MAX(is->loss, is->loss_burst) : is->loss);
    if (link->lost || (is->loss_nth != 0 && link->segments % is->loss_nth == 0)) {
        count(link, FAULT_L03_LINK_LOSS);
        return true;
    }
    if (chance(qp, SIM_SITE_L15_CORRUPT, is->corrupt)) {
        link->stats.corrupted++;
        count(link, FAULT_L15_LINK_CORRUPT);
        return true;
    }
    return false;
}

bool nic_path_loses(struct nic_qp *qp, struct net_link *link, uint32_t bytes)
{
    if (link->hole_bytes != 0 && bytes > link->hole_bytes) {
        count(link, FAULT_L09_PMTU_HOLE);
        return true;
    }
    return (link->special && link_loses(qp, link)) || nic_fault_packet(qp, FAULT_L03_LOSS);
}

static uint64_t transit_ns(uint64_t bytes, uint64_t bytes_per_sec)
{
    return bytes_per_sec != 0 ? bytes * NSEC_PER_SEC / bytes_per_sec : 0;
}

/* Whether so many bytes fit in front of a line that is busy until `free_at`. */
static bool has_room(uint64_t now, uint64_t free_at, uint64_t bytes, uint64_t rate,
                     uint64_t queue)
{
    uint64_t waits = free_at > now ? free_at - now : 0;

    if (queue == 0 || rate == 0 || waits == 0) {
        return true; /* a single packet always goes */
    }
    return (uint64_t)((unsigned __int128)waits * rate / NSEC_PER_SEC) + bytes <= queue;
}

/* When the last byte is on its way; 0: there is no room in front of the line. */
static uint64_t leave(struct net_link *link, uint64_t now, uint64_t bytes)
{
    struct net_line *line = link->line;
    uint64_t at = now;

    if (!has_room(now, link->free_at, bytes, link->is.bytes_per_sec,
                  link->is.queue_bytes) ||
        (line != NULL &&
         !has_room(now, line->free_at, bytes, line->bytes_per_sec, line->queue_bytes))) {
        count(link, FAULT_L02_QUEUE);
        return 0;
    }
    if (link->is.bytes_per_sec != 0) {
        at = link->free_at =
            MAX(link->free_at, now) + transit_ns(bytes, link->is.bytes_per_sec);
    }
    if (line != NULL) {
        at = line->free_at =
            MAX(line->free_at, at) + transit_ns(bytes, line->bytes_per_sec);
    }
    return at;
}

static uint64_t next_slot(uint64_t at, uint64_t slot)
{
    return slot != 0 ? (at + slot - 1) / slot * slot : at;
}

uint64_t nic_path_time(struct nic_qp *qp, struct net_link *link, uint64_t bytes)
{
    uint64_t now = nic_sched(qp->nic)->now, at = leave(link, now, bytes);

    CHECK(bytes > 0);
    if (at == 0) {
        return 0;
    }
    at += link->is.latency_ns;
    if (link->is.jitter_ns != 0) {
        at +=
            sim_pick(decisions_of(qp), SIM_SITE_JITTER, &qp->actor, link->is.jitter_ns + 1);
    }
    if (link->clog_from <= now && now < link->clog_until && link->clog_port == 0) {
        if (link->clog_until == UINT64_MAX) {
            return 0; /* for so long no queue holds it */
        }
        at = MAX(at, link->clog_until);
    }
    at = next_slot(at + nic_fault_delay(qp, FAULT_L01_SPIKE), link->is.slot_ns);
    at = next_slot(at, nic_fault_delay(qp, FAULT_L14_SLOT));
    /* Not at one instant either: who comes first would be a decision then. */
    qp->last_at = MAX(at, qp->last_at + 1);
    return qp->last_at + nic_fault_delay(qp, FAULT_L05_REORDER);
}
