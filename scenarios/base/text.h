/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h: text that people's editors wrote: a mark of UTF-8 at its beginning, lines that
 * end as on Windows. Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_TEXT_H
#define MSGRLAB_SCENARIOS_BASE_TEXT_H

#include <stddef.h>

/* Where the text begins: behind a byte order mark of UTF-8, if it has one; *len is what is
 * left. */
const char *text_begin(const char *text, size_t *len);
/* In place: "\r\n" becomes "\n". Returns the new length. */
size_t text_unix_lines(char *text, size_t len);
/* Why it is no text that can be read, for people; NULL: nothing speaks against it. */
const char *text_wrong(const char *text, size_t len);

#endif
