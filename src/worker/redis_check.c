/* redis_check.c: a look at INFO when the agent first meets its Redis. A part of the agent
 * (agent.h).
 *
 * INFO and not CONFIG, since managed servers hide CONFIG. It only warns: what cannot work at all
 * shows by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/log.h"
#include "worker/agent.h"
#include "worker/redis_check.h"

enum { INFO_TIMEOUT_MS = 5000 };

bool moil_redis_info(struct slice info, const char *key, char *out, size_t size)
{
    size_t n = strlen(key);
    const char *p = info.p, *end = info.p + info.n;
    while (p && p + n + 1 < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (memcmp(p, key, n) == 0 && p[n] == ':') {
            const char *value = p + n + 1;
            size_t len = (size_t)((line_end ? line_end : end) - value);
            while (len && (value[len - 1] == '\r' || value[len - 1] == '\n'))
                len--;
            snprintf(out, size, "%.*s", (int)len, value);
            moil_line_clean(out);
            return true;
        }
        p = line_end ? line_end + 1 : NULL;
    }
    return false;
}

void moil_redis_warn(struct slice info, moil_redis_warn_fn *warn, void *data)
{
    char value[64], line[256];
    if (moil_redis_info(info, "maxmemory_policy", value, sizeof value) &&
        strcmp(value, "noeviction") != 0) {
        snprintf(line, sizeof line,
                 "JOBS MAY BE LOST: Redis evicts keys when its memory is full (maxmemory-policy "
                 "%s): set it to noeviction",
                 value);
        warn(data, REDIS_EVICTS, line);
    }
    int major = 0, minor = 0;
    if (moil_redis_info(info, "redis_version", value, sizeof value) &&
        sscanf(value, "%d.%d", &major, &minor) == 2 && (major < 6 || (major == 6 && minor < 2))) {
        snprintf(line, sizeof line, "Redis %s is too old: moil needs 6.2 or later, or Valkey 7.2",
                 value);
        warn(data, REDIS_OLD, line);
    }
    if (moil_redis_info(info, "role", value, sizeof value) && strcmp(value, "slave") == 0)
        warn(data, REDIS_REPLICA, "this Redis is a read-only replica: give the URL of its primary");
    bool no_aof =
        moil_redis_info(info, "aof_enabled", value, sizeof value) && strcmp(value, "0") == 0;
    if (no_aof && moil_redis_info(info, "rdb_last_bgsave_status", value, sizeof value) &&
        strcmp(value, "ok") != 0)
        warn(data, REDIS_UNSAVED,
             "Redis cannot save its data (rdb_last_bgsave_status is not ok): a restart would "
             "lose jobs");
}

static void warn_cb(void *data, enum redis_fault fault, const char *line)
{
    (void)data;
    (void)fault;
    log_warning("%s", line);
}

static void info_cb(void *data, int err, const struct reply *reply)
{
    (void)data;
    if (!err)
        moil_redis_warn(moil_reply_slice(reply), warn_cb, NULL);
}

void moil_redis_check(struct agent *a)
{
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, "INFO");
    moil_link_call(a->link, &a->broker.args, INFO_TIMEOUT_MS, info_cb, NULL);
}
