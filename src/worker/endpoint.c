/* endpoint.c: see endpoint.h. */
#include "worker/endpoint.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "http/server.h"
#include "worker/agent.h"
#include "worker/metrics.h"
#include "worker/stock.h"
#include "worker/tally.h"

struct endpoint {
    struct agent *agent;
    struct http_server *server;
    struct stock stock;
};

enum { STATUS_OK = 200, STATUS_NOT_FOUND = 404, STATUS_UNAVAILABLE = 503 };

/* --- /healthz --------------------------------------------------------------------------------- */

/* What a worker waits for says how it does only when Redis has been there for long enough. */
static bool redis_was_there(const struct agent *a)
{
    return a->up_since_us &&
           moil_clock_monotonic_us() - a->up_since_us >= MOIL_HEALTH_STUCK_S * INT64_C(1000000);
}

static enum health judge(const struct agent *a, const struct page *p, char *why, size_t size)
{
    struct health_facts facts = moil_watchdog_facts(p);
    if (!redis_was_there(a))
        facts.unlinked_us = facts.hungry_us = facts.unsettled_us = 0;
    return moil_health_judge(&facts, moil_clock_monotonic_us(), why, size);
}

static void answer_health(struct agent *a, struct http_answer *answer)
{
    char why[MOIL_HEALTH_WHY];
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        const struct page *p = a->options.page_at(a->options.data, slot);
        if (!atomic_load(&p->ready) || judge(a, p, why, sizeof why) != HEALTH_STUCK)
            continue;
        answer->status = STATUS_UNAVAILABLE;
        moil_buffer_addf(&answer->body, "worker %d is stuck: %s\n", slot + 1, why);
    }
    if (answer->status == STATUS_OK)
        moil_buffer_add_str(&answer->body, "ok\n");
}

/* --- /readyz ---------------------------------------------------------------------------------- */

static bool takes_jobs(const struct agent *a, const struct page *p, int generation)
{
    char why[MOIL_HEALTH_WHY];
    return atomic_load(&p->ready) && atomic_load(&p->serving) &&
           (int)atomic_load(&p->generation) == generation &&
           judge(a, p, why, sizeof why) != HEALTH_STUCK;
}

/* NULL: it is ready. */
static const char *why_not_ready(struct agent *a)
{
    int generation = a->options.generation(a->options.data);
    if (a->stopping)
        return "it stops";
    if (moil_link_state(a->link) != LINK_UP)
        return "no connection to Redis";
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        if (takes_jobs(a, a->options.page_at(a->options.data, slot), generation))
            return NULL;
    }
    return a->options.alone ? NULL : "no worker takes jobs (they start, are quiet, or finish)";
}

static void answer_ready(struct agent *a, struct http_answer *answer)
{
    const char *why = why_not_ready(a);
    answer->status = why ? STATUS_UNAVAILABLE : STATUS_OK;
    moil_buffer_addf(&answer->body, "%s\n", why ? why : "ready");
}

/* --- all -------------------------------------------------------------------------------------- */

static enum http_verdict answer_metrics(struct endpoint *e, struct http_answer *answer)
{
    enum stock_state state = moil_stock_look(&e->stock);
    if (state == STOCK_AWAITED)
        return HTTP_LATER;
    answer->type = "text/plain; version=0.0.4; charset=utf-8";
    bool is_up = moil_link_state(e->agent->link) == LINK_UP && !e->stock.asking;
    moil_metrics_write(e->agent, is_up, &answer->body);
    if (state == STOCK_KNOWN)
        moil_buffer_add_slice(&answer->body, moil_buffer_slice(&e->stock.text));
    return HTTP_ANSWERED;
}

static enum http_verdict answer_cb(void *data, const char *path, struct http_answer *answer)
{
    struct endpoint *e = data;
    if (strcmp(path, "/metrics") == 0)
        return answer_metrics(e, answer);
    if (strcmp(path, "/healthz") == 0) {
        answer_health(e->agent, answer);
    } else if (strcmp(path, "/readyz") == 0) {
        answer_ready(e->agent, answer);
    } else {
        answer->status = STATUS_NOT_FOUND;
        moil_buffer_add_str(&answer->body, "here are /healthz, /readyz and /metrics\n");
    }
    return HTTP_ANSWERED;
}

static void go_on(void *data)
{
    const struct endpoint *e = data;
    if (e->server)
        moil_http_go_on(e->server);
}

int moil_endpoint_open(struct agent *a, char *errstr, size_t errlen)
{
    if (!a->options.tally)
        return 0;
    struct endpoint *e = moil_mem_zalloc(1, sizeof *e);
    if (!e) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    e->agent = a;
    moil_stock_init(&e->stock, a, go_on, e);
    int err = moil_http_new(&e->server, a->loop, a->options.http_fd, answer_cb, e, errstr, errlen);
    if (err) {
        moil_stock_fini(&e->stock);
        moil_mem_free(e);
        return err;
    }
    a->endpoint = e;
    atomic_store(&a->options.tally->served, 1);
    return 0;
}

void moil_endpoint_close(struct agent *a)
{
    if (!a->endpoint)
        return;
    struct http_server *server = a->endpoint->server;
    a->endpoint->server = NULL;
    moil_http_free(server);
}

void moil_endpoint_free(struct agent *a)
{
    if (!a->endpoint)
        return;
    moil_stock_fini(&a->endpoint->stock);
    moil_mem_free(a->endpoint);
    a->endpoint = NULL;
}
