/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/run/script_find.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/base/text.h"

#define FOLDERS_MAX 16
#define SCRIPTS_MAX 500 /* more are not listed */
#define ABOUT_WIDTH 60

/* ---- folders ----------------------------------------------------------------------- */

/* Where scenarios are, the first one first; owned paths. */
struct folders {
    char *paths[FOLDERS_MAX];
    int n;
};

static void add_folder(struct folders *f, const char *path)
{
    char *real = realpath(path, NULL);

    for (int i = 0; i < f->n && real != NULL; i++) {
        if (strcmp(f->paths[i], real) == 0) {
            free(real);
            real = NULL;
        }
    }
    if (f->n == FOLDERS_MAX) {
        free(real);
    } else if (real != NULL) {
        f->paths[f->n++] = real;
    }
}

static void add_environment(struct folders *f)
{
    const char *list = getenv(SCRIPT_FOLDERS);
    char *copy = list != NULL ? strdup(list) : NULL, *rest = copy, *path;

    while (rest != NULL && (path = strsep(&rest, ":")) != NULL) {
        if (path[0] != '\0') {
            add_folder(f, path);
        }
    }
    free(copy);
}

/* Beside the program's build directory, or where it is installed. */
static void add_own(struct folders *f)
{
    static const char *const places[] = {"../../scenarios", "../share/msgrlab/scenarios"};
    char exe[SCRIPT_PATH_MAX], path[SCRIPT_PATH_MAX + 40];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (len <= 0) {
        return;
    }
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        snprintf(path, sizeof(path), "%s/%s", exe, places[i]);
        add_folder(f, path);
    }
}

static void find_folders(struct folders *ret)
{
    ret->n = 0;
    add_environment(ret);
    add_own(ret);
}

static void free_folders(struct folders *f)
{
    for (int i = 0; i < f->n; i++) {
        free(f->paths[i]);
    }
}

/* ---- the scripts in them ----------------------------------------------------------- */

/* Names without ".lua": "hello", "campaigns/lite"; owned. */
struct scripts {
    char *names[SCRIPTS_MAX];
    const char *folders[SCRIPTS_MAX]; /* borrowed */
    int n;
};

static bool has_script(const struct scripts *s, const char *name)
{
    for (int i = 0; i < s->n; i++) {
        if (strcmp(s->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_script(struct scripts *s, const char *folder, const char *below,
                       const char *file)
{
    char name[300];

    snprintf(name, sizeof(name), "%s%.*s", below, (int)strlen(file) - 4, file);
    if (s->n < SCRIPTS_MAX && !has_script(s, name)) {
        s->names[s->n] = strdup(name);
        s->folders[s->n] = folder;
        s->n += s->names[s->n] != NULL;
    }
}

static bool is_script_name(const char *file)
{
    size_t len = strlen(file);

    return len > 4 && file[0] != '.' && strcmp(file + len - 4, ".lua") == 0;
}

/* Of a folder and the folders in it; `below` is "" or "campaigns/". */
static void collect(struct scripts *s, const char *folder, const char *below)
{
    char path[SCRIPT_PATH_MAX + 600], inner[300];
    struct dirent **entries;
    int n;

    snprintf(path, sizeof(path), "%s/%s", folder, below);
    n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (is_script_name(entries[i]->d_name)) {
            add_script(s, folder, below, entries[i]->d_name);
        }
    }
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s%s", folder, below, entries[i]->d_name);
        if (below[0] == '\0' && entries[i]->d_name[0] != '.' && is_folder(path)) {
            snprintf(inner, sizeof(inner), "%s/", entries[i]->d_name);
            collect(s, folder, inner);
        }
        free(entries[i]);
    }
    if (n >= 0) {
        free(entries);
    }
}

static void find_scripts(const struct folders *folders, struct scripts *ret)
{
    ret->n = 0;
    for (int i = 0; i < folders->n; i++) {
        collect(ret, folders->paths[i], "");
    }
}

static void free_scripts(struct scripts *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->names[i]);
    }
}

/* ---- names ------------------------------------------------------------------------- */

/* "scenarios/campaigns/lite.lua" -> "campaigns/lite" */
static void plain_name(const char *name, char *ret, size_t size)
{
    size_t len;

    name += strncmp(name, "scenarios/", 10) == 0 ? 10 : 0;
    len = strlen(name);
    len -= is_script_name(name) ? 4 : 0;
    snprintf(ret, size, "%.*s", (int)MIN(len, size - 1), name);
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

/* The script of that whole name; else the first whose last part it is. -1: none. */
static int look_up(const struct scripts *s, const char *name)
{
    for (int i = 0; i < s->n; i++) {
        if (strcmp(s->names[i], name) == 0) {
            return i;
        }
    }
    for (int i = 0; i < s->n; i++) {
        if (strcmp(last_part(s->names[i]), name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool find_installed(const char *name, char *ret, size_t size)
{
    struct folders folders;
    struct scripts scripts;
    char plain[300];
    int i;

    plain_name(name, plain, sizeof(plain));
    find_folders(&folders);
    find_scripts(&folders, &scripts);
    i = look_up(&scripts, plain);
    if (i >= 0) {
        snprintf(ret, size, "%s/%s.lua", scripts.folders[i], scripts.names[i]);
    }
    free_scripts(&scripts);
    free_folders(&folders);
    return i >= 0;
}

bool script_find(const char *name, char *ret, size_t size)
{
    char with[SCRIPT_PATH_MAX + 8];

    if (name[0] == '\0' || strlen(name) >= MIN(size, (size_t)SCRIPT_PATH_MAX)) {
        return false;
    }
    snprintf(ret, size, "%s", name);
    if (access(name, F_OK) == 0 && !is_folder(name)) {
        return true;
    }
    snprintf(with, sizeof(with), "%s.lua", name);
    if (access(with, F_OK) == 0 && !is_folder(with) && strlen(with) < size) {
        snprintf(ret, size, "%s", with);
        return true;
    }
    if (find_installed(name, ret, size)) {
        return true;
    }
    snprintf(ret, size, "%s", name);
    return is_folder(name);
}

bool script_suggest(const char *name, char *ret, size_t size)
{
    const char *words[2 * SCRIPTS_MAX] = {NULL}, *meant;
    struct folders folders;
    struct scripts scripts;
    char plain[300];
    size_t n = 0;

    plain_name(name, plain, sizeof(plain));
    find_folders(&folders);
    find_scripts(&folders, &scripts);
    for (int i = 0; i < scripts.n; i++) {
        words[n++] = scripts.names[i];
        words[n++] = last_part(scripts.names[i]);
    }
    meant = words_suggest(plain, words, n);
    meant = meant != NULL ? meant : words_suggest(last_part(plain), words, n);
    if (meant != NULL) {
        snprintf(ret, size, "%s", meant);
    }
    free_scripts(&scripts);
    free_folders(&folders);
    return meant != NULL;
}

/* ---- the list ---------------------------------------------------------------------- */

/* The first sentence of "-- hello.lua: two nodes, a few pings." Ends at the width of a
 * line; "" when the script does not begin with one. */
static void read_about(const char *path, char *ret, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[400] = "", *text, *end;
    size_t len;

    ret[0] = '\0';
    if (file == NULL) {
        return;
    }
    do { /* behind a first line for the shell */
        text = fgets(line, sizeof(line), file);
    } while (text != NULL && text[0] == '#');
    fclose(file);
    len = strlen(line);
    text = strncmp(text_begin(line, &len), "--", 2) == 0 ? strstr(line, ".lua: ") : NULL;
    if (text == NULL) {
        return;
    }
    text += 6;
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] == '\0') {
        return;
    }
    end = strstr(text, ". ");
    if (end != NULL) {
        end[1] = '\0';
    }
    if (strlen(text) > ABOUT_WIDTH || text[strlen(text) - 1] != '.') {
        text[MIN(strlen(text), (size_t)ABOUT_WIDTH)] = '\0';
        end = strrchr(text, ' ');
        snprintf(ret, size, "%.*s ...", (int)(end != NULL ? end - text : 0), text);
    } else {
        snprintf(ret, size, "%s", text);
    }
}

void script_list(FILE *out)
{
    struct folders folders;
    struct scripts scripts;

    find_folders(&folders);
    find_scripts(&folders, &scripts);
    for (int i = 0; i < scripts.n; i++) {
        char path[SCRIPT_PATH_MAX + 600], about[ABOUT_WIDTH + 100];

        if (i == 0 || scripts.folders[i] != scripts.folders[i - 1]) {
            fprintf(out, "Scenarios in %s:\n", scripts.folders[i]);
        }
        snprintf(path, sizeof(path), "%s/%s.lua", scripts.folders[i], scripts.names[i]);
        read_about(path, about, sizeof(about));
        fprintf(out, "  %-24s %s\n", scripts.names[i], about);
    }
    if (scripts.n == 0) {
        fprintf(out, "No scenarios came with this program; $%s names folders of others.\n",
                SCRIPT_FOLDERS);
    }
    free_scripts(&scripts);
    free_folders(&folders);
}
