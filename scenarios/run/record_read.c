/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_read.c: reads records. Nothing in the file is trusted: whatever is wrong with it,
 * the answer is the line and what is wrong there.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/run/record.h"
#include "scenarios/base/text.h"

struct parser {
    const char *name; /* of the file */
    char *next;       /* the line after the current one; NULL: none */
    unsigned line;    /* number of the current one; 0: before the first */
    struct record *record;
    bool seen[32]; /* header keys, by their place in the table */
    char *why;
    size_t size;
};

static int complain(const struct parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int complain(const struct parser *p, const char *format, ...)
{
    va_list args;
    int n = snprintf(p->why, p->size, "%s:%u: ", p->name, p->line);

    if (n > 0 && (size_t)n < p->size) {
        va_start(args, format);
        vsnprintf(p->why + n, p->size - (size_t)n, format, args);
        va_end(args);
    }
    return -EINVAL;
}

/* The next line without its end; NULL: there is none, or it has no end. */
static char *next_line(struct parser *p)
{
    char *line = p->next, *end = line != NULL ? strchr(line, '\n') : NULL;

    p->line++;
    if (end == NULL) {
        p->next = NULL;
        return NULL;
    }
    *end = '\0';
    p->next = end + 1;
    return line;
}

/* ---- values of the header ------------------------------------------------------------ */

static bool take_text(const char **field, char *value)
{
    *field = value;
    return value[0] != '\0';
}

static bool take_script(struct record *r, char *value)
{
    return take_text(&r->script, value);
}

static bool take_script_hash(struct record *r, char *value)
{
    return trace_hash_parse(value, &r->script_hash);
}

static bool take_program(struct record *r, char *value)
{
    return trace_hash_parse(value, &r->program);
}

static bool take_seed(struct record *r, char *value)
{
    return words_number(value, UINT64_MAX, &r->seed);
}

static bool take_on(struct record *r, char *value)
{
    return take_text(&r->on, value);
}

static bool take_stack(struct record *r, char *value)
{
    return take_text(&r->stack, value);
}

static bool take_driver(struct record *r, char *value)
{
    return take_text(&r->driver, value);
}

static bool take_schedule(struct record *r, char *value)
{
    return take_text(&r->schedule, value);
}

static bool take_profile(struct record *r, char *value)
{
    return take_text(&r->profile, value);
}

static bool take_timeout(struct record *r, char *value)
{
    return words_duration(value, &r->timeout_ns) && r->timeout_ns > 0;
}

static bool take_instructions(struct record *r, char *value)
{
    return words_number(value, UINT64_MAX / 2, &r->instructions_max) &&
           r->instructions_max > 0;
}

static bool take_set(struct record *r, char *value)
{
    char *equals = strchr(value, '=');

    if (equals == NULL || equals == value || r->n_sets == RUN_SETS_MAX) {
        return false;
    }
    *equals = '\0';
    r->sets[r->n_sets++] = (struct setting){.key = value, .value = equals + 1};
    return true;
}

static bool take_code(struct record *r, char *value)
{
    uint64_t code;

    if (!words_number(value, 255, &code)) {
        return false;
    }
    r->code = (int)code;
    return true;
}

static bool take_outcome(struct record *r, char *value)
{
    r->outcome = strcmp(value, "ok") == 0 ? "" : value;
    return value[0] != '\0' && strlen(value) < RUN_SIGNATURE_BYTES;
}

static bool take_trace_hash(struct record *r, char *value)
{
    r->hashed = true;
    return trace_hash_parse(value, &r->hash);
}

static bool take_log(struct record *r, char *value)
{
    r->log = strcmp(value, "full") == 0;
    return r->log || strcmp(value, "none") == 0;
}

// clang-format off
/* X(key, must be there, what it is) */
#define HEADER_KEYS(X)                                                                   \
    X(script,       true,  "a path")                                                     \
    X(script_hash,  false, "32 hexadecimal digits")                                      \
    X(program,      false, "32 hexadecimal digits")                                      \
    X(seed,         true,  "a number")                                                   \
    X(on,           true,  "a world")                                                    \
    X(stack,        true,  "a stack")                                                    \
    X(driver,       true,  "a driver")                                                   \
    X(schedule,     false, "a schedule")                                                 \
    X(profile,      false, "a profile")                                                  \
    X(timeout,      true,  "a time")                                                     \
    X(instructions, false, "a number")                                                   \
    X(set,          false, "KEY=VALUE, at most 64 of them")                              \
    X(code,         true,  "an exit code")                                               \
    X(outcome,      true,  "ok, or the name of a failure")                               \
    X(trace_hash,   false, "32 hexadecimal digits")                                      \
    X(log,          true,  "full or none")
// clang-format on

static const struct header_key {
    const char *name;
    bool required;
    const char *what;
    bool (*take)(struct record *r, char *value);
} header_keys[] = {
#define X(key, required, what) {#key, required, what, take_##key},
    HEADER_KEYS(X)
#undef X
};

/* ---- the header ---------------------------------------------------------------------- */

static int read_header_line(struct parser *p, char *line)
{
    char *value = strchr(line, ' ');

    if (value == NULL) {
        return complain(p, "a line of the header is: key value");
    }
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(header_keys); i++) {
        const struct header_key *key = &header_keys[i];

        if (strcmp(line, key->name) != 0) {
            continue;
        }
        if (p->seen[i] && strcmp(line, "set") != 0) {
            return complain(p, "%s is there twice", line);
        }
        p->seen[i] = true;
        return key->take(p->record, value)
                   ? 0
                   : complain(p, "%s is %s, not '%.60s'", line, key->what, value);
    }
    return complain(p, "there is no key '%.60s' in a header", line);
}

static int read_version(struct parser *p)
{
    static const char first[] = "msgrlab decisions ";
    char *line = next_line(p);
    uint64_t version;

    if (line == NULL || strncmp(line, first, sizeof(first) - 1) != 0 ||
        !words_number(line + sizeof(first) - 1, UINT32_MAX, &version)) {
        return complain(p, "this is no record: the first line is not '%s%d'", first,
                        RECORD_VERSION);
    }
    if (version != RECORD_VERSION) {
        return complain(p, "a record of version %" PRIu64 "; this program knows version %d",
                        version, RECORD_VERSION);
    }
    return 0;
}

/* Up to the empty line, and whether nothing is missing. */
static int read_header(struct parser *p)
{
    char *line;
    int rc;

    while ((line = next_line(p)) != NULL && line[0] != '\0') {
        rc = read_header_line(p, line);
        if (rc < 0) {
            return rc;
        }
    }
    if (line == NULL) {
        return complain(p, "the file ends within the header");
    }
    for (size_t i = 0; i < ARRAY_SIZE(header_keys); i++) {
        if (header_keys[i].required && !p->seen[i]) {
            return complain(p, "the header has no '%s'", header_keys[i].name);
        }
    }
    return 0;
}

/* ---- decisions ----------------------------------------------------------------------- */

/* The line with the number of decisions: nothing follows it. */
static int read_end(struct parser *p, const char *line)
{
    uint64_t n;

    if (!words_number(line + 4, UINT32_MAX, &n)) {
        return complain(p, "end is followed by the number of decisions");
    }
    if (n != p->record->n_decisions) {
        return complain(p, "%" PRIu32 " decisions are there, and %" PRIu64 " were written",
                        p->record->n_decisions, n);
    }
    return p->next[0] != '\0' ? complain(p, "something follows the end") : 0;
}

static bool is_decision(const char *line)
{
    line += strspn(line, " \t");
    return line[0] != '\0' && line[0] != '#';
}

/* One call of the loader for all lines; it says in which one something is wrong. */
static int check_decisions(struct parser *p, unsigned header_lines)
{
    struct sim_decisions scratch;
    char what[200] = "";
    unsigned line = 0;
    int at = 0, rc;

    sim_decisions_init(&scratch, 0);
    rc = sim_decisions_load(&scratch, p->record->decisions, what, sizeof(what));
    sim_decisions_fini(&scratch);
    if (rc == -EINVAL) {
        sscanf(what, "line %u: %n", &line, &at);
        p->line = header_lines + line;
        return complain(p, "%s", what + at);
    }
    if (rc < 0) {
        snprintf(p->why, p->size, "%s: out of memory", p->name);
    }
    return rc;
}

/* Lines of decisions stay one text: each gets its end back. */
static int read_decisions(struct parser *p)
{
    unsigned header_lines = p->line;
    char *line, *begin = p->next;
    int rc;

    while ((line = next_line(p)) != NULL && strncmp(line, "end ", 4) != 0) {
        p->record->n_decisions += is_decision(line);
        line[strlen(line)] = '\n';
    }
    if (line == NULL) {
        return complain(p, "the file is cut: its last line is not 'end N'");
    }
    if (!p->record->log && p->record->n_decisions != 0) {
        return complain(p, "decisions, and a header that says log none");
    }
    rc = read_end(p, line);
    line[0] = '\0';
    p->record->decisions = begin;
    return rc < 0 ? rc : check_decisions(p, header_lines);
}

/* ---- the whole ----------------------------------------------------------------------- */

/* Text, and nothing that a terminal would obey. */
static int check_bytes(struct parser *p, const char *text, size_t len)
{
    p->line = 1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n') {
            p->line++;
        } else if ((c < ' ' && c != '\t') || c == 0x7f) {
            return complain(p, "a byte 0x%02x is no text: this is no record, or damaged",
                            c);
        }
    }
    p->line = 0;
    return 0;
}

int record_parse(const char *name, const char *text, size_t len, struct record *ret,
                 char *why, size_t size)
{
    struct record record = {0};
    struct parser p = {.name = name, .record = &record, .why = why, .size = size};
    int rc;

    record.text = malloc(len + 1);
    if (record.text == NULL) {
        snprintf(why, size, "%s: out of memory", name);
        return -ENOMEM;
    }
    text = text_begin(text, &len);
    memcpy(record.text, text, len);
    len = text_unix_lines(record.text, len);
    record.text[len] = '\0';
    p.next = record.text;
    rc = check_bytes(&p, record.text, len);
    rc = rc == 0 ? read_version(&p) : rc;
    rc = rc == 0 ? read_header(&p) : rc;
    rc = rc == 0 ? read_decisions(&p) : rc;
    if (rc < 0) {
        record_fini(&record);
        return rc;
    }
    *ret = record;
    return 0;
}

/* The whole file. 0 or a negative errno. */
static int slurp(const char *path, char **ret, size_t *ret_len)
{
    FILE *file = fopen(path, "rbe");
    char *text = NULL;
    size_t len = 0, room = 0, n;
    int rc = file == NULL ? -errno : 0;

    while (rc == 0) {
        if (len == room) {
            char *more;

            room = room == 0 ? 65536 : room * 2;
            more = len < RECORD_BYTES_MAX ? realloc(text, room) : NULL;
            if (more == NULL) {
                rc = len < RECORD_BYTES_MAX ? -ENOMEM : -EFBIG;
                break;
            }
            text = more;
        }
        n = fread(text + len, 1, room - len, file);
        len += n;
        if (n == 0) {
            rc = ferror(file) ? -EISDIR : 0;
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

int record_read(const char *path, struct record *ret, char *why, size_t size)
{
    char *text = NULL;
    size_t len = 0;
    int rc = slurp(path, &text, &len);

    if (rc < 0) {
        snprintf(why, size, "cannot read %s: %s", path, strerror(-rc));
        return rc;
    }
    rc = record_parse(path, text, len, ret, why, size);
    free(text);
    return rc;
}

void record_fini(struct record *record)
{
    free(record->text);
    *record = (struct record){0};
}
