/* completion.c: what the last word of a command line may become (completion.h). */
#include "cli/completion.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/completion_names.h"
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

/* What stands at the operand in the usage line of the subcommand, or of the command where it has
 * none of that name. */
static struct slice usage_at(const struct completion *c, const struct command_row *row)
{
    const struct verb_row *verb = find_verb(row->verbs, c->first);
    return verb ? operand_usage(verb->operands, c->operands - 1)
                : operand_usage(row->operands, c->operands);
}

static void add_verbs(const struct completion *c, const struct verb_row *verb, struct buffer *out)
{
    for (; verb && verb->name && c->operands == 0; verb++) {
        moil_completion_add(c, verb->name, verb->summary, out);
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

/* A half-typed line: its words without the command's, which is `row` (NULL: none stands there). */
struct line {
    struct completion at;
    const struct command_row *row;
    int argc;
    char **argv;
};

static void add_names(const struct line *l, enum completion_names which, struct buffer *out)
{
    moil_completion_names_add(&l->at, which, l->row->command, l->argc, l->argv, out);
}

static void add_value(const struct line *l, enum command command, struct buffer *out)
{
    const struct completion *c = &l->at;
    moil_completion_choices(c, command, out);
    add_places(slice_str(c->arg), out);
    if (!l->row) {
        return;
    }
    if (strcmp(c->option, "task") == 0) {
        add_names(l, NAMES_TASKS, out);
    } else if (strcmp(c->option, "queue") == 0 || strcmp(c->option, "queues") == 0) {
        add_names(l, NAMES_QUEUES, out);
    } else if (strcmp(c->option, "node") == 0) {
        add_names(l, NAMES_NODES, out);
    }
}

static void add_operand(const struct line *l, struct buffer *out)
{
    const struct completion *c = &l->at;
    if (!l->row) {
        add_commands(c, out);
        moil_completion_add(c, "help", "print the help of a command", out);
        return;
    }
    struct slice usage = usage_at(c, l->row);
    add_verbs(c, l->row->verbs, out);
    add_places(usage, out);
    if (mentions(usage, "TASK")) {
        add_names(l, NAMES_TASKS, out);
    } else if (mentions(usage, "QUEUE")) {
        add_names(l, NAMES_QUEUES, out);
    }
}

static void add_candidates(struct line *l, struct buffer *out)
{
    enum command command = l->row ? l->row->command : CMD_ALL;
    moil_completion_find(&l->at, command, l->argc, l->argv);
    switch (l->at.kind) {
    case COMPLETION_OPTION:
        moil_completion_options(&l->at, command, out);
        break;
    case COMPLETION_VALUE:
        add_value(l, command, out);
        break;
    case COMPLETION_OPERAND:
        add_operand(l, out);
        break;
    }
}

/* `moil help`: a command, and nothing behind it. */
static void complete_help(int argc, char **argv, struct buffer *out)
{
    struct completion c;
    moil_completion_find(&c, CMD_ALL, argc, argv);
    if (c.operands == 0) {
        add_commands(&c, out);
    }
}

static void complete(int argc, char **argv, struct buffer *out)
{
    struct line l = {.argc = argc, .argv = argv};
    int at = moil_options_find_command(argc, argv);
    if (at >= argc - 1) {
        add_candidates(&l, out);
        return;
    }
    const char *name = argv[at];
    memmove(&argv[at], &argv[at + 1], sizeof *argv * (size_t)(argc - at));
    l.argc--;
    l.row = moil_command_find(name);
    if (l.row) {
        add_candidates(&l, out);
    } else if (strcmp(name, "help") == 0) {
        complete_help(l.argc, argv, out);
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
