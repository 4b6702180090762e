/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h: a hash map from 64-bit keys to 32-bit numbers, and arrays that double.
 *
 * Nothing is ever removed and nobody walks the map, so no order comes out of it.
 */
#ifndef MSGRLAB_ENGINE_BASE_MAP_H
#define MSGRLAB_ENGINE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MAP_NONE UINT32_MAX

struct map_entry {
    uint64_t key;
    uint32_t value; /* MAP_NONE: free */
};

struct map {
    struct map_entry *entries; /* owned */
    uint32_t size;             /* a power of two, or 0 */
    uint32_t used;
};

static inline uint32_t map_hash(uint64_t key)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(key >> 32);
}

/* The entry of the key, or the free one where it belongs. The map has room. */
static inline struct map_entry *map_slot(const struct map *map, uint64_t key)
{
    uint32_t at = map_hash(key) & (map->size - 1);

    while (map->entries[at].value != MAP_NONE && map->entries[at].key != key) {
        at = (at + 1) & (map->size - 1);
    }
    return &map->entries[at];
}

static inline uint32_t map_get(const struct map *map, uint64_t key)
{
    return map->size == 0 ? MAP_NONE : map_slot(map, key)->value;
}

/* Adds or replaces; false if out of memory. */
static inline bool map_put(struct map *map, uint64_t key, uint32_t value)
{
    struct map_entry *slot;

    if ((map->used + 1) * 2ULL > map->size) {
        uint32_t size = map->size ? map->size * 2 : 64;
        struct map old = *map;

        map->entries = malloc(size * sizeof(*map->entries));
        if (map->entries == NULL) {
            *map = old;
            return false;
        }
        map->size = size;
        for (uint32_t i = 0; i < size; i++) {
            map->entries[i].value = MAP_NONE;
        }
        for (uint32_t i = 0; i < old.size; i++) {
            if (old.entries[i].value != MAP_NONE) {
                *map_slot(map, old.entries[i].key) = old.entries[i];
            }
        }
        free(old.entries);
    }
    slot = map_slot(map, key);
    map->used += slot->value == MAP_NONE;
    slot->key = key;
    slot->value = value;
    return true;
}

static inline void map_fini(struct map *map)
{
    free(map->entries);
}

/* The array, with room for one more than n: capacities are powers of two. NULL if out of
 * memory; the old array is still good then. */
static inline void *array_grow(void *array, size_t n, size_t size)
{
    return n & (n - 1) ? array : realloc(array, (n ? n * 2 : 1) * size);
}

#endif
