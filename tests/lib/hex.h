/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hex.h: byte strings as tests write them: "02 01 00*3 | 'text'" is 02 01 00 00 00 and the
 * letters. Blanks and bars mean nothing. Anything else aborts: it is an error in the test.
 */
#ifndef MSGRLAB_TESTS_LIB_HEX_H
#define MSGRLAB_TESTS_LIB_HEX_H

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"

struct hex {
    size_t len;
    uint8_t bytes[1024];
};

static inline unsigned hex_digit(char c)
{
    CHECK(isxdigit((unsigned char)c));
    return isdigit((unsigned char)c) ? (unsigned)(c - '0')
                                     : (unsigned)((c | 0x20) - 'a' + 10);
}

static inline void hex_append(struct hex *hex, uint8_t byte, size_t count)
{
    CHECK(hex->len + count <= sizeof(hex->bytes));
    memset(hex->bytes + hex->len, byte, count);
    hex->len += count;
}

static inline struct hex hex_of(const char *text)
{
    struct hex hex = {0};

    while (*text) {
        uint8_t byte;
        unsigned long count = 1;
        char *end;

        if (*text == ' ' || *text == '|') {
            text++;
            continue;
        }
        if (*text == '\'') {
            for (text++; *text != '\''; text++)
                hex_append(&hex, (uint8_t)*text, 1);
            text++;
            continue;
        }
        byte = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
        text += 2;
        if (*text == '*') {
            count = strtoul(text + 1, &end, 10);
            text = end;
        }
        hex_append(&hex, byte, count);
    }
    return hex;
}

/* A copy that ends where its memory ends, so that a sanitizer sees the first byte too many.
 * The caller frees it. */
static inline uint8_t *exact_copy(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len);

    CHECK(copy || len == 0);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

#endif
