/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c: packets between devices. They use the links of the simulated network (path.c).
 * What a link does not let pass is lost, as in Ethernet; the requester sends it again.
 *
 * Packets of a queue pair do not overtake each other, unless a fault says so.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

/* Ethernet, IP, UDP, BTH, ICRC: what each packet has besides its payload. */
#define PACKET_OVERHEAD 62

#define RESOLVE_NS NSEC_PER_SEC /* until nobody has answered */

static void fabric_free(void *arg)
{
    struct rdma_fabric *fabric = arg;
    struct list *node;

    while ((node = list_pop_front(&fabric->packets)) != NULL) {
        free(container_of(node, struct nic_packet, of_fabric));
    }
    free(fabric);
}

struct rdma_fabric *nic_fabric(struct sim_node *node)
{
    struct sim_env *env = node->env;
    struct rdma_fabric *fabric = env->rdma;

    if (fabric == NULL) {
        fabric = calloc(1, sizeof(*fabric));
        if (fabric == NULL) {
            return NULL;
        }
        list_init(&fabric->nics);
        list_init(&fabric->packets);
        env->rdma = fabric;
        env->rdma_free = fabric_free;
    }
    return fabric;
}

uint64_t rdma_arrived(struct os *os, uint32_t qp_num)
{
    struct rdma_fabric *fabric = to_node(os)->env->rdma;
    struct nic_qp *qp = NULL;

    if (fabric == NULL) {
        return UINT64_MAX;
    }
    list_for_each(&fabric->nics, it)
    {
        struct nic *nic = container_of(it, struct nic, of_fabric);

        qp = qp == NULL && nic->node == to_node(os) ? nic_find_qp(nic, qp_num) : qp;
    }
    return qp != NULL ? qp->arrived : UINT64_MAX;
}

/* A dead node's device is not on the wire any more; another life may have the address. */
static struct nic *nic_at(struct rdma_fabric *fabric, const union ibv_gid *gid)
{
    list_for_each(&fabric->nics, it)
    {
        struct nic *nic = container_of(it, struct nic, of_fabric);

        for (int i = 0; i < NIC_GIDS && !nic->node->dead; i++) {
            if (nic->gid_there[i] && memcmp(&nic->gids[i], gid, sizeof(*gid)) == 0) {
                return nic;
            }
        }
    }
    return NULL;
}

const char *nic_node_at(const struct nic *nic, const union ibv_gid *gid)
{
    const struct nic *there = nic_at(nic->fabric, gid);

    return there != NULL ? there->node->base.name : "";
}

static void arrive(void *arg)
{
    struct nic_packet *p = arg;
    struct nic *nic = nic_at(p->fabric, &p->to);
    struct nic_qp *qp;

    CHECK(list_is_linked(&p->of_fabric));
    list_unlink(&p->of_fabric);
    qp = nic != NULL && nic->port_up && !nic->failed ? nic_find_qp(nic, p->dest_qpn) : NULL;
    if (qp != NULL) {
        if (p->kind <= PACKET_ATOMIC) {
            nic_responder_request(qp, p);
        } else {
            nic_requester_answer(qp, p);
        }
    }
    free(p);
}

struct nic_packet *nic_packet_new(struct nic *nic, uint32_t len)
{
    struct nic_packet *p = malloc(sizeof(*p) + len);

    if (p != NULL) {
        *p = (struct nic_packet){.fabric = nic->fabric, .len = len, .n_psn = 1};
        list_init(&p->of_fabric);
        sim_timer_init(&p->timer, arrive, p);
    }
    return p;
}

bool nic_resolve(struct nic_qp *qp, const union ibv_gid *gid)
{
    struct nic *nic = qp->nic;

    if (nic_at(nic->fabric, gid) != NULL) {
        return true;
    }
    sched_spend(nic_sched(nic), RESOLVE_NS);
    return nic_at(nic->fabric, gid) != NULL;
}

bool nic_has_route(const struct nic_qp *qp)
{
    return qp->nic->port_up && !qp->nic->node->dead &&
           qp->nic->gid_there[qp->attr.ah_attr.grh.sgid_index];
}

/* The link to the peer, if the packet leaves at all: then the tap sees it. NULL: it is lost
 * at once. */
static struct net_link *way_out(struct nic_qp *qp, const struct nic_packet *p)
{
    struct nic *nic = qp->nic, *peer = nic_at(nic->fabric, &p->to);
    struct net_link *link;

    if (peer == NULL || !nic_has_route(qp)) {
        return NULL;
    }
    nic_tap_packet(qp, p, peer->node->base.node);
    link = net_link_between(nic->node, peer->node);
    return link == NULL || net_link_is_cut(link) ? NULL : link;
}

static bool draw(struct nic_qp *qp, enum sim_site site, int percent)
{
    return percent > 0 &&
           (int)sim_pick(nic_decisions(qp->nic), site, &qp->actor, 100) >= 100 - percent;
}

/* Some of the packets do not come: those from the first that is lost on, as if they all
 * were. False: none is left. */
static bool lose_some(struct nic_qp *qp, struct nic_packet *p, struct net_link *link)
{
    const struct rdma_wire *wire = &qp->nic->wire;
    uint32_t bytes = MIN(p->len, p->mtu) + PACKET_OVERHEAD;

    CHECK(p->n_psn > 0);
    for (uint32_t i = 0; i < p->n_psn; i++) {
        if (!draw(qp, SIM_SITE_RDMA_LOSS, wire->lost) &&
            !draw(qp, SIM_SITE_RDMA_DAMAGE, wire->damaged) && /* the ICRC tells */
            !nic_fault_packet(qp, FAULT_V27_DROP) &&
            !nic_fault_packet(qp, FAULT_V27_DAMAGE) && !nic_path_loses(qp, link, bytes)) {
            continue;
        }
        if (p->kind != PACKET_SEND || i == 0) {
            return false;
        }
        p->n_psn = i;
        p->len = i * p->mtu;
        p->last = false;
        return true;
    }
    return true;
}

static void travel(struct nic_qp *qp, struct nic_packet *p, uint64_t at)
{
    CHECK(at >= nic_sched(qp->nic)->now);
    list_push_back(&qp->nic->fabric->packets, &p->of_fabric);
    sim_timer_arm(&nic_sched(qp->nic)->timers, &p->timer, at);
}

static void send_twice(struct nic_qp *qp, const struct nic_packet *p, uint64_t at)
{
    struct nic_packet *twin = nic_packet_new(qp->nic, p->len);

    if (twin != NULL) {
        struct sim_timer timer = twin->timer;

        memcpy(twin, p, sizeof(*p) + p->len);
        list_init(&twin->of_fabric);
        twin->timer = timer;
        travel(qp, twin, at);
    }
}

void nic_send_packet(struct nic_qp *qp, struct nic_packet *p)
{
    struct net_link *link;
    uint64_t at = 0;

    CHECK(!list_is_linked(&p->of_fabric));
    p->to = qp->attr.ah_attr.grh.dgid;
    p->dest_qpn = qp->attr.dest_qp_num;
    p->mtu = nic_mtu(qp);
    link = way_out(qp, p);
    if (link != NULL) {
        at = nic_path_time(qp, link, p->len + (uint64_t)p->n_psn * PACKET_OVERHEAD);
    }
    if (at == 0 || !lose_some(qp, p, link)) {
        free(p);
        return;
    }
    travel(qp, p, at);
    if (draw(qp, SIM_SITE_RDMA_TWICE, qp->nic->wire.duplicated) ||
        nic_fault_packet(qp, FAULT_V27_REPEAT)) {
        send_twice(qp, p, at);
    }
}
