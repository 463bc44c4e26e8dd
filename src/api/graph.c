/* graph.c: workflows in, and pages of them out. A part of the client (client.h). */
#include "api/graph.h"

#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/crash_point.h"
#include "base/error.h"

/* Seconds for dropping what is staged, where the link is up: else it expires. */
static const double DROP_WAIT_S = 1;

int moil_graph_way_open(struct graph_way *w, const struct graph *graph, char *errstr, size_t errlen)
{
    int status = moil_graph_begin(&w->call, graph, errstr, errlen);
    w->open = status == 0;
    return status;
}

void moil_graph_way_close(struct graph_way *w)
{
    if (w->open)
        moil_graph_end(&w->call);
    w->open = false;
}

int moil_graph_way_send(struct graph_way *w, struct moil_request *r)
{
    struct broker *b = &r->client->broker;
    enum script_id script = moil_graph_next(&w->call);
    MOIL_CRASH_POINT("client.submitting");
    moil_args_clear(&b->args);
    moil_graph_fill(&w->call, b);
    return moil_broker_eval(b, script, moil_request_answered, r);
}

int moil_graph_way_take(struct graph_way *w, struct moil_request *r, const struct reply *reply)
{
    MOIL_CRASH_POINT("client.submitted");
    if (w->dropping)
        return w->status;
    int more = moil_graph_take(&w->call, reply);
    if (more == MOIL_ESTATE)
        return moil_request_fail(r, more, "the group ended before all new members were in");
    return more == 1 ? REQUEST_MORE : more;
}

int moil_graph_way_failed(struct graph_way *w, struct moil_request *r, int status)
{
    if (w->dropping) { /* what comes of that does not matter */
        memcpy(r->errstr, w->why, sizeof r->errstr);
        return w->status;
    }
    if (moil_graph_is_in(&w->call))
        return 0;
    if (r->asked || moil_link_state(r->client->link) != LINK_UP || !moil_graph_drop(&w->call))
        return status;
    w->dropping = true;
    w->status = status;
    memcpy(w->why, r->errstr, sizeof w->why);
    r->deadline_s = DROP_WAIT_S;
    return REQUEST_MORE;
}

/* --- a workflow alone ------------------------------------------------------------------------- */

struct submit {
    struct moil_request request;
    struct graph_way way;
};

static int send_step(struct moil_request *r)
{
    return moil_graph_way_send(&((struct submit *)r)->way, r);
}

static int take_step(struct moil_request *r, const struct reply *reply)
{
    return moil_graph_way_take(&((struct submit *)r)->way, r, reply);
}

static int step_failed(struct moil_request *r, int status)
{
    return moil_graph_way_failed(&((struct submit *)r)->way, r, status);
}

static void free_submit(struct moil_request *r)
{
    moil_graph_way_close(&((struct submit *)r)->way);
}

int moil_client_submit_graph(struct moil_client *c, const struct graph *graph, bool *created,
                             char *token)
{
    static const struct operation operation = {.late = "answer",
                                               .send = send_step,
                                               .take = take_step,
                                               .failed = step_failed,
                                               .free = free_submit};
    char why[200];
    c->errstr[0] = '\0';
    struct submit *s = moil_request_new(c, &operation, sizeof *s);
    if (!s)
        return c->status;
    int status = moil_graph_way_open(&s->way, graph, why, sizeof why);
    if (status) {
        moil_client_fail(c, status, "%s", why);
    } else {
        moil_request_start(&s->request, c->deadline_s);
        status = moil_client_run(c, &s->request);
    }
    if (!status && created)
        *created = s->way.call.created;
    if (!status && token)
        memcpy(token, s->way.call.token, sizeof s->way.call.token);
    moil_request_release(&s->request);
    return status;
}

/* --- pages ------------------------------------------------------------------------------------ */

struct page {
    struct slice id;
    int64_t from, limit;
    const char *what;
    moil_take_fn *take;
    void *data;
};

static void fill_page(struct args *a, void *data)
{
    const struct page *p = data;
    moil_args_slice(a, p->id);
    moil_args_int(a, p->from);
    moil_args_int(a, p->limit);
    moil_args_str(a, p->what);
}

static int take_page(void *data, const struct reply *reply)
{
    const struct page *p = data;
    return p->take(p->data, reply);
}

int moil_client_gather(struct moil_client *c, struct slice id, int64_t from, int64_t limit,
                       const char *what, moil_take_fn *take, void *data)
{
    struct page p = {id, from, limit, what, take, data};
    moil_client_begin(c, c->deadline_s);
    return moil_client_call(c, SCRIPT_GATHER, fill_page, take_page, &p);
}
