/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_network.c: the network under a device goes away and comes back, or is bad. Asked
 * only of targets where somebody can do that.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

static const char *port_state(struct side *side)
{
    struct ibv_port_attr port = {0};

    if (verbs_query_port(side->v, side->context, side->rig->target->port, &port) != 0) {
        return "query failed";
    }
    return port.state == IBV_PORT_ACTIVE ? "ACTIVE"
           : port.state == IBV_PORT_DOWN ? "DOWN"
                                         : "another";
}

/* "PORT_ACTIVE x2" and "PORT_ACTIVE" say the same. */
static struct text without_counts(struct text text)
{
    char *count;

    while ((count = strstr(text.s, " x")) != NULL) {
        size_t digits = strspn(count + 2, "0123456789");

        memmove(count, count + 2 + digits, strlen(count + 2 + digits) + 1);
    }
    return text;
}

static void ask_link(struct suite *suite)
{
    struct verbs_target *target = suite_target(suite);
    struct rig rig;

    if (target->set_link == NULL) {
        return;
    }
    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    post_recv(&rig.b, 1, 64);
    target->set_link(target, 0, false);
    a_while(&rig);
    answer(suite, "network.down_event", "%s", without_counts(events_of(&rig.a)).s);
    answer(suite, "network.down_port", "%s", port_state(&rig.a));
    answer(suite, "network.down_qp", "%s", state_of(&rig.a));
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "network.down_send", "%s", next_status(&rig, rig.a.send_cq));
    target->set_link(target, 0, true);
    a_while(&rig);
    answer(suite, "network.up_event", "%s", without_counts(events_of(&rig.a)).s);
    answer(suite, "network.up_port", "%s", port_state(&rig.a));
    answer(suite, "network.up_qp", "%s", state_of(&rig.a));
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    post_recv(&rig.b, 1, 64);
    target->set_link(target, 1, false);
    a_while(&rig);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "network.peer_down_send", "%s", next_status(&rig, rig.a.send_cq));
    target->set_link(target, 1, true);
    a_while(&rig);
    rig_close(&rig);

    rig_open(&rig, suite, NULL);
    post_recv(&rig.b, 1, 64);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "network.after", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

/* Where the GID that was at its index before is now. */
static const char *gid_place(struct side *side, const struct ibv_gid_entry *before)
{
    struct verbs_target *target = side->rig->target;
    struct ibv_gid_entry gid;

    for (uint32_t i = 0; i < 16; i++) {
        if (verbs_query_gid(side->v, side->context, target->port, i, &gid) == 0 &&
            memcmp(&gid.gid, &before->gid, sizeof(gid.gid)) == 0) {
            return i == target->gid_index[side->index] ? "at its index"
                                                       : "at another index";
        }
    }
    return "nowhere";
}

static void ask_address(struct suite *suite)
{
    struct verbs_target *target = suite_target(suite);
    struct ibv_gid_entry before = {0};
    struct rig rig;

    if (target->set_address == NULL) {
        return;
    }
    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    verbs_query_gid(rig.a.v, rig.a.context, target->port, target->gid_index[0], &before);
    target->set_address(target, 0, false);
    a_while(&rig);
    answer(suite, "network.address_gone", "%s", without_counts(events_of(&rig.a)).s);
    answer(suite, "network.address_gone_gid", "%s", gid_place(&rig.a, &before));
    answer(suite, "network.address_gone_qp", "%s", state_of(&rig.a));
    target->set_address(target, 0, true);
    a_while(&rig);
    answer(suite, "network.address_back", "%s", without_counts(events_of(&rig.a)).s);
    answer(suite, "network.address_back_gid", "%s", gid_place(&rig.a, &before));
    /* The queue pair held its index. Without it everything goes where it was. */
    side_destroy_qp(&rig.a);
    target->set_address(target, 0, false);
    target->set_address(target, 0, true);
    a_while(&rig);
    answer(suite, "network.address_again_gid", "%s", gid_place(&rig.a, &before));
    rig_close(&rig);
}

/* Packets are lost for good, for a while, or come twice. */
static void ask_loss(struct suite *suite)
{
    struct verbs_target *target = suite_target(suite);
    const struct rig_options hasty = {.retry_cnt = 1, .timeout = 12};
    const struct verbs_wire cut = {.lost = 100}, fine = {0};
    struct rig rig;

    if (target->set_wire == NULL) {
        return;
    }
    rig_open(&rig, suite, &hasty);
    post_recv(&rig.b, 1, 64);
    target->set_wire(target, 0, &cut);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "network.data_lost", "%s; b: %s", next_status(&rig, rig.a.send_cq),
           soon_status(&rig, rig.b.recv_cq));
    target->set_wire(target, 0, &fine);
    rig_close(&rig);

    rig_open(&rig, suite, &hasty);
    post_recv(&rig.b, 1, 64);
    target->set_wire(target, 1, &cut);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "network.acks_lost", "%s; b: %s", next_status(&rig, rig.a.send_cq),
           soon_status(&rig, rig.b.recv_cq));
    target->set_wire(target, 1, &fine);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 6, .timeout = 17});
    post_recv(&rig.b, 1, 64);
    target->set_wire(target, 0, &cut);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "network.outage", "%s", soon_status(&rig, rig.a.send_cq));
    target->set_wire(target, 0, &fine);
    answer(suite, "network.outage_over", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

/* Twelve messages of five packets while that happens both ways: how many arrived, in order
 * and undamaged. */
static void through(struct suite *suite, const char *id, const struct verbs_wire *wire)
{
    struct verbs_target *target = suite_target(suite);
    const struct verbs_wire fine = {0};
    struct ibv_wc wc;
    struct rig rig;
    int good = 0;

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 7});
    target->set_wire(target, 0, wire);
    target->set_wire(target, 1, wire);
    for (uint64_t i = 1; i <= 12; i++) {
        memset(rig.a.memory, (int)i, 5000);
        post_recv(&rig.b, i, 8192);
        post_send(&rig.a, i, 5000, IBV_SEND_SIGNALED);
        if (next_wc(&rig, rig.b.recv_cq, &wc) && wc.status == IBV_WC_SUCCESS &&
            wc.wr_id == i && memcmp(rig.a.memory, rig.b.memory, 5000) == 0) {
            good++;
        }
        next_status(&rig, rig.a.send_cq);
    }
    answer(suite, id, "%d of 12, %s", good, state_of(&rig.a));
    target->set_wire(target, 0, &fine);
    target->set_wire(target, 1, &fine);
    rig_close(&rig);
}

static void ask_noise(struct suite *suite)
{
    if (suite_target(suite)->set_wire != NULL) {
        through(suite, "network.loss_10", &(struct verbs_wire){.lost = 10});
        through(suite, "network.duplicate_30", &(struct verbs_wire){.duplicated = 30});
        through(suite, "network.damage_10", &(struct verbs_wire){.damaged = 10});
    }
}

const struct verbs_case cases_network[] = {
    {"network", ask_link},    {"network", ask_loss}, {"network", ask_noise},
    {"network", ask_address}, {NULL, NULL},
};
