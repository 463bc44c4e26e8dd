/* What --help prints of the table of commands: their list, and one of them (command.h). */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

/* --- the list ----------------------------------------------------------------------------------
 */

static int name_width(void)
{
    size_t width = 0;
    for (size_t i = 0; i < moil_command_count; i++) {
        size_t len = strlen(moil_commands[i].name);
        width = len > width ? len : width;
    }
    return (int)width;
}

void moil_command_list(struct buffer *out)
{
    int width = name_width();
    moil_buffer_add_str(out, "A distributed task queue with tasks in Lua.\n"
                             "\n"
                             "Usage: moil COMMAND [ARGUMENT]... [OPTION]...\n"
                             "\n"
                             "Commands:\n");
    for (size_t i = 0; i < moil_command_count; i++) {
        moil_buffer_addf(out, "  %-*s  %s\n", width, moil_commands[i].name,
                         moil_commands[i].summary);
    }
    moil_buffer_addf(out, "  %-*s  print this help, or that of one command\n\n", width, "help");
    moil_options_help(CMD_ALL, out);
    moil_buffer_add_str(
        out, "\n"
             "Exit codes: 0 done, 1 the job failed, 2 usage, 3 no Redis, 4 timed out waiting,\n"
             "5 no such job or task, 6 a check failed.\n");
}

/* --- one command -------------------------------------------------------------------------------
 */

static size_t verb_width(const struct verb_row *verb)
{
    return strlen(verb->name) + (*verb->operands ? 1 + strlen(verb->operands) : 0);
}

static void add_verbs(struct buffer *out, const struct verb_row *verbs)
{
    size_t width = 0;
    for (const struct verb_row *v = verbs; v->name; v++) {
        width = verb_width(v) > width ? verb_width(v) : width;
    }
    for (const struct verb_row *v = verbs; v->name; v++) {
        moil_buffer_addf(out, "  %s%s%s%*s  %s\n", v->name, *v->operands ? " " : "", v->operands,
                         (int)(width - verb_width(v)), "", v->summary);
    }
    moil_buffer_add_char(out, '\n');
}

void moil_command_help(const struct command_row *row, struct buffer *out)
{
    moil_buffer_addf(out, "Usage: moil %s %s%s[OPTION]...\n\n", row->name, row->operands,
                     *row->operands ? " " : "");
    moil_buffer_addf(out, "moil %s: %s.\n\n", row->name, row->summary);
    if (row->details) {
        moil_buffer_addf(out, "%s\n", row->details);
    }
    if (row->verbs) {
        add_verbs(out, row->verbs);
    }
    moil_buffer_add_str(out, "Options:\n");
    moil_options_help(row->command, out);
}
