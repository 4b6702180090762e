/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_names.c: the string and object tables of a trace file.
 *
 * Entries carry no crc, so each is believed only if its length, kind, id and terminator
 * make sense; behind one that does not, the next plausible one is looked for. Text is made
 * printable where it lies. The first entry with an id counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/trace/trace_private.h"

enum { WHAT_STRING = 1, WHAT_OBJECT = 2 };

/* The longest text that is shown; a recorder writes at most 200. */
#define TEXT_MAX 200
#define ENTRY_MIN ((sizeof(struct trace_name) + 1 + 7) & ~(size_t)7) /* no text */

/* No file can hold more names than this, so no larger id is honest. */
static uint32_t id_max(const struct trace_reader *reader)
{
    return (uint32_t)MIN(reader->len / ENTRY_MIN, (size_t)UINT32_MAX - 1);
}

/* What an entry with a text of that length takes. */
static size_t entry_bytes(size_t len)
{
    return (sizeof(struct trace_name) + len + 1 + 7) & ~(size_t)7;
}

static bool is_plausible(const struct trace_name *entry, size_t room)
{
    return room >= ENTRY_MIN && entry->bytes >= ENTRY_MIN && entry->bytes <= room &&
           entry->id != 0 && (entry->what == WHAT_STRING || entry->what == WHAT_OBJECT) &&
           memchr(entry->text, '\0', entry->bytes - sizeof(*entry)) != NULL &&
           entry->bytes == entry_bytes(strlen(entry->text));
}

bool trace_names_plausible(const struct trace_block_header *header, size_t avail)
{
    return is_plausible((const struct trace_name *)(header + 1), avail - sizeof(*header));
}

/* Room for an id in a table that doubles. `size`: of an element. */
static void *table_for(void *table, uint32_t *n, uint32_t id, size_t size)
{
    uint32_t want = *n ? *n : 64;
    char *grown;

    if (id < *n) {
        return table;
    }
    while (want <= id) {
        want = want > UINT32_MAX / 2 ? UINT32_MAX : want * 2;
    }
    grown = realloc(table, want * size);
    if (grown != NULL) {
        memset(grown + *n * size, 0, (want - *n) * size);
        *n = want;
    }
    return grown;
}

static int keep_string(struct trace_reader *reader, const struct trace_name *entry)
{
    void *table =
        table_for(reader->strings, &reader->n_strings, entry->id, sizeof(*reader->strings));

    if (table == NULL) {
        return -ENOMEM;
    }
    reader->strings = table;
    if (reader->strings[entry->id] != NULL) {
        reader->info.damaged++;
        return 0;
    }
    reader->strings[entry->id] = entry->text;
    return 0;
}

static int keep_object(struct trace_reader *reader, const struct trace_name *entry)
{
    struct trace_object *object;
    void *table =
        table_for(reader->objects, &reader->n_objects, entry->id, sizeof(*reader->objects));

    if (table == NULL) {
        return -ENOMEM;
    }
    reader->objects = table;
    object = &reader->objects[entry->id];
    if (object->name != NULL) {
        reader->info.damaged++;
        return 0;
    }
    object->class_ = entry->class_;
    object->node = entry->node;
    object->parent = entry->parent;
    object->name = entry->text;
    return 0;
}

static int keep_name(struct trace_reader *reader, struct trace_name *entry)
{
    trace_sanitise(entry->text, MIN(entry->bytes - sizeof(*entry), (size_t)TEXT_MAX + 1));
    return entry->what == WHAT_STRING ? keep_string(reader, entry)
                                      : keep_object(reader, entry);
}

int trace_names_scan(struct trace_reader *reader, struct trace_block_header *header,
                     size_t avail)
{
    size_t room = avail - sizeof(*header), used = MIN(header->used, room);
    uint8_t *at = (uint8_t *)(header + 1);
    bool lost_track = header->used != used;
    unsigned behind = 0;
    int rc = 0;

    reader->info.damaged += lost_track;
    for (size_t i = 0; i + ENTRY_MIN <= room && rc == 0;) {
        struct trace_name *entry = (struct trace_name *)(at + i);

        if (is_plausible(entry, room - i) && entry->id <= id_max(reader)) {
            rc = keep_name(reader, entry);
            lost_track = false;
            behind += i >= used;
            i += entry->bytes;
        } else if (i >= used) {
            break;
        } else {
            reader->info.damaged += !lost_track;
            lost_track = true;
            i += 8;
        }
    }
    /* One more than `used` covers is a writer killed between entry and `used`. */
    reader->info.damaged += behind > 1;
    return rc;
}

void trace_names_check(struct trace_reader *reader)
{
    uint32_t strings = reader->n_strings, objects = reader->n_objects;

    while (strings > 1 && reader->strings[strings - 1] == NULL) {
        strings--;
    }
    while (objects > 1 && reader->objects[objects - 1].name == NULL) {
        objects--;
    }
    for (uint32_t id = 1; id < strings; id++) {
        if (reader->strings[id] == NULL) {
            reader->info.damaged++;
            break;
        }
    }
    for (uint32_t id = 1; id < objects; id++) {
        if (reader->objects[id].name == NULL) {
            reader->info.damaged++;
            break;
        }
    }
}

const char *trace_reader_string(const struct trace_reader *reader, uint32_t id)
{
    if (id == 0) {
        return "";
    }
    return id < reader->n_strings && reader->strings[id] ? reader->strings[id] : "?";
}

const struct trace_object *trace_reader_object(const struct trace_reader *reader,
                                               uint32_t id)
{
    return id < reader->n_objects && reader->objects[id].name ? &reader->objects[id] : NULL;
}
