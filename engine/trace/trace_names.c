/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_names.c: the recorder's strings and objects. Entries are appended to blocks of
 * their own, under the spin flag; a string that was there before is found in a hash table.
 */
#include "engine/trace/trace_impl.h"

#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"

#define NAME_TEXT_MAX 200

/* Appends an entry; NULL if there is no room. Under the flag. */
static const struct trace_name *append_name(struct trace *trace,
                                            const struct trace_name *head, const char *text,
                                            size_t len)
{
    size_t bytes = (sizeof(*head) + len + 1 + 7) & ~(size_t)7;
    struct trace_name *entry;

    if (trace->names == NULL || trace->names->used + bytes > TRACE_BLOCK_ROOM) {
        struct trace_block_header *block = trace_take_block(trace, trace->bytes_max);

        if (block == NULL) {
            return NULL;
        }
        __atomic_store_n(&block->type, TRACE_BLOCK_NAMES, __ATOMIC_RELEASE);
        trace->names = block;
    }
    entry = (struct trace_name *)((uint8_t *)(trace->names + 1) + trace->names->used);
    *entry = *head;
    entry->bytes = (uint16_t)bytes;
    memcpy(entry->text, text, len + 1);
    __atomic_store_n(&trace->names->used, trace->names->used + (uint32_t)bytes,
                     __ATOMIC_RELEASE);
    return entry;
}

static void tell_name(struct trace *trace, const struct trace_name *entry)
{
    if (trace->on_record != NULL && entry != NULL) {
        trace->on_record(trace->on_record_arg, NULL, entry);
    }
}

/* The slot of the text, or the empty one where it belongs. */
static const struct trace_name **find_slot(const struct trace_name **table, uint32_t size,
                                           const char *text)
{
    uint32_t at = crc32c(~0u, text, strlen(text)) & (size - 1);

    while (table[at] != NULL && strcmp(table[at]->text, text) != 0) {
        at = (at + 1) & (size - 1);
    }
    return &table[at];
}

/* Keeps the table at most half full. */
static bool make_room(struct trace *trace)
{
    uint32_t size = trace->table_size ? trace->table_size * 2 : 256;
    const struct trace_name **table;

    if ((trace->strings + 1) * 2 <= trace->table_size) {
        return true;
    }
    table = calloc(size, sizeof(struct trace_name *));
    if (table == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < trace->table_size; i++) {
        if (trace->table[i] != NULL) {
            *find_slot(table, size, trace->table[i]->text) = trace->table[i];
        }
    }
    free(trace->table);
    trace->table = table;
    trace->table_size = size;
    return true;
}

uint32_t trace_string(struct os *os, const char *text)
{
    struct trace *trace = os->trace;
    struct trace_name head = {.what = TRACE_NAME_STRING, .node = os->node};
    const struct trace_name *fresh = NULL;
    char clean[NAME_TEXT_MAX + 1];
    uint32_t id = 0;
    size_t len;

    if (trace == NULL) {
        return 0;
    }
    len = trace_copy_text(clean, text, NAME_TEXT_MAX);
    trace_take_flag(trace, os);
    if (make_room(trace)) {
        const struct trace_name **slot = find_slot(trace->table, trace->table_size, clean);

        if (*slot == NULL) {
            head.id = trace->strings + 1;
            fresh = *slot = append_name(trace, &head, clean, len);
            trace->strings += *slot != NULL;
        }
        id = *slot != NULL ? (*slot)->id : 0;
    }
    trace_drop_flag(trace);
    tell_name(trace, fresh);
    return id;
}

uint32_t trace_object(struct os *os, enum trace_object_class class_, uint32_t parent,
                      const char *name)
{
    struct trace *trace = os->trace;
    struct trace_name head = {.what = TRACE_NAME_OBJECT,
                              .class_ = (uint8_t)class_,
                              .parent = parent,
                              .node = os->node};
    const struct trace_name *fresh;
    char clean[NAME_TEXT_MAX + 1];
    size_t len;

    if (trace == NULL) {
        return 0;
    }
    len = trace_copy_text(clean, name, NAME_TEXT_MAX);
    trace_take_flag(trace, os);
    head.id = trace->objects + 1;
    fresh = append_name(trace, &head, clean, len);
    trace->objects += fresh != NULL;
    trace_drop_flag(trace);
    tell_name(trace, fresh);
    return fresh != NULL ? head.id : 0;
}
