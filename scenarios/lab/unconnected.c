/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unconnected.c: why connections are not up, for whoever has to understand a run that
 * failed.
 *
 * Connections about which the same is to be said share a line.
 */
#include "scenarios/lab/unconnected.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/node.h"

#define LINES_MAX 24

struct line {
    char who[160], state[200];
    uint32_t n, dials_least, dials_most;
};

struct list_of_lines {
    struct lab *lab;
    const struct lab_node *node; /* whose connections are being looked at */
    struct line lines[LINES_MAX];
    int n;
    uint32_t more; /* connections that found no line */
};

static void add_line(struct list_of_lines *list, const char *who, const char *state,
                     uint32_t dials)
{
    struct line *line = list->lines;

    while (line < list->lines + list->n &&
           (strcmp(line->who, who) != 0 || strcmp(line->state, state) != 0)) {
        line++;
    }
    if (line == list->lines + LINES_MAX) {
        list->more++;
        return;
    }
    if (line == list->lines + list->n) {
        list->n++;
        *line = (struct line){.dials_least = dials, .dials_most = dials};
        snprintf(line->who, sizeof(line->who), "%s", who);
        snprintf(line->state, sizeof(line->state), "%s", state);
    }
    line->n++;
    line->dials_least = MIN(line->dials_least, dials);
    line->dials_most = MAX(line->dials_most, dials);
}

static const struct lab_node *node_at(const struct lab *lab, const struct entity_addr *at)
{
    for (int i = 0; i < lab->n_nodes; i++) {
        if (entity_addrvec_contains(&lab->nodes[i]->addrs, at)) {
            return lab->nodes[i];
        }
    }
    return NULL;
}

/* "a to b", "b from v2:127.0.0.1:1024/0". */
static void add_connection(struct list_of_lines *list, const struct lab_node *node,
                           const struct lab_node *peer, const struct conn_status *s,
                           bool over)
{
    char who[160], state[200], text[ENTITY_ADDR_TEXT];

    peer = peer != NULL ? peer : node_at(list->lab, s->at);
    snprintf(who, sizeof(who), "%s %s %s", node->opts.name, s->accepted ? "from" : "to",
             peer != NULL ? peer->opts.name : entity_addr_text(s->at, text));
    if (over) {
        snprintf(state, sizeof(state), "over: %s", s->why);
    } else {
        bool pauses = strcmp(s->state, "NONE") == 0 && s->dials > 0;

        snprintf(state, sizeof(state), "%s: %s", pauses ? "will dial again" : s->state,
                 s->why[0] != '\0' ? s->why : "no answer yet");
    }
    add_line(list, who, state, s->dials);
}

/* What the peer ended is told at the peer's end, with a reason. */
static bool is_echo(const struct lab_conn *c, const char *why)
{
    return c->accepted && strcmp(why, network_stack_reason(-EPIPE)) == 0;
}

static void look_at(struct list_of_lines *list, const struct lab_conn *c)
{
    struct conn_status s = {.accepted = c->accepted, .why = c->why, .at = &c->at};
    bool over = c->conn == NULL;

    if (!over) {
        conn_status(c->conn, &s);
        over = strcmp(s.state, "CLOSED") == 0;
    }
    if (!s.connected && c->end != LAB_END_CLOSED && !is_echo(c, s.why) &&
        !(c->conn != NULL && conn_is_loopback(c->conn))) {
        add_connection(list, c->node, c->peer, &s, over);
    }
}

/* Those that were made for a send by address: no object of the script stands for them. */
static void look_at_nameless(void *arg, struct connection *conn)
{
    struct list_of_lines *list = arg;
    struct conn_status s;

    conn_status(conn, &s);
    if (conn_private(conn) == NULL && !s.accepted && !s.connected) {
        add_connection(list, list->node, NULL, &s, false);
    }
}

static void print_lines(const struct list_of_lines *list, FILE *out)
{
    for (int i = 0; i < list->n; i++) {
        const struct line *line = &list->lines[i];

        fprintf(out, "    %s", line->who);
        if (line->n > 1) {
            fprintf(out, ", %" PRIu32 " of them", line->n);
        }
        if (line->dials_most > 0) {
            fprintf(out, ", %" PRIu32, line->dials_least);
            if (line->dials_most != line->dials_least) {
                fprintf(out, " to %" PRIu32, line->dials_most);
            }
            fprintf(out, " dial%s", line->dials_most == 1 ? "" : "s");
        }
        fprintf(out, ", %s\n", line->state);
    }
    if (list->more > 0) {
        fprintf(out, "    and %" PRIu32 " others\n", list->more);
    }
}

static void print_listener(const struct lab_node *node, FILE *out)
{
    struct messenger_stats m;

    messenger_stats(node->messenger, &m);
    if (m.accept_errors > 0) {
        fprintf(out, "    %s could not accept, %" PRIu64 " times: %s\n", node->opts.name,
                m.accept_errors, network_stack_reason(m.accept_error));
    }
    if (m.accept_failures > 0) {
        fprintf(out,
                "    %s ended %" PRIu64
                " accepted connections before they were sessions; the "
                "last: %s\n",
                node->opts.name, m.accept_failures, m.accept_failure_why);
    }
}

/* Messengers that can be asked: whose threads are there and go on. */
static bool can_be_asked(const struct lab_node *node)
{
    return node->started && node->messenger != NULL;
}

char *lab_unconnected(struct lab *lab, bool stuck)
{
    struct list_of_lines *list = calloc(1, sizeof(*list));
    char *text = NULL;
    size_t len = 0;
    FILE *out = list != NULL ? open_memstream(&text, &len) : NULL;

    if (out == NULL) {
        free(list);
        return NULL;
    }
    list->lab = lab;
    if (lab->world->sim == NULL) { /* else no other thread runs meanwhile */
        lab_lock(lab);
    }
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        look_at(list, lab->conns[i]);
    }
    if (lab->world->sim == NULL) {
        lab_unlock(lab);
    }
    for (int i = 0; i < lab->n_nodes && !stuck; i++) {
        list->node = lab->nodes[i];
        if (can_be_asked(list->node)) {
            messenger_each_connection(list->node->messenger, look_at_nameless, list);
        }
    }
    print_lines(list, out);
    for (int i = 0; i < lab->n_nodes && !stuck; i++) {
        if (can_be_asked(lab->nodes[i])) {
            print_listener(lab->nodes[i], out);
        }
    }
    free(list);
    if (fclose(out) != 0 || len == 0) {
        free(text);
        return NULL;
    }
    return text;
}

static bool is_out_of_files(int err)
{
    return err == -EMFILE || err == -ENFILE;
}

bool lab_is_out_of_files(struct lab *lab)
{
    bool found = false;

    if (lab->world->sim != NULL || lab_is_disturbed(lab)) {
        return false;
    }
    for (int i = 0; i < lab->n_nodes && !found; i++) {
        struct messenger_stats m;

        if (can_be_asked(lab->nodes[i])) {
            messenger_stats(lab->nodes[i]->messenger, &m);
            found = is_out_of_files(m.accept_error);
        }
    }
    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_conns && !found; i++) {
        struct conn_status s = {.connected = true};

        if (lab->conns[i]->conn != NULL) {
            conn_status(lab->conns[i]->conn, &s);
        }
        found = !s.connected && is_out_of_files(s.error);
    }
    lab_unlock(lab);
    return found;
}
