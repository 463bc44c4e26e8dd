/* agent_role.c: the agent process: the agent on the default loop, steered by signals (roles.h). */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "base/clock.h"
#include "base/json_dump.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/agent.h"
#include "worker/endpoint.h"
#include "worker/tally.h"

struct process {
    struct agent agent;
    struct child_context *context;
    const struct runtime *runtime;
    struct role_signals signals;
    double started_at;
    int generation;       /* which one `report` tells of; 0: none yet */
    struct buffer result; /* of its check child */
    struct buffer report;
};

static struct page *page_at(void *data, int slot)
{
    const struct process *p = data;
    return moil_context_page(p->context, slot);
}

static int slots(void *data)
{
    const struct process *p = data;
    return moil_context_slots(p->context);
}

static void on_ready(void *data)
{
    struct process *p = data;
    moil_role_ready(p->context);
}

static void on_gone(void *data)
{
    const struct process *p = data;
    ev_break(p->agent.loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    struct process *p = watcher->data;
    if (watcher->signum == SIGUSR1)
        moil_log_reopen();
    else
        moil_agent_stop(&p->agent);
}

/* The beat file's entries, and the routes for entries that were added and name no queue. */
static void tell_scheduler(struct process *p, const json_t *check)
{
    json_t *beat = json_object_get(check, "beat"), *config = json_object_get(check, "config");
    char *entries = beat ? moil_json_dump(beat, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char *routes = json_object_get(config, "routes") ? moil_json_dump(config, JSON_COMPACT) : NULL;
    moil_scheduler_set_file(&p->agent, slice_str(entries ? entries : ""),
                            slice_str(routes ? routes : ""));
    moil_mem_free(entries);
    moil_mem_free(routes);
}

/* The members of the node's report that only a reload changes: who and where it is, what it serves.
 */
static void write_report(struct process *p)
{
    const moil_runtime_options *o = &p->runtime->options;
    char host[128] = "";
    gethostname(host, sizeof host - 1);
    json_t *check = json_loadb(p->result.data, p->result.len, JSON_ALLOW_NUL, NULL), *task,
           *names = json_array();
    size_t i;
    json_array_foreach(json_object_get(check, "tasks"), i, task)
        json_array_append(names, json_object_get(task, "name"));
    tell_scheduler(p, check);
    json_t *report = json_pack("{s:s, s:i, s:s, s:f, s:f, s:i, s:O?, s:O?, s:o}", "host", host,
                               "pid", (int)getppid(), "version", MOIL_VERSION, "started_at",
                               p->started_at, "lease", o->lease, "generation", p->generation,
                               "concurrency", json_object_get(check, "concurrency"), "queues",
                               json_object_get(check, "queues"), "tasks", names);
    char *text = moil_json_dump(report, JSON_COMPACT);
    moil_buffer_clear(&p->report);
    if (text && strlen(text) > 2)
        moil_buffer_add(&p->report, text + 1, strlen(text) - 2);
    moil_mem_free(text);
    json_decref(report);
    json_decref(check);
}

static struct slice report(void *data)
{
    struct process *p = data;
    if (moil_context_report(p->context, &p->result, &p->generation))
        write_report(p);
    return moil_buffer_slice(&p->report);
}

/* In one write, and all or nothing: it is less than PIPE_BUF. */
static bool order(void *data, const char *line)
{
    const struct process *p = data;
    size_t n = strlen(line);
    return write(p->context->order_fd, line, n) == (ssize_t)n;
}

static bool is_quiet(void *data)
{
    const struct process *p = data;
    return atomic_load(&p->context->pulse->quiet) != 0;
}

static int generation(void *data)
{
    struct process *p = data;
    report(p);
    return p->generation;
}

/* False, with the reason logged, where the node should not start for it. Later on an agent without
 * it is better than none. */
static bool serve_http(struct process *p)
{
    char errstr[512];
    if (moil_endpoint_open(&p->agent, errstr, sizeof errstr) == 0)
        return true;
    log_error("%s", errstr);
    return atomic_load(&p->runtime->tally->served) != 0;
}

int moil_agent_role(struct child_context *context)
{
    const struct runtime *r = context->data;
    static struct process p;
    struct url url;
    int err = moil_role_begin(r, "moil agent", &url);
    if (err)
        return err;
    p.context = context;
    p.runtime = r;
    p.started_at = (double)moil_clock_wall_us() / 1e6;
    moil_buffer_init(&p.result);
    moil_buffer_init(&p.report);
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct agent_options options = {
        .url = &url,
        .ns = r->options.ns,
        .node = r->node_id,
        .lease_s = r->options.lease,
        .report = report,
        .page_at = page_at,
        .slots = slots,
        .pulse = context->pulse,
        .word_fd = context->word_fd,
        .order = order,
        .is_quiet = is_quiet,
        .alone = r->options.beat_only != 0,
        .tally = r->tally,
        .http_fd = r->http_fd,
        .generation = generation,
        .version = MOIL_VERSION,
        .on_ready = on_ready,
        .on_gone = on_gone,
        .data = &p,
    };
    if (!loop || moil_agent_init(&p.agent, loop, &options) != 0) {
        log_error("the agent cannot start: out of memory");
        return 1;
    }
    if (!serve_http(&p))
        return MOIL_EXIT_USAGE;
    static const int numbers[] = {SIGTERM, SIGUSR1, 0};
    moil_role_watch(loop, &p.signals, numbers, on_signal, &p);
    moil_agent_start(&p.agent);
    ev_run(loop, 0);
    moil_agent_fini(&p.agent);
    moil_buffer_fini(&p.result);
    moil_buffer_fini(&p.report);
    return 0;
}
