/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/run/run_defaults.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/base/text.h"
#include "scenarios/run/script_find.h"

void run_defaults(struct run_opts *ret)
{
    *ret = (struct run_opts){.timeout_ns = RUN_TIMEOUT_NS, .world = {.on = WORLD_SIM}};
}

/* ---- what a script is about ---- */

struct header {
    const char *script; /* borrowed */
    const char *line;   /* borrowed */
    int number;         /* of the line */
    char *why;          /* borrowed */
    size_t size;        /* of why */
};

/* "-- KEY: WORD", a line of the comment that a script begins with. False:
 * the line is none of these. */
static bool find_word(const struct header *h, const char *key, char word[32])
{
    char format[40], more[2] = "";

    snprintf(format, sizeof(format), "-- %s: %%31s %%1s", key);
    return sscanf(h->line, format, word, more) == 1;
}

static int complain(const struct header *h, const char *key, const char *word,
                    const char *valid)
{
    snprintf(h->why, h->size, "%s:%d: there is no %s '%s'; valid: %s", h->script, h->number,
             key, word, valid);
    return -EINVAL;
}

/* What one line says, if it says something. 0 or -EINVAL. */
static int take_line(const struct header *h, enum stack_kind *ret_stack,
                     enum world_kind *ret_world)
{
    char word[32];
    int kind;

    if (find_word(h, "stack", word)) {
        kind = stack_kind_by_name(word);
        if (kind < 0) {
            return complain(h, "stack", word, "tcp, rdma");
        }
        *ret_stack = (enum stack_kind)kind;
    } else if (find_word(h, "world", word)) {
        kind = world_kind_by_name(word);
        if (kind < 0) {
            return complain(h, "world", word, "sim, linux");
        }
        *ret_world = (enum world_kind)kind;
    }
    return 0;
}

/* 0 or -EINVAL; a script that cannot be read is for the Lua host to complain about. */
static int read_header(struct header *h, enum stack_kind *ret_stack,
                       enum world_kind *ret_world)
{
    FILE *f = fopen(h->script, "re");
    char text[400];
    int err = 0;

    while (f != NULL && err == 0 && fgets(text, sizeof(text), f) != NULL) {
        size_t len = strlen(text);

        h->number++;
        h->line = h->number == 1 ? text_begin(text, &len) : text;
        if (strncmp(h->line, "--", 2) != 0 && (h->number > 1 || h->line[0] != '#')) {
            break;
        }
        err = take_line(h, ret_stack, ret_world);
    }
    if (f != NULL) {
        fclose(f);
    }
    return err;
}

/* Before it is run, perhaps a thousand times. 0 or a negative errno. */
static int check_readable(const char *script)
{
    FILE *f = fopen(script, "re");
    int err = f == NULL || fgetc(f) == EOF ? errno : 0; /* a folder can be opened */

    if (f != NULL && !ferror(f)) {
        err = 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    return -err;
}

int run_defaults_script(struct run_opts *opts, char *why, size_t size)
{
    struct header header = {.script = opts->found, .why = why, .size = size};
    enum stack_kind stack = STACK_UNSAID;
    int err;

    if (!script_find(opts->script, opts->found, sizeof(opts->found))) {
        snprintf(why, size, "there is no script '%s'", opts->script);
        return -ENOENT;
    }
    opts->name = opts->script;
    opts->script = opts->found;
    err = check_readable(opts->script);
    if (err < 0) {
        snprintf(why, size, "cannot read %s: %s", opts->script,
                 err == -EISDIR ? "it is a folder, and no script" : strerror(-err));
        return err == -EINVAL || err == -ENOENT ? -EIO : err;
    }
    err = read_header(&header, &stack, &opts->for_world);
    if (opts->world.stack == STACK_UNSAID && stack != STACK_UNSAID) {
        opts->world.stack = stack;
        opts->for_stack = opts->world.device == NULL;
    }
    if (opts->world.stack == STACK_UNSAID) {
        opts->world.stack = opts->world.on == WORLD_LINUX ? STACK_TCP : STACK_RDMA;
    }
    return err;
}
