/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_record.c: any bytes as the record of a run. What the reader refuses has a line and a
 * reason; what it takes can be written, and read again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/run/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536

/* Numbers and times may be written in another way than they were read, so the first writing
 * is compared with the second. */
static void write_and_read(const struct record *record)
{
    struct run_opts opts = {0};
    struct record again;
    char *first = record_format(record), *second, why[300] = "";

    CHECK(first != NULL);
    CHECK(record_parse("again", first, strlen(first), &again, why, sizeof(why)) == 0);
    second = record_format(&again);
    CHECK(second != NULL);
    CHECK(strcmp(first, second) == 0);
    if (record_to_opts(&again, &opts, why, sizeof(why)) == 0) {
        free(record_again(&opts));
    }
    record_fini(&again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;
    char why[300] = "";

    if (size > INPUT_MAX) {
        return 0;
    }
    if (record_parse("x.rec", (const char *)data, size, &record, why, sizeof(why)) < 0) {
        CHECK(strncmp(why, "x.rec:", 6) == 0);
        CHECK(strlen(why) > 10);
        return 0;
    }
    write_and_read(&record);
    record_fini(&record);
    return 0;
}
