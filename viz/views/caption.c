/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "viz/views/view.h"

/* The rest is "and N more". */
#define NODES_MAX 8
#define CAPTION_COLUMNS 78

char *count_text(char *buf, size_t size, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    size_t at = 0;

    for (int i = 0; i < len && at + 2 < size; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buf[at++] = ',';
        }
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

/* Broken between words, so that a picture, which cuts long lines, has all of it. */
static void put_title(const char *title, FILE *out)
{
    size_t column = (size_t)fprintf(out, "recorded: ");

    while (*title != '\0') {
        size_t word = 1 + strcspn(title + 1, " ");

        if (column + word > CAPTION_COLUMNS && column > 10) {
            fprintf(out, "\n         ");
            column = 9;
        }
        column += (size_t)fprintf(out, "%.*s", (int)word, title);
        title += word;
    }
    fputc('\n', out);
}

static void put_nodes(const struct trace_reader *reader, FILE *out)
{
    unsigned nodes = 0, threads = 0, last = 256;

    fprintf(out, "nodes: ");
    for (size_t i = 0; i < trace_reader_threads(reader); i++) {
        const struct trace_thread *thread = trace_reader_thread(reader, i);

        threads++;
        if (thread->node == last) {
            continue;
        }
        last = thread->node;
        if (++nodes <= NODES_MAX) {
            fprintf(out, "%s%u = %s", nodes > 1 ? ", " : "", thread->node,
                    thread->node_name[0] ? thread->node_name : "?");
        }
    }
    if (nodes > NODES_MAX) {
        fprintf(out, " and %u more", nodes - NODES_MAX);
    }
    fprintf(out, "%s; threads: %u\n", nodes ? "" : "none", threads);
}

static void put_events(const struct view_input *in, uint64_t shown, FILE *out)
{
    const struct trace_info *info = trace_reader_info(in->reader);
    const struct join_totals *t = join_totals(in->join);
    char a[32], b[32], c[32];

    fprintf(out,
            "events: %s shown of %s; lost: %s; damaged: ", count_text(a, sizeof(a), shown),
            count_text(b, sizeof(b), info->records), count_text(c, sizeof(c), info->lost));
    fprintf(out, "%s%s\n", count_text(a, sizeof(a), info->damaged),
            info->live     ? "; still recording"
            : !info->clean ? "; the recorder was stopped hard"
                           : "");
    fprintf(out, "messages: %s; sent and received: %s",
            count_text(a, sizeof(a), t->messages), count_text(b, sizeof(b), t->complete));
    if (t->local > 0) {
        fprintf(out, "; local: %s", count_text(a, sizeof(a), t->local));
    }
    if (t->unsent > 0) {
        fprintf(out, "; never sent: %s", count_text(a, sizeof(a), t->unsent));
    }
    if (t->sent_only > 0) {
        fprintf(out, "; sent, receiver not seen: %s",
                count_text(a, sizeof(a), t->sent_only));
    }
    if (t->received_only > 0) {
        fprintf(out, "; received, sender not seen: %s",
                count_text(a, sizeof(a), t->received_only));
    }
    if (t->replayed > 0) {
        fprintf(out, "; sent again: %s", count_text(a, sizeof(a), t->replayed));
    }
    if (t->dispatches_unmatched > 0) {
        fprintf(out, "; dispatches unmatched: %s",
                count_text(a, sizeof(a), t->dispatches_unmatched));
    }
    fputc('\n', out);
}

/* A word for a shell; text that needs more than quotes becomes printable. */
static void put_word(const char *word, FILE *out)
{
    bool plain = word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_./:=+,-@")] == '\0';

    if (plain && *word != '\0') {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (const char *p = word; *p != '\0'; p++) {
        fputc(*p < ' ' || *p > '~' || *p == '\'' ? '?' : *p, out);
    }
    fputc('\'', out);
}

static void put_command(const struct view_input *in, const char *view, FILE *out)
{
    const struct show_opts *o = in->opts;
    const char *slash = o->trace ? strrchr(o->trace, '/') : NULL;
    const char *const words[][2] = {
        {"--message", o->message}, {"--kind", o->kind}, {"--conn", o->conn}};

    fprintf(out, "again: msgrlab show ");
    put_word(slash ? slash + 1 : o->trace ? o->trace : "TRACE", out);
    fprintf(out, " --view %s", view);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i][1] != NULL) {
            fprintf(out, " %s ", words[i][0]);
            put_word(words[i][1], out);
        }
    }
    if (o->limit > 0) {
        fprintf(out, " --limit %llu", (unsigned long long)o->limit);
    }
    fputc('\n', out);
}

char *view_caption(const struct view_input *in, const char *view, uint64_t shown)
{
    const struct trace_info *info = trace_reader_info(in->reader);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return NULL;
    }
    if (info->title[0] != '\0') {
        put_title(info->title, out);
    }
    put_nodes(in->reader, out);
    put_events(in, shown, out);
    put_command(in, view, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
