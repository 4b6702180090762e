/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/rdma/personality.h"

#include <string.h>

const struct rdma_personality rdma_hca = {.name = "hca",
                                          .device = "hca0",
                                          .overrun = RDMA_OVERRUN_FATAL,
#define X(type, field, hca, rxe, what) .field = hca,
                                          RDMA_TRAITS(X)
#undef X
};

const struct rdma_personality rdma_rxe = {.name = "rxe",
                                          .device = "rxe0",
                                          .overrun = RDMA_OVERRUN_LOSES,
#define X(type, field, hca, rxe, what) .field = rxe,
                                          RDMA_TRAITS(X)
#undef X
};

const struct rdma_personality *rdma_personality_by_name(const char *name)
{
    return strcmp(name, "hca") == 0   ? &rdma_hca
           : strcmp(name, "rxe") == 0 ? &rdma_rxe
                                      : NULL;
}
