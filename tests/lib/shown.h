/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shown.h: runs "msgrlab show" on a made-up trace (story.h) and keeps what it wrote and
 * said.
 */
#ifndef MSGRLAB_TESTS_LIB_SHOWN_H
#define MSGRLAB_TESTS_LIB_SHOWN_H

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/story.h"
#include "tests/lib/testlib.h"
#include "viz/show.h"

/* Every view there is; the first is text, the others are pictures. */
static const char *const views[] = {"text", "iopath", "eventcenter", "message", "states"};

/* What show_run wrote and said. */
struct shown {
    int rc;
    char *text, *said; /* owned; text is "" without an output */
};

static inline char *shown_slurp(const char *path)
{
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    char *text = NULL;
    size_t len = 0;

    if (file == NULL) {
        return strdup("");
    }
    ck_assert_int_ge(fseek(file, 0, SEEK_END), 0);
    len = (size_t)ftell(file);
    rewind(file);
    text = calloc(1, len + 1);
    ck_assert_uint_eq(fread(text, 1, len, file), len);
    fclose(file);
    return text;
}

static inline struct shown shown_by(const struct show_opts *opts)
{
    struct shown shown = {0};
    size_t size;
    FILE *err = open_memstream(&shown.said, &size);

    shown.rc = show_run(opts, err);
    fclose(err);
    shown.text =
        shown.rc == 0 || shown.rc == -EFBIG ? shown_slurp(opts->output) : strdup("");
    ck_assert_msg((shown.rc == 0) == (shown.said[0] == '\0'), "%d: %s", shown.rc,
                  shown.said);
    return shown;
}

/* The view in that format, through a file that is gone afterwards. */
static inline struct shown shown_as(struct show_opts opts, const char *view,
                                    const char *format)
{
    char output[] = "/tmp/view.XXXXXX";
    struct shown shown;
    int fd = mkstemp(output);

    ck_assert_int_ge(fd, 0);
    close(fd);
    opts.output = output;
    opts.view = view;
    opts.format = format;
    shown = shown_by(&opts);
    unlink(output);
    return shown;
}

static inline void shown_fini(struct shown *shown)
{
    free(shown->text);
    free(shown->said);
}

static inline void shown_start(struct story *s, const char *title)
{
    const struct trace_opts opts = {.title = title};

    story_open(s, &opts);
    story_objects(s);
}

/* Two nodes, `messages` messages. */
static inline void shown_tell(struct story *s, int messages)
{
    shown_start(s, "a story");
    story_connect(s, 5);
    story_messages(s, messages, 500);
    story_close(s);
}

static inline unsigned shown_count(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        n++;
    }
    return n;
}

#endif
