/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h: a hash map from 64-bit numbers to 64-bit numbers: open addressing, at most half
 * full. Nothing is ever removed, and no order may come out of it: whoever walks `entries`
 * does to each the same. One thread at a time. A zeroed map is empty.
 */
#ifndef MSGRLAB_ENGINE_BASE_MAP_H
#define MSGRLAB_ENGINE_BASE_MAP_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "engine/util.h"

#define MAP_NONE UINT64_MAX /* no value; that of an entry that is not in use */
#define MAP_FIRST 16        /* entries, at first */

struct map_entry {
    uint64_t key, value;
};

struct map {
    struct map_entry *entries; /* owned */
    uint64_t size;             /* a power of two, or 0 */
    uint64_t used;
};

/* The entry of the key, or the free one where it belongs. The map has room. */
static inline struct map_entry *map_slot(const struct map *map, uint64_t key)
{
    uint64_t hash = (key ^ key >> 32) * 0x9e3779b97f4a7c15ULL;
    uint64_t at = hash >> 32 & (map->size - 1);

    while (map->entries[at].value != MAP_NONE && map->entries[at].key != key) {
        at = (at + 1) & (map->size - 1);
    }
    return &map->entries[at];
}

/* The value of the key; `otherwise` if it has none. */
static inline uint64_t map_get(const struct map *map, uint64_t key, uint64_t otherwise)
{
    uint64_t value = map->size == 0 ? MAP_NONE : map_slot(map, key)->value;

    return value != MAP_NONE ? value : otherwise;
}

/* Twice the room. 0 or -ENOMEM, and the map is as it was. */
static inline int map_grow(struct map *map)
{
    struct map old = *map;

    map->size = old.size != 0 ? old.size * 2 : MAP_FIRST;
    map->entries = malloc(map->size * sizeof(*map->entries));
    if (map->entries == NULL) {
        *map = old;
        return -ENOMEM;
    }
    memset(map->entries, 0xff, map->size * sizeof(*map->entries));
    for (uint64_t i = 0; i < old.size; i++) {
        if (old.entries[i].value != MAP_NONE) {
            *map_slot(map, old.entries[i].key) = old.entries[i];
        }
    }
    free(old.entries);
    return 0;
}

/* Adds or replaces. `value` is not MAP_NONE. 0 or -ENOMEM, and the map is as it was. */
static inline int map_put(struct map *map, uint64_t key, uint64_t value)
{
    struct map_entry *slot;

    CHECK(value != MAP_NONE);
    if ((map->used + 1) * 2 > map->size && map_grow(map) < 0) {
        return -ENOMEM;
    }
    slot = map_slot(map, key);
    map->used += slot->value == MAP_NONE;
    *slot = (struct map_entry){.key = key, .value = value};
    return 0;
}

static inline void map_fini(struct map *map)
{
    free(map->entries);
    *map = (struct map){0};
}

#endif
