/* --help and docs/options.md, printed from the option table. Owns their layout, declared in
 * conf/options.h; called by cli/. Knows nothing of values. */
#include <stdio.h>
#include <string.h>

#include "conf/table.h"

enum { NAME_COLUMN = 28, LINE_WIDTH = 100 };

/* --- --help ---------------------------------------------------------------------------------- */

/* Words of s from column `column` on, broken before LINE_WIDTH. */
static void add_wrapped(struct buffer *out, const char *s, size_t column)
{
    size_t at = column;
    while (*s) {
        size_t word = strcspn(s, " ");
        if (at > column && at + 1 + word > LINE_WIDTH) {
            moil_buffer_addf(out, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            moil_buffer_add_char(out, ' ');
            at++;
        }
        moil_buffer_add(out, s, word);
        at += word;
        s += word;
        s += *s == ' ';
    }
}

/* "high" of `high` and so on: backquotes are for Markdown. */
static void add_plain(struct buffer *out, const char *s)
{
    for (; *s; s++) {
        if (*s != '`') {
            moil_buffer_add_char(out, *s);
        }
    }
}

static void help_text(struct buffer *text, const struct option_row *row)
{
    const char *initial = row->initial_note ? row->initial_note : row->initial;
    moil_buffer_add_str(text, row->help);
    if (initial) {
        moil_buffer_add_str(text, " (default: ");
        add_plain(text, initial);
        moil_buffer_add_str(text, ")");
    }
}

static void help_row(struct buffer *out, const struct option_row *row)
{
    char name[64];
    struct buffer text;
    int used = row->flag ? snprintf(name, sizeof name, "  -%c, ", row->flag)
                         : snprintf(name, sizeof name, "      ");
    snprintf(name + used, sizeof name - (size_t)used, "--%s%s%s", row->name, row->arg ? " " : "",
             row->arg ? row->arg : "");
    moil_buffer_init(&text);
    help_text(&text, row);
    moil_buffer_addf(out, "%-*s ", NAME_COLUMN - 1, name);
    add_wrapped(out, moil_buffer_cstr(&text), NAME_COLUMN);
    moil_buffer_add_char(out, '\n');
    moil_buffer_fini(&text);
}

static void help_group(enum command command, bool everywhere, struct buffer *out)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        if ((row->commands & command) && (row->commands == CMD_ALL) == everywhere) {
            help_row(out, row);
        }
    }
}

void moil_options_help(enum command command, struct buffer *out)
{
    size_t before = out->len;
    if (command != CMD_ALL) {
        help_group(command, false, out);
    }
    if (out->len > before) {
        moil_buffer_add_char(out, '\n');
    }
    moil_buffer_add_str(out, "Everywhere:\n");
    help_group(command, true, out);
}

/* --- docs/options.md ------------------------------------------------------------------------- */

/* Text for a cell: "|" would end it. */
static void add_cell(struct buffer *out, const char *s)
{
    for (; *s; s++) {
        moil_buffer_add_str(out, *s == '|' ? "\\" : "");
        moil_buffer_add_char(out, *s);
    }
}

static void add_code(struct buffer *out, const char *s)
{
    if (s) {
        moil_buffer_addf(out, "`%s`", s);
    }
}

static void add_commands(struct buffer *out, unsigned commands)
{
    const char *comma = "";
    if (commands == CMD_ALL) {
        moil_buffer_add_str(out, "all");
        return;
    }
    for (unsigned bit = 1; bit < CMD_ALL; bit <<= 1) {
        if (commands & bit) {
            moil_buffer_addf(out, "%s%s", comma, moil_command_name((enum command)bit));
            comma = ", ";
        }
    }
}

static void add_range(struct buffer *out, const struct option_row *row)
{
    if (row->type == OPTION_INT || row->type == OPTION_SECONDS) {
        moil_buffer_addf(out, "; %.15g to %.15g", row->min, row->max);
    }
}

static void markdown_row(struct buffer *out, const struct option_row *row)
{
    moil_buffer_add_str(out, "| ");
    if (row->flag) {
        moil_buffer_addf(out, "`-%c` ", row->flag);
    }
    moil_buffer_addf(out, "`--%s%s%s` | ", row->name, row->arg ? " " : "",
                     row->arg ? row->arg : "");
    add_cell(out, row->help);
    add_range(out, row);
    moil_buffer_add_str(out, " | ");
    if (row->initial_note) {
        add_cell(out, row->initial_note);
    } else {
        add_code(out, row->initial);
    }
    moil_buffer_add_str(out, " | ");
    add_code(out, row->env);
    moil_buffer_add_str(out, " | ");
    add_code(out, row->key);
    moil_buffer_add_str(out, " | ");
    add_commands(out, row->commands);
    moil_buffer_add_str(out, " |\n");
}

void moil_options_markdown(struct buffer *out)
{
    moil_buffer_add_str(
        out,
        "# Options\n"
        "\n"
        "Each option takes its value from the last of these that says something: its default, the "
        "config file (`--config FILE`, else `moil.lua` in the current folder), the environment, "
        "the "
        "command line. This page is printed by `moil --help=markdown`.\n"
        "\n"
        "| Option | Meaning | Default | Environment | `moil.lua` | Commands |\n"
        "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < moil_option_count(); i++) {
        markdown_row(out, moil_option_at(i));
    }
    moil_buffer_add_str(
        out,
        "\n"
        "## The config file\n"
        "\n"
        "`moil.lua` is Lua that returns a table of the keys above, and of two more: `routes`, "
        "which "
        "says which queue a task's jobs go to, and `task_defaults`, which holds options for every "
        "task. It sees the `string`, `table` and `math` libraries, and has 1 s and 16 MB.\n"
        "\n"
        "```lua\n"
        "return {\n"
        "  redis = \"redis://127.0.0.1:6379/0\",\n"
        "  queues = { \"high\", \"default\", \"images\" },\n"
        "  workers = 4,\n"
        "  routes = { [\"img.*\"] = \"images\" },\n"
        "  task_defaults = { result_ttl = 3600 },\n"
        "}\n"
        "```\n");
}
