/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/text.h"

#include <string.h>

const char *text_begin(const char *text, size_t *len)
{
    if (*len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        *len -= 3;
        return text + 3;
    }
    return text;
}

size_t text_unix_lines(char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\r' || i + 1 == len || text[i + 1] != '\n') {
            text[n++] = text[i];
        }
    }
    return n;
}

const char *text_wrong(const char *text, size_t len)
{
    if (len >= 2 &&
        (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
        return "it is UTF-16; save it as UTF-8";
    }
    return NULL;
}
