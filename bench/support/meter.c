/* meter.c: see meter.h. */
#include "meter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

void bench_die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("bench: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

int64_t bench_number(const char *text)
{
    char *end;
    long long n = text ? strtoll(text, &end, 10) : 0;
    if (n < 1 || *end)
        bench_die("a whole number, 1 or more, is wanted instead of \"%s\"", text ? text : "");
    return n;
}

/* --- Redis
 * --------------------------------------------------------------------------------------------- */

void bench_meter_open(struct meter *m)
{
    const char *path = getenv("BENCH_SOCKET");
    if (!path)
        bench_die("BENCH_SOCKET is not set: these programs are run by bench/run");
    m->redis = redisConnectUnix(path);
    if (!m->redis || m->redis->err)
        bench_die("no Redis at %s", path);
}

void bench_meter_close(struct meter *m)
{
    redisFree(m->redis);
}

static redisReply *call(struct meter *m, const char *fmt, va_list ap)
{
    redisReply *r = redisvCommand(m->redis, fmt, ap);
    if (!r)
        bench_die("Redis went away: %s", m->redis->errstr);
    if (r->type == REDIS_REPLY_ERROR)
        bench_die("Redis: %s", r->str);
    return r;
}

redisReply *bench_meter_call(struct meter *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    redisReply *r = call(m, fmt, ap);
    va_end(ap);
    return r;
}

int64_t bench_meter_integer(struct meter *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    redisReply *r = call(m, fmt, ap);
    va_end(ap);
    int64_t n = r->integer;
    freeReplyObject(r);
    return n;
}

/* The number behind "name:" at the start of a line. */
static double field(const char *text, const char *name)
{
    for (const char *at = text; (at = strstr(at, name)); at++)
        if ((at == text || at[-1] == '\n') && at[strlen(name)] == ':')
            return strtod(at + strlen(name) + 1, NULL);
    return 0;
}

struct reading bench_meter_read(struct meter *m)
{
    struct reading r = {0};
    redisReply *info = bench_meter_call(m, "INFO stats");
    r.commands = field(info->str, "total_commands_processed");
    freeReplyObject(info);
    info = bench_meter_call(m, "INFO commandstats");
    const char *evalsha = strstr(info->str, "cmdstat_evalsha:calls=");
    r.scripts = evalsha ? strtod(strchr(evalsha, '=') + 1, NULL) : 0;
    freeReplyObject(info);
    info = bench_meter_call(m, "INFO cpu");
    r.redis_cpu_us = (field(info->str, "used_cpu_sys") + field(info->str, "used_cpu_user")) * 1e6;
    freeReplyObject(info);
    r.at_us = moil_clock_monotonic_us();
    return r;
}

int64_t bench_meter_left(struct meter *m)
{
    int64_t left = bench_meter_integer(m, "LLEN " BENCH_PREFIX "queue:default:5");
    redisReply *workers = bench_meter_call(m, "HKEYS " BENCH_PREFIX "workers");
    for (size_t i = 0; i < workers->elements; i++)
        left +=
            bench_meter_integer(m, "SCARD " BENCH_PREFIX "inflight:%s", workers->element[i]->str);
    freeReplyObject(workers);
    return left;
}

/* --- processes
 * ----------------------------------------------------------------------------------------- */

static double process_cpu_us(pid_t pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    const char *rest = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (rest)
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    fclose(f);
    return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

double bench_tree_cpu_us(pid_t root)
{
    char path[64];
    int child;
    double sum = process_cpu_us(root);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)root, (int)root);
    FILE *f = fopen(path, "r");
    while (f && fscanf(f, "%d", &child) == 1)
        sum += bench_tree_cpu_us(child);
    if (f)
        fclose(f);
    return sum;
}

/* --- figures
 * ------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t count, int percent)
{
    qsort(values, count, sizeof *values, ascending);
    size_t at = count * (size_t)percent / 100;
    return values[at < count ? at : count - 1];
}
