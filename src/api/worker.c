/* worker.c: a worker on the host's own loop (moil.h, "worker"): its generations, each a worker of
 * worker/worker.h with the code that it was loaded with, and an agent beside them.
 *
 * The worker's and the agent's callbacks come from the depth of their connections. What follows
 * from one, as freeing a generation or telling the host, who may close everything, is done in a
 * turn of the loop of its own (turn_cb). Which options mean what, and how long they live, is
 * worker_options.c's. Must not know signals, or end the loop. */
#include "api/worker.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"

static const double COLD_S = 5; /* a cold stop waits for Redis */

static void later(moil_worker *h)
{
    ev_feed_event(h->loop, &h->turn, EV_CUSTOM);
}

/* --- generations ------------------------------------------------------------------------------ */

static void generation_ready(void *data)
{
    struct generation *g = data;
    g->ready = true;
    later(g->host);
}

static void generation_done(void *data)
{
    struct generation *g = data;
    g->done = true;
    later(g->host);
}

static void generation_free(struct generation *g)
{
    moil_worker *h = g->host;
    struct page *page = &h->pages[g->slot];
    moil_worker_fini(&g->worker);
    h->generations[g->slot] = NULL;
    if (h->newest == g)
        h->newest = NULL;
    memset(page, 0, offsetof(struct page, claims));
    moil_mem_free(g);
}

static int free_slot(const moil_worker *h)
{
    for (int i = 0; i < GENERATIONS_MAX; i++)
        if (!h->generations[i])
            return i;
    return -1;
}

/* Loads the code that is there now; it serves once it is started. */
static int generation_new(moil_worker *h, struct generation **out, char *errstr, size_t errlen)
{
    int slot = free_slot(h);
    if (slot < 0) {
        snprintf(errstr, errlen,
                 "%d older generations of tasks still end what they run: reload again when one is "
                 "through",
                 GENERATIONS_MAX - 1);
        return MOIL_ESTATE;
    }
    struct generation *g = moil_mem_zalloc(1, sizeof *g);
    if (!g) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    g->host = h;
    g->slot = slot;
    h->generations[slot] = g;
    struct worker_options options;
    moil_host_worker_options(h, &options);
    options.page = &h->pages[slot];
    options.on_ready = generation_ready;
    options.on_done = generation_done;
    options.data = g;
    atomic_store(&options.page->generation, h->loaded + 1);
    int err = moil_worker_init(&g->worker, h->loop, &options);
    if (err) {
        const char *why = g->worker.errstr;
        snprintf(errstr, errlen, "%s", why[0] ? why : moil_strerror(err));
        generation_free(g);
        return err;
    }
    h->loaded++;
    *out = g;
    return 0;
}

/* All but the newest end what they run. One that never got to serve goes at once. */
static void drain_old(moil_worker *h, bool unready_only)
{
    for (int i = 0; i < GENERATIONS_MAX; i++) {
        struct generation *g = h->generations[i];
        if (g && g != h->newest && !g->done && !(unready_only && g->ready))
            moil_worker_drain(&g->worker, false);
    }
}

/* True while one is left. */
static bool reap(moil_worker *h)
{
    bool any = false;
    for (int i = 0; i < GENERATIONS_MAX; i++) {
        if (h->generations[i] && h->generations[i]->done)
            generation_free(h->generations[i]);
        any = any || h->generations[i];
    }
    return any;
}

static void free_generations(moil_worker *h)
{
    for (int i = 0; i < GENERATIONS_MAX; i++)
        if (h->generations[i])
            generation_free(h->generations[i]);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void end_agent(moil_worker *h)
{
    if (h->has_agent)
        moil_agent_fini(&h->agent);
    h->has_agent = false;
}

static void agent_gone(void *data)
{
    moil_worker *h = data;
    h->agent_is_gone = true;
    later(h);
}

/* Redis does not answer: what it was to be told, it learns by the lease. */
static void patience_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    moil_worker *h = timer->data;
    log_warning("node %s: stopped without Redis's answer: what it ran comes back when its lease is "
                "over",
                h->node);
    free_generations(h);
    h->agent_leaves = h->agent_is_gone = true;
    end_agent(h);
    later(h);
}

/* A function of one of its tasks in C has not returned. */
static bool is_in_task(const moil_worker *h)
{
    for (int i = 0; i < GENERATIONS_MAX; i++)
        if (h->generations[i] && h->generations[i]->worker.in_native > 0)
            return true;
    return false;
}

/* The host may close the worker from its callbacks: they come last. */
static void turn_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    moil_worker *h = timer->data;
    if (h->closes) {
        h->closes = false;
        moil_worker_close(h);
        return;
    }
    bool any = reap(h);
    if (h->newest && h->newest->ready)
        drain_old(h, false);
    if (h->stopping && !any && !h->agent_leaves) {
        h->agent_leaves = true;
        moil_agent_stop(&h->agent);
    }
    if (h->stopping && h->agent_is_gone && !h->told_stopped) {
        h->told_stopped = true;
        ev_timer_stop(h->loop, &h->patience);
        if (h->on_stopped)
            h->on_stopped(h->stopped_data);
    } else if (!h->stopping && h->newest && h->newest->ready && !h->told_ready) {
        h->told_ready = true;
        if (h->options.on_ready)
            h->options.on_ready(h->options.data);
    }
}

/* --- the agent -------------------------------------------------------------------------------- */

static struct slice report(void *data)
{
    moil_worker *h = data;
    if (h->reported != h->loaded && h->newest) {
        moil_host_write_report(h);
        h->reported = h->loaded;
    }
    return moil_buffer_slice(&h->report);
}

static struct page *page_at(void *data, int slot)
{
    const moil_worker *h = data;
    return &h->pages[slot];
}

static int slots(void *data)
{
    (void)data;
    return GENERATIONS_MAX;
}

static bool is_quiet(void *data)
{
    const moil_worker *h = data;
    return h->quiet;
}

/* What people ask of it by `moil control`: to be quiet; how it reloads and grows is the host's. */
static bool order(void *data, const char *line)
{
    moil_worker *h = data;
    char request[MOIL_ID_LEN + 1], name[16];
    if (sscanf(line, "%36s %15s", request, name) != 2)
        return false;
    bool quiet = strcmp(name, "quiet") == 0;
    if (quiet || strcmp(name, "resume") == 0) {
        moil_worker_quiet(h, quiet);
        moil_control_answer(&h->agent, request, true,
                            quiet ? "takes no new jobs" : "takes new jobs");
    } else {
        moil_control_answer(&h->agent, request, false,
                            "this node is a part of another program, which has it do so itself");
    }
    return true;
}

static int agent_init(moil_worker *h)
{
    struct agent_options options = {
        .url = &h->url,
        .ns = h->options.ns,
        .node = h->node_id,
        .lease_s = h->options.lease,
        .report = report,
        .page_at = page_at,
        .slots = slots,
        .is_quiet = is_quiet,
        .word_fd = -1,
        .order = order,
        .heartbeat_only = h->options.agentless != 0,
        .on_gone = agent_gone,
        .data = h,
    };
    return moil_agent_init(&h->agent, h->loop, &options);
}

/* --- the public functions --------------------------------------------------------------------- */

static int open_worker(moil_worker *h, const moil_worker_options *options, char *errstr,
                       size_t errlen)
{
    struct generation *g;
    moil_buffer_init(&h->report);
    ev_timer_init(&h->turn, turn_cb, 0, 0);
    ev_timer_init(&h->patience, patience_cb, COLD_S, 0);
    h->turn.data = h->patience.data = h;
    int err = moil_host_take_options(h, options, errstr, errlen);
    if (err)
        return err;
    h->pages = moil_mem_zalloc(GENERATIONS_MAX, sizeof *h->pages);
    if (!h->pages) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    err = generation_new(h, &g, errstr, errlen);
    if (err)
        return err;
    h->newest = g;
    err = agent_init(h);
    h->has_agent = true;
    if (err)
        snprintf(errstr, errlen, "%s", moil_strerror(err));
    else /* routes of entries of run time */
        moil_scheduler_set_file(&h->agent, slice_str(""), slice_str(h->options.config_json));
    return err;
}

int moil_worker_open(moil_worker **out, struct ev_loop *loop, const moil_worker_options *options,
                     char *errstr, size_t errlen)
{
    char none[512];
    if (!errstr || !errlen) {
        errstr = none;
        errlen = sizeof none;
    }
    if (!loop || !options) {
        snprintf(errstr, errlen, "a loop and options are needed");
        return MOIL_STATUS_INVALID;
    }
    moil_worker *h = moil_mem_zalloc(1, sizeof *h);
    if (!h) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_STATUS_NOMEM;
    }
    h->loop = loop;
    int err = open_worker(h, options, errstr, errlen);
    if (err) {
        moil_worker_close(h);
        return err;
    }
    moil_worker_start(&h->newest->worker);
    moil_agent_start(&h->agent);
    *out = h;
    return 0;
}

int moil_worker_reload(moil_worker *h, char *errstr, size_t errlen)
{
    char none[512];
    struct generation *g;
    if (!errstr || !errlen) {
        errstr = none;
        errlen = sizeof none;
    }
    if (h->stopping) {
        snprintf(errstr, errlen, "the worker stops: it cannot reload");
        return MOIL_STATUS_STATE;
    }
    reap(h); /* what was never ready has gone at once */
    int err = generation_new(h, &g, errstr, errlen);
    if (err)
        return err;
    h->newest = g;
    moil_worker_start(&g->worker);
    drain_old(h, true);
    return 0;
}

void moil_worker_quiet(moil_worker *h, int quiet)
{
    h->quiet = quiet != 0;
    for (int i = 0; i < GENERATIONS_MAX; i++)
        if (h->generations[i])
            moil_worker_set_quiet(&h->generations[i]->worker, h->quiet);
    moil_heartbeat_renew(&h->agent);
}

void moil_worker_stop(moil_worker *h, int cold, void (*on_stopped)(void *data), void *data)
{
    h->stopping = true;
    h->told_stopped = false;
    h->on_stopped = on_stopped;
    h->stopped_data = data;
    for (int i = 0; i < GENERATIONS_MAX; i++)
        if (h->generations[i] && !h->generations[i]->done)
            moil_worker_drain(&h->generations[i]->worker, cold != 0);
    ev_now_update(h->loop);
    if (cold && !h->agent_is_gone)
        ev_timer_start(h->loop, &h->patience);
    later(h);
}

void moil_worker_close(moil_worker *h)
{
    if (!h || h->closes)
        return;
    h->closes = true; /* a moil_cancelled_fn may ask for it again */
    if (is_in_task(h)) {
        later(h);
        return;
    }
    free_generations(h);
    end_agent(h);
    ev_clear_pending(h->loop, &h->turn);
    ev_timer_stop(h->loop, &h->patience);
    moil_buffer_fini(&h->report);
    moil_mem_free(h->pages);
    moil_host_free_options(h);
    moil_mem_free(h);
}
