/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_channel.c: completion channels: when an event comes, and when none.
 */
#include "tests/conformance/verbs/suite.h"

static const struct rig_options with_channels = {.channels = true};

/* Events that have come by a channel, all acknowledged. */
static int events_on(struct side *side, struct ibv_comp_channel *channel)
{
    struct ibv_cq *cq;
    int n = 0;

    while (verbs_get_cq_event(side->v, channel, &cq) == 0) {
        verbs_ack_cq_events(side->v, cq, 1);
        n++;
    }
    return n;
}

/* A message from a to b, then a while. */
static void message(struct rig *rig, unsigned flags)
{
    post_recv(&rig->b, 1, 64);
    post_send(&rig->a, 1, 8, flags);
    a_while(rig);
}

static void ask_arm(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct ibv_cq *cq;
    struct rig rig;

    rig_open(&rig, suite, &with_channels);
    message(&rig, 0);
    answer(suite, "channel.not_armed", "%d", events_on(&rig.b, rig.b.recv_channel));
    answer(suite, "channel.empty", "%s",
           errno_name(verbs_get_cq_event(rig.b.v, rig.b.recv_channel, &cq)));
    ibv_req_notify_cq(rig.b.recv_cq, 0);
    a_while(&rig);
    answer(suite, "channel.armed_late", "%d", events_on(&rig.b, rig.b.recv_channel));
    message(&rig, 0);
    message(&rig, 0);
    answer(suite, "channel.one_per_arm", "%d", events_on(&rig.b, rig.b.recv_channel));
    message(&rig, 0);
    answer(suite, "channel.disarmed", "%d", events_on(&rig.b, rig.b.recv_channel));
    ibv_req_notify_cq(rig.b.recv_cq, 0);
    ibv_req_notify_cq(rig.b.recv_cq, 0);
    message(&rig, 0);
    message(&rig, 0);
    answer(suite, "channel.armed_twice", "%d", events_on(&rig.b, rig.b.recv_channel));
    ibv_req_notify_cq(rig.b.recv_cq, 0);
    message(&rig, 0);
    ibv_poll_cq(rig.b.recv_cq, 16, wcs);
    answer(suite, "channel.after_drain", "%d", events_on(&rig.b, rig.b.recv_channel));
    rig_close(&rig);
}

static void ask_solicited(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite, &with_channels);
    ibv_req_notify_cq(rig.b.recv_cq, 1);
    message(&rig, 0);
    answer(suite, "channel.unsolicited", "%d", events_on(&rig.b, rig.b.recv_channel));
    message(&rig, IBV_SEND_SOLICITED);
    answer(suite, "channel.solicited", "%d", events_on(&rig.b, rig.b.recv_channel));
    ibv_req_notify_cq(rig.b.recv_cq, 0);
    ibv_req_notify_cq(rig.b.recv_cq, 1);
    message(&rig, 0);
    answer(suite, "channel.next_then_solicited", "%d",
           events_on(&rig.b, rig.b.recv_channel));
    ibv_req_notify_cq(rig.b.recv_cq, 1);
    post_recv(&rig.b, 1, 64);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    a_while(&rig);
    answer(suite, "channel.solicited_flush", "%d", events_on(&rig.b, rig.b.recv_channel));
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.channels = true, .rnr_retry = -1});
    ibv_req_notify_cq(rig.a.send_cq, 1);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    a_while(&rig);
    answer(suite, "channel.solicited_send_error", "%d",
           events_on(&rig.a, rig.a.send_channel));
    rig_close(&rig);
}

static void ask_send_cq(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite, &with_channels);
    ibv_req_notify_cq(rig.a.send_cq, 0);
    message(&rig, 0);
    answer(suite, "channel.send_unsignaled", "%d", events_on(&rig.a, rig.a.send_channel));
    message(&rig, IBV_SEND_SIGNALED);
    answer(suite, "channel.send_signaled", "%d", events_on(&rig.a, rig.a.send_channel));
    ibv_req_notify_cq(rig.a.send_cq, 0);
    qp_to(&rig.a, rig.a.qp, IBV_QPS_ERR);
    post_send(&rig.a, 1, 8, 0);
    a_while(&rig);
    answer(suite, "channel.send_flush", "%d", events_on(&rig.a, rig.a.send_channel));
    rig_close(&rig);
}

/* Events nobody read do not stand in the way of destroying, and go with the queue. */
static void ask_unread(struct suite *suite)
{
    struct ibv_comp_channel *channel;
    struct ibv_cq *first, *second, *cq = NULL;
    struct ibv_qp *qp;
    struct rig rig;

    rig_open(&rig, suite, &with_channels);
    channel = rig.b.recv_channel;
    first = rig.b.recv_cq;
    verbs_create_cq(rig.b.v, rig.b.context, 16, NULL, channel, &second);
    ibv_req_notify_cq(first, 0);
    ibv_req_notify_cq(second, 0);
    message(&rig, 0);
    qp = rig.b.qp;
    rig.b.recv_cq = second;
    rig.b.qp = side_new_qp(&rig.b);
    qp_to_init(&rig.b, rig.b.qp);
    post_recv(&rig.b, 1, 64);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    a_while(&rig);
    verbs_get_cq_event(rig.b.v, channel, &cq);
    answer(suite, "channel.two_cqs", "%s",
           cq == first ? "the older event" : "the younger event");
    verbs_ack_cq_events(rig.b.v, cq, 1);
    side_destroy_qp(&rig.b);
    answer(suite, "channel.destroy_unread", "%s",
           errno_name(verbs_destroy_cq(rig.b.v, second)));
    answer(suite, "channel.destroyed_events", "%d", events_on(&rig.b, channel));
    rig.b.qp = qp;
    rig.b.recv_cq = first;
    rig_close(&rig);
}

const struct verbs_case cases_channel[] = {
    {"channel", ask_arm},
    {"channel", ask_solicited},
    {"channel", ask_send_cq},
    {"channel", ask_unread},
    {NULL, NULL},
};
