/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c: protection domains and memory regions. Keys are index << 8 | tag, as many
 * devices have them; a key is used once.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

int nic_alloc_pd(struct verbs *v, struct ibv_context *ctx, struct ibv_pd **ret)
{
    struct nic *nic = to_nic(v);
    struct nic_pd *pd;
    int err = nic_control(nic);

    if (err == 0) {
        err = nic_fault_create(nic);
    }
    if (err < 0) {
        return err;
    }
    pd = calloc(1, sizeof(*pd));
    if (pd == NULL) {
        return -ENOMEM;
    }
    pd->ibv.context = ctx;
    pd->nic = nic;
    to_context(ctx)->users++;
    nic->objects.pds++;
    *ret = &pd->ibv;
    return 0;
}

int nic_dealloc_pd(struct verbs *v, struct ibv_pd *ibv)
{
    struct nic_pd *pd = to_pd(ibv);

    nic_control(to_nic(v));
    if (pd->users > 0) {
        return -EBUSY;
    }
    CHECK(pd->nic->objects.pds > 0);
    to_context(pd->ibv.context)->users--;
    pd->nic->objects.pds--;
    free(pd);
    return 0;
}

int nic_reg_mr(struct verbs *v, struct ibv_pd *pd, void *addr, size_t len, int access,
               struct ibv_mr **ret)
{
    const int remote = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC;
    const int known = remote | IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ |
                      IBV_ACCESS_RELAXED_ORDERING;
    struct nic *nic = to_nic(v);
    struct nic_mr *mr;
    uint64_t slow_ns;
    int err = nic_control(nic);

    if (err < 0) {
        return err;
    }
    if (len == 0 || (access & ~known) != 0 || (uintptr_t)addr + len < (uintptr_t)addr ||
        ((access & remote) != 0 && (access & IBV_ACCESS_LOCAL_WRITE) == 0)) {
        return -EINVAL;
    }
    if (addr == NULL) {
        return -EFAULT;
    }
    slow_ns = nic_fault_slow_mr(nic);
    if (slow_ns > 0) {
        sched_spend(nic_sched(nic), slow_ns);
    }
    err = nic_fault_reg_mr(nic);
    if (err < 0) {
        return err;
    }
    mr = calloc(1, sizeof(*mr));
    if (mr == NULL) {
        return -ENOMEM;
    }
    mr->nic = nic;
    mr->pd = to_pd(pd);
    mr->access = access;
    mr->ibv.context = pd->context;
    mr->ibv.pd = pd;
    mr->ibv.addr = addr;
    mr->ibv.length = len;
    nic->next_key++;
    CHECK(nic->next_key < 1u << 24); /* the tag follows */
    mr->ibv.lkey =
        nic->next_key << 8 | (uint32_t)(sim_mix(nic->actor.key, nic->next_key) & 0xff);
    mr->ibv.rkey = (access & (remote | IBV_ACCESS_REMOTE_READ)) != 0 || nic->is->always_rkey
                       ? mr->ibv.lkey
                       : 0;
    list_init(&mr->of_nic);
    list_push_back(&nic->mrs, &mr->of_nic);
    mr->pd->users++;
    nic->objects.mrs++;
    *ret = &mr->ibv;
    return 0;
}

int nic_dereg_mr(struct verbs *v, struct ibv_mr *ibv)
{
    struct nic_mr *mr = container_of(ibv, struct nic_mr, ibv);

    CHECK(mr->pd->users > 0);
    nic_control(to_nic(v));
    list_unlink(&mr->of_nic);
    mr->pd->users--;
    mr->nic->objects.mrs--;
    free(mr);
    return 0;
}

/* A stack has few regions: a list will do. */
static const struct nic_mr *find_mr(const struct nic *nic, uint32_t lkey)
{
    list_for_each(&nic->mrs, it)
    {
        const struct nic_mr *mr = container_of(it, struct nic_mr, of_nic);

        if (mr->ibv.lkey == lkey) {
            return mr;
        }
    }
    return NULL;
}

int nic_check_sge(const struct nic *nic, const struct nic_pd *pd, const struct ibv_sge *sge,
                  bool write)
{
    const struct nic_mr *mr;
    uint64_t start;

    if (sge->length == 0) {
        return 0;
    }
    mr = find_mr(nic, sge->lkey);
    if (mr == NULL || mr->pd != pd) {
        return -ENOENT;
    }
    start = (uint64_t)(uintptr_t)mr->ibv.addr;
    if (sge->addr < start || sge->addr - start > mr->ibv.length ||
        sge->length > mr->ibv.length - (sge->addr - start)) {
        return -EFAULT;
    }
    return write && (mr->access & IBV_ACCESS_LOCAL_WRITE) == 0 ? -EACCES : 0;
}

uint8_t *nic_remote_bytes(const struct nic *nic, const struct nic_pd *pd,
                          const struct nic_remote *remote, uint32_t offset, uint32_t len,
                          int access)
{
    const struct nic_mr *mr = find_mr(nic, remote->rkey);
    uint64_t start, at = remote->addr + offset;

    if (mr == NULL || mr->pd != pd || mr->ibv.rkey == 0 || (mr->access & access) == 0) {
        return NULL;
    }
    start = (uint64_t)(uintptr_t)mr->ibv.addr;
    if (at < start || at - start > mr->ibv.length || len > mr->ibv.length - (at - start)) {
        return NULL;
    }
    return (uint8_t *)(uintptr_t)at;
}
