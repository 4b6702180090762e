/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a fuzz corpus without libFuzzer, so that every compiler and sanitizer can.
 *
 * usage: replay_NAME FILE-OR-DIRECTORY...
 *
 * Each file found (directories are not descended into) is handed to the fuzz target, in
 * the order of names. Exit code 0 when at least one was replayed; the target itself aborts
 * on a finding, after the name of the input was printed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0 ok, negative errno. */
static int replay_file(const char *path, size_t size)
{
    /* Exactly as large as the input, so that the sanitizer sees the first byte too many. */
    uint8_t *data = malloc(size ? size : 1);
    FILE *file = fopen(path, "rb");
    int rc = 0;

    if (!data || !file)
        rc = data ? -errno : -ENOMEM;
    else if (fread(data, 1, size, file) != size)
        rc = -EIO;
    if (rc == 0) {
        fprintf(stderr, "replay %s\n", path);
        LLVMFuzzerTestOneInput(data, size);
    }
    if (file)
        fclose(file);
    free(data);
    return rc;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Number of inputs replayed, or negative errno. */
static int replay_path(const char *path, int depth)
{
    struct dirent **entries;
    struct stat st;
    int count = 0, n, rc;

    if (stat(path, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode)) {
        rc = replay_file(path, (size_t)st.st_size);
        return rc < 0 ? rc : 1;
    }
    if (!S_ISDIR(st.st_mode) || depth > 0)
        return 0;
    n = scandir(path, &entries, not_hidden, alphasort);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        char child[4096];

        snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
        rc = count < 0 ? count : replay_path(child, depth + 1);
        count = rc < 0 ? rc : count + rc;
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        int rc = replay_path(argv[i], 0);

        if (rc < 0) {
            fprintf(stderr, "%s: cannot replay %s: %s\n", argv[0], argv[i], strerror(-rc));
            return 1;
        }
        count += rc;
    }
    printf("%d inputs replayed\n", count);
    if (count == 0)
        fprintf(stderr, "%s: no input was found\n", argv[0]);
    return count > 0 ? 0 : 1;
}
