/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgrlab.c: the program. Finds the command and hands over; everything else is in cmd_*.c.
 */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/cli/streams.h"
#include "scenarios/base/exit_codes.h"

/* What a sanitizer finds is a crash (exit_codes.h), and no failed expectation. Called by
 * its runtime, if there is one. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "exitcode=10";
}

const char *__tsan_default_options(void)
{
    return "exitcode=10";
}

static const struct cli_command *const commands[] = {
#define X(name) &command_##name,
    COMMANDS(X)
#undef X
};

static void print_help(void)
{
    printf("msgrlab: a laboratory for asynchronous messengers\n\n"
           "usage: msgrlab COMMAND [ARGUMENT...]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\n'msgrlab COMMAND --help' tells more; 'msgrlab run' lists the scenarios.\n"
           "\na first picture:\n"
           "  msgrlab run hello --trace hello.trace\n"
           "  msgrlab show hello.trace --view iopath -o hello.svg\n\nexit codes:\n");
#define X(id, number, meaning) printf("  %3d  %s\n", number, meaning);
    EXIT_CODES(X)
#undef X
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int complain(const char *name)
{
    const char *names[ARRAY_SIZE(commands)];
    const char *meant;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        names[i] = commands[i]->name;
    }
    meant = words_suggest(name, names, ARRAY_SIZE(names));
    fprintf(stderr, "msgrlab: there is no %s '%s'", name[0] == '-' ? "option" : "command",
            name);
    if (meant != NULL) {
        fprintf(stderr, "; did you mean '%s'?", meant);
    }
    fprintf(stderr, "\nCommands are:");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        fprintf(stderr, " %s", names[i]);
    }
    fprintf(stderr, "\nTry 'msgrlab --help'.\n");
    return EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    const struct cli_command *command;
    char help[] = "--help", version[] = "version";

    if (name == NULL) {
        fprintf(stderr, "msgrlab: which command?\nTry 'msgrlab --help'.\n");
        return EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        (strcmp(name, "help") == 0 && argc == 2)) {
        print_help();
        return EXIT_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        char *args[] = {version, NULL};

        return command_version.run(1, args);
    }
    if (strcmp(name, "help") == 0) { /* msgrlab help run */
        char *args[] = {argv[2], help, NULL};

        command = find_command(argv[2]);
        return command != NULL ? command->run(2, args) : complain(argv[2]);
    }
    command = find_command(name);
    return command != NULL ? command->run(argc - 1, argv + 1) : complain(name);
}

int main(int argc, char **argv)
{
    streams_begin();
    return streams_end(run_command(argc, argv));
}
