/* SPDX-License-Identifier: Apache-2.0 */
/* rdma_opts.c: the options, by Ceph's names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"

#define PREFIX "ms_async_rdma_"

void rdma_opts_init(struct rdma_opts *opts)
{
    *opts = (struct rdma_opts){.port_num = 1,
                               .gid_idx = -1,
                               .buffer_size = 32768,
                               .send_buffers = 256,
                               .receive_buffers = 4096,
                               .receive_queue_len = 512,
                               .support_srq = true,
                               .polling_us = 1000,
                               .sl = 3,
                               .dscp = 96,
                               .path_mtu = 1024,
                               .timeout = 18,
                               .retry_cnt = 7,
                               .rnr_retry = 7,
                               .min_rnr_timer = 18,
                               .cq_depth = 32767,
                               .linger_ms = 1000};
}

struct number {
    const char *name;
    size_t offset;
    uint32_t least, most;
};

#define NUMBER(name, least, most)                                                          \
    {                                                                                      \
#name, offsetof(struct rdma_opts, name), least, most                               \
    }

static const struct number numbers[] = {
    NUMBER(port_num, 1, 255),
    NUMBER(buffer_size, 64, 1u << 30),
    NUMBER(send_buffers, 1, CHUNKS_PER_REGION_MAX),
    NUMBER(receive_buffers, 0, UINT32_MAX),
    NUMBER(receive_queue_len, 1, 1u << 20),
    NUMBER(sl, 0, 15),
    NUMBER(dscp, 0, 255),
    NUMBER(path_mtu, 256, 4096),
    NUMBER(timeout, 0, 31),
    NUMBER(retry_cnt, 0, 7),
    NUMBER(rnr_retry, 0, 7),
    NUMBER(min_rnr_timer, 0, 31),
    NUMBER(cq_depth, 1, 1u << 22),
    NUMBER(linger_ms, 0, 1u << 20),
};

static uint32_t *field_of(struct rdma_opts *opts, const struct number *n)
{
    return (uint32_t *)((char *)opts + n->offset);
}

static int take_number(const char *value, uint64_t least, uint64_t most, uint64_t *ret)
{
    char *end;
    unsigned long long got;

    errno = 0;
    got = strtoull(value, &end, 0);
    if (value[0] == '\0' || value[0] == '-' || *end != '\0' || errno != 0 || got < least ||
        got > most) {
        return -EINVAL;
    }
    *ret = got;
    return 0;
}

static int take_bool(const char *value, bool *ret)
{
    bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

    if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0) {
        return -EINVAL;
    }
    *ret = yes;
    return 0;
}

static int take_polling(const char *value, uint64_t *ret)
{
    if (strcmp(value, "forever") == 0) {
        *ret = RDMA_POLLING_FOR_EVER;
        return 0;
    }
    return take_number(value, 0, UINT32_MAX, ret);
}

static int take_gid_idx(const char *value, int32_t *ret)
{
    uint64_t n;
    int err = strcmp(value, "-1") == 0 ? 1 : take_number(value, 0, INT32_MAX, &n);

    if (err >= 0) {
        *ret = err == 1 ? -1 : (int32_t)n;
    }
    return MIN(err, 0);
}

int rdma_opts_set(struct rdma_opts *opts, const char *name, const char *value)
{
    uint64_t n;
    int err;

    if (strncmp(name, PREFIX, strlen(PREFIX)) == 0) {
        name += strlen(PREFIX);
    }
    if (strcmp(name, "device_name") == 0) {
        if (strlen(value) >= sizeof(opts->device_name)) {
            return -EINVAL;
        }
        snprintf(opts->device_name, sizeof(opts->device_name), "%s", value);
        return 0;
    }
    if (strcmp(name, "support_srq") == 0) {
        return take_bool(value, &opts->support_srq);
    }
    if (strcmp(name, "polling_us") == 0) {
        return take_polling(value, &opts->polling_us);
    }
    if (strcmp(name, "gid_idx") == 0) {
        return take_gid_idx(value, &opts->gid_idx);
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            err = take_number(value, numbers[i].least, numbers[i].most, &n);
            if (err == 0) {
                *field_of(opts, &numbers[i]) = (uint32_t)n;
            }
            return err;
        }
    }
    return -ENOENT;
}

int rdma_opts_parse(struct rdma_opts *opts, const char *text, const char **ret_why)
{
    char pair[160], *value;
    int err = 0;

    while (*text != '\0' && err == 0) {
        size_t len = strcspn(text, ",");

        if (len >= sizeof(pair)) {
            *ret_why = "an option of the RDMA stack is too long";
            return -EINVAL;
        }
        memcpy(pair, text, len);
        pair[len] = '\0';
        text += len + (text[len] == ',');
        value = strchr(pair, '=');
        if (value == NULL) {
            *ret_why = "options of the RDMA stack are written name=value,name=value";
            return -EINVAL;
        }
        *value++ = '\0';
        err = rdma_opts_set(opts, pair, value);
        *ret_why = err == -ENOENT ? "the RDMA stack has no such option"
                                  : "that is no value for this option of the RDMA stack";
    }
    return err;
}

int rdma_opts_check(const struct rdma_opts *opts, char *why, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uint32_t value = *field_of((struct rdma_opts *)opts, &numbers[i]);

        if (value < numbers[i].least || value > numbers[i].most) {
            snprintf(why, size, PREFIX "%s is %u; it must be %u to %u", numbers[i].name,
                     value, numbers[i].least, numbers[i].most);
            return -EINVAL;
        }
    }
    if (opts->receive_buffers != 0 && opts->receive_queue_len > opts->receive_buffers) {
        snprintf(why, size,
                 PREFIX "receive_queue_len (%u) is more than " PREFIX
                        "receive_buffers (%u)",
                 opts->receive_queue_len, opts->receive_buffers);
        return -EINVAL;
    }
    return 0;
}
