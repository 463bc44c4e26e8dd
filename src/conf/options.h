/* What a command was told, from four sources: defaults < config file < environment < flags.
 *
 * cli/ reads the struct. The options themselves are rows of conf/table.c, from which parsing,
 * --help and docs/options.md are derived, so that they cannot drift. */
#ifndef MOIL_CONF_OPTIONS_H
#define MOIL_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/log.h"

/* The commands, as bits: an option says which of them know it. */
enum command {
    CMD_WORKER = 1 << 0,
    CMD_DEV = 1 << 1,
    CMD_CALL = 1 << 2,
    CMD_RESULT = 1 << 3,
    CMD_REVOKE = 1 << 4,
    CMD_PURGE = 1 << 5,
    CMD_PAUSE = 1 << 6,
    CMD_RESUME = 1 << 7,
    CMD_INSPECT = 1 << 8,
    CMD_DEAD = 1 << 9,
    CMD_CHECK = 1 << 10,
    CMD_RESCHEDULE = 1 << 11,
    CMD_BEAT = 1 << 12,
    CMD_WHY = 1 << 15,
    CMD_DOCTOR = 1 << 16,
    CMD_TOP = 1 << 17,
    CMD_CONTROL = 1 << 13,
    CMD_EVENTS = 1 << 14,
    CMD_REPLAY = 1 << 18,
    CMD_NEW = 1 << 19,
    CMD_ALL = (1 << 24) - 1,
};

/* What --help=FORM asks for; HELP_TEXT: what plain --help prints. */
enum help_form { HELP_TEXT, HELP_MARKDOWN, HELP_MAN, HELP_PAGES, HELP_BASH, HELP_ZSH };

/* Numbers: where nothing was said and the table has no default, -1 (a negative value is never
 * valid). */
struct options {
    /* everywhere */
    char *redis, *ns, *config;
    bool json, version;
    bool help;
    enum help_form help_form;
    const char *help_page; /* --help=man:PAGE, borrowed from argv; NULL: none is named */
    int log_level;         /* enum log_level */
    int log_format;        /* enum log_format */
    int color;             /* 0: auto, 1: always, 2: never */
    char *log_file;
    /* talking to Redis */
    double deadline;
    long max_payload;
    /* worker, dev, check */
    char *queues, *name, *pidfile, *lua_dir, *beat, *http;
    long workers, concurrency, memory_limit, max_memory, max_tasks;
    double shutdown_timeout, lease, result_ttl, time_limit, soft_time_limit;
    bool burst, watch;
    /* call, result, … */
    char *kwargs, *queue, *id, *task, *state, *depends_on;
    int on_failure; /* fail, revoke, allow */
    bool once, wait, follow, at_front, terminate, from_stdin, all, dot;
    double timeout, countdown, expires, eta, call_result_ttl; /* eta: seconds since the epoch;
        expires: the same, or less than MOIL_EPOCH_FROM: seconds from now */
    double interval;
    long priority, repeat, limit, offset;
    /* control, events */
    char *node, *types;
    /* beat */
    double from; /* seconds since the epoch */
    long count;
    char *args, *cron, *solar, *at, *timezone, *start, *stop;
    double every, entry_expires, jitter;
    long max_runs;
    int overlap;  /* 0: yes, 1: no */
    int catch_up; /* 0: one, 1: all, 2: none */
    bool paused;
    /* from the config file: {"routes": …, "task_defaults": …} for the Lua side; NULL: none */
    char *config_json;
    /* what is not an option, in order; the strings are borrowed from argv */
    const char **operands;
    size_t operand_count;
    /* where all this came from, borrowed */
    enum command command;
    int argc;
    char **argv;
    const char *config_path; /* of the config file that was read; NULL: none */
};

/* Fills *o from all four sources for one command; argv[0] is skipped. 0, or MOIL_EINVAL or
 * MOIL_ENOMEM with one line in errstr that names the option, the value and what is allowed. With
 * --help or --version only the flags are read. Always free with moil_options_fini. */
int moil_options_load(struct options *o, enum command command, int argc, char **argv, char *errstr,
                      size_t errlen);
void moil_options_fini(struct options *o);

/* As moil_options_load, from the same sources as they are by now. */
int moil_options_reload(struct options *o, const struct options *before, char *errstr,
                        size_t errlen);

/* Calls fn for each option of the command that differs, but cannot change while a node runs. */
void moil_options_each_fixed_change(const struct options *before, const struct options *after,
                                    void (*fn)(const char *name));

/* The index of the first operand (the command's name) behind options that every command knows; argc
 * when there is none. */
int moil_options_find_command(int argc, char **argv);

const char *moil_command_name(enum command command); /* "worker", …; never NULL */

/* The options of one command for --help. */
void moil_options_help(enum command command, struct buffer *out);

/* All options as docs/options.md. */
void moil_options_markdown(struct buffer *out);

/* Paragraphs of man pages, one for each row (man.c): the options of a command, or with CMD_ALL
 * those of every command; the environment variables of a command's options, or of all options; the
 * keys of the config file. */
void moil_options_man(enum command command, struct buffer *out);
void moil_options_man_environment(enum command command, struct buffer *out);
void moil_options_man_keys(struct buffer *out);

#endif
