/* Splitting argv into flags and operands by the option table. Owns the grammar of argv.h; values
 * are the business of conf/value.c. */
#include "conf/argv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/line.h"
#include "base/mem.h"

struct splitter {
    struct argv_parsed *out;
    enum command command;
    int argc;
    char **argv;
    int at;
    char *errstr;
    size_t errlen;
};

/* -1, -.5, 2e9: a negative number is an operand (`moil call math.add -1 2`). */
static bool looks_like_number(const char *s)
{
    char *end;
    if (strspn(s, "+-0123456789.eE") != strlen(s)) {
        return false;
    }
    strtod(s, &end);
    return end != s && *end == '\0';
}

static bool is_operand(const char *arg)
{
    return arg[0] != '-' || arg[1] == '\0' || looks_like_number(arg);
}

/* --- messages -------------------------------------------------------------------------------- */

static void append(struct splitter *s, const char *text)
{
    size_t used = strlen(s->errstr);
    if (used + 1 < s->errlen) {
        snprintf(s->errstr + used, s->errlen - used, "%s", text);
    }
}

/* The option exists, but for other commands: says for which. */
static int refuse_elsewhere(struct splitter *s, const struct option_row *row)
{
    snprintf(s->errstr, s->errlen, "--%s is no option of `moil %s`; it belongs to", row->name,
             moil_command_name(s->command));
    for (unsigned bit = 1; bit < CMD_ALL; bit <<= 1) {
        if (row->commands & bit) {
            append(s, " ");
            append(s, moil_command_name((enum command)bit));
        }
    }
    return MOIL_EINVAL;
}

static int refuse_unknown(struct splitter *s, const char *shown, size_t shown_len, const char *name)
{
    char wrong[64];
    snprintf(wrong, sizeof wrong, "%s", name);
    const struct option_row *row = moil_option_by_name(slice_str(wrong), CMD_ALL);
    const char *nearest = moil_option_nearest(wrong, s->command);
    if (row) {
        return refuse_elsewhere(s, row);
    }
    if (nearest) {
        snprintf(s->errstr, s->errlen, "unknown option %.*s: did you mean --%s?", (int)shown_len,
                 shown, nearest);
    } else {
        snprintf(s->errstr, s->errlen, "unknown option %.*s (`moil help %s` lists them)",
                 (int)shown_len, shown, moil_command_name(s->command));
    }
    return MOIL_EINVAL;
}

/* --- flags ----------------------------------------------------------------------------------- */

static void add_flag(struct splitter *s, const struct option_row *row, const char *value)
{
    s->out->flags[s->out->flag_count++] = (struct argv_flag){row, value};
}

/* The flag's value is the next argument. One that begins with "--" is more likely a flag whose
 * neighbour's value was forgotten. */
static int take_value(struct splitter *s, const struct option_row *row)
{
    const char *next = s->at + 1 < s->argc ? s->argv[s->at + 1] : NULL;
    if (!next || strncmp(next, "--", 2) == 0) {
        snprintf(s->errstr, s->errlen, "--%s needs a value: --%s %s", row->name, row->name,
                 row->arg);
        if (next) {
            append(s, " (or --");
            append(s, row->name);
            append(s, "=VALUE where it begins with dashes)");
        }
        return MOIL_EINVAL;
    }
    s->at++;
    add_flag(s, row, next);
    return 0;
}

static int split_long(struct splitter *s, const char *arg)
{
    char name[64];
    const char *equals = strchr(arg, '=');
    size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
    snprintf(name, sizeof name, "%.*s", (int)len - 2, arg + 2);
    const struct option_row *row = moil_option_by_name(slice_str(name), s->command);
    if (!row) {
        return refuse_unknown(s, arg, len, name);
    }
    if (!row->arg && equals && row->type != OPTION_HELP) {
        snprintf(s->errstr, s->errlen, "--%s takes no value", row->name);
        return MOIL_EINVAL;
    }
    if (row->arg && !equals) {
        return take_value(s, row);
    }
    add_flag(s, row, equals ? equals + 1 : "true");
    return 0;
}

static int split_short(struct splitter *s, const char *arg)
{
    const struct option_row *row = moil_option_by_flag(arg[1], s->command);
    if (!row) {
        snprintf(s->errstr, s->errlen,
                 "unknown option %s (`moil help %s` lists them; operands that begin with a dash "
                 "stand after --)",
                 arg, moil_command_name(s->command));
        return MOIL_EINVAL;
    }
    if (row->arg && arg[2] == '\0') {
        return take_value(s, row);
    }
    if (!row->arg && arg[2] != '\0') {
        snprintf(s->errstr, s->errlen, "-%c takes no value", row->flag);
        return MOIL_EINVAL;
    }
    add_flag(s, row, row->arg ? arg + 2 : "true");
    return 0;
}

static int split(struct splitter *s)
{
    bool options_ended = false;
    for (; s->at < s->argc; s->at++) {
        const char *arg = s->argv[s->at];
        int rc = 0;
        if (options_ended || is_operand(arg)) {
            s->out->operands[s->out->operand_count++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            options_ended = true;
        } else {
            rc = arg[1] == '-' ? split_long(s, arg) : split_short(s, arg);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int moil_argv_parse(struct argv_parsed *out, enum command command, int argc, char **argv,
                    char *errstr, size_t errlen)
{
    size_t room = argc > 0 ? (size_t)argc : 1;
    *out = (struct argv_parsed){0};
    out->flags = moil_mem_zalloc(room, sizeof *out->flags);
    out->operands = moil_mem_zalloc(room, sizeof *out->operands);
    if (!out->flags || !out->operands) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    struct splitter s = {out, command, argc, argv, 1, errstr, errlen};
    int rc = split(&s);
    if (rc < 0 && errlen > 0) {
        moil_line_clean(errstr);
    }
    return rc;
}

void moil_argv_fini(struct argv_parsed *p)
{
    moil_mem_free(p->flags);
    moil_mem_free(p->operands);
    *p = (struct argv_parsed){0};
}

int moil_options_find_command(int argc, char **argv)
{
    int i = 1;
    while (i < argc && !is_operand(argv[i]) && strcmp(argv[i], "--") != 0) {
        const char *arg = argv[i];
        struct slice name = slice_str(arg + 2);
        const struct option_row *row = NULL;
        if (arg[1] == '-' && !strchr(arg, '=')) {
            row = moil_option_by_name(name, CMD_ALL);
        }
        i += row && row->commands == CMD_ALL && row->arg ? 2 : 1;
    }
    return i < argc ? i : argc;
}
