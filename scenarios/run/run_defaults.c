/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/run/run_defaults.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/base/text.h"
#include "scenarios/run/script_find.h"

void run_defaults(struct run_opts *ret)
{
    *ret = (struct run_opts){.timeout_ns = RUN_TIMEOUT_NS, .world = {.on = "sim"}};
}

/* ---- what a script is about ---- */

static const char *const stacks[2] = {"tcp", "rdma"};
static const char *const worlds[2] = {"sim", "linux"};

struct header {
    const char *script; /* borrowed */
    const char *line;   /* borrowed */
    int number;         /* of the line */
    char *why;          /* borrowed */
    size_t size;        /* of why */
};

/* "-- KEY: WORD", a line of the comment that a script begins with. *ret becomes the one of
 * the two words that is there, and stays as it is if the line is none of these. -EINVAL: no
 * such word, and why. */
static int take_line(const struct header *h, const char *key, const char *const words[2],
                     const char **ret)
{
    char format[40], word[32] = "", more[2] = "";

    snprintf(format, sizeof(format), "-- %s: %%31s %%1s", key);
    if (sscanf(h->line, format, word, more) != 1) {
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = words[i];
            return 0;
        }
    }
    snprintf(h->why, h->size, "%s:%d: there is no %s '%s'; valid: %s, %s", h->script,
             h->number, key, word, words[0], words[1]);
    return -EINVAL;
}

/* 0 or -EINVAL; a script that cannot be read is for the Lua host to complain about. */
static int read_header(struct header *h, const char **ret_stack, const char **ret_world)
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
        err = take_line(h, "stack", stacks, ret_stack);
        err = err < 0 ? err : take_line(h, "world", worlds, ret_world);
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
    const char *stack = NULL;
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
    if (opts->world.stack == NULL && stack != NULL) {
        opts->world.stack = stack;
        opts->for_stack = opts->world.device == NULL;
    }
    if (opts->world.stack == NULL) {
        opts->world.stack = strcmp(opts->world.on, "sim") == 0 ? "rdma" : "tcp";
    }
    return err;
}
