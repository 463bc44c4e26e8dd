/* What the supervisor does, by phase and event. See phase.h. */
#include "super/phase.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/crash_point.h"
#include "base/log.h"

enum { AGENT_MS = 5000 }; /* for the agent's good-bye */

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

static int serving_number(struct super *s)
{
    const struct generation *g = moil_generation_in(&s->generations, GENERATION_SERVING);
    return g ? g->number : 0;
}

/* The warm shutdown's, as the serving generation has it. */
static int timeout_ms(struct super *s)
{
    const struct generation *g = moil_generation_in(&s->generations, GENERATION_SERVING);
    return g ? g->plan.shutdown_timeout_ms : s->options->plan.shutdown_timeout_ms;
}

/* --- starting --------------------------------------------------------------------------------- */

static void start_check(struct super *s)
{
    MOIL_CRASH_POINT("super.checking");
    if (!moil_generation_check(s))
        moil_phase_fail(s, STATUS_FAILED);
}

static void announce(struct super *s)
{
    MOIL_CRASH_POINT("super.ready");
    int n = moil_generation_count(s, serving_number(s));
    char workers[32] = "the schedule alone";
    if (!s->options->alone)
        snprintf(workers, sizeof workers, "%d worker%s", n, plural(n));
    const char *more = s->options->ready_line;
    log_info("ready: %s%s%s", workers, more ? ", " : "", more ? more : "");
}

/* --- running ---------------------------------------------------------------------------------- */

static void set_quiet(struct super *s, bool is_quiet)
{
    bool is_news = s->quiet != is_quiet;
    s->quiet = is_quiet;
    atomic_store(&s->pulse.pulse->quiet, is_quiet);
    if (is_news)
        moil_children_say(&s->children, "report\n");
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++)
        moil_child_set_quiet(&s->children.all[i], is_quiet);
}

static void quiet(struct super *s)
{
    log_info("quiet: taking no new jobs until SIGCONT");
    set_quiet(s, true);
}

static void resume(struct super *s)
{
    if (s->quiet)
        log_info("taking new jobs again");
    set_quiet(s, false);
}

static void add_worker(struct super *s)
{
    if (s->options->alone)
        log_warning("this node runs the schedule alone: it has no workers");
    else if (moil_generation_add_worker(s, moil_generation_in(&s->generations, GENERATION_SERVING)))
        log_info("one worker more: %d", moil_generation_count(s, serving_number(s)));
    else
        log_warning("no more than %d workers are possible", SUPER_WORKERS_MAX);
}

static void remove_worker(struct super *s)
{
    int number = serving_number(s);
    if (s->options->alone) {
        log_warning("this node runs the schedule alone: it has no workers");
        return;
    }
    if (moil_generation_count(s, number) <= 1) {
        log_warning("the last worker stays: stop the node with SIGTERM");
        return;
    }
    struct child *child = &s->children.all[moil_children_count(&s->children) - 1];
    while (child->state == CHILD_NONE || child->state == CHILD_STOPPING ||
           child->generation != number)
        child--;
    moil_child_stop(child, SIGTERM, s->now_ms + timeout_ms(s));
    log_info("one worker less: %d", moil_generation_count(s, number));
}

/* --- stopping --------------------------------------------------------------------------------- */

static void stop_workers(struct super *s, int sig, int64_t timeout_ms)
{
    struct child *check = &s->children.all[CHILD_CHECK];
    moil_orders_end(s);
    moil_child_kill(check); /* it holds nothing */
    moil_child_stop(check, SIGTERM, 0);
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++)
        moil_child_stop(&s->children.all[i], sig, s->now_ms + timeout_ms);
    MOIL_CRASH_POINT("super.workers_told");
}

static void stop_warm(struct super *s)
{
    MOIL_CRASH_POINT("super.warm");
    int n = 0;
    for (int i = CHILD_WORKERS; i < moil_children_count(&s->children); i++)
        n += s->children.all[i].state != CHILD_NONE;
    if (n > 0)
        log_info("warm shutdown: %d worker%s may take %.3g s for what runs", n, plural(n),
                 timeout_ms(s) / 1000.0);
    stop_workers(s, SIGTERM, timeout_ms(s));
}

static void stop_cold(struct super *s)
{
    MOIL_CRASH_POINT("super.cold");
    log_info("cold shutdown: jobs go back to their queues");
    stop_workers(s, SIGQUIT, CHILD_COLD_MS);
}

/* One that died is started once more: it gives back what dead workers held, and takes the node off.
 * It is told to stop when it is ready (moil_phase_ready). */
static void stop_agent(struct super *s)
{
    MOIL_CRASH_POINT("super.workers_gone");
    struct child *agent = &s->children.all[CHILD_AGENT];
    bool has_died = agent->backoff.delay_ms > 0;
    if (agent->state == CHILD_DOWN)
        moil_generation_start_child(s, agent);
    if (agent->state == CHILD_STARTING && has_died)
        agent->due_ms = s->now_ms + AGENT_MS;
    else
        moil_child_stop(agent, SIGTERM, s->now_ms + AGENT_MS);
}

void moil_phase_ready(struct super *s, struct child *child)
{
    if (s->phase == PHASE_AGENT && child->role == ROLE_AGENT)
        moil_child_stop(child, SIGTERM, s->now_ms + AGENT_MS);
    if (s->phase == PHASE_RUNNING && child->role == ROLE_WORKER)
        moil_children_say(&s->children, "report\n"); /* it has one worker more */
}

static void stop_server(struct super *s)
{
    MOIL_CRASH_POINT("super.agent_gone");
    if (s->options->embedded_dir)
        moil_embedded_stop(&s->embedded, s->now_ms);
}

static void finish(struct super *s)
{
    (void)s;
    MOIL_CRASH_POINT("super.done");
    log_info("stopped");
}

/* --- the table -------------------------------------------------------------------------------- */

struct move {
    enum phase phase;
    enum event event;
    enum phase next;
    void (*act)(struct super *s);
};

static const struct move moves[] = {
    {PHASE_SERVER, EVENT_SERVER_UP, PHASE_CHECK, start_check},
    {PHASE_SERVER, EVENT_FATAL, PHASE_WARM, stop_warm},
    {PHASE_SERVER, EVENT_STOP, PHASE_WARM, stop_warm},
    {PHASE_SERVER, EVENT_STOP_NOW, PHASE_COLD, stop_cold},
    {PHASE_CHECK, EVENT_CHECKED, PHASE_STARTING, moil_generation_start},
    {PHASE_CHECK, EVENT_RELOAD, PHASE_CHECK, moil_generation_want},
    {PHASE_CHECK, EVENT_FATAL, PHASE_WARM, stop_warm},
    {PHASE_CHECK, EVENT_STOP, PHASE_WARM, stop_warm},
    {PHASE_CHECK, EVENT_STOP_NOW, PHASE_COLD, stop_cold},
    {PHASE_STARTING, EVENT_READY, PHASE_RUNNING, announce},
    {PHASE_STARTING, EVENT_FATAL, PHASE_WARM, stop_warm},
    {PHASE_STARTING, EVENT_STOP, PHASE_WARM, stop_warm},
    {PHASE_STARTING, EVENT_STOP_NOW, PHASE_COLD, stop_cold},
    {PHASE_STARTING, EVENT_RELOAD, PHASE_STARTING, moil_generation_want},
    {PHASE_STARTING, EVENT_QUIET, PHASE_STARTING, quiet},
    {PHASE_STARTING, EVENT_RESUME, PHASE_STARTING, resume},
    {PHASE_STARTING, EVENT_MORE, PHASE_STARTING, add_worker},
    {PHASE_STARTING, EVENT_LESS, PHASE_STARTING, remove_worker},
    {PHASE_STARTING, EVENT_WORKERS_GONE, PHASE_AGENT, stop_agent},
    {PHASE_RUNNING, EVENT_FATAL, PHASE_WARM, stop_warm},
    {PHASE_RUNNING, EVENT_STOP, PHASE_WARM, stop_warm},
    {PHASE_RUNNING, EVENT_STOP_NOW, PHASE_COLD, stop_cold},
    {PHASE_RUNNING, EVENT_RELOAD, PHASE_RUNNING, moil_generation_want},
    {PHASE_RUNNING, EVENT_CHECKED, PHASE_RUNNING, moil_generation_start},
    {PHASE_RUNNING, EVENT_QUIET, PHASE_RUNNING, quiet},
    {PHASE_RUNNING, EVENT_RESUME, PHASE_RUNNING, resume},
    {PHASE_RUNNING, EVENT_MORE, PHASE_RUNNING, add_worker},
    {PHASE_RUNNING, EVENT_LESS, PHASE_RUNNING, remove_worker},
    {PHASE_RUNNING, EVENT_WORKERS_GONE, PHASE_AGENT, stop_agent},
    {PHASE_WARM, EVENT_STOP, PHASE_COLD, stop_cold},
    {PHASE_WARM, EVENT_STOP_NOW, PHASE_COLD, stop_cold},
    {PHASE_WARM, EVENT_WORKERS_GONE, PHASE_AGENT, stop_agent},
    {PHASE_COLD, EVENT_WORKERS_GONE, PHASE_AGENT, stop_agent},
    {PHASE_AGENT, EVENT_AGENT_GONE, PHASE_SERVER_STOP, stop_server},
    {PHASE_SERVER_STOP, EVENT_SERVER_GONE, PHASE_DONE, finish},
};

bool moil_phase_takes(const struct super *s, enum event event)
{
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        if (moves[i].phase == s->phase && moves[i].event == event)
            return true;
    }
    return false;
}

void moil_phase_event(struct super *s, enum event event)
{
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        if (moves[i].phase != s->phase || moves[i].event != event)
            continue;
        s->phase = moves[i].next;
        moves[i].act(s);
        return;
    }
}

void moil_phase_fail(struct super *s, int status)
{
    if (s->status == 0)
        s->status = status;
    moil_phase_event(s, EVENT_FATAL);
}

/* --- conclusions ------------------------------------------------------------------------------ */

static bool everyone_is_ready(const struct super *s)
{
    for (int i = CHILD_AGENT; i < moil_children_count(&s->children); i++) {
        enum child_state state = s->children.all[i].state;
        if (state == CHILD_STARTING || state == CHILD_DOWN)
            return false;
    }
    return true;
}

/* No worker and no check child is there, and none will be. */
static bool workers_are_gone(const struct super *s)
{
    for (int i = 0; i < moil_children_count(&s->children); i++) {
        if (i != CHILD_AGENT && s->children.all[i].state != CHILD_NONE)
            return false;
    }
    return true;
}

static enum event conclude(const struct super *s)
{
    switch (s->phase) {
    case PHASE_SERVER:
        return !s->options->embedded_dir || s->embedded.state == EMBEDDED_UP ? EVENT_SERVER_UP
                                                                             : EVENT_NONE;
    case PHASE_STARTING:
        if (s->options->burst && workers_are_gone(s))
            return EVENT_WORKERS_GONE;
        return everyone_is_ready(s) ? EVENT_READY : EVENT_NONE;
    case PHASE_RUNNING:
        return s->options->burst && workers_are_gone(s) ? EVENT_WORKERS_GONE : EVENT_NONE;
    case PHASE_WARM:
    case PHASE_COLD:
        return workers_are_gone(s) ? EVENT_WORKERS_GONE : EVENT_NONE;
    case PHASE_AGENT:
        return s->children.all[CHILD_AGENT].state == CHILD_NONE ? EVENT_AGENT_GONE : EVENT_NONE;
    case PHASE_SERVER_STOP:
        return s->embedded.state == EMBEDDED_OFF ? EVENT_SERVER_GONE : EVENT_NONE;
    case PHASE_CHECK:
    case PHASE_DONE:
    case PHASES:
        break;
    }
    return EVENT_NONE;
}

void moil_phase_settle(struct super *s)
{
    enum event event;
    while ((event = conclude(s)) != EVENT_NONE)
        moil_phase_event(s, event);
    if (s->phase == PHASE_RUNNING)
        moil_generation_settle(s);
}

bool moil_phase_wants(const struct super *s, enum role role)
{
    bool serving = s->phase == PHASE_STARTING || s->phase == PHASE_RUNNING;
    switch (role) {
    case ROLE_WORKER:
        return serving;
    case ROLE_AGENT: /* the node's lease must not run out while its workers finish */
        return serving || s->phase == PHASE_WARM || s->phase == PHASE_COLD;
    case ROLE_CHECK:
        break;
    }
    return false;
}

const char *moil_phase_name(enum phase phase)
{
    static const char *const names[PHASES] = {
        [PHASE_SERVER] = "starting redis-server",
        [PHASE_CHECK] = "checking",
        [PHASE_STARTING] = "starting",
        [PHASE_RUNNING] = "running",
        [PHASE_WARM] = "warm shutdown",
        [PHASE_COLD] = "cold shutdown",
        [PHASE_AGENT] = "stopping the agent",
        [PHASE_SERVER_STOP] = "stopping redis-server",
        [PHASE_DONE] = "done",
    };
    return names[phase];
}
