/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_views.c: what "msgrlab show" writes: the text to the letter, pictures as DOT by
 * their structure, and what happens with traces that have little in them.
 */
#include <ctype.h>
#include <sys/stat.h>

#include "tests/lib/shown.h"

/* ---- DOT ---- */

/* Reads a DOT file as Graphviz would, as far as strings and brackets go, and fails on what
 * this program never writes. Writes what stands outside of strings to `bare`. */
static void strip_strings(const char *text, char *bare)
{
    bool quoted = false;

    for (const char *p = text; *p != '\0'; p++) {
        ck_assert_msg((*p >= ' ' && *p <= '~') || (*p == '\n' && !quoted), "byte %d in DOT",
                      *p);
        if (quoted && *p == '\\') {
            p++;
            ck_assert_msg(*p != '\0' && strchr("\"\\nlr", *p), "\\%c in a string", *p);
        } else if (*p == '"') {
            quoted = !quoted;
            *bare++ = '"';
        } else if (quoted) {
            ck_assert_msg(*p != '&' || strncmp(p, "&amp;", 5) == 0, "an entity: %.20s", p);
        } else {
            *bare++ = *p;
        }
    }
    *bare = '\0';
    ck_assert_msg(!quoted, "an open string");
}

static void check_brackets(const char *bare)
{
    char open[64];
    size_t depth = 0;

    for (const char *p = bare; *p != '\0'; p++) {
        ck_assert_msg(*p != '<', "an HTML label: %.20s", p);
        if (*p == '[' || *p == '{') {
            ck_assert_uint_lt(depth, sizeof(open));
            open[depth++] = *p == '[' ? ']' : '}';
        } else if (*p == ']' || *p == '}') {
            ck_assert_uint_gt(depth, 0);
            ck_assert_int_eq(open[--depth], *p);
        }
    }
    ck_assert_uint_eq(depth, 0);
}

/* Both ends of every line are boxes of the drawing. */
static void check_lines(const char *text)
{
    const char *p = text;
    unsigned from, to;
    char node[32];

    while ((p = strstr(p, "\n  \"b")) != NULL) {
        p++;
        if (sscanf(p, "  \"b%u\" -> \"b%u\" [", &from, &to) == 2) {
            snprintf(node, sizeof(node), "\n  \"b%u\" [pos=", from);
            ck_assert_msg(strstr(text, node) != NULL, "no box %u", from);
            snprintf(node, sizeof(node), "\n  \"b%u\" [pos=", to);
            ck_assert_msg(strstr(text, node) != NULL, "no box %u", to);
        }
    }
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_null(strstr(text, "inf,"));
}

static void check_dot(const char *text)
{
    static const char *const banned[] = {"URL", "href", "image", "target", "script"};
    char *bare = malloc(strlen(text) + 1);
    size_t len = strlen(text);

    ck_assert_uint_gt(len, 20);
    ck_assert_int_eq(strncmp(text, "digraph msgrlab {\n", 18), 0);
    ck_assert_str_eq(text + len - 3, "\n}\n");
    strip_strings(text, bare);
    check_brackets(bare);
    for (size_t i = 0; i < ARRAY_SIZE(banned); i++) {
        ck_assert_msg(strcasestr(bare, banned[i]) == NULL, "%s", banned[i]);
    }
    check_lines(text);
    free(bare);
}

/* A drawing has a box with exactly this label, `times` times. */
static void check_label(const char *text, const char *label, unsigned times)
{
    char attribute[200];

    snprintf(attribute, sizeof(attribute), ", label=\"%s\"", label);
    ck_assert_msg(shown_count(text, attribute) == times, "%u, not %u times %s",
                  shown_count(text, attribute), times, attribute);
}

/* ---- text ---- */

/* One message, to the letter. */
START_TEST(text_is_one_line_a_record)
{
    static const char golden[] =
#define A "  a.app-0              "
#define W "  a.msgr-worker-0      "
#define X "  b.msgr-worker-0      "
#define D "  b.ms_dispatch        "
        "       0.000 us" W
        "AsyncConnection     conn_socket       a>b fd=7 link=5 dialled=yes\n"
        "       1.000 us" X
        "AsyncConnection     conn_socket       b>a fd=9 link=5 dialled=no\n"
        "       2.000 us" A
        "Messenger       S1  send_message      type=41 prio=127 bytes=500  msg 1:1\n"
        "       2.200 us" A
        "Messenger       S2  submit_message    a>b created=no  msg 1:1\n"
        "       2.500 us" A
        "AsyncConnection S3  queue             a>b prio=127 bytes=500 depth=1  msg 1:1\n"
        "       2.600 us" A "EventCenter         external_post     a/worker-0 "
        "write_handler n=1 depth=1 wakes=yes\n"
        "       2.600 us" A "EventCenter         notify_write      a/worker-0 n=1\n"
        "       7.600 us" W
        "EventCenter         driver_woke       a/worker-0 cycle=1 events=1 slept=5.00 us\n"
        "       7.800 us" W
        "EventCenter         file_event        a/worker-0 fd=3#0 mask=r cycle=1\n"
        "       7.800 us" W "EventCenter         notify_drain      a/worker-0 bytes=1\n"
        "       8.000 us" W
        "EventCenter         external_event    a/worker-0 write_handler n=1\n"
        "       8.700 us" W "AsyncConnection S4  write_message     a>b seq=1 frame=600 "
        "at=0 took=600 ns  msg 1:1\n"
        "       9.000 us" W
        "AsyncConnection S5  try_send          a>b outgoing=600 at=0 messages=0  msg 1:1\n"
        "      13.000 us" W "NetworkStack    S6  stack_send        a>b sent=600 at=0 "
        "asked=600 took=3.90 us  msg 1:1\n"
        "      13.500 us" W
        "EventCenter         driver_wait       a/worker-0 cycle=1 timeout=none\n"
        "      22.500 us" X
        "EventCenter         driver_woke       b/worker-0 cycle=2 events=1 slept=9.00 us\n"
        "      22.600 us" X
        "EventCenter         file_event        b/worker-0 fd=9#1 mask=r cycle=2\n"
        "      22.700 us" X "AsyncConnection R3  read_event        b>a fd=9#1 at=0\n"
        "      24.700 us" X "NetworkStack    R6  read_bulk         b>a got=600 at=0 "
        "asked=65536 took=1.90 us  msg 1:1\n"
        "      24.800 us" X "AsyncConnection R5  read_until        b>a want=32 at=0 "
        "from_recv_buf=32 missing=0  msg 1:1\n"
        "      24.900 us" X
        "AsyncConnection R4  allocate          b>a bytes=500 segment=1 at=0  msg 1:1\n"
        "      25.000 us" X "AsyncConnection R5  read_until        b>a want=568 at=32 "
        "from_recv_buf=568 missing=0  msg 1:1\n"
        "      25.400 us" X
        "AsyncConnection R7  dispatch          b>a seq=1 frame=600 at=0 type=41  msg 1:1\n"
        "      25.400 us" X
        "Messenger           dispatch_enqueue  b>a seq=1 prio=127 depth=1  msg 1:1\n"
        "      25.900 us" X
        "EventCenter         driver_wait       b/worker-0 cycle=2 timeout=none\n"
        "      28.900 us" D
        "Messenger           dispatch_begin    b>a seq=1 type=41  msg 1:1\n"
        "      30.400 us" D
        "Messenger           dispatch_end      b>a seq=1 took=1.50 us  msg 1:1\n"
        "--\n"
        "recorded: a story\n"
        "nodes: 1 = a, 2 = b; threads: 4\n"
        "events: 27 shown of 27; lost: 0; damaged: 0\n"
        "messages: 1; sent and received: 1\n"
        "again: msgrlab show ";
#undef A
#undef W
#undef X
#undef D
    char last[100];
    const char *name;
    struct shown shown;
    struct story s;

    shown_tell(&s, 1);
    shown = shown_as((struct show_opts){.trace = s.path}, NULL, "txt");
    ck_assert_int_eq(shown.rc, 0);
    ck_assert_uint_gt(strlen(shown.text), strlen(golden));
    name = s.path + strlen("/tmp/");
    snprintf(last, sizeof(last), "%.60s --view text\n", name);
    ck_assert_str_eq(shown.text + strlen(golden), last);
    shown.text[strlen(golden)] = '\0';
    ck_assert_str_eq(shown.text, golden);
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* What was asked for, and only that; the caption says how many of how many. */
START_TEST(filters_choose_records)
{
    struct {
        struct show_opts opts;
        unsigned lines;
        const char *every; /* line has it */
    } cases[] = {
        {{.kind = "S6"}, 3, " S6  stack_send"},
        {{.kind = "stack_send"}, 3, " S6  stack_send"},
        {{.kind = "s6_stack_SEND"}, 3, " S6  stack_send"},
        {{.kind = "nonsense"}, 0, ""},
        {{.conn = "b>a"}, 28, " b>a "},
        {{.conn = "b>a", .kind = "R5"}, 6, " R5  read_until        b>a "},
        {{.message = "1:2"}, 15, ""},
        {{.message = "1"}, 15, ""},
        {{.message = "1:2", .kind = "R7"}, 1, "seq=2 "},
        {{.limit = 5}, 5, ""},
        {{.message = "1:3", .limit = 2}, 2, "msg 1:3"},
    };
    struct story s;

    shown_tell(&s, 3);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char events[80];
        struct shown shown;
        char *end;

        cases[i].opts.trace = s.path;
        shown = shown_as(cases[i].opts, "text", "txt");
        ck_assert_int_eq(shown.rc, 0);
        snprintf(events, sizeof(events), "events: %u shown of 77;", cases[i].lines);
        ck_assert_msg(strstr(shown.text, events) != NULL, "case %zu\n%s", i, shown.text);
        end = strstr(shown.text, "--\n");
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        ck_assert_uint_eq(shown_count(shown.text, "\n"), cases[i].lines);
        ck_assert(cases[i].every[0] == '\0' ||
                  shown_count(shown.text, cases[i].every) == cases[i].lines);
        shown_fini(&shown);
    }
    story_remove(&s);
}
END_TEST

/* JSON Lines and CSV have a line for each record, with every string closed. */
START_TEST(json_and_csv_are_well_formed)
{
    static const char *const formats[] = {"json", "jsonl", "csv"};
    struct story s;

    shown_start(&s, "x");
    story_connect(&s, 5);
    trace_object(story_on(&s, 0, 0, 1), TRACE_OBJECT_CONN, 0, "\"a,b\"\n</script>\\");
    TRACE(story_on(&s, 0, 0, 1), CONN_NEW, .obj = 5,
          .a1 = trace_string(&s.nodes[0].os, "quote\" back\\ <tag>&"));
    story_close(&s);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct shown shown =
            shown_as((struct show_opts){.trace = s.path}, "text", formats[i]);
        bool csv = strcmp(formats[i], "csv") == 0, quoted = false;

        ck_assert_int_eq(shown.rc, 0);
        ck_assert_uint_eq(shown_count(shown.text, "\n"), 3 + csv);
        ck_assert_uint_eq(shown_count(shown.text, csv ? "\n" : "}\n"), 3 + csv);
        for (const char *p = shown.text; *p != '\0'; p++) {
            ck_assert(*p != '\n' || !quoted);
            ck_assert(csv || (*p != '<' && *p != '&'));
            if (!csv && quoted && *p == '\\') {
                p++;
            } else if (*p == '"') {
                quoted = !quoted;
            }
        }
        ck_assert_ptr_nonnull(
            strstr(shown.text, csv ? "\"\"\"a,b\"\"?</script>\\\""
                                   : "\"\\\"a,b\\\"?\\u003c/script\\u003e\\\\\""));
        shown_fini(&shown);
    }
    story_remove(&s);
}
END_TEST

/* ---- pictures ---- */

/* Every step has a box on the thread that ran it, with its count; nothing is missing and
 * nothing unexpected. */
START_TEST(iopath_shows_what_was_observed)
{
    static const char *const boxes[] = {
        "send_message\\n2 calls, p50 200 ns\\na.app-0",
        "submit_message\\n2 calls, p50 300 ns\\na.app-0",
        "queue\\n2 calls, p50 100 ns\\na.app-0",
        "write_message\\n2 calls, p50 600 ns\\na.msgr-worker-0",
        "try_send\\n2 calls, p50 100 ns\\na.msgr-worker-0",
        "stack_send\\n2 calls, p50 3.90 us\\na.msgr-worker-0",
        "read_event\\n2 calls, p50 100 ns\\nb.msgr-worker-0",
        "allocate\\n2 calls, p50 100 ns\\nb.msgr-worker-0",
        "read_until\\n4 calls, p50 100 ns\\nb.msgr-worker-0",
        "read_bulk\\n2 calls, p50 1.90 us\\nb.msgr-worker-0",
        "dispatch\\n2 calls, p50 0 ns\\nb.msgr-worker-0",
        "ms_dispatch\\n2 calls, p50 1.50 us\\nb.ms_dispatch",
        "external events\\n2 posted, 0 merged\\n2 run",
    };
    static const char *const badges[] = {"S1", "S2", "S3", "S4", "S5", "S6",
                                         "R3", "R4", "R5", "R6", "R7"};
    struct shown shown;
    struct story s;

    shown_tell(&s, 2);
    shown = shown_as((struct show_opts){.trace = s.path}, "iopath", "dot");
    ck_assert_int_eq(shown.rc, 0);
    check_dot(shown.text);
    for (size_t i = 0; i < ARRAY_SIZE(boxes); i++) {
        check_label(shown.text, boxes[i], 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(badges); i++) {
        check_label(shown.text, badges[i], 1);
    }
    ck_assert_ptr_nonnull(strstr(shown.text, "The IO path, as observed: a story"));
    ck_assert_ptr_nonnull(strstr(shown.text, "messages: 2; sent and received: 2"));
    /* Only the legend speaks of them. */
    ck_assert_uint_eq(shown_count(shown.text, "label=\"! "), 1);
    ck_assert_ptr_null(strstr(shown.text, "\\nnot observed"));
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* A connection that the reference does not have is drawn, with a "!". */
START_TEST(iopath_marks_the_unexpected)
{
    struct shown shown;
    struct story s;
    uint64_t before;

    shown_start(&s, "odd");
    story_connect(&s, 5);
    /* S6 without S5, straight from S3. */
    before = trace_enter(story_on(&s, 0, 0, 1),
                         TRACE(story_on(&s, 0, 0, 1), S3_QUEUE, .obj = s.conn[0]));
    TRACE(story_on(&s, 0, 0, 1), S6_STACK_SEND, .obj = s.conn[0], .val = 10);
    trace_enter(story_on(&s, 0, 0, 1), before);
    story_close(&s);
    shown = shown_as((struct show_opts){.trace = s.path}, "iopath", "dot");
    ck_assert_int_eq(shown.rc, 0);
    check_dot(shown.text);
    ck_assert_ptr_nonnull(strstr(shown.text, "label=\"! 1\\l\""));
    ck_assert_ptr_nonnull(strstr(shown.text, "try_send\\nnot observed"));
    shown_fini(&shown);
    shown = shown_as((struct show_opts){.trace = s.path}, "iopath", "txt");
    ck_assert_uint_eq(shown_count(shown.text, "! not expected"), 1);
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* The waterfall has a row for each step, in time, and hands over between threads. */
START_TEST(message_shows_its_way)
{
    static const char *const rows[] = {"send_message",  "submit_message",   "queue",
                                       "write_message", "try_send",         "stack_send",
                                       "read_event",    "read_bulk",        "allocate",
                                       "dispatch",      "dispatch_enqueue", "dispatcher"};
    struct shown shown;
    const char *at;
    struct story s;

    shown_tell(&s, 3);
    shown =
        shown_as((struct show_opts){.trace = s.path, .message = "1:2"}, "message", "dot");
    ck_assert_int_eq(shown.rc, 0);
    check_dot(shown.text);
    at = shown.text;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char label[64];

        snprintf(label, sizeof(label), ", label=\"%s\\l\"", rows[i]);
        at = strstr(at, label);
        ck_assert_msg(at != NULL, "%s", rows[i]);
    }
    ck_assert_uint_eq(shown_count(shown.text, "label=\"wake-up\""), 2);
    ck_assert_uint_eq(shown_count(shown.text, "label=\"network\""), 1);
    ck_assert_ptr_nonnull(
        strstr(shown.text, "Message 1:2: 28.40 us; connection a>b to b>a"));
    ck_assert_ptr_nonnull(strstr(shown.text, "steps: S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7"));
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* Seen changes are counted, a change that is not legal is named so. */
START_TEST(states_counts_changes)
{
    struct shown shown;
    struct story s;

    shown_start(&s, "states");
    for (int i = 0; i < 3; i++) {
        TRACE(story_on(&s, 0, 1, 1000), SOCK_STATE, .obj = s.conn[0], .a0 = 0, .a1 = 1);
        TRACE(story_on(&s, 0, 1, 1000), SOCK_STATE, .obj = s.conn[0], .a0 = 1, .a1 = 0);
    }
    TRACE(story_on(&s, 0, 1, 1000), SOCK_STATE, .obj = s.conn[0], .a0 = 0, .a1 = 0);
    TRACE(story_on(&s, 0, 1, 1000), PROTO_STATE, .obj = s.conn[0], .a0 = 99, .a1 = 1);
    story_close(&s);
    shown = shown_as((struct show_opts){.trace = s.path}, "states", "dot");
    check_dot(shown.text);
    ck_assert_ptr_nonnull(strstr(shown.text, "\"s0\" -> \"s1\" [label=\" 3 \""));
    ck_assert_ptr_nonnull(strstr(shown.text, "\"s1\" -> \"s0\" [label=\" 3 \""));
    shown_fini(&shown);
    shown = shown_as((struct show_opts){.trace = s.path}, "states", "txt");
    ck_assert_ptr_nonnull(strstr(shown.text, "socket state: 2 of "));
    ck_assert_ptr_nonnull(strstr(shown.text, "  1 changes from or to no known state\n"));
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* Every number of the event centers is what the story says. */
START_TEST(eventcenter_counts_wakeups)
{
    struct shown shown;
    struct story s;

    shown_tell(&s, 4);
    shown = shown_as((struct show_opts){.trace = s.path}, "eventcenter", "txt");
    ck_assert_ptr_nonnull(strstr(
        shown.text, "\n4 posts and 0 merged ones took 4 notify writes, 4 drains and 8 loop "
                    "passes.\n"));
    ck_assert_ptr_nonnull(strstr(shown.text, "\na/worker-0                          4"));
    ck_assert_ptr_nonnull(strstr(shown.text, "\nwrite_handler                       4"));
    shown_fini(&shown);
    shown = shown_as((struct show_opts){.trace = s.path}, "eventcenter", "dot");
    check_dot(shown.text);
    check_label(shown.text, "other threads\\n4 posts", 1);
    check_label(shown.text, "the worker itself\\n0 posts", 1);
    check_label(shown.text, "notify pipe\\n4 written, 4 drained", 1);
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* ---- traces with little or bad in them ---- */

static void show_all(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
        struct shown shown = shown_as((struct show_opts){.trace = path}, views[i], "txt");

        ck_assert_msg(shown.rc == 0, "%s: %s", views[i], shown.said);
        ck_assert_msg(strstr(shown.text, "\nevents: ") != NULL, "%s", views[i]);
        ck_assert_msg(strstr(shown.text, "\nagain: msgrlab show ") != NULL, "%s", views[i]);
        shown_fini(&shown);
        if (i == 0) {
            continue; /* text is no picture */
        }
        shown = shown_as((struct show_opts){.trace = path}, views[i], "dot");
        ck_assert_msg(shown.rc == 0, "%s: %s", views[i], shown.said);
        check_dot(shown.text);
        shown_fini(&shown);
    }
}

/* Every view of a trace without records says that there is nothing. */
START_TEST(empty_trace_can_be_shown)
{
    struct story s;

    story_open(&s, &(const struct trace_opts){.title = ""});
    story_close(&s);
    show_all(s.path);
    story_remove(&s);
}
END_TEST

/* Wherever a trace was cut, every view shows what is left. */
START_TEST(torn_trace_can_be_shown)
{
    struct story s;
    struct stat st;

    shown_tell(&s, 3);
    ck_assert_int_eq(stat(s.path, &st), 0);
    for (off_t len = st.st_size; len >= TRACE_HEADER_BYTES; len -= 39 * 1023) {
        ck_assert_int_eq(truncate(s.path, len), 0);
        show_all(s.path);
    }
    story_remove(&s);
}
END_TEST

/* A trace that has only the sender, only the receiver, or records out of nowhere. */
START_TEST(half_a_conversation_can_be_shown)
{
    struct story s;
    uint64_t flow;

    shown_start(&s, "half");
    if (_i == 0) {
        story_connect(&s, 5);
        flow = story_submit(&s, 100);
        story_wake_sender(&s);
        story_write(&s, flow, 100);
        story_send(&s, UINT64_MAX);
    } else if (_i == 1) {
        s.wire.sent = 200;
        story_read_event(&s);
        story_read(&s, 65536);
        story_receive(&s, 1, 100);
        story_dispatch(&s, 1);
    } else { /* one record of every kind, with numbers at their limits */
        for (unsigned kind = 1; kind < TP_COUNT; kind++) {
            const struct trace_args low = {0},
                                    high = {UINT64_MAX, UINT64_MAX, UINT32_MAX, INT32_MIN,
                                            UINT64_MAX, UINT64_MAX, UINT32_MAX};

            trace_emit(story_on(&s, 0, 0, 1), kind, &low);
            trace_emit(story_on(&s, 1, 1, 1), kind, &high);
        }
    }
    story_close(&s);
    show_all(s.path);
    story_remove(&s);
}
END_TEST

/* Names that try to get out of their strings stay in them. */
START_TEST(hostile_names_stay_in_their_strings)
{
    static const char evil[] =
        "\"];x [URL=\"javascript:alert(1)\"]; \\\" \\N \n &lt;&#1; <b>";
    struct story s;

    shown_start(&s, evil);
    for (int i = 0; i < 2; i++) {
        strcpy(s.nodes[i].os.name, "n\"];\\&<");
        strcpy(s.nodes[i].threads[STORY_WORKER].name, "w\\");
        strcpy(s.nodes[i].threads[STORY_APP].name, "\"a\"");
        s.conn[i] = trace_object(&s.nodes[i].os, TRACE_OBJECT_CONN, 0, evil);
        s.center[i] = trace_object(&s.nodes[i].os, TRACE_OBJECT_CENTER, 0, evil);
    }
    story_connect(&s, 5);
    story_messages(&s, 2, 100);
    for (int i = 0; i < 2; i++) {
        TRACE(story_on(&s, i, 1, 1), EXT_POST, .obj = s.center[i],
              .a1 = trace_string(&s.nodes[i].os, evil));
        TRACE(story_on(&s, i, 1, 1), SOCK_STATE, .obj = s.conn[i], .a1 = 1,
              .val = (int32_t)trace_string(&s.nodes[i].os, evil));
    }
    story_close(&s);
    show_all(s.path);
    story_remove(&s);
}
END_TEST
int main(void)
{
    Suite *suite = suite_create("views");
    TCase *text = tcase_create("text");
    TCase *pictures = tcase_create("pictures");

    tcase_add_test(text, text_is_one_line_a_record);
    tcase_add_test(text, filters_choose_records);
    tcase_add_test(text, json_and_csv_are_well_formed);
    suite_add_tcase(suite, text);
    tcase_add_test(pictures, iopath_shows_what_was_observed);
    tcase_add_test(pictures, iopath_marks_the_unexpected);
    tcase_add_test(pictures, message_shows_its_way);
    tcase_add_test(pictures, states_counts_changes);
    tcase_add_test(pictures, eventcenter_counts_wakeups);
    tcase_add_test(pictures, empty_trace_can_be_shown);
    tcase_add_test(pictures, torn_trace_can_be_shown);
    tcase_add_loop_test(pictures, half_a_conversation_can_be_shown, 0, 3);
    tcase_add_test(pictures, hostile_names_stay_in_their_strings);
    suite_add_tcase(suite, pictures);
    return testlib_run(suite);
}
