/* completion.c: reading a half-typed command line by the option table (completion.h). */
#include "conf/completion.h"

#include <stdio.h>
#include <string.h>

#include "conf/table.h"

enum { FEW = 10 }; /* whole numbers that are candidates, each of them */

/* --- where the cursor is -----------------------------------------------------------------------
 */

/* The option of the word; NULL where it is none that the command has. */
static const struct option_row *option_of(const char *word, enum command command)
{
    if (word[0] != '-' || word[1] == '\0') {
        return NULL;
    }
    if (word[1] != '-') {
        return moil_option_by_flag(word[1], command);
    }
    return moil_option_by_name(slice_of(word + 2, strcspn(word + 2, "=")), command);
}

/* Whether the next word is the option's value. */
static bool wants_value(const struct option_row *row, const char *word)
{
    if (!row || !row->arg) {
        return false;
    }
    return word[1] == '-' ? !strchr(word, '=') : word[2] == '\0';
}

static void set_value(struct completion *c, const struct option_row *row, const char *typed)
{
    c->kind = COMPLETION_VALUE;
    c->typed = typed;
    c->option = row->name;
    c->arg = row->arg ? row->arg : "";
}

static void add_operand(struct completion *c, const char *word)
{
    c->first = c->first ? c->first : word;
    c->operands++;
}

static void find_last(struct completion *c, enum command command, const char *word)
{
    const struct option_row *row = option_of(word, command);
    const char *equals = strchr(word, '=');
    c->typed = word;
    if (row && equals && word[1] == '-') {
        set_value(c, row, equals + 1);
    } else if (word[0] == '-') {
        c->kind = COMPLETION_OPTION;
    }
}

void moil_completion_find(struct completion *c, enum command command, int argc, char **argv)
{
    bool options_ended = false;
    *c = (struct completion){.kind = COMPLETION_OPERAND, .typed = ""};
    for (int i = 1; i < argc - 1; i++) {
        const char *word = argv[i];
        const struct option_row *row = options_ended ? NULL : option_of(word, command);
        if (options_ended || word[0] != '-') {
            add_operand(c, word);
        } else if (strcmp(word, "--") == 0) {
            options_ended = true;
        } else if (wants_value(row, word) && i + 1 == argc - 1) {
            set_value(c, row, argv[argc - 1]);
            return;
        } else if (wants_value(row, word)) {
            i++;
        }
    }
    if (argc > 1 && options_ended) {
        c->typed = argv[argc - 1];
    } else if (argc > 1) {
        find_last(c, command, argv[argc - 1]);
    }
}

/* --- what may stand there ----------------------------------------------------------------------
 */

void moil_completion_add(const struct completion *c, const char *candidate, const char *description,
                         struct buffer *out)
{
    if (strncmp(candidate, c->typed, strlen(c->typed)) == 0) {
        moil_buffer_addf(out, "%s\t%s\n", candidate, description);
    }
}

void moil_completion_options(const struct completion *c, enum command command, struct buffer *out)
{
    struct buffer name;
    moil_buffer_init(&name);
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        if (row->commands & command && (command != CMD_ALL || row->commands == CMD_ALL)) {
            moil_buffer_clear(&name);
            moil_buffer_addf(&name, "--%s", row->name);
            moil_completion_add(c, moil_buffer_cstr(&name), row->help, out);
        }
    }
    moil_buffer_fini(&name);
}

void moil_completion_choices(const struct completion *c, enum command command, struct buffer *out)
{
    const struct option_row *row = moil_option_by_name(slice_str(c->option), command);
    for (size_t i = 0; row && row->choices && row->choices[i]; i++) {
        moil_completion_add(c, row->choices[i], "", out);
    }
    if (row && row->type == OPTION_INT && row->max - row->min < FEW) {
        for (int n = (int)row->min; n <= (int)row->max; n++) {
            char digits[16];
            snprintf(digits, sizeof digits, "%d", n);
            moil_completion_add(c, digits, "", out);
        }
    }
}
