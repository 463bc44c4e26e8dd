/* completion.c: what the last word of a command line may become (completion.h). */
#include "cli/completion.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "conf/completion.h"

/* --- operands ----------------------------------------------------------------------------------
 */

/* The word of a usage line that describes its nth operand: of "TASK [ARG]..." the second one and
 * all behind it are "[ARG]...". */
static struct slice operand_usage(const char *usage, size_t n)
{
    struct slice word = {usage, strcspn(usage, " ")};
    while (n > 0 && word.p[word.n] == ' ') {
        word.p += word.n + 1;
        word.n = strcspn(word.p, " ");
        n--;
    }
    bool repeated = word.n >= 3 && memcmp(word.p + word.n - 3, "...", 3) == 0;
    return n == 0 || repeated ? word : slice_of(word.p, 0);
}

static bool mentions(struct slice usage, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len <= usage.n; i++) {
        if (memcmp(usage.p + i, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static void add_places(struct slice usage, struct buffer *out)
{
    if (mentions(usage, "FILE")) {
        moil_buffer_add_str(out, ":files\n");
    } else if (mentions(usage, "DIR")) {
        moil_buffer_add_str(out, ":dirs\n");
    }
}

static const struct verb_row *find_verb(const struct verb_row *verb, const char *name)
{
    for (; verb && verb->name; verb++) {
        if (name && strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}

static void add_operands(const struct completion *c, const struct command_row *row,
                         struct buffer *out)
{
    const struct verb_row *verb = find_verb(row->verbs, c->first);
    for (const struct verb_row *v = row->verbs; v && v->name && c->operands == 0; v++) {
        moil_completion_add(c, v->name, v->summary, out);
    }
    if (verb) {
        add_places(operand_usage(verb->operands, c->operands - 1), out);
    } else {
        add_places(operand_usage(row->operands, c->operands), out);
    }
}

static void add_commands(const struct completion *c, struct buffer *out)
{
    for (size_t i = 0; i < moil_command_count; i++) {
        moil_completion_add(c, moil_commands[i].name, moil_commands[i].summary, out);
    }
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void add_candidates(const struct completion *c, const struct command_row *row,
                           struct buffer *out)
{
    enum command command = row ? row->command : CMD_ALL;
    switch (c->kind) {
    case COMPLETION_OPTION:
        moil_completion_options(c, command, out);
        break;
    case COMPLETION_VALUE:
        moil_completion_choices(c, command, out);
        add_places(slice_str(c->arg), out);
        break;
    case COMPLETION_OPERAND:
        if (row) {
            add_operands(c, row, out);
        } else {
            add_commands(c, out);
            moil_completion_add(c, "help", "print the help of a command", out);
        }
        break;
    }
}

static void complete(int argc, char **argv, struct buffer *out)
{
    struct completion c;
    int at = moil_options_find_command(argc, argv);
    if (at >= argc - 1) {
        moil_completion_find(&c, CMD_ALL, argc, argv);
        add_candidates(&c, NULL, out);
        return;
    }
    const struct command_row *row = moil_command_find(argv[at]);
    bool help = !row && strcmp(argv[at], "help") == 0;
    memmove(&argv[at], &argv[at + 1], sizeof *argv * (size_t)(argc - at));
    moil_completion_find(&c, row ? row->command : CMD_ALL, argc - 1, argv);
    if (row) {
        add_candidates(&c, row, out);
    } else if (help && c.operands == 0) {
        add_commands(&c, out);
    }
}

void moil_completion_print(int argc, char **argv)
{
    struct buffer out;
    moil_buffer_init(&out);
    if (argc > 1) {
        complete(argc, argv, &out);
    }
    fputs(moil_buffer_cstr(&out), stdout);
    moil_buffer_fini(&out);
}
