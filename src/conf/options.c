/* Filling struct options in the order defaults < config file < environment < flags. Owns the order
 * and the struct's memory; the grammar is argv.c's, values are value.c's, the file is file.c's. */
#include "conf/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "conf/argv.h"
#include "conf/file.h"
#include "conf/value.h"

#define DEFAULT_CONFIG "moil.lua"

struct loader {
    struct options *o;
    enum command command;
    struct argv_parsed parsed;
    char *errstr;
    size_t errlen;
};

static bool is_switch_to_print(const struct option_row *row)
{
    return strcmp(row->name, "help") == 0 || strcmp(row->name, "version") == 0;
}

static bool only_prints(const struct argv_parsed *p)
{
    for (size_t i = 0; i < p->flag_count; i++) {
        if (is_switch_to_print(p->flags[i].row)) {
            return true;
        }
    }
    return false;
}

static int apply_flags(struct loader *l)
{
    for (size_t i = 0; i < l->parsed.flag_count; i++) {
        const struct argv_flag *flag = &l->parsed.flags[i];
        char where[64];
        snprintf(where, sizeof where, "--%s", flag->row->name);
        int rc = moil_option_set(l->o, flag->row, flag->value, where, l->errstr, l->errlen);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Only the variables of options that this command knows; an empty one counts as unset. */
static int apply_environment(struct loader *l)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        const char *text = row->env ? getenv(row->env) : NULL;
        if (!text || text[0] == '\0' || !(row->commands & l->command)) {
            continue;
        }
        int rc = moil_option_set(l->o, row, text, row->env, l->errstr, l->errlen);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* --config, MOIL_CONFIG, or moil.lua where there is one; NULL: none. */
static const char *config_path(const struct argv_parsed *p)
{
    const char *path = getenv("MOIL_CONFIG");
    if (!path || path[0] == '\0') {
        path = access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
    }
    for (size_t i = 0; i < p->flag_count; i++) {
        if (strcmp(p->flags[i].row->name, "config") == 0) {
            path = p->flags[i].value;
        }
    }
    return path;
}

static int apply_config(struct loader *l)
{
    const char *path = config_path(&l->parsed);
    struct config_file c;
    l->o->config_path = path;
    if (!path) {
        return 0;
    }
    int rc = moil_config_load(&c, path, l->errstr, l->errlen);
    for (size_t i = 0; rc == 0 && i < c.count; i++) {
        char where[256];
        snprintf(where, sizeof where, "%s: %s", path, c.settings[i].row->key);
        rc = moil_option_set(l->o, c.settings[i].row, c.settings[i].text, where, l->errstr,
                             l->errlen);
    }
    if (rc == 0) {
        l->o->config_json = c.json;
        c.json = NULL;
    }
    moil_config_fini(&c);
    return rc == MOIL_ESYS ? MOIL_EINVAL : rc;
}

static void take_operands(struct loader *l)
{
    l->o->operands = l->parsed.operands;
    l->o->operand_count = l->parsed.operand_count;
    l->parsed.operands = NULL;
    l->parsed.operand_count = 0;
}

/* What each row allows, but not together. */
static int check_limits(const struct loader *l)
{
    const struct options *o = l->o;
    if (!(l->command & (CMD_WORKER | CMD_DEV))) {
        return 0;
    }
    if (o->time_limit > 0 && o->soft_time_limit >= o->time_limit) {
        snprintf(l->errstr, l->errlen, "--soft-time-limit: %g s must be below --time-limit (%g s)",
                 o->soft_time_limit, o->time_limit);
        return MOIL_EINVAL;
    }
    if (o->max_memory > 0 && o->memory_limit > 2 * o->max_memory) {
        snprintf(l->errstr, l->errlen,
                 "--memory-limit: %ld MB is more than a job can hold, twice --max-memory (%ld MB)",
                 o->memory_limit, o->max_memory);
        return MOIL_EINVAL;
    }
    return 0;
}

int moil_options_load(struct options *o, enum command command, int argc, char **argv, char *errstr,
                      size_t errlen)
{
    struct loader l = {.o = o, .command = command, .errstr = errstr, .errlen = errlen};
    *o = (struct options){.command = command, .argc = argc, .argv = argv};
    int rc = moil_argv_parse(&l.parsed, command, argc, argv, errstr, errlen);
    if (rc < 0) {
        goto out;
    }
    rc = moil_options_set_defaults(o);
    if (rc == 0 && !only_prints(&l.parsed)) {
        rc = apply_config(&l);
        rc = rc < 0 ? rc : apply_environment(&l);
    }
    rc = rc < 0 ? rc : apply_flags(&l);
    rc = rc < 0 || only_prints(&l.parsed) ? rc : check_limits(&l);
    if (rc == 0) {
        take_operands(&l);
    } else if (rc == MOIL_ENOMEM) {
        snprintf(errstr, errlen, "out of memory");
    }
out:
    moil_argv_fini(&l.parsed);
    return rc;
}

int moil_options_reload(struct options *o, const struct options *before, char *errstr,
                        size_t errlen)
{
    return moil_options_load(o, before->command, before->argc, before->argv, errstr, errlen);
}

void moil_options_each_fixed_change(const struct options *before, const struct options *after,
                                    void (*fn)(const char *name))
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        const struct option_row *row = moil_option_at(i);
        if (row->fixed && (row->commands & before->command) &&
            !moil_option_is_same(before, after, row)) {
            fn(row->name);
        }
    }
}

void moil_options_fini(struct options *o)
{
    moil_options_free_values(o);
    moil_mem_free(o->config_json);
    moil_mem_free(o->operands);
    *o = (struct options){0};
}

const char *moil_command_name(enum command command)
{
    switch (command) {
    case CMD_WORKER:
        return "worker";
    case CMD_DEV:
        return "dev";
    case CMD_CALL:
        return "call";
    case CMD_RESULT:
        return "result";
    case CMD_REVOKE:
        return "revoke";
    case CMD_RESCHEDULE:
        return "reschedule";
    case CMD_PURGE:
        return "purge";
    case CMD_PAUSE:
        return "pause";
    case CMD_RESUME:
        return "resume";
    case CMD_WHY:
        return "why";
    case CMD_DOCTOR:
        return "doctor";
    case CMD_TOP:
        return "top";
    case CMD_INSPECT:
        return "inspect";
    case CMD_DEAD:
        return "dead";
    case CMD_CHECK:
        return "check";
    case CMD_BEAT:
        return "beat";
    case CMD_CONTROL:
        return "control";
    case CMD_EVENTS:
        return "events";
    case CMD_REPLAY:
        return "replay";
    case CMD_NEW:
        return "new";
    case CMD_ALL:
        break;
    }
    return "COMMAND";
}
