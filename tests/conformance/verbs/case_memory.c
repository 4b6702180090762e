/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_memory.c: registered memory: what can be registered, and keys that are wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/verbs/suite.h"

#define BAD_KEY 0xdead0001U

/* 4096 bytes of side's memory once more; NULL if refused. */
static struct ibv_mr *register_at(struct side *side, size_t offset, int access)
{
    struct ibv_mr *mr;

    return verbs_reg_mr(side->v, side->pd, side->memory + offset, 4096, access, &mr) == 0
               ? mr
               : NULL;
}

/* A send that is posted, with a receive waiting; rows PREFIX.status and PREFIX.states. */
static void send_with(struct suite *suite, const char *prefix, uint64_t offset,
                      uint32_t length, int kind)
{
    struct ibv_pd *pd = NULL;
    struct ibv_mr *mr = NULL;
    uint32_t lkey;
    struct rig rig;
    char id[64];

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    lkey = rig.a.mr->lkey;
    if (kind == 'g') { /* garbage */
        lkey = BAD_KEY;
    } else if (kind == 'd') { /* deregistered */
        mr = register_at(&rig.a, 0, IBV_ACCESS_LOCAL_WRITE);
        lkey = mr->lkey;
        verbs_dereg_mr(rig.a.v, mr);
    } else if (kind == 'o') { /* of another protection domain */
        verbs_alloc_pd(rig.a.v, rig.a.context, &pd);
        verbs_reg_mr(rig.a.v, pd, rig.a.memory, 4096, IBV_ACCESS_LOCAL_WRITE, &mr);
        lkey = mr->lkey;
    }
    post_recv(&rig.b, 1, 8192);
    snprintf(id, sizeof(id), "%s.post", prefix);
    answer(suite, id, "%s",
           errno_name(
               post_send_at(&rig.a, 1, (uintptr_t)rig.a.memory + offset, length, lkey)));
    snprintf(id, sizeof(id), "%s.status", prefix);
    answer(suite, id, "%s", next_status(&rig, rig.a.send_cq));
    snprintf(id, sizeof(id), "%s.states", prefix);
    answer(suite, id, "%s, %s", state_of(&rig.a), state_of(&rig.b));
    if (kind == 'o') {
        verbs_dereg_mr(rig.a.v, mr);
        verbs_dealloc_pd(rig.a.v, pd);
    }
    rig_close(&rig);
}

static void ask_send_keys(struct suite *suite)
{
    send_with(suite, "lkey.garbage", 0, 64, 'g');
    send_with(suite, "lkey.deregistered", 0, 64, 'd');
    send_with(suite, "lkey.other_pd", 0, 64, 'o');
    send_with(suite, "lkey.beyond", RIG_MEMORY - 32, 64, 0);
    send_with(suite, "lkey.beyond_late", RIG_MEMORY - 2048, 3000, 0);
    send_with(suite, "lkey.zero_length", 0, 0, 'g');
}

/* A receive with that key, and a message for it; row ID is "status of a; of b; states". */
static void recv_with(struct suite *suite, const char *id, uint64_t offset, uint32_t room,
                      uint32_t length, int kind)
{
    struct ibv_mr *mr;
    uint32_t lkey;
    struct rig rig;
    const char *a, *b;

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    mr = register_at(&rig.b, 0, kind == 'r' ? 0 : IBV_ACCESS_LOCAL_WRITE);
    lkey = kind == 'g' ? BAD_KEY : mr->lkey;
    post_recv_at(&rig.b, 1, (uintptr_t)rig.b.memory + offset, room, lkey);
    if (kind == 'd') {
        verbs_dereg_mr(rig.b.v, mr);
    }
    post_send(&rig.a, 1, length, IBV_SEND_SIGNALED);
    a = next_status(&rig, rig.a.send_cq);
    b = next_status(&rig, rig.b.recv_cq);
    answer(suite, id, "a %s, b %s, %s, %s", a, b, state_of(&rig.a), state_of(&rig.b));
    if (kind != 'd') {
        verbs_dereg_mr(rig.b.v, mr);
    }
    rig_close(&rig);
}

static void ask_recv_keys(struct suite *suite)
{
    recv_with(suite, "lkey.recv_garbage", 0, 64, 64, 'g');
    recv_with(suite, "lkey.recv_deregistered", 0, 64, 64, 'd');
    recv_with(suite, "lkey.recv_read_only", 0, 64, 64, 'r');
    recv_with(suite, "lkey.recv_beyond", 4096 - 32, 64, 64, 0);
    recv_with(suite, "lkey.recv_beyond_unused", 4096 - 32, 64, 16, 0);
}

static const char *registering(struct rig *rig, void *at, size_t length, int access)
{
    struct ibv_mr *mr;
    int rc = verbs_reg_mr(rig->a.v, rig->a.pd, at, length, access, &mr);

    if (rc == 0) {
        verbs_dereg_mr(rig->a.v, mr);
        return "an MR";
    }
    return errno_name(rc);
}

static void ask_register(struct suite *suite)
{
    struct ibv_mr *first, *second;
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    answer(suite, "mr.length_0", "%s",
           registering(&rig, rig.a.memory, 0, IBV_ACCESS_LOCAL_WRITE));
    answer(suite, "mr.null", "%s", registering(&rig, NULL, 4096, IBV_ACCESS_LOCAL_WRITE));
    answer(suite, "mr.remote_without_local", "%s",
           registering(&rig, rig.a.memory, 64, IBV_ACCESS_REMOTE_WRITE));
    answer(suite, "mr.atomic_without_local", "%s",
           registering(&rig, rig.a.memory, 64, IBV_ACCESS_REMOTE_ATOMIC));
    answer(suite, "mr.unaligned", "%s",
           registering(&rig, rig.a.memory + 3, 5, IBV_ACCESS_LOCAL_WRITE));
    first = register_at(&rig.a, 0, IBV_ACCESS_LOCAL_WRITE);
    second = register_at(&rig.a, 100, IBV_ACCESS_LOCAL_WRITE);
    answer(suite, "mr.overlapping", "%s",
           first != NULL && second != NULL
               ? first->lkey != second->lkey ? "two MRs, two keys" : "two MRs, one key"
               : "refused");
    answer(suite, "mr.rkey_without_remote", "%s", first->rkey == 0 ? "0" : "not 0");
    answer(suite, "mr.rkey_with_remote", "%s",
           rig.a.mr->rkey == rig.a.mr->lkey ? "the lkey" : "another");
    verbs_dereg_mr(rig.a.v, first);
    verbs_dereg_mr(rig.a.v, second);
    rig_close(&rig);

    /* Nothing says that memory is in use until it is used. */
    rig_open(&rig, suite, NULL);
    first = register_at(&rig.b, 0, IBV_ACCESS_LOCAL_WRITE);
    post_recv_at(&rig.b, 1, (uintptr_t)rig.b.memory, 64, first->lkey);
    answer(suite, "mr.dereg_posted", "%s", errno_name(verbs_dereg_mr(rig.b.v, first)));
    rig_close(&rig);
}

const struct verbs_case cases_memory[] = {
    {"lkey", ask_send_keys},
    {"lkey", ask_recv_keys},
    {"mr", ask_register},
    {NULL, NULL},
};
