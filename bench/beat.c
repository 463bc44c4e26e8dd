/* How punctual a schedule's ticks are, and what waiting for them costs.
 *
 *   beat ENTRY SECONDS [NODE]
 *
 * Waits, while a node runs the beat entry ENTRY (bench/run starts it), and then compares when each
 * of its ticks was due, by `beat_history`, with when Redis enqueued it (fired) and with when the
 * worker noted the job's start; one machine, one clock. Prints percentiles in ms, and the largest.
 * With NODE, the id of its supervisor: also the largest of its processes and the node's CPU time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/moil.h"
#include "base/clock.h"
#include "support/meter.h"

enum { TICKS_MAX = 1000 };

struct ticks {
    int64_t from_ms; /* what was due before is left out: the node was loading its entries */
    size_t count;
    double fired_ms[TICKS_MAX], start_ms[TICKS_MAX];
};

/* Milliseconds from a due time to the start that the job's record tells; < 0: it has none yet. */
static double start_after(moil_client *client, const char *id, int64_t due_ms)
{
    static const char name[] = "\"started_at\":";
    char *json;
    if (moil_inspect_job(client, id, &json) != 0)
        bench_die("beat: %s", moil_client_error(client));
    const char *at = strstr(json, name);
    double started_ms = at ? strtod(at + strlen(name), NULL) * 1e3 : 0;
    moil_free(json);
    return at ? started_ms - (double)due_ms : -1;
}

static void take_tick(struct ticks *t, moil_client *client, const char *line, const char *entry)
{
    int64_t due_ms, fired_ms;
    char id[201], outcome[32], name[201];
    if (sscanf(line, "%" SCNd64 " %" SCNd64 " %200s %31s %200s", &due_ms, &fired_ms, id, outcome,
               name) != 5 ||
        due_ms < t->from_ms || strcmp(name, entry) != 0 || strcmp(outcome, "fired") != 0)
        return;
    double start_ms = start_after(client, id, due_ms);
    if (start_ms < 0)
        return;
    t->fired_ms[t->count] = (double)(fired_ms - due_ms);
    t->start_ms[t->count++] = start_ms;
}

static void show(const char *name, double *values, size_t count)
{
    printf("%s_p50 %.3f %s_p95 %.3f %s_max %.3f ", name, bench_percentile(values, count, 50), name,
           bench_percentile(values, count, 95), name, bench_percentile(values, count, 100));
}

/* In MB, of the largest process below a supervisor: the agent is its only child. */
static double largest_rss_mb(pid_t node)
{
    char path[64], command[96];
    double top = 0, kb;
    snprintf(command, sizeof command, "cat /proc/%d/task/%d/children", (int)node, (int)node);
    FILE *children = popen(command, "r");
    int pid;
    while (children && fscanf(children, "%d", &pid) == 1) {
        char line[128];
        snprintf(path, sizeof path, "/proc/%d/status", pid);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            if (sscanf(line, "VmRSS: %lf", &kb) == 1 && kb / 1024 > top)
                top = kb / 1024;
        if (f)
            fclose(f);
    }
    if (children)
        pclose(children);
    return top;
}

int main(int argc, char **argv)
{
    static struct ticks ticks;
    struct meter meter;
    moil_client *client;
    char why[256];
    if (argc < 3)
        bench_die("usage: beat ENTRY SECONDS [NODE]");
    bench_meter_open(&meter);
    if (moil_client_open(&client, NULL, why, sizeof why) != 0)
        bench_die("beat: %s", why);
    pid_t node = argc > 3 ? (pid_t)bench_number(argv[3]) : 0;
    double cpu_us = node ? bench_tree_cpu_us(node) : 0;
    ticks.from_ms = moil_clock_wall_us() / 1000;
    double seconds = (double)bench_number(argv[2]);
    sleep((unsigned)seconds);
    cpu_us = node ? bench_tree_cpu_us(node) - cpu_us : 0;
    redisReply *lines = bench_meter_call(&meter, "LRANGE " BENCH_PREFIX "beat_history 0 -1");
    for (size_t i = 0; i < lines->elements && ticks.count < TICKS_MAX; i++)
        take_tick(&ticks, client, lines->element[i]->str, argv[1]);
    freeReplyObject(lines);
    if (ticks.count == 0)
        bench_die("beat: the entry %s has not run", argv[1]);
    printf("ticks %zu ", ticks.count);
    show("fired", ticks.fired_ms, ticks.count);
    show("start", ticks.start_ms, ticks.count);
    if (node)
        printf("rss_mb %.2f cpu_ms_per_s %.3f", largest_rss_mb(node), cpu_us / 1e3 / seconds);
    putchar('\n');
    moil_client_close(client);
    bench_meter_close(&meter);
    return 0;
}
