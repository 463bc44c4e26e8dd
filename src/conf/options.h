/* The one typed table of options: defaults < config file (Lua) < environment < flags.
 *
 * The table (options.c) also prints --help and docs/options.md, so that they cannot drift. cli/ reads the struct. */
#ifndef MOIL_CONF_OPTIONS_H
#define MOIL_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/log.h"

/* The commands, as bits: an option says which of them know it. */
enum command {
    CMD_WORKER = 1 << 0,
    CMD_CALL = 1 << 1,
    CMD_RESULT = 1 << 2,
    CMD_REVOKE = 1 << 3,
    CMD_PURGE = 1 << 4,
    CMD_PAUSE = 1 << 5,
    CMD_RESUME = 1 << 6,
    CMD_INSPECT = 1 << 7,
    CMD_DEAD = 1 << 8,
    CMD_CHECK = 1 << 9,
    CMD_DEV = 1 << 10,
    CMD_ALL = (1 << 11) - 1,
};

struct options {
    /* everywhere */
    char *redis, *ns, *config, *log_file, *lua_dir;
    bool json, help, version;
    enum log_level log_level;
    enum log_format log_format;
    /* worker, dev */
    char *queues, *name, *pidfile;
    long workers, concurrency, max_tasks, max_memory_mb;
    double time_limit, soft_time_limit, shutdown_timeout, result_ttl;
    bool burst;
    /* call, result, revoke, inspect, dead */
    char *kwargs, *queue, *eta, *id, *task;
    bool wait, follow, at_front, stdin_args, terminate, all;
    double timeout, countdown, expires;
    long priority, repeat, limit, offset;
    bool has_priority;
    /* from the config file: {"routes": …, "task_defaults": …} for the Lua side; NULL: none */
    char *config_json;
    /* what is not an option, in order; borrowed from argv */
    const char **operands;
    size_t operand_count;
};

/* Fills *o from all four sources for one command. 0, or MOIL_EINVAL with one line in errstr that names the option and,
 * for an unknown one, the nearest known one. Always free with moil_options_fini. */
int moil_options_load(struct options *o, enum command command, int argc, char **argv, char *errstr, size_t errlen);
void moil_options_fini(struct options *o);

/* The options of one command for --help, or all of them as a Markdown table for docs/options.md. */
void moil_options_print_help(enum command command, FILE *out);
void moil_options_print_markdown(FILE *out);

/* The known name nearest to a wrong one (Levenshtein distance at most a third of its length, at least 2), or NULL. */
const char *moil_nearest_name(const char *wrong, const char *const *known, size_t count);

#endif
