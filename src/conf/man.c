/* The option table as paragraphs of man pages, declared in conf/options.h; called by cli/man*.c.
 * Knows nothing of what stands around them. */
#include <string.h>

#include "conf/roff.h"
#include "conf/table.h"

/* "(1 to 256; default: one per core)"; nothing where there is nothing to say. */
struct notes {
    struct buffer *out;
    const char *before;
};

static void note(struct notes *n, const char *label)
{
    moil_buffer_add_str(n->out, n->before);
    moil_buffer_add_str(n->out, label);
    n->before = "; ";
}

static void note_range(struct notes *n, const struct option_row *row)
{
    if (row->type == OPTION_INT || row->type == OPTION_SECONDS) {
        note(n, "");
        moil_buffer_addf(n->out, "%.15g to %.15g", row->min, row->max);
    }
}

static void note_initial(struct notes *n, const struct option_row *row)
{
    const char *initial = row->initial_note ? row->initial_note : row->initial;
    if (initial) {
        note(n, "default: ");
        moil_roff_add_str(n->out, initial);
    }
}

static void notes_end(struct notes *n)
{
    moil_buffer_add_str(n->out, *n->before == ';' ? ").\n" : ".\n");
}

/* --- options -----------------------------------------------------------------------------------
 */

static void option_row(struct buffer *out, const struct option_row *row)
{
    struct notes n = {out, " ("};
    char flag[] = {'-', row->flag, '\0'};
    moil_buffer_add_str(out, ".TP\n");
    if (row->flag) {
        moil_roff_add_bold(out, flag);
        moil_buffer_add_str(out, ", ");
    }
    moil_roff_add_bold(out, "--");
    moil_roff_add_bold(out, row->name);
    if (row->arg) {
        moil_buffer_add_char(out, ' ');
        moil_roff_add_italic(out, row->arg);
    }
    moil_buffer_add_char(out, '\n');
    moil_roff_add_str(out, row->help);
    note_range(&n, row);
    note_initial(&n, row);
    if (row->env) {
        note(&n, "environment: ");
        moil_roff_add_bold(out, row->env);
    }
    if (row->key) {
        note(&n, "config file: ");
        moil_roff_add_bold(out, row->key);
    }
    notes_end(&n);
}

void moil_options_man(enum command command, struct buffer *out)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        if ((row->commands & command) && (row->commands == CMD_ALL) == (command == CMD_ALL)) {
            option_row(out, row);
        }
    }
}

/* --- environment, config file ------------------------------------------------------------------
 */

void moil_options_man_environment(enum command command, struct buffer *out)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        if (row->env && (row->commands & command)) {
            moil_buffer_add_str(out, ".TP\n");
            moil_roff_add_bold(out, row->env);
            moil_buffer_add_str(out, "\nthe same as ");
            moil_roff_add_bold(out, "--");
            moil_roff_add_bold(out, row->name);
            moil_buffer_add_str(out, ".\n");
        }
    }
}

static const char *value_kind(enum option_type type)
{
    switch (type) {
    case OPTION_BOOL:
    case OPTION_HELP:
        return "true or false";
    case OPTION_INT:
    case OPTION_SECONDS:
        return "a number";
    case OPTION_QUEUES:
        return "a text, or a list of names";
    case OPTION_STRING:
    case OPTION_NAME:
    case OPTION_NAMESPACE:
    case OPTION_URL:
    case OPTION_ADDRESS:
    case OPTION_IDS:
    case OPTION_INSTANT:
    case OPTION_WHEN:
    case OPTION_CHOICE:
        break;
    }
    return "a text";
}

void moil_options_man_keys(struct buffer *out)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        struct notes n = {out, " ("};
        if (!row->key) {
            continue;
        }
        moil_buffer_add_str(out, ".TP\n");
        moil_roff_add_bold(out, row->key);
        moil_buffer_add_char(out, '\n');
        moil_roff_add_str(out, row->help);
        note(&n, value_kind(row->type));
        note_range(&n, row);
        note_initial(&n, row);
        note(&n, "the same as ");
        moil_roff_add_bold(out, "--");
        moil_roff_add_bold(out, row->name);
        if (row->fixed) {
            note(&n, "a reload does not change it");
        }
        notes_end(&n);
    }
}
