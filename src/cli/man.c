/* man.c: moil(1) and the pages of the commands (man.h). */
#include "cli/man.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/moil.h"
#include "conf/roff.h"

/* Of the last change of what the pages say beside the tables. */
#define PAGES_DATE "2026-11-21"

void moil_man_begin(struct buffer *out, const char *name, int section, const char *summary)
{
    moil_buffer_add_str(out, ".\\\" Printed by moil --help=man.\n.TH ");
    for (const char *p = name; *p; p++) {
        moil_buffer_add_char(out, (char)toupper((unsigned char)*p));
    }
    moil_buffer_addf(out, " %d " PAGES_DATE " \"moil %s\" \"moil\"\n.SH NAME\n", section,
                     moil_version());
    moil_roff_add_str(out, name);
    moil_buffer_add_str(out, " \\- ");
    moil_roff_add_str(out, summary);
    moil_buffer_add_char(out, '\n');
}

/* --- what several pages have -------------------------------------------------------------------
 */

static void add_exit_status(struct buffer *out)
{
    static const struct {
        enum exit_status status;
        const char *meaning;
    } rows[] = {
        {STATUS_DONE, "done"},
        {STATUS_JOB_FAILED, "the job failed"},
        {STATUS_USAGE, "wrong usage, or a file that cannot be read"},
        {STATUS_NO_REDIS, "no Redis"},
        {STATUS_TIMED_OUT, "timed out waiting"},
        {STATUS_UNKNOWN, "no such job, task or entry"},
        {STATUS_CHECK_FAILED, "a check or an audit failed"},
    };
    moil_buffer_add_str(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        moil_buffer_addf(out, ".TP 4\n\\fB%d\\fR\n%s\n", (int)rows[i].status, rows[i].meaning);
    }
}

/* "\fBmoil\-call\fR(1)" */
static void add_reference(struct buffer *out, const char *page, int section)
{
    moil_roff_add_bold(out, page);
    moil_buffer_addf(out, "(%d)", section);
}

static void add_command_reference(struct buffer *out, const struct command_row *row)
{
    char name[64];
    snprintf(name, sizeof name, "moil-%s", row->name);
    add_reference(out, name, 1);
}

static void add_section(struct buffer *out, const char *title, const struct buffer *text)
{
    if (text->len > 0) {
        moil_buffer_addf(out, ".SH %s\n", title);
        moil_buffer_add(out, text->data, text->len);
    }
}

/* A section of what `add` prints of the command; none where it prints nothing. */
static void add_options(struct buffer *out, const char *title, enum command command,
                        void (*add)(enum command command, struct buffer *out))
{
    struct buffer text;
    moil_buffer_init(&text);
    add(command, &text);
    add_section(out, title, &text);
    moil_buffer_fini(&text);
}

/* --- moil(1) -----------------------------------------------------------------------------------
 */

static void add_files(struct buffer *out)
{
    moil_buffer_add_str(out,
                        ".SH FILES\n"
                        ".TP\n\\fBmoil.lua\\fR\n"
                        "options, read from the current folder; see \\fBmoil.lua\\fR(5).\n"
                        ".TP\n\\fBbeat.lua\\fR\n"
                        "a schedule; see \\fBbeat\\fR(5).\n"
                        ".TP\n\\fBtasks/\\fR\n"
                        "the tasks that \\fBmoil worker\\fR loads where it is told no others.\n"
                        ".TP\n\\fB.moil/\\fR\n"
                        "the embedded Redis of \\fBmoil dev\\fR, its socket and its data.\n");
}

static void main_page(struct buffer *out)
{
    moil_man_begin(out, "moil", 1, "a distributed task queue with tasks in Lua");
    moil_buffer_add_str(
        out,
        ".SH SYNOPSIS\n"
        "\\fBmoil\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR]... [\\fIOPTION\\fR]...\n"
        ".SH DESCRIPTION\n"
        "Jobs are calls of Lua functions. They wait in Redis, and the worker processes of any\n"
        "number of nodes run them. Delivery is at least once: tasks should be such that they\n"
        "can be repeated.\n"
        ".PP\n"
        "\\fBmoil dev\\fR begins with a private Redis in the current folder; the other commands\n"
        "find it there.\n"
        ".SH COMMANDS\n");
    for (size_t i = 0; i < moil_command_count; i++) {
        moil_buffer_add_str(out, ".TP\n");
        add_command_reference(out, &moil_commands[i]);
        moil_buffer_add_char(out, '\n');
        moil_roff_add_str(out, moil_commands[i].summary);
        moil_buffer_add_str(out, ".\n");
    }
    moil_buffer_add_str(out, ".TP\n\\fBmoil help\\fR [\\fICOMMAND\\fR]\n"
                             "print the list of commands, or the help of one.\n");
    add_options(out, "OPTIONS", CMD_ALL, moil_options_man);
    add_options(out, "ENVIRONMENT", CMD_ALL, moil_options_man_environment);
    add_files(out);
    add_exit_status(out);
    moil_buffer_add_str(out, ".SH SEE ALSO\n\\fBmoil.lua\\fR(5),\n\\fBbeat\\fR(5)");
    for (size_t i = 0; i < moil_command_count; i++) {
        moil_buffer_add_str(out, ",\n");
        add_command_reference(out, &moil_commands[i]);
    }
    moil_buffer_add_char(out, '\n');
}

/* --- a command ---------------------------------------------------------------------------------
 */

static void add_verbs(struct buffer *out, const struct verb_row *verb)
{
    moil_buffer_add_str(out, ".SH COMMANDS\n");
    for (; verb->name; verb++) {
        moil_buffer_add_str(out, ".TP\n");
        moil_roff_add_bold(out, verb->name);
        if (*verb->operands) {
            moil_buffer_add_char(out, ' ');
            moil_roff_add_italic(out, verb->operands);
        }
        moil_buffer_add_char(out, '\n');
        moil_roff_add_str(out, verb->summary);
        moil_buffer_add_str(out, ".\n");
    }
}

static void command_page(const struct command_row *row, struct buffer *out)
{
    char name[64];
    snprintf(name, sizeof name, "moil-%s", row->name);
    moil_man_begin(out, name, 1, row->summary);
    moil_buffer_addf(out, ".SH SYNOPSIS\n\\fBmoil %s\\fR ", row->name);
    if (*row->operands) {
        moil_roff_add_italic(out, row->operands);
        moil_buffer_add_char(out, ' ');
    }
    moil_buffer_add_str(out, "[\\fIOPTION\\fR]...\n");
    if (row->details) {
        moil_buffer_add_str(out, ".SH DESCRIPTION\n");
        moil_roff_add_paragraphs(out, row->details);
    }
    if (row->verbs) {
        add_verbs(out, row->verbs);
    }
    add_options(out, "OPTIONS", row->command, moil_options_man);
    add_options(out, "OPTIONS OF EVERY COMMAND", CMD_ALL, moil_options_man);
    add_options(out, "ENVIRONMENT", row->command, moil_options_man_environment);
    add_exit_status(out);
    moil_buffer_add_str(out, ".SH SEE ALSO\n\\fBmoil\\fR(1),\n\\fBmoil.lua\\fR(5)");
    moil_buffer_add_str(out, row->command == CMD_BEAT ? ",\n\\fBbeat\\fR(5)\n" : "\n");
}

/* Gives the page away. */
static void add_page(struct buffer *out, struct buffer *page)
{
    moil_roff_fold(out, moil_buffer_slice(page));
    out->failed = out->failed || page->failed;
    moil_buffer_fini(page);
}

void moil_man_command(const struct command_row *row, struct buffer *out)
{
    struct buffer page;
    moil_buffer_init(&page);
    if (row) {
        command_page(row, &page);
    } else {
        main_page(&page);
    }
    add_page(out, &page);
}

/* --- all of them -------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    void (*print)(struct buffer *out);
} pages[] = {
    {"moil.1", main_page},
    {"moil.lua.5", moil_man_config_file},
    {"beat.5", moil_man_beat_file},
};

enum { PAGES = sizeof pages / sizeof *pages };

void moil_man_list(struct buffer *out)
{
    for (size_t i = 0; i < PAGES; i++) {
        moil_buffer_addf(out, "%s\n", pages[i].name);
    }
    for (size_t i = 0; i < moil_command_count; i++) {
        moil_buffer_addf(out, "moil-%s.1\n", moil_commands[i].name);
    }
}

static bool print_page(const char *name, struct buffer *out)
{
    char command[64];
    for (size_t i = 0; i < PAGES; i++) {
        if (strcmp(name, pages[i].name) == 0) {
            pages[i].print(out);
            return true;
        }
    }
    for (size_t i = 0; i < moil_command_count; i++) {
        snprintf(command, sizeof command, "moil-%s.1", moil_commands[i].name);
        if (strcmp(name, command) == 0) {
            command_page(&moil_commands[i], out);
            return true;
        }
    }
    return false;
}

bool moil_man_page(const char *name, struct buffer *out)
{
    struct buffer page;
    moil_buffer_init(&page);
    bool known = print_page(name, &page);
    add_page(out, &page);
    return known;
}
