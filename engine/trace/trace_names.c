/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_names.c: the recorder's strings and objects. Entries are appended to blocks of
 * their own, under the spinlock; a string that was there before is found in a hash table,
 * which is memory of ours: the file may be cut.
 */
#include "engine/trace/trace_impl.h"

#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"

#define NAME_TEXT_MAX 200

/* An entry as it goes to the file, and to the hook: ours, which nobody can cut. */
union entry {
    struct trace_name name;
    char room[sizeof(struct trace_name) + NAME_TEXT_MAX + 8];
};

static void make_entry(union entry *entry, const struct trace_name *head, const char *text)
{
    size_t len = trace_copy_text(entry->name.text, text, NAME_TEXT_MAX);

    memset(entry->name.text + len, 0, 8); /* its end, and what it is padded with */
    entry->name = *head;
    entry->name.bytes = (uint16_t)((sizeof(*head) + len + 1 + 7) & ~(size_t)7);
}

/* False if there is no room. Under the lock. */
static bool append_entry(struct trace *trace, const union entry *entry)
{
    uint32_t bytes = entry->name.bytes;

    if (trace->names == NULL || trace->names_used + bytes > TRACE_BLOCK_ROOM) {
        struct trace_block_header *block = trace_take_names(trace);

        if (block == NULL) {
            return false;
        }
        __atomic_store_n(&block->type, TRACE_BLOCK_NAMES, __ATOMIC_RELEASE);
        trace->names = block;
        trace->names_used = 0;
    }
    memcpy((uint8_t *)(trace->names + 1) + trace->names_used, entry, bytes);
    trace->names_used += bytes;
    __atomic_store_n(&trace->names->used, trace->names_used, __ATOMIC_RELEASE);
    return true;
}

static void tell_name(struct trace *trace, const union entry *entry)
{
    if (trace->on_record != NULL) {
        trace->on_record(trace->on_record_arg, NULL, &entry->name);
    }
}

/* The slot of the text, or the empty one where it belongs. */
static struct trace_known **find_slot(struct trace_known **table, uint32_t size,
                                      const char *text, uint32_t hash)
{
    uint32_t at = hash & (size - 1);

    while (table[at] != NULL &&
           (table[at]->hash != hash || strcmp(table[at]->text, text) != 0)) {
        at = (at + 1) & (size - 1);
    }
    return &table[at];
}

/* Keeps the table at most half full. */
static bool make_room(struct trace *trace)
{
    uint32_t size = trace->table_size ? trace->table_size * 2 : 256;
    struct trace_known **table;

    if ((trace->strings + 1) * 2 <= trace->table_size) {
        return true;
    }
    table = calloc(size, sizeof(*table));
    if (table == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < trace->table_size; i++) {
        struct trace_known *known = trace->table[i];

        if (known != NULL) {
            *find_slot(table, size, known->text, known->hash) = known;
        }
    }
    free(trace->table);
    trace->table = table;
    trace->table_size = size;
    return true;
}

/* Gives the text the next id, in the file and in the slot. False: no room, or no memory. */
static bool add_string(struct trace *trace, struct trace_known **slot, union entry *entry,
                       uint32_t hash)
{
    size_t bytes = strlen(entry->name.text) + 1;
    struct trace_known *known = malloc(sizeof(*known) + bytes);

    entry->name.id = trace->strings + 1;
    if (known == NULL || !append_entry(trace, entry)) {
        free(known);
        return false;
    }
    *known = (struct trace_known){.id = entry->name.id, .hash = hash};
    memcpy(known->text, entry->name.text, bytes);
    *slot = known;
    trace->strings++;
    return true;
}

uint32_t trace_string(struct os *os, const char *text)
{
    struct trace *trace = os->trace;
    const struct trace_name head = {.what = TRACE_NAME_STRING, .node = os->node};
    union entry entry;
    bool is_new = false;
    uint32_t id = 0, hash;

    if (trace == NULL) {
        return 0;
    }
    make_entry(&entry, &head, text);
    hash = crc32c(~0u, entry.name.text, strlen(entry.name.text));
    trace_take_lock(trace, os);
    if (make_room(trace)) {
        struct trace_known **slot =
            find_slot(trace->table, trace->table_size, entry.name.text, hash);

        is_new = *slot == NULL && add_string(trace, slot, &entry, hash);
        id = *slot != NULL ? (*slot)->id : 0;
    }
    spin_drop(&trace->busy);
    if (is_new) {
        tell_name(trace, &entry);
    }
    return id;
}

uint32_t trace_object(struct os *os, enum trace_object_class class_, uint32_t parent,
                      const char *name)
{
    struct trace *trace = os->trace;
    const struct trace_name head = {.what = TRACE_NAME_OBJECT,
                                    .class_ = (uint8_t)class_,
                                    .parent = parent,
                                    .node = os->node};
    union entry entry;
    bool is_new;

    if (trace == NULL) {
        return 0;
    }
    make_entry(&entry, &head, name);
    trace_take_lock(trace, os);
    entry.name.id = trace->objects + 1;
    is_new = append_entry(trace, &entry);
    trace->objects += is_new;
    spin_drop(&trace->busy);
    if (is_new) {
        tell_name(trace, &entry);
    }
    return is_new ? entry.name.id : 0;
}
