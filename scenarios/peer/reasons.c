/* SPDX-License-Identifier: Apache-2.0 */
/* reasons.c: why there is no session, in words. */
#include "scenarios/peer/reasons.h"

#include <string.h>

#include "engine/util.h"

static const char *type_word(int type)
{
    switch (type) {
    case ENTITY_MON:
        return "a mon";
    case ENTITY_MDS:
        return "an mds";
    case ENTITY_OSD:
        return "an osd";
    case ENTITY_CLIENT:
        return "a client";
    case ENTITY_MGR:
        return "a mgr";
    default:
        return "of unknown type";
    }
}

/* IP and port alone: what a socket has. */
static void print_socket(FILE *out, const struct entity_addr *addr)
{
    struct entity_addr plain = *addr;
    char text[ENTITY_ADDR_TEXT];

    plain.type = ADDR_NONE;
    entity_addr_text(&plain, text);
    fprintf(out, "%.*s", (int)strcspn(text, "/"), text);
}

/* Nothing that could move a cursor. */
static void print_first_bytes(FILE *out, const struct conn_seen *seen)
{
    fprintf(out, "; it began with \"");
    for (int i = 0; i < seen->first_n; i++) {
        uint8_t c = seen->first[i];

        if (c == '\r') {
            fprintf(out, "\\r");
        } else if (c == '\n') {
            fprintf(out, "\\n");
        } else if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c >= 0x20 && c < 0x7f) {
            fputc(c, out);
        } else {
            fprintf(out, "\\x%02x", c);
        }
    }
    fprintf(out, "\"");
}

static bool has(const char *why, const char *text)
{
    return strstr(why, text) != NULL;
}

/* ---- the accepting side ---- */

/* How far a caller came that named no address yet, or had nothing wrong with it. */
static void print_caller_progress(FILE *out, const struct conn_seen *seen)
{
    static const char *const texts[] = {
        [CONN_NO_TRANSPORT] = "it sent nothing",
        [CONN_TRANSPORT] = "it sent nothing",
        [CONN_BANNER] = "it came as far as its banner",
        [CONN_HELLO] = "it came as far as HELLO",
        [CONN_AUTH] = "it came as far as AUTH_REQUEST",
        [CONN_SIGNATURE] = "it came as far as AUTH_SIGNATURE",
        [CONN_IDENT] = "it came as far as CLIENT_IDENT",
        [CONN_SESSION] = "it had a session",
    };

    fprintf(out, "; %s", texts[seen->progress]);
    if (seen->entity_type != 0) {
        fprintf(out, " and says it is %s", type_word(seen->entity_type));
    }
}

void reasons_print_refused(FILE *out, const struct conn_seen *seen, const char *why,
                           const struct entity_addrvec *ours)
{
    char wanted[ENTITY_ADDR_TEXT], own[ENTITY_ADDRVEC_TEXT];

    print_socket(out, &seen->socket);
    fprintf(out, ": ");
    if (seen->objection[0] != '\0' && strcmp(seen->objection, why) != 0) {
        fprintf(out, "%s; then ", seen->objection);
    }
    fprintf(out, "%s", why[0] != '\0' ? why : "no reason known");
    if (seen->first_n > 0) {
        print_first_bytes(out, seen);
        return;
    }
    if (entity_addr_is_blank(&seen->wanted)) {
        print_caller_progress(out, seen);
        return;
    }
    fprintf(out, "; it wants %s, we are %s", entity_addr_text(&seen->wanted, wanted),
            entity_addrvec_text(ours, own));
}

/* ---- the dialling side ---- */

/* What came of it all, in the order of the handshake; each says what did not. */
static const char *dialled_progress(enum conn_progress progress)
{
    switch (progress) {
    case CONN_NO_TRANSPORT:
        return "no connection came about";
    case CONN_TRANSPORT:
        return "it was connected, but nothing came from the peer";
    case CONN_BANNER:
        return "the peer's banner came, but no HELLO";
    case CONN_HELLO:
        return "the peer's HELLO came, but no AUTH_DONE";
    case CONN_AUTH:
        return "AUTH_DONE came, but no AUTH_SIGNATURE";
    case CONN_SIGNATURE:
        return "AUTH_DONE and AUTH_SIGNATURE came, but no SERVER_IDENT";
    case CONN_IDENT:
        return "SERVER_IDENT came";
    case CONN_SESSION:
        return "there was a session";
    }
    return "";
}

void reasons_print_progress(FILE *out, const struct conn_seen *seen, const char *why)
{
    char wanted[ENTITY_ADDR_TEXT], said[ENTITY_ADDRVEC_TEXT];

    if (seen->first_n > 0) {
        print_first_bytes(out, seen);
        return;
    }
    if (seen->progress == CONN_SESSION) {
        return;
    }
    fprintf(out, "; %s", dialled_progress(seen->progress));
    entity_addr_text(&seen->wanted, wanted);
    if (seen->progress == CONN_IDENT) {
        fprintf(out, ": we want %s, it says it is %s", wanted,
                entity_addrvec_text(&seen->said, said));
    } else if (seen->progress == CONN_SIGNATURE && !has(why, "features")) {
        fprintf(out,
                ": the peer may know itself by another address than %s (behind a forwarder "
                "or a NAT, or with another nonce), and drops whoever asks for that one: "
                "dial the address it announces",
                wanted);
    } else if (has(why, "another entity type")) {
        fprintf(out, ": it says it is %s", type_word(seen->entity_type));
    }
}

/* ---- floods ---- */

static void begin_second(struct refusals *r, uint64_t now_ns)
{
    if (now_ns - r->second_ns >= NSEC_PER_SEC) {
        r->second_ns = now_ns;
        r->lines = 0;
    }
}

bool refusals_take(struct refusals *r, uint64_t now_ns)
{
    begin_second(r, now_ns);
    if (r->lines < REFUSED_LINES_PER_SECOND) {
        r->lines++;
        return true;
    }
    r->hidden++;
    return false;
}

uint64_t refusals_report(struct refusals *r, uint64_t untold, uint64_t now_ns, bool at_once)
{
    uint64_t n = r->hidden + untold - r->reported;

    if (n == 0 || (!at_once && now_ns - r->second_ns < NSEC_PER_SEC)) {
        return 0;
    }
    begin_second(r, now_ns);
    r->reported += n;
    return n;
}
