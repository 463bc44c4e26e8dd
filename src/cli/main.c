/* The program `moil`: finds the command, loads its options, runs it, exits with its status.
 *
 * Sets up what every command relies on: descriptors 0-2 are open, and writing to a closed pipe or
 * socket is an error to be handled, not a death. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/moil.h"
#include "cli/command.h"
#include "cli/complaint.h"
#include "cli/completion.h"
#include "cli/man.h"
#include "cli/output.h"
#include "cli/secrets.h"

/* A socket that got descriptor 1 would receive what we print. */
static void open_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

static void print_buffer(struct buffer *b, FILE *out)
{
    fputs(moil_buffer_cstr(b), out);
    moil_buffer_fini(b);
}

static void print_list(FILE *out)
{
    struct buffer b;
    moil_buffer_init(&b);
    moil_command_list(&b);
    print_buffer(&b, out);
}

/* False where there is no such page. */
static bool add_help(const struct command_row *row, const struct options *o, struct buffer *b)
{
    switch (o->help_form) {
    case HELP_MARKDOWN:
        moil_options_markdown(b);
        return true;
    case HELP_PAGES:
        moil_man_list(b);
        return true;
    case HELP_MAN:
        return o->help_page ? moil_man_page(o->help_page, b) : (moil_man_command(row, b), true);
    case HELP_BASH:
        moil_completion_bash(b);
        return true;
    case HELP_ZSH:
        moil_completion_zsh(b);
        return true;
    case HELP_TEXT:
        break;
    }
    if (row) {
        moil_command_help(row, b);
    } else {
        moil_command_list(b);
    }
    return true;
}

static enum exit_status print_help(const struct command_row *row, const struct options *o)
{
    struct buffer b;
    moil_buffer_init(&b);
    if (!add_help(row, o, &b)) {
        moil_buffer_fini(&b);
        return moil_complain_usage("there is no man page \"%s\" (`moil --help=pages` lists them)",
                                   o->help_page);
    }
    print_buffer(&b, stdout);
    return STATUS_DONE;
}

/* Loads the options and does what --help and --version ask for; row is NULL where no command
 * stands. */
static enum exit_status run(const struct command_row *row, int argc, char **argv)
{
    char errstr[1024];
    struct options o;
    enum exit_status status = STATUS_DONE;
    enum command command = row ? row->command : CMD_ALL;

    if (moil_options_load(&o, command, argc, argv, errstr, sizeof errstr) < 0) {
        status = moil_complain_usage("%s", errstr);
    } else if (o.help) {
        status = print_help(row, &o);
    } else if (o.version) {
        printf("moil %s\n", moil_version());
    } else if (row) {
        moil_output_choose_colours((enum output_colours)o.color);
        status = row->run(&o);
    } else {
        status = moil_complain_usage("a command is missing (`moil --help` lists them)");
    }
    moil_options_fini(&o);
    return status;
}

static enum exit_status unknown_command(const char *name)
{
    const char *nearest = moil_command_nearest(name);
    if (nearest) {
        return moil_complain_usage("unknown command \"%s\": did you mean \"%s\"?", name, nearest);
    }
    return moil_complain_usage("unknown command \"%s\" (`moil --help` lists them)", name);
}

/* `moil help`, `moil help COMMAND` */
static enum exit_status help(int argc, char **argv)
{
    const struct command_row *row = argc > 0 ? moil_command_find(argv[0]) : NULL;
    struct options o = {.help = true};
    if (argc > 0 && !row && strcmp(argv[0], "help") != 0) {
        return unknown_command(argv[0]);
    }
    return print_help(row, &o);
}

/* Takes the command's name out of argv, so that options may stand on both sides of it. */
static enum exit_status dispatch(int argc, char **argv)
{
    int at = moil_options_find_command(argc, argv);
    if (at == argc) {
        return run(NULL, argc, argv);
    }
    const char *name = argv[at];
    const struct command_row *row = moil_command_find(name);
    if (!row && strcmp(name, "help") == 0) {
        return help(argc - at - 1, argv + at + 1);
    }
    if (!row) {
        return unknown_command(name);
    }
    memmove(&argv[at], &argv[at + 1], sizeof *argv * (size_t)(argc - at));
    return run(row, argc - 1, argv);
}

int main(int argc, char **argv)
{
    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    moil_hide_passwords(argc, argv);
    if (argc < 2) {
        print_list(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help=complete") == 0) {
        moil_completion_print(argc - 1, argv + 1);
        return (int)moil_output_finish(STATUS_DONE);
    }
    return (int)moil_output_finish(dispatch(argc, argv));
}
