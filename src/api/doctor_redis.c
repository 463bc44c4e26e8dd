/* doctor_redis.c: the server. See doctor.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/doctor.h"
#include "base/clock.h"
#include "worker/redis_check.h"

enum { PINGS = 100, MIDDLE = PINGS / 2, WORDS = 64 };

static double number(const struct doctor *d, const char *key)
{
    char value[WORDS];
    return moil_redis_info(moil_buffer_slice(&d->info), key, value, sizeof value)
               ? strtod(value, NULL)
               : 0;
}

static bool is(const struct doctor *d, const char *key, const char *wanted)
{
    char value[WORDS];
    return moil_redis_info(moil_buffer_slice(&d->info), key, value, sizeof value) &&
           strcmp(value, wanted) == 0;
}

static void take_info(void *data, const struct reply *reply)
{
    struct doctor *d = data;
    if (moil_reply_type(reply) == REPLY_STRING)
        moil_buffer_add_slice(&d->info, moil_reply_slice(reply));
}

/* --- what INFO tells -------------------------------------------------------------------------- */

struct faults {
    struct doctor *doctor;
    bool found[REDIS_UNSAVED + 1];
};

static void warned(void *data, enum redis_fault fault, const char *line)
{
    static const char *const checks[] = {"eviction", "version", "role", "persistence"};
    struct faults *f = data;
    f->found[fault] = true;
    moil_doctor_say(f->doctor, checks[fault], DOCTOR_BAD, NULL, "%s", line);
}

static void take_save(void *data, const struct reply *reply)
{
    struct slice s = moil_reply_slice(moil_reply_at(reply, 1));
    *(bool *)data = s.p && s.n == 0; /* a refusal says nothing */
}

static void check_persistence(struct doctor *d)
{
    static const char *const ask[] = {"CONFIG", "GET", "save", NULL};
    bool never = false;
    double changes = number(d, "rdb_changes_since_last_save");
    if (is(d, "aof_enabled", "1")) {
        bool good = !is(d, "aof_last_write_status", "err");
        moil_doctor_say(d, "persistence", good ? DOCTOR_OK : DOCTOR_BAD,
                        "look at Redis's log and at the disk",
                        good ? "append-only file" : "Redis cannot write its append-only file");
        return;
    }
    moil_doctor_command(d, ask, take_save, &never);
    if (never)
        moil_doctor_say(d, "persistence", DOCTOR_WARN,
                        "set appendonly yes, unless jobs may be lost",
                        "Redis keeps nothing on disk: a restart loses all jobs");
    else
        moil_doctor_say(d, "persistence", DOCTOR_WARN, "set appendonly yes",
                        "snapshots alone: a crash loses what came after the last one (%.0f changes "
                        "by now)",
                        changes);
}

static void check_memory(struct doctor *d)
{
    double used = number(d, "used_memory"), max = number(d, "maxmemory");
    double peak = number(d, "used_memory_peak"), waste = number(d, "mem_fragmentation_ratio");
    double share = max > 0 ? used / max : 0;
    enum doctor_level level = share > 0.95 ? DOCTOR_BAD : share > 0.8 ? DOCTOR_WARN : DOCTOR_OK;
    char of[40] = "no maxmemory";
    if (max > 0)
        snprintf(of, sizeof of, "of %.0f MB", max / 1e6);
    moil_doctor_say(d, "memory", level,
                    "raise maxmemory, add workers, or keep results for less time (--result-ttl)",
                    "%.1f MB used, %s, %.1f MB at its peak", used / 1e6, of, peak / 1e6);
    if (waste > 1.5 && used > 1e8)
        moil_doctor_say(d, "memory", DOCTOR_WARN, "set activedefrag yes, or restart it when quiet",
                        "fragmented: it takes %.1f times what it holds", waste);
}

static void check_clients(struct doctor *d)
{
    double now = number(d, "connected_clients"), max = number(d, "maxclients");
    double share = max > 0 ? now / max : 0;
    enum doctor_level level = share > 0.95 ? DOCTOR_BAD : share > 0.8 ? DOCTOR_WARN : DOCTOR_OK;
    moil_doctor_say(d, "clients", level, "raise maxclients, and the file limit of the server",
                    "%.0f connections of at most %.0f (a worker process has two, an agent two)",
                    now, max);
}

static void check_info(struct doctor *d)
{
    struct faults f = {.doctor = d};
    char version[WORDS] = "?";
    struct slice info = moil_buffer_slice(&d->info);
    moil_redis_warn(info, warned, &f);
    bool valkey = moil_redis_info(info, "valkey_version", version, sizeof version);
    if (!valkey)
        moil_redis_info(info, "redis_version", version, sizeof version);
    if (!f.found[REDIS_OLD])
        moil_doctor_say(d, "version", DOCTOR_OK, NULL, "%s %s", valkey ? "Valkey" : "Redis",
                        version);
    if (!f.found[REDIS_REPLICA])
        moil_doctor_say(d, "role", DOCTOR_OK, NULL, "primary, %.0f replicas",
                        number(d, "connected_slaves"));
    if (!f.found[REDIS_EVICTS])
        moil_doctor_say(d, "eviction", DOCTOR_OK, NULL, "noeviction");
    if (!f.found[REDIS_UNSAVED])
        check_persistence(d);
    check_memory(d);
    check_clients(d);
}

/* --- what it does ----------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_latency(struct doctor *d)
{
    static const char *const ping[] = {"PING", NULL};
    int64_t took_us[PINGS];
    for (int i = 0; i < PINGS; i++) {
        int64_t before = moil_clock_monotonic_us();
        if (moil_doctor_command(d, ping, NULL, NULL)) {
            moil_doctor_say(d, "latency", DOCTOR_BAD, "look at the network, and at Redis's log",
                            "the connection broke: %s", moil_link_error(d->client->link));
            return;
        }
        took_us[i] = moil_clock_monotonic_us() - before;
    }
    qsort(took_us, PINGS, sizeof *took_us, by_size);
    double p50 = (double)took_us[MIDDLE] * 1e-3, p99 = (double)took_us[PINGS - 2] * 1e-3;
    moil_doctor_say(d, "latency", p50 > 5 || p99 > 50 ? DOCTOR_WARN : DOCTOR_OK,
                    "look for a busy machine, slow commands (SLOWLOG GET) and the network between",
                    "a PING takes %.2f ms, of 100 the second slowest %.2f ms", p50, p99);
}

static int take_refused(void *data, const struct reply *reply)
{
    struct doctor *d = data;
    char names[300] = "";
    size_t count = moil_reply_count(reply), len = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        struct slice name = moil_reply_slice(moil_reply_at(reply, i));
        if (len + name.n + 2 < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, " %.*s", (int)name.n, name.p);
    }
    struct slice why = moil_reply_slice(moil_reply_at(reply, 1));
    if (count > 0)
        moil_doctor_say(d, "rights", DOCTOR_BAD,
                        "give the user what docs/protocol.md lists (\"What Redis must allow\")",
                        "Redis refuses%s: %.*s", names, (int)(why.n < 150 ? why.n : 150),
                        why.p ? why.p : "");
    else
        moil_doctor_say(d, "rights", DOCTOR_OK, NULL,
                        "scripts run, and may do all that they have to");
    return 0;
}

static void check_rights(struct doctor *d)
{
    struct moil_client *c = d->client;
    moil_client_begin(c, c->deadline_s);
    if (moil_client_call(c, SCRIPT_PROBE, NULL, take_refused, d) != 0)
        moil_doctor_say(d, "rights", DOCTOR_BAD,
                        "give the user what docs/protocol.md lists (\"What Redis must allow\")",
                        "scripts do not run: %s", moil_client_error(c));
}

/* Redis's clock seen from here, of three answers by the one that came soonest. */
static bool compare_clocks(struct doctor *d, double *by)
{
    double soonest = INFINITY;
    for (int i = 0; i < 3; i++) {
        double redis = 0, before = (double)moil_clock_wall_us() / 1e6;
        if (moil_now(d->client, &redis) != 0)
            return false;
        double after = (double)moil_clock_wall_us() / 1e6;
        if (after - before < soonest) {
            soonest = after - before;
            *by = redis - (before + after) / 2;
        }
    }
    return true;
}

static void check_clock(struct doctor *d)
{
    double by = 0;
    if (!compare_clocks(d, &by))
        return;
    enum doctor_level level = fabs(by) > 60 ? DOCTOR_BAD : fabs(by) > 1 ? DOCTOR_WARN : DOCTOR_OK;
    moil_doctor_say(d, "clock", level, "run ntpd, chrony or systemd-timesyncd on both machines",
                    level == DOCTOR_OK
                        ? "this machine and Redis agree to %.0f ms"
                        : "this machine and Redis differ by %.0f ms: jobs may expire "
                          "at a wrong time",
                    fabs(by) * 1e3);
}

bool moil_doctor_redis(struct doctor *d)
{
    static const char *const ask[] = {"INFO", NULL};
    char url[1500];
    double now;
    moil_url_redact(&d->client->url, url, sizeof url);
    int status = moil_now(d->client, &now);
    if (status && moil_link_state(d->client->link) != LINK_UP) {
        moil_doctor_say(d, "redis", DOCTOR_BAD,
                        "start it, or say where it is (--redis or MOIL_REDIS)", "%s",
                        moil_client_error(d->client));
        return false;
    }
    moil_doctor_say(d, "redis", DOCTOR_OK, NULL, "answers at %s", url);
    moil_doctor_command(d, ask, take_info, d);
    if (d->info.len == 0)
        moil_doctor_say(d, "info", DOCTOR_WARN, "give the user +info",
                        "Redis does not tell about itself: version, disk and memory are unknown");
    else
        check_info(d);
    check_latency(d);
    check_rights(d);
    check_clock(d);
    return status == 0;
}
