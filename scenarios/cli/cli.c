/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"

#define NAME_MAX_LEN 32 /* of an option */
#define OPTION_HELP 256 /* what getopt gives for --help; for others their number from 0 */
#define OPTION_FIRST 257

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "msgrlab %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'msgrlab %s --help'.\n", command);
    return EXIT_USAGE;
}

/* All options of a command, as getopt wants them. */
struct table {
    const struct cli_option *rows[CLI_OPTIONS_MAX];
    int n;
    struct option options[CLI_OPTIONS_MAX + 2];
    char letters[2 * CLI_OPTIONS_MAX + 4];
};

static void add_letter(struct table *t, char letter, bool has_value)
{
    size_t n = strlen(t->letters);

    snprintf(t->letters + n, sizeof(t->letters) - n, "%c%s", letter, has_value ? ":" : "");
}

static void make_table(const struct cli_command *command, struct table *ret)
{
    *ret = (struct table){.n = 0};
    /* A leading colon makes a missing value an answer of its own. */
    snprintf(ret->letters, sizeof(ret->letters), "%s:h",
             command->stops_at_argument ? "+" : "");
    for (int group = 0; group < CLI_GROUPS && command->options[group] != NULL; group++) {
        for (const struct cli_option *o = command->options[group]; o->name != NULL; o++) {
            CHECK(ret->n < CLI_OPTIONS_MAX);
            ret->options[ret->n] =
                (struct option){o->name, o->value != NULL ? required_argument : no_argument,
                                NULL, OPTION_FIRST + ret->n};
            ret->rows[ret->n++] = o;
            if (o->letter != 0) {
                add_letter(ret, o->letter, o->value != NULL);
            }
        }
    }
    ret->options[ret->n] = (struct option){"help", no_argument, NULL, OPTION_HELP};
}

static const struct cli_option *find_option(const struct table *t, int found)
{
    for (int i = 0; i < t->n; i++) {
        if (found == OPTION_FIRST + i || found == t->rows[i]->letter) {
            return t->rows[i];
        }
    }
    return NULL;
}

/* ---- complaints ---- */

static void complain_unknown(const char *command, const char *text, const struct table *t)
{
    const char *names[CLI_OPTIONS_MAX + 1] = {NULL};
    const char *word = text + strspn(text, "-");
    const char *meant;
    char name[NAME_MAX_LEN + 1];
    size_t n = 0;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    for (int i = 0; i < t->n; i++) {
        if (t->rows[i]->help != NULL) {
            names[n++] = t->rows[i]->name;
        }
    }
    names[n++] = "help";
    meant = words_suggest(name, names, n);
    fprintf(stderr, "msgrlab %s: there is no option '%.*s'", command,
            (int)strcspn(text, "="), text);
    if (meant != NULL) {
        fprintf(stderr, "; did you mean '--%s'?", meant);
    }
    fprintf(stderr, "\nOptions are:");
    for (size_t i = 0; i < n; i++) {
        fprintf(stderr, " --%s", names[i]);
    }
    fprintf(stderr, "\nTry 'msgrlab %s --help'.\n", command);
}

static bool is_long_option(const struct table *t, const char *text)
{
    const char *word = text + strspn(text, "-");
    size_t len = strcspn(word, "=");

    for (const struct option *o = t->options; o->name != NULL; o++) {
        if (strncmp(o->name, word, len) == 0 && o->name[len] == '\0') {
            return true;
        }
    }
    return false;
}

/* What getopt refused; `at` is where it was before. */
static int complain(const struct table *t, char **argv, int at, int refused)
{
    const char *text = argv[optind - 1];

    if (refused == ':') {
        return cli_usage_error(argv[0], "option '%s' needs a value", text);
    }
    if (text[0] != '-' || optind == 1) {
        text = argv[at];
    }
    if (text[0] == '-' && text[1] == '-' && is_long_option(t, text)) {
        return cli_usage_error(argv[0], "option '%.*s' takes no value",
                               (int)strcspn(text, "="), text);
    }
    complain_unknown(argv[0], text, t);
    return EXIT_USAGE;
}

/* ---- the loop ---- */

int cli_options(const struct cli_command *command, int argc, char **argv, void *state)
{
    struct table t;
    int at = 1, found, code;

    make_table(command, &t);
    optind = 0; /* also makes getopt forget what it was in the middle of */
    opterr = 0;
    while ((found = getopt_long(argc, argv, t.letters, t.options, NULL)) != -1) {
        if (found == ':' || found == '?') {
            return complain(&t, argv, at, found);
        }
        if (found == 'h' || found == OPTION_HELP) {
            cli_help(command, stdout);
            return EXIT_OK;
        }
        code = command->take(state, find_option(&t, found)->id, optarg);
        if (code != EXIT_OK) {
            return code;
        }
        at = optind;
    }
    return CLI_GO_ON;
}
