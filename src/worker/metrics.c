/* metrics.c: see metrics.h. What is counted is in tally.h. */
#include "worker/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "worker/agent.h"
#include "worker/tally.h"

/* The sums of the tally by place: the page goes over them once for each family. */
struct sums {
    const struct tally *tally;
    const struct task_tally *tasks;
    uint32_t count;
};

/* --- the format ------------------------------------------------------------------------------- */

void moil_metrics_family(struct buffer *out, const char *name, enum metric_type type,
                         const char *help)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    moil_buffer_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

/* name="value", escaped. */
static void add_label(struct buffer *out, const char *name, struct slice value)
{
    moil_buffer_add_str(out, name);
    moil_buffer_add_str(out, "=\"");
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            moil_buffer_add_str(out, "\\n");
            continue;
        }
        if (value.p[i] == '"' || value.p[i] == '\\')
            moil_buffer_add_char(out, '\\');
        moil_buffer_add_char(out, value.p[i]);
    }
    moil_buffer_add_char(out, '"');
}

/* Whole numbers as they are: a double keeps them to 2^53. Times keep their milliseconds. */
static void add_value(struct buffer *out, double value)
{
    moil_buffer_addf(out, value < 1e15 && value == (double)(int64_t)value ? " %.0f\n" : " %.13g\n",
                     value);
}

void moil_metrics_sample(struct buffer *out, const char *name, const char *label,
                         struct slice label_value, double value)
{
    moil_buffer_add_str(out, name);
    if (label) {
        moil_buffer_add_char(out, '{');
        add_label(out, label, label_value);
        moil_buffer_add_char(out, '}');
    }
    add_value(out, value);
}

/* With a second label, whose value is a literal. */
static void add_sample_2(struct buffer *out, const char *name, const char *label,
                         struct slice value_of, const char *label_2, const char *value_2)
{
    moil_buffer_add_str(out, name);
    moil_buffer_add_char(out, '{');
    add_label(out, label, value_of);
    moil_buffer_addf(out, ",%s=\"%s\"}", label_2, value_2);
}

static void add_single(struct buffer *out, const char *name, enum metric_type type,
                       const char *help, double value)
{
    moil_metrics_family(out, name, type, help);
    moil_metrics_sample(out, name, NULL, slice_of(NULL, 0), value);
}

/* --- tasks ------------------------------------------------------------------------------------ */

static const char *const end_names[TALLY_FINAL] = {
    [TALLY_SUCCEEDED] = "succeeded", [TALLY_FAILED] = "failed",     [TALLY_REJECTED] = "rejected",
    [TALLY_IGNORED] = "ignored",     [TALLY_REPLACED] = "replaced", [TALLY_REVOKED] = "revoked",
    [TALLY_EXPIRED] = "expired",
};

/* What nobody was counted under is left out only where it is `other`. */
static bool is_shown(const struct sums *s, uint32_t place)
{
    const struct task_tally *t = &s->tasks[place];
    return place > 0 || t->started > 0 || t->ended[TALLY_REVOKED] > 0;
}

static struct slice name_of(const struct sums *s, uint32_t place)
{
    return slice_str(s->tally->names[place]);
}

static void add_by_task(struct buffer *out, const struct sums *s, const char *name,
                        uint64_t (*count)(const struct task_tally *t))
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (is_shown(s, i))
            moil_metrics_sample(out, name, "task", name_of(s, i), (double)count(&s->tasks[i]));
    }
}

static uint64_t started(const struct task_tally *t)
{
    return t->started;
}

static uint64_t retried(const struct task_tally *t)
{
    return t->ended[TALLY_RETRIED];
}

static uint64_t requeued(const struct task_tally *t)
{
    return t->ended[TALLY_REQUEUED];
}

static uint64_t out_of_memory(const struct task_tally *t)
{
    return t->limits[TALLY_MEMORY];
}

static void add_ends(struct buffer *out, const struct sums *s)
{
    moil_metrics_family(out, "moil_jobs_total", METRIC_COUNTER,
                        "Jobs that ended in workers of this node, by task and how.");
    for (uint32_t i = 0; i < s->count; i++) {
        for (int end = 0; end < TALLY_FINAL && is_shown(s, i); end++) {
            add_sample_2(out, "moil_jobs_total", "task", name_of(s, i), "state", end_names[end]);
            add_value(out, (double)s->tasks[i].ended[end]);
        }
    }
}

static void add_timeouts(struct buffer *out, const struct sums *s)
{
    static const char *const limits[] = {[TALLY_SOFT_TIME] = "soft", [TALLY_HARD_TIME] = "hard"};
    moil_metrics_family(out, "moil_job_timeouts_total", METRIC_COUNTER,
                        "Runs that failed by a time limit.");
    for (uint32_t i = 0; i < s->count; i++) {
        for (int limit = TALLY_SOFT_TIME; limit <= TALLY_HARD_TIME && is_shown(s, i); limit++) {
            add_sample_2(out, "moil_job_timeouts_total", "task", name_of(s, i), "limit",
                         limits[limit]);
            add_value(out, (double)s->tasks[i].limits[limit]);
        }
    }
}

static void add_duration(struct buffer *out, struct slice task, const struct task_tally *t)
{
    uint64_t count = 0;
    char bound[32];
    for (int i = 0; i <= TALLY_BUCKETS; i++) {
        count += t->duration[i];
        if (i < TALLY_BUCKETS)
            snprintf(bound, sizeof bound, "%g", (double)moil_tally_bounds[i] / 1e6);
        add_sample_2(out, "moil_job_duration_seconds_bucket", "task", task, "le",
                     i < TALLY_BUCKETS ? bound : "+Inf");
        add_value(out, (double)count);
    }
    moil_metrics_sample(out, "moil_job_duration_seconds_sum", "task", task,
                        (double)t->duration_us / 1e6);
    moil_metrics_sample(out, "moil_job_duration_seconds_count", "task", task, (double)count);
}

static void add_tasks(struct buffer *out, const struct sums *s)
{
    moil_metrics_family(out, "moil_jobs_started_total", METRIC_COUNTER, "Runs that were started.");
    add_by_task(out, s, "moil_jobs_started_total", started);
    add_ends(out, s);
    moil_metrics_family(out, "moil_retries_total", METRIC_COUNTER,
                        "Runs after which the job is tried again.");
    add_by_task(out, s, "moil_retries_total", retried);
    moil_metrics_family(out, "moil_requeues_total", METRIC_COUNTER,
                        "Runs that ended early, their job given back as it was.");
    add_by_task(out, s, "moil_requeues_total", requeued);
    add_timeouts(out, s);
    moil_metrics_family(out, "moil_job_memory_exceeded_total", METRIC_COUNTER,
                        "Runs that failed by the memory limit.");
    add_by_task(out, s, "moil_job_memory_exceeded_total", out_of_memory);
    moil_metrics_family(out, "moil_job_duration_seconds", METRIC_HISTOGRAM,
                        "From the start of a run to its end, waiting included.");
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->tasks[i].started > 0)
            add_duration(out, name_of(s, i), &s->tasks[i]);
    }
}

static void add_all_tasks(struct agent *a, struct buffer *out)
{
    const struct tally *t = a->options.tally;
    uint32_t count = atomic_load(&t->names_used);
    struct task_tally *tasks = moil_mem_alloc(count * sizeof *tasks);
    out->failed = out->failed || !tasks;
    for (uint32_t i = 0; tasks && i < count; i++)
        moil_tally_sum(t, i, a->options.slots(a->options.data), &tasks[i]);
    if (tasks)
        add_tasks(out, &(struct sums){t, tasks, count});
    moil_mem_free(tasks);
}

/* --- workers ---------------------------------------------------------------------------------- */

/* Bytes in memory; 0: the process is gone. */
static double resident(int pid)
{
    char path[32], text[128] = "";
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    const char *space = fgets(text, sizeof text, f) ? strchr(text, ' ') : NULL;
    fclose(f);
    return space ? (double)strtoul(space, NULL, 10) * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double memory_of(struct page *p)
{
    return resident((int)atomic_load(&p->pid));
}

static double lua_of(struct page *p)
{
    return (double)atomic_load(&p->memory);
}

static double running_of(struct page *p)
{
    return atomic_load(&p->running);
}

static double reserved_of(struct page *p)
{
    return atomic_load(&p->reserved);
}

static const struct {
    const char *name, *help;
    double (*value)(struct page *p);
} worker_gauges[] = {
    {"moil_worker_memory_bytes", "Memory of the worker process that is resident.", memory_of},
    {"moil_worker_lua_bytes", "Memory that the worker's Lua state holds.", lua_of},
    {"moil_worker_jobs_running", "Jobs that the worker runs.", running_of},
    {"moil_worker_jobs_reserved", "Jobs that the worker holds and has not started.", reserved_of},
};

/* Calls fn for each worker that is ready; "1" is the one of slot 0, as in the log. */
static void each_worker(struct agent *a,
                        void (*fn)(struct buffer *out, struct slice worker, struct page *p,
                                   size_t gauge),
                        struct buffer *out, size_t gauge)
{
    char number[16];
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        if (!atomic_load(&p->ready))
            continue;
        snprintf(number, sizeof number, "%d", slot + 1);
        fn(out, slice_str(number), p, gauge);
    }
}

static void add_gauge(struct buffer *out, struct slice worker, struct page *p, size_t gauge)
{
    moil_metrics_sample(out, worker_gauges[gauge].name, "worker", worker,
                        worker_gauges[gauge].value(p));
}

static void add_health(struct buffer *out, struct slice worker, struct page *p, size_t gauge)
{
    (void)gauge;
    char why[MOIL_HEALTH_WHY];
    enum health health = moil_watchdog_judge(p, why, sizeof why);
    for (int level = HEALTH_OK; level <= HEALTH_STUCK; level++) {
        add_sample_2(out, "moil_worker_health", "worker", worker, "health",
                     moil_health_name((enum health)level));
        add_value(out, (enum health)level == health);
    }
}

static void add_worker_counts(struct agent *a, struct buffer *out)
{
    int serving = 0, idle = 0, starting = 0;
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        bool is_ready = atomic_load(&p->ready), serves = is_ready && atomic_load(&p->serving);
        serving += serves;
        idle += is_ready && !serves;
        starting += !is_ready && atomic_load(&p->pid) != 0;
    }
    moil_metrics_family(out, "moil_workers", METRIC_GAUGE,
                        "Worker processes: serving, quiet (or finishing), starting.");
    moil_metrics_sample(out, "moil_workers", "state", slice_str("serving"), serving);
    moil_metrics_sample(out, "moil_workers", "state", slice_str("quiet"), idle);
    moil_metrics_sample(out, "moil_workers", "state", slice_str("starting"), starting);
}

static void add_workers(struct agent *a, struct buffer *out)
{
    add_worker_counts(a, out);
    for (size_t i = 0; i < sizeof worker_gauges / sizeof *worker_gauges; i++) {
        moil_metrics_family(out, worker_gauges[i].name, METRIC_GAUGE, worker_gauges[i].help);
        each_worker(a, add_gauge, out, i);
    }
    moil_metrics_family(out, "moil_worker_health", METRIC_GAUGE,
                        "1 for how the worker does: ok, degraded or stuck.");
    each_worker(a, add_health, out, 0);
}

/* --- the node --------------------------------------------------------------------------------- */

static const struct {
    const char *name, *help, *label, *value; /* of one family: behind each other, help only once */
    enum tally_event event;
} event_rows[] = {
    {"moil_reloads_total", "Reloads, by how they ended.", "result", "ok", TALLY_RELOADED},
    {"moil_reloads_total", NULL, "result", "failed", TALLY_RELOAD_FAILED},
    {"moil_worker_crashes_total", "Worker processes that died.", NULL, NULL, TALLY_WORKER_CRASHED},
    {"moil_worker_kills_total",
     "Worker processes that the supervisor killed, as a job or its loading did not end.", NULL,
     NULL, TALLY_WORKER_KILLED},
    {"moil_worker_recycles_total", "Worker processes that were replaced in good order.", NULL, NULL,
     TALLY_WORKER_RECYCLED},
    {"moil_agent_crashes_total", "Agent processes that died, or were killed for their silence.",
     NULL, NULL, TALLY_AGENT_CRASHED},
    {"moil_beat_ticks_total", "Due times of schedule entries that this node acted on.", "outcome",
     "fired", TALLY_TICK_FIRED},
    {"moil_beat_ticks_total", NULL, "outcome", "skipped_late", TALLY_TICK_SKIPPED_LATE},
    {"moil_beat_ticks_total", NULL, "outcome", "skipped_overlap", TALLY_TICK_SKIPPED_OVERLAP},
};

static void add_events(const struct tally *t, struct buffer *out)
{
    for (size_t i = 0; i < sizeof event_rows / sizeof *event_rows; i++) {
        if (event_rows[i].help)
            moil_metrics_family(out, event_rows[i].name, METRIC_COUNTER, event_rows[i].help);
        moil_metrics_sample(out, event_rows[i].name, event_rows[i].label,
                            slice_str(event_rows[i].value),
                            (double)atomic_load(&t->events[event_rows[i].event]));
    }
}

static void add_reconnects(struct agent *a, struct buffer *out)
{
    static const char name[] = "moil_redis_reconnects_total";
    const struct tally *t = a->options.tally;
    char process[24];
    moil_metrics_family(out, name, METRIC_COUNTER,
                        "Connections to Redis that came back after they broke.");
    moil_metrics_sample(out, name, "process", slice_str("agent"),
                        (double)atomic_load(&t->events[TALLY_AGENT_RECONNECTED]));
    for (int slot = 0; slot < a->options.slots(a->options.data) && slot < TALLY_SHARDS; slot++) {
        snprintf(process, sizeof process, "worker %d", slot + 1);
        moil_metrics_sample(out, name, "process", slice_str(process),
                            (double)atomic_load(&t->shards[slot].reconnects));
    }
}

void moil_metrics_write(struct agent *a, bool redis_is_up, struct buffer *out)
{
    const struct tally *t = a->options.tally;
    moil_metrics_family(out, "moil_build_info", METRIC_GAUGE, "1; the label has the version.");
    moil_metrics_sample(out, "moil_build_info", "version", slice_str(a->options.version), 1);
    add_single(out, "moil_start_time_seconds", METRIC_GAUGE,
               "When the node was started, in seconds since the epoch.",
               (double)t->started_us / 1e6);
    add_single(out, "moil_redis_up", METRIC_GAUGE,
               "1 when the agent has a connection to Redis that answers.", redis_is_up);
    add_single(out, "moil_generation", METRIC_GAUGE, "Which generation of the code serves.",
               a->options.generation(a->options.data));
    add_single(out, "moil_agent_memory_bytes", METRIC_GAUGE,
               "Memory of the agent process that is resident.", resident((int)getpid()));
    add_reconnects(a, out);
    add_events(t, out);
    add_workers(a, out);
    add_all_tasks(a, out);
}
