/* agent_role.c: the agent process: the agent on the default loop, steered by signals (roles.h). */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/agent.h"

struct process {
    struct agent agent;
    struct child_context *context;
    struct role_signals signals;
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

/* The members of the node's report that do not change: who and where it is, what it serves. */
static void add_report(const struct runtime *r, const struct child_context *context,
                       struct buffer *out)
{
    char host[128] = "";
    gethostname(host, sizeof host - 1);
    json_t *check = json_loadb(context->check_result, context->check_len, 0, NULL), *task,
           *names = json_array();
    size_t i;
    json_array_foreach(json_object_get(check, "tasks"), i, task)
        json_array_append(names, json_object_get(task, "name"));
    json_t *queues = json_object_get(check, "queues");
    json_t *report = json_pack(
        "{s:s, s:i, s:s, s:f, s:f, s:i, s:O?, s:o}", "host", host, "pid", (int)getppid(), "version",
        MOIL_VERSION, "started_at", (double)moil_clock_wall_us() / 1e6, "lease", r->options.lease,
        "concurrency", r->options.concurrency, "queues", queues, "tasks", names);
    char *text = json_dumps(report, JSON_COMPACT);
    if (text && strlen(text) > 2)
        moil_buffer_add(out, text + 1, strlen(text) - 2);
    free(text);
    json_decref(report);
    json_decref(check);
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
    struct buffer report;
    moil_buffer_init(&report);
    add_report(r, context, &report);
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct agent_options options = {
        .url = &url,
        .ns = r->options.ns,
        .node = r->node_id,
        .lease_s = r->options.lease,
        .report = moil_buffer_slice(&report),
        .page_at = page_at,
        .slots = slots,
        .pulse = context->pulse,
        .word_fd = context->word_fd,
        .on_ready = on_ready,
        .data = &p,
    };
    if (!loop || moil_agent_init(&p.agent, loop, &options) != 0) {
        log_error("the agent cannot start: out of memory");
        return 1;
    }
    static const int numbers[] = {SIGTERM, SIGUSR1, 0};
    moil_role_watch(loop, &p.signals, numbers, on_signal, &p);
    moil_agent_start(&p.agent);
    ev_run(loop, 0);
    moil_agent_fini(&p.agent);
    moil_buffer_fini(&report);
    return 0;
}
