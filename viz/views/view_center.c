/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_center.c: figure A, the event centers: one loop pass from left to right, what feeds
 * it above, and below, per worker, how many posts it took to wake it up how often.
 */
#include "viz/views/center.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/map.h"
#include "engine/util.h"
#include "viz/join/hist.h"

/* Rows of the tables; the rest is summed up in the last. */
#define CENTERS_MAX 16
#define NAMES_MAX 6

struct center {
    char name[48];
    uint64_t cycles, empty; /* waits; those that ended with nothing */
    uint64_t files, timers, runs;
    uint64_t posts, foreign_posts, merges; /* foreign: by another thread */
    uint64_t writes, drains, reads, stale;
    struct hist slept, queued, late;
};

struct event_name {
    char name[48];
    uint64_t posts, merges, runs;
    struct hist queued;
};

struct centers {
    struct center all, each[CENTERS_MAX];
    unsigned n;
    struct event_name names[NAMES_MAX];
    unsigned n_names;
    struct map by_object, owner; /* object -> each; object -> node << 8 | thread */
    struct map by_string;        /* string -> names */
    uint64_t shown;
    bool failed;
};

/* ---- counting --------------------------------------------------------------------- */

static uint64_t thread_key(const struct trace_record *r)
{
    return (uint64_t)r->node << 8 | r->thread;
}

static struct center *center_of(struct centers *c, const struct view_input *in,
                                uint32_t object)
{
    uint64_t at = map_get(&c->by_object, object, MAP_NONE);
    char spare[16];

    if (at == MAP_NONE) {
        at = MIN(c->n, CENTERS_MAX - 1u);
        c->failed |= map_put(&c->by_object, object, at) < 0;
        snprintf(c->each[at].name, sizeof(c->each[at].name), "%s",
                 c->n >= CENTERS_MAX
                     ? "other workers"
                     : object_text(in->reader, object, spare, sizeof(spare)));
        c->n = MIN(c->n + 1, (unsigned)CENTERS_MAX + 1);
    }
    return &c->each[at];
}

static struct event_name *name_of(struct centers *c, const struct view_input *in,
                                  uint64_t string)
{
    uint64_t at = map_get(&c->by_string, string, MAP_NONE);

    if (at == MAP_NONE) {
        at = MIN(c->n_names, NAMES_MAX - 1u);
        c->failed |= map_put(&c->by_string, string, at) < 0;
        snprintf(c->names[at].name, sizeof(c->names[at].name), "%.47s",
                 c->n_names >= NAMES_MAX
                     ? "others"
                     : trace_reader_string(in->reader, (uint32_t)string));
        c->n_names = MIN(c->n_names + 1, (unsigned)NAMES_MAX + 1);
    }
    return &c->names[at];
}

static void take_external(struct centers *c, const struct view_input *in,
                          const struct trace_record *r, struct center *center)
{
    struct event_name *name = name_of(c, in, r->a1);
    uint64_t owner = map_get(&c->owner, r->obj, MAP_NONE);
    const struct trace_record *post;

    if (r->kind == TP_EXT_POST) {
        center->posts++;
        center->foreign_posts += owner != thread_key(r);
        name->posts++;
    } else if (r->kind == TP_EXT_MERGE) {
        center->merges++;
        name->merges++;
    } else {
        center->runs++;
        name->runs++;
        post = trace_reader_find(in->reader, r->cause);
        if (post != NULL && post->kind == TP_EXT_POST) {
            hist_add(&center->queued, r->ts - MIN(r->ts, post->ts));
            hist_add(&name->queued, r->ts - MIN(r->ts, post->ts));
        }
    }
}

/* True if the record is of a center. */
static bool count_record(struct centers *c, const struct view_input *in,
                         const struct trace_record *r, struct center *center)
{
    switch (r->kind) {
    case TP_WAIT_EXIT:
        center->cycles++;
        center->empty += r->val == 0;
        hist_add(&center->slept, r->a0);
        return true;
    case TP_FILE_EVENT:
        center->files++;
        return true;
    case TP_FILE_STALE:
        center->stale++;
        return true;
    case TP_TIME_EVENT:
        center->timers++;
        hist_add(&center->late, r->a1);
        return true;
    case TP_EXT_POST:
    case TP_EXT_MERGE:
    case TP_EXT_RUN:
        take_external(c, in, r, center);
        return true;
    case TP_WAKEUP:
        center->writes++;
        return true;
    case TP_WAKE_DRAIN:
        center->drains++;
        return true;
    default:
        return false;
    }
}

static bool is_of_center(uint16_t kind)
{
    return point_of(kind)->layer == LAYER_CENTER;
}

/* The thread that waits is the owner. */
static void find_owners(struct centers *c, const struct view_input *in)
{
    for (size_t i = 0; i < trace_reader_count(in->reader); i++) {
        const struct trace_record *r = trace_reader_record(in->reader, i);

        if (r->kind == TP_WAIT_ENTER || r->kind == TP_WAIT_EXIT) {
            c->failed |= map_put(&c->owner, r->obj, thread_key(r)) < 0;
        }
    }
}

static void count_reads(struct centers *c, const struct view_input *in,
                        const struct trace_record *r)
{
    const struct trace_record *event = trace_reader_find(in->reader, r->cause);

    if (event != NULL && event->kind == TP_FILE_EVENT) {
        center_of(c, in, event->obj)->reads++;
        c->all.reads++;
    }
}

static struct centers *centers_new(const struct view_input *in)
{
    struct centers *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    find_owners(c, in);
    for (size_t i = 0; i < trace_reader_count(in->reader) && !c->failed; i++) {
        const struct trace_record *r = trace_reader_record(in->reader, i);

        if (r->kind == TP_R3_READ_EVENT) {
            count_reads(c, in, r);
        } else if (is_of_center(r->kind)) {
            c->shown += count_record(c, in, r, center_of(c, in, r->obj));
            /* Names are counted once only. */
            if (r->kind != TP_EXT_POST && r->kind != TP_EXT_MERGE &&
                r->kind != TP_EXT_RUN) {
                count_record(c, in, r, &c->all);
            }
        }
    }
    c->n = MIN(c->n, (unsigned)CENTERS_MAX);
    c->n_names = MIN(c->n_names, (unsigned)NAMES_MAX);
    for (unsigned i = 0; i < c->n; i++) {
        c->all.posts += c->each[i].posts;
        c->all.foreign_posts += c->each[i].foreign_posts;
        c->all.merges += c->each[i].merges;
        c->all.runs += c->each[i].runs;
    }
    return c;
}

static void centers_free(struct centers *c)
{
    if (c != NULL) {
        map_fini(&c->by_object);
        map_fini(&c->owner);
        map_fini(&c->by_string);
        free(c);
    }
}

/* The sentence that says it all. */
static void put_sentence(const struct centers *c, char *buf, size_t size)
{
    char a[32], b[32], d[32], e[32], f[32];

    snprintf(
        buf, size,
        "%s posts and %s merged ones took %s notify writes, %s drains and %s loop passes.",
        count_text(a, sizeof(a), c->all.posts), count_text(b, sizeof(b), c->all.merges),
        count_text(d, sizeof(d), c->all.writes), count_text(e, sizeof(e), c->all.drains),
        count_text(f, sizeof(f), c->all.cycles));
}

/* "-" if there was nothing to measure. */
static const char *percentile_text(char *buf, size_t size, const struct hist *h,
                                   unsigned percent)
{
    return h->n > 0 ? duration_text(buf, size, hist_percentile(h, percent)) : "-";
}

/* ---- the table -------------------------------------------------------------------- */

#define COLUMNS 12

static const char *const headings[COLUMNS] = {
    "worker", "cycles", "empty",  "file events", "time events", "posts",
    "merged", "writes", "drains", "run",         "queued p50",  "queued p99"};

static void put_row(const struct center *e, char cells[COLUMNS][48])
{
    const uint64_t numbers[] = {e->cycles, e->empty,  e->files,  e->timers, e->posts,
                                e->merges, e->writes, e->drains, e->runs};

    snprintf(cells[0], sizeof(cells[0]), "%.30s", e->name);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        count_text(cells[i + 1], sizeof(cells[0]), numbers[i]);
    }
    for (int i = 0; i < 2; i++) {
        char text[16];

        snprintf(cells[10 + i], sizeof(cells[0]), "%s",
                 percentile_text(text, sizeof(text), &e->queued, i ? 99 : 50));
    }
}

int view_center(const struct view_input *in, FILE *out)
{
    struct centers *c = centers_new(in);
    char *caption = c != NULL ? view_caption(in, "eventcenter", c->shown) : NULL;
    char cells[COLUMNS][48], text[200], a[16], b[16];

    if (caption == NULL || c->failed) {
        free(caption);
        centers_free(c);
        return -ENOMEM;
    }
    for (int column = 0; column < COLUMNS; column++) {
        fprintf(out, column ? " %12s" : "%-24s", headings[column]);
    }
    for (unsigned i = 0; i < c->n; i++) {
        put_row(&c->each[i], cells);
        for (int column = 0; column < COLUMNS; column++) {
            fprintf(out, column ? " %12s" : "\n%-24s", cells[column]);
        }
    }
    fprintf(out, "\n\n%-24s %12s %12s %12s %12s %12s\n", "external event", "posts",
            "merged", "run", "queued p50", "queued p99");
    for (unsigned i = 0; i < c->n_names; i++) {
        const struct event_name *e = &c->names[i];

        fprintf(out, "%-24.24s %12llu %12llu %12llu %12s %12s\n", e->name,
                (unsigned long long)e->posts, (unsigned long long)e->merges,
                (unsigned long long)e->runs, percentile_text(a, sizeof(a), &e->queued, 50),
                percentile_text(b, sizeof(b), &e->queued, 99));
    }
    put_sentence(c, text, sizeof(text));
    fprintf(out, "\n%s\n--\n%s", text, caption);
    free(caption);
    centers_free(c);
    return ferror(out) ? -EIO : 0;
}

/* ---- the figure ------------------------------------------------------------------- */

#define STAGE_W 176.0
#define STAGE 214.0 /* from one stage of the loop to the next */

struct stage {
    double x, y; /* of its upper left corner: of the whole figure */
    int id[16];
};

enum {
    BOX_WAIT,
    BOX_FILES,
    BOX_TIMERS,
    BOX_EXTERNAL,
    BOX_SOCKETS,
    BOX_TABLE,
    BOX_HEAP,
    BOX_QUEUE,
    BOX_PIPE,
    BOX_OTHERS,
    BOX_OWN,
};

static void draw_box(struct drawing *d, struct stage *s, int which, double x, double y,
                     struct dot_box box)
{
    box.x = s->x + x;
    box.y = s->y + y;
    box.w = box.w > 0 ? box.w : 140;
    box.h = box.h > 0 ? box.h : 40;
    s->id[which] = drawing_box(d, &box);
}

static double stage_x(int stage)
{
    return 16 + STAGE_W / 2 + stage * STAGE;
}

#define LOOP_Y 236.0
#define FEED_Y 130.0

static void draw_passes(struct drawing *d, struct stage *s, const struct centers *c)
{
    const struct center *all = &c->all;
    char label[4][160], a[32], b[32], e[32], t[16];

    snprintf(label[0], sizeof(label[0]),
             "1  driver wait\n%s cycles, %s empty\nslept p50 %s",
             count_text(a, sizeof(a), all->cycles), count_text(b, sizeof(b), all->empty),
             percentile_text(t, sizeof(t), &all->slept, 50));
    snprintf(label[1], sizeof(label[1]),
             "2  file events\n%s run, %s stale\n%s reads, %s drains",
             count_text(a, sizeof(a), all->files), count_text(b, sizeof(b), all->stale),
             count_text(e, sizeof(e), all->reads), count_text(t, sizeof(t), all->drains));
    snprintf(label[2], sizeof(label[2]), "3  time events\n%s run\nlate p50 %s",
             count_text(a, sizeof(a), all->timers),
             percentile_text(t, sizeof(t), &all->late, 50));
    snprintf(label[3], sizeof(label[3]), "4  external events\n%s run",
             count_text(a, sizeof(a), all->runs));
    for (int i = 0; i < 4; i++) {
        static const uint8_t classes[] = {CLASS_APP, CLASS_FILE, CLASS_TIMER, CLASS_EXT};

        draw_box(d, s, BOX_WAIT + i, stage_x(i), LOOP_Y,
                 (struct dot_box){.w = STAGE_W,
                                  .h = 54,
                                  .shape = DOT_ROUND,
                                  .label = label[i],
                                  .pen = 2.4,
                                  .colour = class_colour(classes[i])});
    }
}

static void draw_feeders(struct drawing *d, struct stage *s, const struct centers *c)
{
    char label[160], a[32], b[32];

    draw_box(d, s, BOX_SOCKETS, stage_x(0) - 26, FEED_Y,
             (struct dot_box){.shape = DOT_WIRE, .label = "sockets", .w = 90, .h = 30});
    draw_box(d, s, BOX_TABLE, stage_x(1), FEED_Y,
             (struct dot_box){.shape = DOT_QUEUE, .label = "file events[]\nby descriptor"});
    draw_box(d, s, BOX_HEAP, stage_x(2), FEED_Y,
             (struct dot_box){.shape = DOT_QUEUE, .label = "time events\nby (time, id)"});
    snprintf(label, sizeof(label), "external events\n%s posted, %s merged",
             count_text(a, sizeof(a), c->all.posts),
             count_text(b, sizeof(b), c->all.merges));
    draw_box(d, s, BOX_QUEUE, stage_x(3), FEED_Y,
             (struct dot_box){.shape = DOT_QUEUE, .label = label, .w = 158, .h = 46});
    snprintf(label, sizeof(label), "notify pipe\n%s written, %s drained",
             count_text(a, sizeof(a), c->all.writes),
             count_text(b, sizeof(b), c->all.drains));
    draw_box(d, s, BOX_PIPE, (stage_x(1) + stage_x(2)) / 2, 64,
             (struct dot_box){.shape = DOT_PIPE, .label = label, .w = 168});
    snprintf(label, sizeof(label), "other threads\n%s posts",
             count_text(a, sizeof(a), c->all.foreign_posts));
    draw_box(d, s, BOX_OTHERS, stage_x(4), FEED_Y - 34,
             (struct dot_box){.shape = DOT_ROUND, .label = label});
    snprintf(label, sizeof(label), "the worker itself\n%s posts",
             count_text(a, sizeof(a), c->all.posts - c->all.foreign_posts));
    draw_box(d, s, BOX_OWN, stage_x(4), FEED_Y + 34,
             (struct dot_box){.shape = DOT_ROUND, .label = label});
}

static void draw_line(struct drawing *d, const struct stage *s, int from, int to,
                      struct dot_line line)
{
    line.from = s->id[from];
    line.to = s->id[to];
    for (int i = 0; i < line.n; i++) {
        line.points[i][0] += s->x;
        line.points[i][1] += s->y;
    }
    line.label_x += s->x;
    line.label_y += s->y;
    line.width = line.width > 0 ? line.width : 1.4;
    drawing_line(d, &line);
}

static void draw_loop(struct drawing *d, const struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        draw_line(d, s, BOX_WAIT + i, BOX_WAIT + i + 1,
                  (struct dot_line){.n = 2,
                                    .points = {{stage_x(i) + STAGE_W / 2, LOOP_Y},
                                               {stage_x(i + 1) - STAGE_W / 2, LOOP_Y}},
                                    .width = 2});
    }
    draw_line(d, s, BOX_EXTERNAL, BOX_WAIT,
              (struct dot_line){.n = 4,
                                .points = {{stage_x(3), LOOP_Y + 27},
                                           {stage_x(3), LOOP_Y + 56},
                                           {stage_x(0), LOOP_Y + 56},
                                           {stage_x(0), LOOP_Y + 27}},
                                .width = 2,
                                .label = "next pass; what was posted meanwhile runs then",
                                .label_x = (stage_x(0) + stage_x(3)) / 2,
                                .label_y = LOOP_Y + 47,
                                .label_centred = true});
}

static void draw_feeds(struct drawing *d, const struct stage *s)
{
    static const struct {
        int from, to, stage;
        double dx, half;
        enum dot_style style;
        const char *label;
    } down[] = {
        {BOX_SOCKETS, BOX_WAIT, 0, -26, 15, DOT_DOTTED, "ready"},
        {BOX_TABLE, BOX_FILES, 1, 0, 20, DOT_SOLID, "callback of the fd"},
        {BOX_HEAP, BOX_TIMERS, 2, 0, 20, DOT_SOLID, "those that are due"},
        {BOX_QUEUE, BOX_EXTERNAL, 3, 0, 23, DOT_SOLID, "the whole queue"},
    };
    double pipe_x = (stage_x(1) + stage_x(2)) / 2;

    for (size_t i = 0; i < ARRAY_SIZE(down); i++) {
        double x = stage_x(down[i].stage) + down[i].dx;

        draw_line(
            d, s, down[i].from, down[i].to,
            (struct dot_line){.n = 2,
                              .points = {{x, FEED_Y + down[i].half}, {x, LOOP_Y - 27}},
                              .style = down[i].style,
                              .label = down[i].label,
                              .label_x = x + 6,
                              .label_y = (FEED_Y + down[i].half + LOOP_Y - 27) / 2});
    }
    draw_line(
        d, s, BOX_QUEUE, BOX_PIPE,
        (struct dot_line){
            .n = 3,
            .points = {{stage_x(3), FEED_Y - 23}, {stage_x(3), 64}, {pipe_x + 84, 64}},
            .style = DOT_DASHED,
            .label = "only when the queue was empty",
            .label_x = (stage_x(3) + pipe_x + 84) / 2,
            .label_y = 56,
            .label_centred = true});
    draw_line(d, s, BOX_PIPE, BOX_WAIT,
              (struct dot_line){.n = 3,
                                .points = {{pipe_x - 84, 64},
                                           {stage_x(0) + 52, 64},
                                           {stage_x(0) + 52, LOOP_Y - 27}},
                                .style = DOT_DASHED,
                                .label = "wakes it",
                                .label_x = stage_x(0) + 58,
                                .label_y = FEED_Y});
    for (int i = 0; i < 2; i++) {
        double y = FEED_Y + (i ? 34 : -34);

        draw_line(d, s, BOX_OTHERS + i, BOX_QUEUE,
                  (struct dot_line){.n = 2,
                                    .points = {{stage_x(4) - 70, y},
                                               {stage_x(3) + 79, FEED_Y + (i ? 8 : -8)}},
                                    .style = i ? DOT_SOLID : DOT_DASHED});
    }
}

static void draw_table(struct drawing *d, double x, double y, const struct centers *c)
{
    char cells[COLUMNS][48];

    for (int row = -1; row < (int)c->n; row++) {
        if (row >= 0) {
            put_row(&c->each[row], cells);
        }
        for (int column = 0; column < COLUMNS; column++) {
            double w = column ? 80 : 150;

            drawing_box(d,
                        &(struct dot_box){
                            .x = column ? x + 150 + (column - 1) * 80 + w / 2 : x + w / 2,
                            .y = y + (row + 1) * 15,
                            .w = w,
                            .h = 14,
                            .shape = DOT_PLAIN,
                            .label = row < 0 ? headings[column] : cells[column],
                            .justify = column ? 'r' : 'l',
                            .colour = row < 0 ? "#666666" : DOT_INK,
                            .font = 9});
        }
    }
}

int64_t center_draw(const struct view_input *in, struct drawing *d, double x, double y)
{
    struct centers *c = centers_new(in);
    struct stage s = {.x = x, .y = y + 30};
    char text[200];
    int64_t shown;

    if (c == NULL || c->failed) {
        centers_free(c);
        return -ENOMEM;
    }
    drawing_text(d, x, y, 13, DOT_INK,
                 "The event centers: one pass of the loop, and what feeds it");
    drawing_lane(d, x, y + 18, 16 + STAGE_W + 4 * STAGE, 320, "EventCenter");
    draw_passes(d, &s, c);
    draw_feeders(d, &s, c);
    draw_loop(d, &s);
    draw_feeds(d, &s);
    put_sentence(c, text, sizeof(text));
    drawing_text(d, x + 8, y + 362, 11, DOT_INK, text);
    draw_table(d, x + 8, y + 390, c);
    shown = (int64_t)c->shown;
    centers_free(c);
    return shown;
}

int view_center_dot(const struct view_input *in, FILE *out)
{
    struct drawing *d = drawing_new();
    int64_t shown = d == NULL ? -ENOMEM : center_draw(in, d, 0, 0);
    char *caption = shown < 0 ? NULL : view_caption(in, "eventcenter", (uint64_t)shown);
    int rc = -ENOMEM;

    if (caption != NULL) {
        drawing_text(d, 8, drawing_bottom(d) + 40, 9, "#666666", caption);
        rc = drawing_write(d, out, "The event centers");
    }
    free(caption);
    drawing_free(d);
    return rc;
}
