/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worked_frames.h: one control frame of each kind as Ceph 16.2 sent it (compression: 18.2),
 * each with its fields. Hex as in hex.h.
 */
#ifndef MSGRLAB_TESTS_LIB_WORKED_FRAMES_H
#define MSGRLAB_TESTS_LIB_WORKED_FRAMES_H

#include "tests/lib/frame_codecs.h"

/* A control frame as Ceph sent it, and what it says. */
struct worked {
    const char *name;
    unsigned tag;
    bool rev0;
    const char *hex;
    union frame_payload says;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BIG_ENDIAN_16(x) ((uint16_t)((x) << 8 | (x) >> 8))
#define LOOPBACK 0x0100007fu
#else
#define BIG_ENDIAN_16(x) (x)
#define LOOPBACK 0x7f000001u
#endif
#define ADDR(kind, nonce_, port)                                                           \
    {                                                                                      \
        .type = (kind), .nonce = (nonce_), .in = {                                         \
            .sin_family = AF_INET,                                                         \
            .sin_port = BIG_ENDIAN_16(port),                                               \
            .sin_addr = {LOOPBACK}                                                         \
        }                                                                                  \
    }
#define TEXT(text) .payload = (const uint8_t *)(text), .payload_len = sizeof(text) - 1

#define FEATURES_16_2 0x3f01cfbdfffdffffu
#define MON_ADDR_HEX "01 01 01 1c 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8 "
#define MON_V1_ADDR_HEX                                                                    \
    "01 01 01 1c 00*3 01 00*3 00*4 10 00*3 02 00 1a 85 7f 00 00 01 00*8 "

// clang-format off
static const struct worked worked[] = {
    {"hello of a client", TAG_HELLO, false,
     "01 01 24 00*3 08 00*21 3f bd 6b 06 | 08 | " MON_ADDR_HEX "| 7d 88 3e 07",
     {.HELLO_ = {ENTITY_CLIENT, ADDR(ADDR_MSGR2, 0, 3300)}}},
    {"hello of a monitor", TAG_HELLO, false,
     "01 01 24 00*3 08 00*21 3f bd 6b 06 | 01 | 01 01 01 1c 00*3 02 00*3 00*4 10 00*3 "
     "02 00 86 c2 7f 00 00 01 00*8 | 1c f9 ca 92",
     {.HELLO_ = {ENTITY_MON, ADDR(ADDR_MSGR2, 0, 0x86c2)}}},
    {"auth request of a client", TAG_AUTH_REQUEST, false,
     "02 01 26 00*3 08 00*21 8c 5e e4 be | 01 00*3 | 01 00*3 01 00*3 | 16 00*3 0a 08 00*3 "
     "05 00*3 'admin' 00*8 | d8 ed e5 0c",
     {.AUTH_REQUEST_ = {.method = 1, .modes_n = 1, .modes = {1},
                        TEXT("\x0a\x08\0\0\0\x05\0\0\0admin\0\0\0\0\0\0\0\0")}}},
    {"auth request of a monitor", TAG_AUTH_REQUEST, false,
     "02 01 21 00*3 08 00*21 a1 c2 ad 7e | 01 00*3 | 01 00*3 01 00*3 | 11 00*3 01 01 00*3 "
     "00*4 00*8 | 0d f9 32 97",
     {.AUTH_REQUEST_ = {.method = 1, .modes_n = 1, .modes = {1},
                        TEXT("\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}}},
    {"auth bad method", TAG_AUTH_BAD_METHOD, false,
     "03 01 1c 00*3 08 00*21 e8 0a 89 59 | 02 00*3 a1 ff*3 01 00*3 01 00*3 02 00*3 02 00*3 "
     "01 00*3 | cc 1c 0c 11",
     {.AUTH_BAD_METHOD_ = {.method = 2, .result = -95, .methods_n = 1, .methods = {1},
                           .modes_n = 2, .modes = {2, 1}}}},
    {"auth done", TAG_AUTH_DONE, false,
     "06 01 10 00*3 08 00*21 5b 06 30 a6 | 0b 10 00*6 | 01 00*3 | 00*4 | d0 b1 28 0a",
     {.AUTH_DONE_ = {.global_id = 0x100b, .mode = 1}}},
    {"auth signature", TAG_AUTH_SIGNATURE, false,
     "07 01 20 00*3 08 00*21 a8 0c 98 72 | 00*32 | 55 c9 6e 75",
     {.AUTH_SIGNATURE_ = {{0}}}},
    {"client ident", TAG_CLIENT_IDENT, false,
     "08 01 7b 00*3 08 00*21 73 8a 98 95 | 02 01 00*3 01 01 01 1c 00*3 03 00*3 92 a4 83 55 "
     "10 00*3 02 00 00 00 7f 00 00 01 00*8 | " MON_ADDR_HEX "| ff*8 | 01 00*7 | "
     "ff ff fd ff bd cf 01 3f | 00*7 08 | 00*8 | 7f a8 98 0e 3b e1 42 8d | df 01 b6 78",
     {.CLIENT_IDENT_ = {.addrs = {1, {ADDR(ADDR_ANY, 0x5583a492, 0)}},
                        .target = ADDR(ADDR_MSGR2, 0, 3300), .gid = -1, .global_seq = 1,
                        .supported = FEATURES_16_2, .required = 1ull << 59, .flags = 0,
                        .cookie = 0x8d42e13b0e98a87f}}},
    {"server ident", TAG_SERVER_IDENT, false,
     "09 01 7b 00*3 08 00*21 47 01 8d 37 | 02 02 00*3 " MON_ADDR_HEX MON_V1_ADDR_HEX "| 00*8 "
     "| 0c 00*7 | ff ff fd ff bd cf 01 3f | 00 00 04 02 00 02 01 0c | 01 00*7 | 00*8 | "
     "60 f4 a8 26",
     {.SERVER_IDENT_ = {.addrs = {2, {ADDR(ADDR_MSGR2, 0, 3300), ADDR(ADDR_LEGACY, 0, 6789)}},
                        .gid = 0, .global_seq = 12, .supported = FEATURES_16_2,
                        .required = 0x0c01020002040000, .flags = IDENT_FLAG_LOSSY,
                        .cookie = 0}}},
    {"missing features", TAG_IDENT_MISSING_FEATURES, false,
     "0a 01 08 00*3 08 00*21 67 c8 e7 9e | 00 00 04 02 00 02 01 04 | 3f f8 57 2a",
     {.IDENT_MISSING_FEATURES_ = {0x0401020002040000}}},
    {"session reconnect", TAG_SESSION_RECONNECT, false,
     "0b 01 50 00*3 08 00*21 93 97 ac cf | 02 01 00*3 01 01 01 1c 00*3 02 00*3 44 33 22 11 "
     "10 00*3 02 00 b0 2c 7f 00 00 01 00*8 | 11*8 | 5b d2 7e c5 91 99 86 33 | 02 00*7 | "
     "01 00*7 | 01 00*7 | e8 0f b2 5d",
     {.SESSION_RECONNECT_ = {.addrs = {1, {ADDR(ADDR_MSGR2, 0x11223344, 45100)}},
                             .client_cookie = 0x1111111111111111,
                             .server_cookie = 0x33869991c57ed25b, .global_seq = 2,
                             .connect_seq = 1, .in_seq = 1}}},
    {"session reset", TAG_SESSION_RESET, false,
     "0c 01 01 00*3 08 00*21 4a bb 98 19 | 01 | ad 2f e9 5f",
     {.SESSION_RESET_ = {true}}},
    {"session retry", TAG_SESSION_RETRY, false,
     "0d 01 08 00*3 08 00*21 f8 e2 bb fe | 01 00*7 | 52 30 eb 3a",
     {.SESSION_RETRY_ = {1}}},
    {"session retry global", TAG_SESSION_RETRY_GLOBAL, false,
     "0e 01 08 00*3 08 00*21 55 09 69 1d | 02 00*7 | 3b b7 af e1",
     {.SESSION_RETRY_GLOBAL_ = {2}}},
    {"session reconnect ok", TAG_SESSION_RECONNECT_OK, false,
     "0f 01 08 00*3 08 00*21 61 82 7c bf | 01 00*7 | 52 30 eb 3a",
     {.SESSION_RECONNECT_OK_ = {1}}},
    {"wait", TAG_WAIT, false, "10 01 00*4 08 00*21 c8 e3 aa b0", {.ACK_ = {0}}},
    {"wait 2.0", TAG_WAIT, true, "10 01 00*4 08 00*21 c8 e3 aa b0 | 00 | ff*4 00*12",
     {.ACK_ = {0}}},
    {"keepalive2", TAG_KEEPALIVE2, false,
     "12 01 08 00*3 08 00*21 d8 d5 f5 99 | 5d 02 03 6b 6c ac 60 1d | fe 23 4f 90",
     {.KEEPALIVE2_ = {0x6b03025d, 0x1d60ac6c}}},
    {"keepalive2 2.0", TAG_KEEPALIVE2, true,
     "12 01 08 00*3 08 00*21 d8 d5 f5 99 | 5e 02 03 6b 90 19 95 2c | 00 | 32 1f 4e fb 00*12",
     {.KEEPALIVE2_ = {0x6b03025e, 0x2c951990}}},
    {"keepalive2 ack", TAG_KEEPALIVE2_ACK, false,
     "13 01 08 00*3 08 00*21 ec 5e e0 3b | 5d 02 03 6b 6c ac 60 1d | fe 23 4f 90",
     {.KEEPALIVE2_ACK_ = {0x6b03025d, 0x1d60ac6c}}},
    {"ack", TAG_ACK, false, "14 01 08 00*3 08 00*21 73 74 bc 5b | 01 00*7 | 52 30 eb 3a",
     {.ACK_ = {1}}},
    {"compression request", TAG_COMPRESSION_REQUEST, false,
     "15 01 0d 00*3 08 00*21 74 6b bd 62 | 01 | 02 00*3 02 00*3 01 00*3 | e8 9a a8 5e",
     {.COMPRESSION_REQUEST_ = {true, 2, {2, 1}}}},
    {"compression done", TAG_COMPRESSION_DONE, false,
     "16 01 05 00*3 08 00*21 50 d6 f7 e9 | 01 | 02 00*3 | e7 c5 fb 3d",
     {.COMPRESSION_DONE_ = {true, 2}}},
    {"message of a header only", TAG_MESSAGE, false,
     "11 01 29 00*3 08 00*21 af 96 04 f0 | 01 00*7 00*8 05 00 7f 00 01 00 00*4 00 00 00*8 03 "
     "01 00 00 00 | 07 3b e5 40",
     {.MESSAGE_ = {.seq = 1, .type = 5, .priority = 127, .version = 1, .flags = 3,
                   .compat_version = 1}}},
};
// clang-format on

#endif
