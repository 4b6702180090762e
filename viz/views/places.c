/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.c: the places of the IO path figure: what they are called, which trace point
 * belongs to which, and between which of them a messenger has connections.
 */
#include "engine/util.h"
#include "viz/views/iopath.h"

_Static_assert((int)AT_R7 == (int)JOIN_R7, "both begin with the list of steps");

enum place place_of(uint16_t kind)
{
    enum join_step step = join_step_of(kind);

    if (step < JOIN_LABELLED) {
        return (enum place)step;
    }
    return step == JOIN_FAST ? AT_FAST : step == JOIN_BEGIN ? AT_BEGIN : AT_PLACES;
}

const char *place_name(enum place place)
{
    static const char *const names[] = {
#define X(id, point, title) [AT_##id] = #id,
        IO_STEPS(X)
#undef X
            [AT_FAST] = "fast dispatch",
        [AT_BEGIN] = "dispatcher",
        [AT_OUT_QUEUE] = "out_q",
        [AT_EXTERNAL] = "external events",
        [AT_PIPE] = "notify pipe",
        [AT_WAIT] = "driver wait",
        [AT_FILES] = "file events[]",
        [AT_OUTGOING] = "outgoing",
        [AT_RECV_BUF] = "recv_buf",
        [AT_DISPATCH_QUEUE] = "dispatch queue",
        [AT_NOTIFY] = "notify fd",
        [AT_WIRE] = "socket",
    };

    CHECK(place < AT_PLACES);
    return names[place];
}

const char *place_title(enum place place)
{
    static const char *const titles[] = {
#define X(id, point, title) [AT_##id] = #id " " title,
        IO_STEPS(X)
#undef X
            [AT_FAST] = "fast_dispatch",
        [AT_BEGIN] = "ms_dispatch",
    };

    CHECK(place < AT_STEPS);
    return titles[place];
}

/* ---- connections ------------------------------------------------------------------ */

const struct reference_edge reference_edges[] = {
    {AT_S1, AT_S2, EDGE_CALL, false, WITH_ANY},
    {AT_S2, AT_S3, EDGE_CALL, false, WITH_ANY},
    {AT_S3, AT_OUT_QUEUE, EDGE_CALL, false, WITH_ANY},
    {AT_S3, AT_EXTERNAL, EDGE_WAKE, false, WITH_ANY},
    {AT_EXTERNAL, AT_PIPE, EDGE_WAKE, false, WITH_ANY},
    {AT_PIPE, AT_WAIT, EDGE_WAKE, false, WITH_ANY},
    {AT_WAIT, AT_FILES, EDGE_CALL, false, WITH_ANY},
    {AT_EXTERNAL, AT_S4, EDGE_WAKE, false, WITH_ANY},
    {AT_OUT_QUEUE, AT_S4, EDGE_CALL, false, WITH_ANY},
    {AT_S4, AT_OUTGOING, EDGE_COPY, false, WITH_ANY},
    {AT_OUTGOING, AT_S5, EDGE_CALL, false, WITH_ANY},
    {AT_S5, AT_S6, EDGE_CALL, false, WITH_ANY},
    {AT_S6, AT_WIRE, EDGE_COPY, false, WITH_TCP},
    {AT_WIRE, AT_FILES, EDGE_WIRE, false, WITH_TCP},
    {AT_S6, AT_S7, EDGE_COPY, false, WITH_RDMA},
    {AT_S7, AT_WIRE, EDGE_CALL, false, WITH_RDMA},
    {AT_WIRE, AT_R1, EDGE_WIRE, false, WITH_RDMA},
    {AT_R1, AT_R2, EDGE_CALL, false, WITH_RDMA},
    {AT_R2, AT_NOTIFY, EDGE_WAKE, false, WITH_RDMA},
    {AT_NOTIFY, AT_FILES, EDGE_WAKE, false, WITH_RDMA},
    {AT_R2, AT_R6, EDGE_COPY, false, WITH_RDMA},
    {AT_FILES, AT_R3, EDGE_WAKE, false, WITH_ANY},
    {AT_R3, AT_R5, EDGE_CALL, false, WITH_ANY},
    {AT_R5, AT_R4, EDGE_CALL, false, WITH_ANY},
    {AT_R5, AT_R6, EDGE_CALL, false, WITH_ANY},
    {AT_WIRE, AT_R6, EDGE_COPY, false, WITH_TCP},
    {AT_R6, AT_RECV_BUF, EDGE_CALL, false, WITH_ANY},
    {AT_RECV_BUF, AT_R5, EDGE_COPY, false, WITH_ANY},
    {AT_R5, AT_R7, EDGE_CALL, false, WITH_ANY},
    {AT_R7, AT_DISPATCH_QUEUE, EDGE_CALL, false, WITH_ANY},
    {AT_DISPATCH_QUEUE, AT_BEGIN, EDGE_WAKE, false, WITH_ANY},
    {AT_R7, AT_FAST, EDGE_CALL, true, WITH_ANY},
    {AT_R4, AT_R5, EDGE_CALL, true, WITH_ANY},
    {AT_R4, AT_R7, EDGE_CALL, true, WITH_ANY}, /* an empty message */
    {AT_R7, AT_R5, EDGE_CALL, true, WITH_ANY}, /* the next frame */
    {AT_FAST, AT_R5, EDGE_CALL, true, WITH_ANY},
    {AT_R6, AT_R5, EDGE_COPY, true, WITH_ANY},    /* large pieces bypass recv_buf */
    {AT_FILES, AT_S4, EDGE_WAKE, true, WITH_ANY}, /* the socket is writable again */
    {AT_FILES, AT_S5, EDGE_WAKE, true, WITH_ANY},
    {AT_EXTERNAL, AT_S5, EDGE_WAKE, true, WITH_ANY}, /* control frames only */
    {AT_EXTERNAL, AT_R3, EDGE_WAKE, true, WITH_ANY}, /* a throttle let go */
    {AT_EXTERNAL, AT_R5, EDGE_WAKE, true, WITH_ANY},
    {AT_FILES, AT_R5, EDGE_WAKE, true, WITH_ANY},
    {AT_S2, AT_DISPATCH_QUEUE, EDGE_CALL, true, WITH_ANY}, /* local delivery */
    {AT_BEGIN, AT_S1, EDGE_CALL, true, WITH_ANY},          /* an answer */
    {AT_FAST, AT_S1, EDGE_CALL, true, WITH_ANY},
};
const size_t reference_edges_n = ARRAY_SIZE(reference_edges);
