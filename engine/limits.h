/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h: every bound of the engine in one place, with what happens there. Options of
 * struct messenger_opts override those marked "option".
 */
#ifndef MSGRLAB_ENGINE_LIMITS_H
#define MSGRLAB_ENGINE_LIMITS_H

#include "engine/base.h"

/* Address vector: longer ones are a bad frame. */
#define ADDRVEC_MAX 8
/* Entries of a vec32 in an AUTH frame: longer ones are a bad frame. */
#define FRAME_VEC_MAX 32
/* One control-frame segment, in READY and before: longer ones fault the connection before
 * any memory is taken. The longest legal one (CLIENT_IDENT) is a few hundred bytes. */
#define FRAME_CONTROL_MAX 4096
/* front + middle + data of one message (option message_bytes_max): a longer one faults. */
#define MESSAGE_BYTES_MAX (128u << 20)

/* recv_buf before and after the handshake. Reads larger than what is left bypass it. */
#define RECV_PREFETCH_HANDSHAKE 512
#define RECV_PREFETCH 65536
/* A worker encodes queued messages into `outgoing` up to this, then hands it to the stack.
 * While the stack cannot take it, nothing more is encoded: the rest stays in out_q. */
#define OUTGOING_BYTES_MAX (256u << 10)
/* Answers in the handshake that the socket has no room for: beyond this the peer faults. */
#define HANDSHAKE_OUTGOING_MAX 16384
/* out_q of one connection (options): at the bound messenger_send says -EAGAIN and records
 * out_queue_full; the caller keeps the message. */
#define OUT_QUEUE_MESSAGES_MAX 65536
#define OUT_QUEUE_BYTES_MAX (512u << 20)
/* Received but not yet dispatched (option): connections wait for the throttle. */
#define DISPATCH_BYTES_MAX (100u << 20)
/* Connections that have not finished the handshake (option): at the bound the listener
 * pauses, and the kernel's backlog holds the rest. */
#define ACCEPTING_MAX 1024

/* Failed handshakes of callers that wait for on_accept_failed: more are only counted. */
#define REFUSALS_QUEUED_MAX 256
/* KEEPALIVE2 without an answer whose stamps are remembered: an answer to an older one is a
 * stray. */
#define KEEPALIVES_UNANSWERED_MAX 16

#define LISTEN_BACKLOG 512
#define ACCEPT_BATCH 64 /* accepts per event, so that one listener cannot starve a loop */
#define ACCEPT_PAUSE_NS (100 * NSEC_PER_MSEC) /* after EMFILE, ENFILE, ENOBUFS, ENOMEM */

#define WORKERS_MAX 24
#define CENTER_EVENTS_PER_WAIT 1024
#define CENTER_WAIT_MAX_NS (30 * NSEC_PER_SEC)
#define CENTER_INITIAL_FDS 64
/* One event serves a connection this far, then the connection queues up behind the
 * others. */
#define FRAMES_PER_READ_EVENT 256
#define READ_BYTES_PER_EVENT (4u << 20)
#define BATCHES_PER_WRITE_EVENT 16

/*
 * What connections share, and what one of them may have of it, whatever its peer does:
 *
 *   a worker's time      the three bounds above, then it is the next one's turn
 *   ms_dispatch          one message, then the next connection's (priority_queue.h)
 *   budgets              one message at a time waits for them, first come, first served
 *                        (throttle.h). A message that stopped half-way, for its peer is
 *                        silent, holds them no longer than MESSAGE_STALL_NS while somebody
 *                        waits: then its connection ends. The budgets of a policy are the
 *                        user's own bound for peers of one type, as in Ceph: an application
 *                        that keeps messages of one of them makes all of that type wait
 *   RDMA send chunks     its first one, and then at most as many as are left for the
 *   RDMA receive chunks  others (stacks/rdma/memory.h)
 *
 * Not bounded, for the caller promised not to do it: a fast_dispatch that blocks its
 * worker, or a dispatcher that blocks ms_dispatch, stops all that the same thread serves.
 */
#define MESSAGE_STALL_NS CONNECT_READY_TIMEOUT_NS /* option ready_timeout */

#define CONNECT_READY_TIMEOUT_NS (10 * NSEC_PER_SEC) /* ms_connection_ready_timeout */
/* A session ends when nothing came from the peer for so long, whatever we sent. */
#define CONNECT_IDLE_TIMEOUT_NS (900 * NSEC_PER_SEC) /* ms_connection_idle_timeout */
#define BACKOFF_INITIAL_NS (200 * NSEC_PER_MSEC)     /* ms_initial_backoff */
#define BACKOFF_MAX_NS (15 * NSEC_PER_SEC)           /* ms_max_backoff */

#endif
