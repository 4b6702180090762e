/* SPDX-License-Identifier: Apache-2.0 */
/* cli_help.c: what `msgrlab COMMAND --help` prints, from the table of the command. */
#include <string.h>

#include "engine/util.h"
#include "scenarios/cli/cli.h"

#define WIDTH 80
#define NAMES_WIDTH_MAX 19 /* of options; longer ones push their text to the right */
#define CODES 256

/* Prints words from column `at` on; lines that follow begin at `indent`. */
static void print_wrapped(FILE *out, const char *text, int at, int indent)
{
    for (bool is_first = true; *text != '\0'; is_first = false) {
        int len = (int)strcspn(text, " ");

        if (!is_first && at + 1 + len > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        } else if (!is_first) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", len, text);
        at += len;
        text += len + (int)strspn(text + len, " ");
    }
    fputc('\n', out);
}

/* ---- options ---- */

/* "  -o, --output FILE"; returns its width. */
static int write_name(const struct cli_option *o, char *ret, size_t size)
{
    char letter[8] = "";

    if (o->letter != 0) {
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    }
    return snprintf(ret, size, "  %s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
                    o->value != NULL ? o->value : "");
}

static int widest_name(const struct cli_command *command)
{
    char name[100];
    int widest = 0;

    for (int group = 0; group < CLI_GROUPS && command->options[group] != NULL; group++) {
        for (const struct cli_option *o = command->options[group]; o->name != NULL; o++) {
            int width = write_name(o, name, sizeof(name));

            if (o->help != NULL && width <= NAMES_WIDTH_MAX) {
                widest = MAX(widest, width);
            }
        }
    }
    return widest;
}

static void print_options(const struct cli_command *command, FILE *out)
{
    int indent = widest_name(command) + 2;
    char name[100];

    if (command->options[0] != NULL) {
        fputc('\n', out);
    }
    for (int group = 0; group < CLI_GROUPS && command->options[group] != NULL; group++) {
        for (const struct cli_option *o = command->options[group]; o->name != NULL; o++) {
            if (o->help != NULL) {
                int width = MAX(write_name(o, name, sizeof(name)) + 2, indent);

                fprintf(out, "%-*s", width, name);
                print_wrapped(out, o->help, width, indent);
            }
        }
    }
}

/* ---- exit codes ---- */

/* NULL: the command does not give it. */
static const char *meaning_of(const struct cli_command *command, int code)
{
    for (const struct cli_exit *e = command->exits; e->code != 0 || e->meaning != NULL;
         e++) {
        if (e->code == code) {
            return e->meaning != NULL ? e->meaning : exit_code_meaning(code);
        }
    }
    switch (code) {
    case EXIT_USAGE:
        return exit_code_meaning(code);
    case EXIT_FILE:
        return "what it prints could not be written";
    default:
        return NULL;
    }
}

static void print_exits(const struct cli_command *command, FILE *out)
{
    fprintf(out, "\nexit codes:%s%s\n", command->exits_of != NULL ? " " : "",
            command->exits_of != NULL ? command->exits_of : "");
    for (int code = 0; code < CODES; code++) {
        const char *meaning = meaning_of(command, code);

        if (meaning != NULL) {
            fprintf(out, "  %3d  ", code);
            print_wrapped(out, meaning, 7, 7);
        }
    }
}

/* ---- the whole ---- */

static void print_usage(const struct cli_command *command, FILE *out)
{
    const char *line = command->usage;
    const char *before = "usage:";

    do {
        int len = (int)strcspn(line, "\n");

        fprintf(out, "%-6s msgrlab %s%s%.*s\n", before, command->name, len > 0 ? " " : "",
                len, line);
        line += len;
        before = "";
    } while (*line++ != '\0');
}

void cli_help(const struct cli_command *command, FILE *out)
{
    print_usage(command, out);
    fprintf(out, "\n%s\n", command->about);
    print_options(command, out);
    if (command->more != NULL) {
        fprintf(out, "\n%s\n", command->more);
    }
    if (command->print_more != NULL) {
        fputc('\n', out);
        command->print_more(out);
    }
    print_exits(command, out);
}
