/* worker_role.c: a worker process: a worker on the default loop, steered by signals (roles.h). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/roles.h"
#include "api/settings.h"
#include "base/error.h"
#include "base/log.h"
#include "worker/worker.h"

enum { MB = 1024 * 1024 };

struct process {
    struct worker worker;
    struct child_context *context;
    struct role_signals signals;
};

static void on_ready(void *data)
{
    struct process *p = data;
    moil_role_ready(p->context);
}

static void on_done(void *data)
{
    const struct process *p = data;
    ev_break(p->worker.loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    struct process *p = watcher->data;
    struct buffer text;
    switch (watcher->signum) {
    case SIGTERM:
        moil_worker_drain(&p->worker, false);
        break;
    case SIGQUIT:
        moil_worker_drain(&p->worker, true);
        break;
    case SIGTSTP:
        moil_worker_set_quiet(&p->worker, true);
        break;
    case SIGCONT:
        moil_worker_set_quiet(&p->worker, false);
        break;
    default: /* SIGUSR1 */
        moil_buffer_init(&text);
        moil_log_reopen();
        moil_worker_describe(&p->worker, &text);
        log_info("%s", moil_buffer_cstr(&text));
        moil_buffer_fini(&text);
        break;
    }
}

/* Its generation's snapshot, mapped as long as the process lives, and the options in it. NULL, with
 * the reason logged, when it cannot be read. */
static struct snapshot *open_snapshot(struct runtime *r, const struct child_context *context)
{
    errno = 0;
    struct snapshot *s = moil_snapshot_map(context->snapshot_fd);
    int err = errno;
    close(context->snapshot_fd);
    if (!s || !moil_settings_unpack(s, &r->options)) {
        log_error("the snapshot of the tasks cannot be read: %s",
                  err ? strerror(err) : "it is damaged");
        moil_snapshot_free(s);
        return NULL;
    }
    enum log_level level;
    if (r->options.log_level && moil_log_level_parse(r->options.log_level, &level) == 0)
        moil_log_set_level(level);
    return s;
}

int moil_worker_role(struct child_context *context)
{
    struct runtime *r = context->data;
    const moil_runtime_options *o = &r->options;
    static struct process p; /* too large for comfort on the stack */
    struct url url;
    char name[32];
    snprintf(name, sizeof name, "moil worker %d", context->slot + 1);
    int err = moil_role_begin(r, name, &url);
    if (err)
        return err;
    struct snapshot *snapshot = open_snapshot(r, context);
    if (!snapshot)
        return 1;
    p.context = context;
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct worker_options options = {
        .url = &url,
        .ns = o->ns,
        .snapshot = snapshot,
        .queues = o->queues,
        .node = r->node_id,
        .lua_dir = o->lua_dir,
        .config_json = slice_str(o->config_json),
        .concurrency = o->concurrency,
        .time_limit_s = o->time_limit,
        .soft_time_limit_s = o->soft_time_limit,
        .memory_limit = (size_t)(o->memory_limit * MB),
        .max_memory = (size_t)(o->max_memory * MB),
        .max_tasks = o->max_tasks,
        .result_ttl_s = o->result_ttl,
        .max_payload = o->max_payload,
        .tasks = (struct moil_tasks *)o->tasks,
        .burst = o->burst != 0,
        .quiet = context->quiet,
        .page = context->page,
        .tally = r->tally,
        .slot = context->slot,
        .on_ready = on_ready,
        .on_done = on_done,
        .data = &p,
    };
    if (!loop) {
        log_error("cannot make an event loop");
        return MOIL_EXIT_NO_MEMORY;
    }
    err = moil_worker_init(&p.worker, loop, &options);
    if (err) {
        log_error("%s", p.worker.errstr[0] ? p.worker.errstr : moil_strerror(err));
        return err == MOIL_ENOMEM ? MOIL_EXIT_NO_MEMORY : MOIL_EXIT_USAGE;
    }
    static const int numbers[] = {SIGTERM, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR1, 0};
    moil_role_watch(loop, &p.signals, numbers, on_signal, &p);
    moil_worker_start(&p.worker);
    ev_run(loop, 0);
    moil_worker_fini(&p.worker);
    moil_snapshot_free(snapshot);
    return 0;
}
