/* SPDX-License-Identifier: Apache-2.0 */
/* device.c: which device, port and GID. */
#include "stacks/rdma/device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"

#define DEVICES_MAX 64
#define WHERE                                                                              \
    "\"msgrlab doctor\" says what is here; \"msgrlab softroce\" makes devices without "    \
    "hardware"

static bool gid_is_zero(const union ibv_gid *gid)
{
    return gid->global.subnet_prefix == 0 && gid->global.interface_id == 0;
}

static bool gid_is_ipv4(const union ibv_gid *gid)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(gid->raw, mapped, sizeof(mapped)) == 0;
}

#define GID_WORTH_MOST 3

/* The higher the better; 0: not usable. */
static int gid_worth(const struct ibv_gid_entry *e)
{
    if (gid_is_zero(&e->gid)) {
        return 0;
    }
    if (e->gid_type != IBV_GID_TYPE_ROCE_V2) {
        return 1;
    }
    return gid_is_ipv4(&e->gid) ? GID_WORTH_MOST : 2;
}

static void set_gid(struct rdma_device *d, const struct ibv_gid_entry *e)
{
    os_lock(d->verbs->os, d->gid_lock);
    d->gid = *e;
    os_unlock(d->verbs->os, d->gid_lock);
}

struct ibv_gid_entry rdma_device_gid(struct rdma_device *d)
{
    struct ibv_gid_entry gid;

    os_lock(d->verbs->os, d->gid_lock);
    gid = d->gid;
    os_unlock(d->verbs->os, d->gid_lock);
    return gid;
}

static bool is_same_gid(const struct ibv_gid_entry *a, const struct ibv_gid_entry *b)
{
    return a->gid_index == b->gid_index && memcmp(&a->gid, &b->gid, sizeof(a->gid)) == 0;
}

/* The first of the best; of equals the one we have, if it is still there. */
static int choose_gid(struct rdma_device *d, const struct rdma_opts *opts, char *why,
                      size_t size)
{
    struct ibv_gid_entry e, chosen = {0};
    int best = 0, err;

    if (opts->gid_idx >= 0) {
        err = verbs_query_gid(d->verbs, d->ctx, d->port_num, (uint32_t)opts->gid_idx, &e);
        if (err < 0 || gid_is_zero(&e.gid)) {
            snprintf(why, size, "%s has no GID with the index %d (ms_async_rdma_gid_idx)",
                     d->name, opts->gid_idx);
            return err < 0 ? err : -ENODATA;
        }
        set_gid(d, &e);
        return 0;
    }
    for (uint32_t i = 0; i < (uint32_t)d->port.gid_tbl_len; i++) {
        if (verbs_query_gid(d->verbs, d->ctx, d->port_num, i, &e) != 0) {
            continue;
        }
        if (gid_worth(&e) > best || (gid_worth(&e) == best && is_same_gid(&e, &d->gid))) {
            best = gid_worth(&e);
            chosen = e;
        }
    }
    if (best == 0) {
        snprintf(why, size, "%s has no GID: give its network interface an address",
                 d->name);
        return -ENODATA;
    }
    set_gid(d, &chosen);
    return 0;
}

/* 0, or -errno: it is not usable, and closed again. */
static int try_device(struct rdma_device *d, const struct rdma_opts *opts, const char *name,
                      char *why, size_t size)
{
    int err = verbs_open_device(d->verbs, name, &d->ctx);

    snprintf(d->name, sizeof(d->name), "%s", name);
    d->port_num = (uint8_t)opts->port_num;
    if (err < 0) {
        snprintf(why, size, "cannot open the RDMA device %s: %s; %s", name, strerror(-err),
                 WHERE);
        return err;
    }
    err = verbs_query_device(d->verbs, d->ctx, &d->attr);
    if (err == 0) {
        err = verbs_query_port(d->verbs, d->ctx, d->port_num, &d->port);
    }
    if (err < 0) {
        snprintf(why, size, "%s has no port %u (ms_async_rdma_port_num): %s", name,
                 opts->port_num, strerror(-err));
    } else if (d->port.state != IBV_PORT_ACTIVE) {
        snprintf(why, size, "port %u of %s is not active: is its network interface up?",
                 opts->port_num, name);
        err = -ENETDOWN;
    } else {
        err = choose_gid(d, opts, why, size);
    }
    if (err < 0) {
        verbs_close_device(d->verbs, d->ctx);
        d->ctx = NULL;
    }
    return err;
}

static int choose_device(struct rdma_device *d, const struct rdma_opts *opts, char *why,
                         size_t size)
{
    struct verbs_device *list;
    int n, err;

    if (opts->device_name[0] != '\0') {
        return try_device(d, opts, opts->device_name, why, size);
    }
    list = calloc(DEVICES_MAX, sizeof(*list));
    if (list == NULL) {
        snprintf(why, size, "out of memory");
        return -ENOMEM;
    }
    n = verbs_list_devices(d->verbs, list, DEVICES_MAX);
    if (n <= 0) {
        snprintf(why, size, "there is no RDMA device%s; %s",
                 n == -ENOSYS ? ", and this kernel has no RDMA" : "", WHERE);
    }
    err = n < 0 ? n : -ENODEV;
    for (int i = 0; i < MIN(n, DEVICES_MAX) && err < 0; i++) {
        err = try_device(d, opts, list[i].name, why, size);
    }
    free(list);
    return err;
}

int rdma_device_open(struct rdma_device *d, struct verbs *verbs,
                     const struct rdma_opts *opts, char *why, size_t why_size)
{
    int err;

    d->verbs = verbs;
    d->gid_lock = os_mutex_new(verbs->os, "rdma device");
    if (d->gid_lock == NULL) {
        snprintf(why, why_size, "out of memory");
        return -ENOMEM;
    }
    err = choose_device(d, opts, why, why_size);
    if (err == 0) {
        err = verbs_alloc_pd(verbs, d->ctx, &d->pd);
        if (err < 0) {
            snprintf(why, why_size, "%s gives no protection domain: %s", d->name,
                     strerror(-err));
        }
    }
    return err;
}

bool rdma_device_has_gid(struct rdma_device *d, const struct ibv_gid_entry *gid)
{
    struct ibv_gid_entry e;

    return verbs_query_gid(d->verbs, d->ctx, d->port_num, gid->gid_index, &e) == 0 &&
           is_same_gid(&e, gid);
}

int rdma_device_refresh_gid(struct rdma_device *d, const struct rdma_opts *opts)
{
    char why[200];

    /* Most often the one we have is still there, and none can be better: no need to look at
     * all of them. A worse one may have stood in for it while its address was away. */
    if ((opts->gid_idx >= 0 || gid_worth(&d->gid) == GID_WORTH_MOST) &&
        rdma_device_has_gid(d, &d->gid)) {
        return 0;
    }
    return choose_gid(d, opts, why, sizeof(why));
}

void rdma_device_fini(struct rdma_device *d)
{
    if (d->pd != NULL) {
        verbs_dealloc_pd(d->verbs, d->pd);
    }
    if (d->ctx != NULL) {
        verbs_close_device(d->verbs, d->ctx);
    }
    if (d->gid_lock != NULL) {
        os_mutex_free(d->verbs->os, d->gid_lock);
    }
    *d = (struct rdma_device){0};
}
