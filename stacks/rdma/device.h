/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h: the device, its port and its GID, and what it can do. Opened once; read by all
 * threads afterwards. (Ceph: Device, Port, DeviceList.)
 */
#ifndef MSGRLAB_STACKS_RDMA_DEVICE_H
#define MSGRLAB_STACKS_RDMA_DEVICE_H

#include "stacks/rdma/rdma_stack.h"

struct rdma_device {
    struct verbs *verbs;     /* borrowed */
    struct ibv_context *ctx; /* owned */
    struct ibv_pd *pd;       /* owned */
    char name[64];
    struct ibv_device_attr attr;
    struct ibv_port_attr port;
    uint8_t port_num;
    struct os_mutex *gid_lock; /* owned; guards gid, which an event may change */
    struct ibv_gid_entry gid;
};

/* Chooses as the options say. 0, or -errno with a sentence. A zeroed device becomes usable;
 * fini it also on failure. */
int rdma_device_open(struct rdma_device *d, struct verbs *verbs,
                     const struct rdma_opts *opts, char *why, size_t why_size);
/* The GID table changed. 0: there is one, maybe another, now the best there is; -ENODATA.
 * Dispatcher's thread. */
int rdma_device_refresh_gid(struct rdma_device *d, const struct rdma_opts *opts);
/* Whether the table has it. */
bool rdma_device_has_gid(struct rdma_device *d, const struct ibv_gid_entry *gid);
/* Ours. Any thread. */
struct ibv_gid_entry rdma_device_gid(struct rdma_device *d);
/* Everything made of it is destroyed. A zeroed one is fine. */
void rdma_device_fini(struct rdma_device *d);

#endif
