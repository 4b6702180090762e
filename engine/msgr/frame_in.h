/* SPDX-License-Identifier: Apache-2.0 */
/* frame_in.h: a frame that is being read, piece by piece (connection_read.c). */
#ifndef MSGRLAB_ENGINE_MSGR_FRAME_IN_H
#define MSGRLAB_ENGINE_MSGR_FRAME_IN_H

#include "engine/buffer.h"
#include "engine/message.h"
#include "engine/proto/frames.h"

/* What the reader waits for. */
enum in_state {
    IN_BANNER_PREFIX,
    IN_BANNER_PAYLOAD,
    IN_PREAMBLE,
    IN_THROTTLE, /* the message waits for its budgets; nothing is read */
    IN_SEGMENT,  /* in.segment, 0..3 */
    IN_SEGMENT0_CRC,
    IN_EPILOGUE,
};

struct frame_in {
    enum in_state state;
    size_t done;                          /* bytes of the present piece that have arrived */
    uint8_t raw[PREAMBLE_BYTES];          /* banner prefix, preamble, crc, epilogue */
    uint8_t header[MESSAGE_HEADER_BYTES]; /* segment 0 of a MESSAGE */
    struct preamble preamble;
    uint32_t segment;
    struct buffer segments[FRAME_SEGMENTS_MAX];
    uint32_t crcs[FRAME_SEGMENTS_MAX];
    struct message *msg; /* owned; for MESSAGE, from the preamble on */
    uint64_t at;         /* stream offset where the frame began */
};

#endif
