/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/base/exit_codes.h"
#include "scenarios/base/words.h"

#define OPTION_MAX 32 /* characters of a name */
#define OPTIONS_MAX 64

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

static void complain_unknown(const char *command, const char *text,
                             const struct option *options)
{
    const char *names[OPTIONS_MAX] = {NULL};
    const char *word = text + strspn(text, "-");
    const char *meant;
    char name[OPTION_MAX + 1];
    size_t n = 0;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    for (; options[n].name != NULL && n < OPTIONS_MAX; n++) {
        names[n] = options[n].name;
    }
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

static bool is_long_option(const struct option *options, const char *text)
{
    const char *word = text + strspn(text, "-");
    size_t len = strcspn(word, "=");

    for (; options->name != NULL; options++) {
        if (strncmp(options->name, word, len) == 0 && options->name[len] == '\0') {
            return true;
        }
    }
    return false;
}

void cli_start(void)
{
    optind = 0; /* also makes getopt forget what it was in the middle of */
    opterr = 0;
}

int cli_next(int argc, char **argv, const char *letters, const struct option *options)
{
    const char *plus = letters[0] == '+' ? "+" : "";
    char colon[32];
    int at = optind == 0 ? 1 : optind;
    int option;

    /* A leading colon makes a missing value an answer of its own. */
    snprintf(colon, sizeof(colon), "%s:%s", plus, letters + strlen(plus));
    option = getopt_long(argc, argv, colon, options, NULL);
    if (option == ':') {
        cli_usage_error(argv[0], "option '%s' needs a value", argv[optind - 1]);
        return CLI_BAD;
    }
    if (option == '?') {
        const char *text = argv[optind - 1];

        if (text[0] != '-' || text == argv[0]) {
            text = argv[at];
        }
        if (text[0] == '-' && text[1] == '-' && is_long_option(options, text)) {
            cli_usage_error(argv[0], "option '%.*s' takes no value",
                            (int)strcspn(text, "="), text);
        } else {
            complain_unknown(argv[0], text, options);
        }
        return CLI_BAD;
    }
    return option;
}
