/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wr_id.h: what travels in wr_id: what kind of work request it was, and which chunk. It is
 * the only thing of an error completion, beside status and qp_num, that can be relied on.
 * (Ceph has pointers there; these are the same in every run.)
 */
#ifndef MSGRLAB_STACKS_RDMA_WR_ID_H
#define MSGRLAB_STACKS_RDMA_WR_ID_H

#include <stdint.h>

enum wr_kind { WR_NONE, WR_SEND, WR_RECV, WR_FIN, WR_BEACON };

static inline uint64_t wr_id_of(enum wr_kind kind, uint32_t chunk)
{
    return (uint64_t)kind << 56 | chunk;
}
static inline enum wr_kind wr_id_kind(uint64_t wr_id)
{
    return wr_id >> 56 > WR_BEACON ? WR_NONE : (enum wr_kind)(wr_id >> 56);
}
static inline uint32_t wr_id_chunk(uint64_t wr_id)
{
    return (uint32_t)wr_id;
}

#endif
