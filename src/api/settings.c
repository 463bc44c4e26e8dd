/* settings.c: see settings.h. */
#include "api/settings.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "base/error.h"
#include "base/log.h"
#include "queue/keys.h"
#include "queue/lease.h"
#include "worker/queues.h"

enum { SHUTDOWN_TIMEOUT_S = 25, MEMORY_MAX_MB = 1 << 20, PAYLOAD_MAX = 1 << 20 };
enum { CONCURRENCY_MAX = 100000 };      /* conf/table.c has the same */
enum { RESULT_TTL_MAX_S = 1000000000 }; /* 31 years; Redis's milliseconds have room for them */

#define SETTINGS_NAME "options"

void moil_settings_fill(moil_runtime_options *o)
{
    static const char *const no_paths[] = {NULL};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    o->ns = o->ns && *o->ns ? o->ns : "moil";
    o->paths = o->paths ? o->paths : no_paths;
    o->workers = o->beat_only ? 0 : o->workers > 0 ? o->workers : (int)(cores > 0 ? cores : 1);
    o->concurrency = o->concurrency > 0 ? o->concurrency : MOIL_CONCURRENCY_DEFAULT;
    o->shutdown_timeout = o->shutdown_timeout > 0 ? o->shutdown_timeout : SHUTDOWN_TIMEOUT_S;
    o->time_limit = o->time_limit == 0 ? 3600 : o->time_limit < 0 ? 0 : o->time_limit;
    o->soft_time_limit = o->soft_time_limit < 0 ? 0 : o->soft_time_limit;
    o->lease = o->lease > 0 ? o->lease : MOIL_LEASE_MS / 1000.0;
    o->max_payload = o->max_payload ? o->max_payload : PAYLOAD_MAX;
    o->result_ttl = o->result_ttl == 0 ? 86400 : o->result_ttl < 0 ? 0 : o->result_ttl;
}

/* What the command line's options cannot be, but a program's can. */
static int check_numbers(const moil_runtime_options *o, char *errstr, size_t errlen)
{
    const struct {
        const char *name;
        double seconds;
    } times[] = {{"time_limit", o->time_limit},
                 {"soft_time_limit", o->soft_time_limit},
                 {"result_ttl", o->result_ttl},
                 {"shutdown_timeout", o->shutdown_timeout}};
    if (o->concurrency > CONCURRENCY_MAX) {
        snprintf(errstr, errlen, "concurrency: at most %d", CONCURRENCY_MAX);
        return MOIL_EINVAL;
    }
    if (o->result_ttl > RESULT_TTL_MAX_S) {
        snprintf(errstr, errlen, "result_ttl: at most %d s", RESULT_TTL_MAX_S);
        return MOIL_EINVAL;
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (!isfinite(times[i].seconds)) {
            snprintf(errstr, errlen, "%s: %g is no number of seconds", times[i].name,
                     times[i].seconds);
            return MOIL_EINVAL;
        }
    }
    return 0;
}

int moil_settings_check(const moil_runtime_options *o, char *errstr, size_t errlen)
{
    struct keys keys;
    struct queue_set queues;
    enum log_level level;
    if (moil_keys_init(&keys, o->ns) != 0) {
        snprintf(errstr, errlen,
                 "namespace \"%.80s\": 1 to 64 printable characters without space, { and }", o->ns);
        return MOIL_EINVAL;
    }
    int bad = check_numbers(o, errstr, errlen);
    if (bad)
        return bad;
    if (o->workers > SUPER_WORKERS_MAX) {
        snprintf(errstr, errlen, "workers: at most %d", SUPER_WORKERS_MAX);
        return MOIL_EINVAL;
    }
    if (o->time_limit > 0 && o->soft_time_limit >= o->time_limit) {
        snprintf(errstr, errlen, "the soft time limit (%g s) must be below the time limit (%g s)",
                 o->soft_time_limit, o->time_limit);
        return MOIL_EINVAL;
    }
    if (!(o->memory_limit >= 0 && o->memory_limit <= MEMORY_MAX_MB) ||
        !(o->max_memory >= 0 && o->max_memory <= MEMORY_MAX_MB)) {
        snprintf(errstr, errlen,
                 "memory_limit and max_memory: megabytes, at most %d, or 0 for none",
                 MEMORY_MAX_MB);
        return MOIL_EINVAL;
    }
    if (o->log_level && moil_log_level_parse(o->log_level, &level) != 0) {
        snprintf(errstr, errlen, "log level \"%.80s\": debug, info, warning or error",
                 o->log_level);
        return MOIL_EINVAL;
    }
    if (o->queues) {
        int err = moil_queues_parse(&queues, o->queues, errstr, errlen);
        if (err)
            return err;
        moil_queues_fini(&queues);
    }
    return 0;
}

void moil_settings_keep(moil_runtime_options *next, const moil_runtime_options *running)
{
    next->url = running->url;
    next->ns = running->ns;
    next->paths = running->paths;
    next->name = running->name;
    next->pidfile = running->pidfile;
    next->http = running->http;
    next->burst = running->burst;
    next->lease = running->lease;
    next->watch = running->watch;
    next->beat_only = running->beat_only;
    next->config_file = running->config_file;
    next->tasks = running->tasks;
    next->reload = running->reload;
    next->reload_data = running->reload_data;
}

/* --- in a snapshot ---------------------------------------------------------------------------- */

#define AT(field) offsetof(moil_runtime_options, field)

/* The strings of the struct, but those that moil_settings_keep keeps. */
static const size_t strings[] = {AT(queues), AT(lua_dir), AT(config_json), AT(log_level),
                                 AT(beat_file)};

enum { STRINGS = sizeof strings / sizeof strings[0] };

/* The struct as it is, and the strings one after the other: "-" for NULL, else "+", the text, NUL.
 */
void moil_settings_pack(const moil_runtime_options *o, struct buffer *draft)
{
    struct buffer bytes;
    moil_buffer_init(&bytes);
    moil_buffer_add(&bytes, o, sizeof *o);
    for (size_t i = 0; i < STRINGS; i++) {
        const char *text;
        memcpy(&text, (const char *)o + strings[i], sizeof text);
        moil_buffer_add_char(&bytes, text ? '+' : '-');
        if (text)
            moil_buffer_add(&bytes, text, strlen(text) + 1);
    }
    draft->failed = draft->failed || bytes.failed;
    moil_snapshot_add(draft, SNAPSHOT_DATA, slice_str(SETTINGS_NAME), moil_buffer_slice(&bytes));
    moil_buffer_fini(&bytes);
}

bool moil_settings_unpack(const struct snapshot *s, moil_runtime_options *o)
{
    moil_runtime_options found;
    struct slice bytes;
    if (!moil_snapshot_find(s, SNAPSHOT_DATA, slice_str(SETTINGS_NAME), &bytes) ||
        bytes.n < sizeof found)
        return false;
    memcpy(&found, bytes.p, sizeof found);
    const char *p = bytes.p + sizeof found, *end = bytes.p + bytes.n;
    for (size_t i = 0; i < STRINGS; i++) {
        const char *text = NULL;
        if (p == end)
            return false;
        if (*p++ == '+') {
            text = p;
            p += strnlen(p, (size_t)(end - p)) + 1;
        }
        if (p > end)
            return false;
        memcpy((char *)&found + strings[i], &text, sizeof text);
    }
    moil_settings_keep(&found, o);
    *o = found;
    return true;
}
