/* The one typed table of options. A new option is one row here and one field in struct options:
 * parsing, --help and docs/options.md follow. Knows nothing of where values come from. */
#include "conf/table.h"

#include <string.h>

#include "conf/suggest.h"

#define AT(field) .offset = offsetof(struct options, field)
#define COUNT(a)  (sizeof(a) / sizeof *(a))

enum {
    RUNTIME = CMD_WORKER | CMD_DEV,
    CLIENTS = CMD_CALL | CMD_RESULT | CMD_REVOKE | CMD_PURGE | CMD_PAUSE | CMD_RESUME |
              CMD_INSPECT | CMD_DEAD,
};

#define FOREVER 1e9 /* seconds; 31 years: more is a typing error */

static const char *const level_names[] = {"debug", "info", "warning", "error", NULL};
static const char *const format_names[] = {"text", "json", NULL};

const struct option_row moil_option_rows[] = {
    /* --- everywhere --- */
    {.name = "redis",
     .arg = "URL",
     AT(redis),
     .type = OPTION_URL,
     .commands = CMD_ALL,
     .initial_note = "`.moil/redis.sock` if there is one, else redis://127.0.0.1:6379/0; "
                     "for `dev`: embedded",
     .env = "MOIL_REDIS",
     .key = "redis",
     .fixed = true,
     .help = "where Redis is: redis://[user[:password]@]host[:port][/db], rediss://…, "
             "unix:///path[?db=N] or embedded[:DIR]"},
    {.name = "namespace",
     .arg = "NAME",
     AT(ns),
     .type = OPTION_NAMESPACE,
     .commands = CMD_ALL,
     .initial = "moil",
     .env = "MOIL_NAMESPACE",
     .key = "namespace",
     .fixed = true,
     .help = "what all keys begin with; namespaces do not see each other"},
    {.name = "config",
     .arg = "FILE",
     AT(config),
     .type = OPTION_STRING,
     .commands = CMD_ALL,
     .initial_note = "`moil.lua` where there is one",
     .env = "MOIL_CONFIG",
     .help = "the config file: Lua that returns a table"},
    {.name = "json",
     AT(json),
     .type = OPTION_BOOL,
     .commands = CMD_ALL,
     .help = "print one JSON object a line"},
    {.name = "log-level",
     .arg = "LEVEL",
     AT(log_level),
     .type = OPTION_CHOICE,
     .choices = level_names,
     .commands = CMD_ALL,
     .initial = "info",
     .env = "MOIL_LOG_LEVEL",
     .key = "log_level",
     .help = "the least level that is logged: debug, info, warning or error"},
    {.name = "log-format",
     .arg = "FORMAT",
     AT(log_format),
     .type = OPTION_CHOICE,
     .choices = format_names,
     .commands = CMD_ALL,
     .initial = "text",
     .env = "MOIL_LOG_FORMAT",
     .key = "log_format",
     .fixed = true,
     .help = "the log's form: text or json"},
    {.name = "help",
     AT(help),
     .type = OPTION_HELP,
     .commands = CMD_ALL,
     .flag = 'h',
     .help = "print this help (--help=markdown: every option, as docs/options.md)"},
    {.name = "version",
     AT(version),
     .type = OPTION_BOOL,
     .commands = CMD_ALL,
     .help = "print the version"},

    /* --- worker, dev, check --- */
    {.name = "queues",
     .flag = 'q',
     .arg = "LIST",
     AT(queues),
     .type = OPTION_QUEUES,
     .commands = RUNTIME,
     .initial_note = "`default` and every queue that the loaded tasks name",
     .env = "MOIL_QUEUES",
     .key = "queues",
     .help = "queues to serve: high,default,low in strict order, or high:3,low:1 by weight"},
    {.name = "workers",
     .flag = 'w',
     .arg = "N",
     AT(workers),
     .type = OPTION_INT,
     .commands = RUNTIME,
     .min = 1,
     .max = 256, /* SUPER_SLOTS_MAX */
     .initial_note = "one per core; for `dev`: 1",
     .env = "MOIL_WORKERS",
     .key = "workers",
     .help = "worker processes"},
    {.name = "concurrency",
     .flag = 'c',
     .arg = "N",
     AT(concurrency),
     .type = OPTION_INT,
     .commands = RUNTIME,
     .min = 1,
     .max = 100000,
     .initial = "16",
     .env = "MOIL_CONCURRENCY",
     .key = "concurrency",
     .help = "jobs at a time in each worker process"},
    {.name = "burst",
     AT(burst),
     .type = OPTION_BOOL,
     .commands = CMD_WORKER,
     .help = "exit when the queues are empty and the own jobs are done"},
    {.name = "shutdown-timeout",
     .arg = "S",
     AT(shutdown_timeout),
     .type = OPTION_SECONDS,
     .commands = RUNTIME,
     .min = 0.1,
     .max = FOREVER,
     .initial = "25",
     .env = "MOIL_SHUTDOWN_TIMEOUT",
     .key = "shutdown_timeout",
     .help = "seconds that running jobs get to end at a warm shutdown"},
    {.name = "time-limit",
     .arg = "S",
     AT(time_limit),
     .type = OPTION_SECONDS,
     .commands = RUNTIME,
     .min = 0.01,
     .max = FOREVER,
     .initial = "3600",
     .env = "MOIL_TIME_LIMIT",
     .key = "time_limit",
     .help = "seconds after which a job is ended, where it or its task says nothing else"},
    {.name = "soft-time-limit",
     .arg = "S",
     AT(soft_time_limit),
     .type = OPTION_SECONDS,
     .commands = RUNTIME,
     .min = 0.01,
     .max = FOREVER,
     .initial_note = "none",
     .env = "MOIL_SOFT_TIME_LIMIT",
     .key = "soft_time_limit",
     .help = "seconds after which SoftTimeLimitExceeded is raised in a job, once"},
    {.name = "result-ttl",
     .arg = "S",
     AT(result_ttl),
     .type = OPTION_SECONDS,
     .commands = RUNTIME,
     .min = 0,
     .max = FOREVER,
     .initial = "86400",
     .env = "MOIL_RESULT_TTL",
     .key = "result_ttl",
     .help = "seconds that results are kept, 0: not at all"},
    {.name = "lease",
     .arg = "S",
     AT(lease),
     .type = OPTION_SECONDS,
     .commands = RUNTIME,
     .min = 1,
     .max = 3600,
     .initial = "15",
     .env = "MOIL_LEASE",
     .key = "lease",
     .fixed = true,
     .help = "seconds of silence after which other nodes take this one for gone and run its jobs; "
             "the same on all nodes"},
    {.name = "max-payload",
     .arg = "BYTES",
     AT(max_payload),
     .type = OPTION_INT,
     .commands = RUNTIME | CMD_CALL,
     .min = 1024,
     .max = 256L << 20,
     .initial = "1048576",
     .env = "MOIL_MAX_PAYLOAD",
     .key = "max_payload",
     .help = "the most bytes of one job's arguments or result"},
    {.name = "name",
     .arg = "NAME",
     AT(name),
     .type = OPTION_NAME,
     .commands = RUNTIME,
     .initial_note = "host name and process id",
     .env = "MOIL_NAME",
     .key = "name",
     .fixed = true,
     .help = "the name of this node"},
    {.name = "pidfile",
     .arg = "FILE",
     AT(pidfile),
     .type = OPTION_STRING,
     .commands = RUNTIME,
     .env = "MOIL_PIDFILE",
     .key = "pidfile",
     .fixed = true,
     .help = "write the supervisor's process id there"},
    {.name = "log-file",
     .arg = "FILE",
     AT(log_file),
     .type = OPTION_STRING,
     .commands = RUNTIME,
     .initial_note = "standard error",
     .env = "MOIL_LOG_FILE",
     .key = "log_file",
     .fixed = true,
     .help = "write the log there"},
    {.name = "watch",
     AT(watch),
     .type = OPTION_BOOL,
     .commands = RUNTIME,
     .initial_note = "for `dev`: always",
     .env = "MOIL_WATCH",
     .key = "watch",
     .fixed = true,
     .help = "reload when a script or the config file changes"},
    {.name = "lua-dir",
     .arg = "DIR",
     AT(lua_dir),
     .type = OPTION_STRING,
     .commands = RUNTIME | CMD_CHECK,
     .initial_note = "the copy inside the program",
     .env = "MOIL_LUA_DIR",
     .help = "take moil's own Lua library from there, to work on it"},

    /* --- clients --- */
    {.name = "deadline",
     .arg = "S",
     AT(deadline),
     .type = OPTION_SECONDS,
     .commands = CLIENTS,
     .min = 0.001,
     .max = 3600,
     .initial = "5",
     .env = "MOIL_DEADLINE",
     .key = "deadline",
     .help = "seconds after which a request that Redis does not answer fails"},
    {.name = "kwargs",
     .arg = "JSON",
     AT(kwargs),
     .type = OPTION_STRING,
     .commands = CMD_CALL,
     .help = "an object: one more argument, after the positional ones"},
    {.name = "queue",
     .arg = "NAME",
     AT(queue),
     .type = OPTION_NAME,
     .commands = CMD_CALL,
     .initial_note = "as `routes` in the config file say, else `default`",
     .help = "the queue"},
    {.name = "countdown",
     .arg = "S",
     AT(countdown),
     .type = OPTION_SECONDS,
     .commands = CMD_CALL,
     .min = 0,
     .max = FOREVER,
     .help = "start in so many seconds"},
    {.name = "eta",
     .arg = "TIME",
     AT(eta),
     .type = OPTION_INSTANT,
     .commands = CMD_CALL,
     .help = "start at that time: 2030-01-01T09:00:00+08:00, or seconds since the epoch"},
    {.name = "expires",
     .arg = "S",
     AT(expires),
     .type = OPTION_SECONDS,
     .commands = CMD_CALL,
     .min = 0.001,
     .max = FOREVER,
     .help = "do not start it later than in so many seconds"},
    {.name = "id",
     .arg = "ID",
     AT(id),
     .type = OPTION_NAME,
     .commands = CMD_CALL,
     .initial_note = "a new UUID",
     .help = "the job's id; where a job has it already, that one is meant"},
    {.name = "priority",
     .arg = "0-9",
     AT(priority),
     .type = OPTION_INT,
     .commands = CMD_CALL,
     .min = 0,
     .max = 9,
     .initial_note = "5",
     .help = "higher goes first"},
    {.name = "terminate",
     AT(terminate),
     .type = OPTION_BOOL,
     .commands = CMD_REVOKE,
     .help = "end the job even if it runs"},
    {.name = "at-front",
     AT(at_front),
     .type = OPTION_BOOL,
     .commands = CMD_CALL,
     .help = "in front of the jobs of its priority"},
    {.name = "result-ttl",
     .arg = "S",
     AT(call_result_ttl),
     .type = OPTION_SECONDS,
     .commands = CMD_CALL,
     .min = 0,
     .max = FOREVER,
     .initial_note = "as the task or worker says",
     .help = "seconds that the result is kept, 0: not at all"},
    {.name = "repeat",
     .arg = "N",
     AT(repeat),
     .type = OPTION_INT,
     .commands = CMD_CALL,
     .min = 1,
     .max = 1e7,
     .initial = "1",
     .help = "enqueue so many of the same"},
    {.name = "stdin",
     AT(from_stdin),
     .type = OPTION_BOOL,
     .commands = CMD_CALL,
     .help = "read a JSON array of arguments a line, and enqueue them in bulk"},
    {.name = "wait",
     AT(wait),
     .type = OPTION_BOOL,
     .commands = CMD_CALL | CMD_RESULT,
     .help = "wait for the job's end"},
    {.name = "follow",
     AT(follow),
     .type = OPTION_BOOL,
     .commands = CMD_CALL | CMD_RESULT,
     .help = "wait, and show each change of a custom state"},
    {.name = "timeout",
     .arg = "S",
     AT(timeout),
     .type = OPTION_SECONDS,
     .commands = CMD_CALL | CMD_RESULT,
     .min = 0,
     .max = FOREVER,
     .initial_note = "none",
     .help = "wait no longer than so many seconds"},
    {.name = "limit",
     .arg = "N",
     AT(limit),
     .type = OPTION_INT,
     .commands = CMD_INSPECT | CMD_DEAD,
     .min = 1,
     .max = 100000,
     .initial = "100",
     .help = "show so many at most"},
    {.name = "offset",
     .arg = "N",
     AT(offset),
     .type = OPTION_INT,
     .commands = CMD_INSPECT | CMD_DEAD,
     .min = 0,
     .max = 1e9,
     .initial = "0",
     .help = "leave out the first N"},
    {.name = "all",
     AT(all),
     .type = OPTION_BOOL,
     .commands = CMD_DEAD,
     .help = "every job of the dead set"},
    {.name = "task",
     .arg = "NAME",
     AT(task),
     .type = OPTION_NAME,
     .commands = CMD_DEAD,
     .help = "every job of one task"},
};

const size_t moil_option_count = COUNT(moil_option_rows);

const struct option_row *moil_option_by_name(struct slice name, unsigned commands)
{
    for (size_t i = 0; i < moil_option_count; i++) {
        const struct option_row *row = &moil_option_rows[i];
        if ((row->commands & commands) && slice_is(name, row->name)) {
            return row;
        }
    }
    return NULL;
}

const struct option_row *moil_option_by_flag(char flag, unsigned commands)
{
    for (size_t i = 0; i < moil_option_count; i++) {
        const struct option_row *row = &moil_option_rows[i];
        if ((row->commands & commands) && row->flag != 0 && row->flag == flag) {
            return row;
        }
    }
    return NULL;
}

const struct option_row *moil_option_by_key(const char *key)
{
    for (size_t i = 0; i < moil_option_count; i++) {
        const struct option_row *row = &moil_option_rows[i];
        if (row->key && strcmp(row->key, key) == 0) {
            return row;
        }
    }
    return NULL;
}

const char *moil_option_nearest(const char *wrong, unsigned commands)
{
    const char *names[COUNT(moil_option_rows)] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < moil_option_count; i++) {
        if (moil_option_rows[i].commands & commands) {
            names[count++] = moil_option_rows[i].name;
        }
    }
    return moil_nearest_name(wrong, names, count);
}

const char *moil_option_nearest_key(const char *wrong)
{
    const char *keys[COUNT(moil_option_rows) + 2];
    size_t count = 0;
    for (size_t i = 0; i < moil_option_count; i++) {
        if (moil_option_rows[i].key) {
            keys[count++] = moil_option_rows[i].key;
        }
    }
    keys[count++] = "routes";
    keys[count++] = "task_defaults";
    return moil_nearest_name(wrong, keys, count);
}
