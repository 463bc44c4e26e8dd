/* graph.c: workflows in, and pages of them out. A part of the client (client.h). */
#include <stdio.h>

#include "api/client.h"
#include "base/crash_point.h"
#include "base/error.h"

struct step {
    struct moil_client *client;
    struct graph_call *call;
};

static int take_step(void *data, const struct reply *reply)
{
    struct step *s = data;
    return moil_graph_take(s->call, reply);
}

static void fill_step(struct args *a, void *data)
{
    struct step *s = data;
    (void)a;
    moil_graph_fill(s->call, &s->client->broker);
}

/* Seconds for dropping what is staged, where the link is up: else it expires. */
enum { DROP_WAIT_S = 1 };

/* What comes of it does not matter: the call has failed, and errstr says why. */
static void drop_staged(struct moil_client *c, struct step *s)
{
    char why[sizeof c->errstr];
    if (moil_link_state(c->link) != LINK_UP || !moil_graph_drop(s->call))
        return;
    memcpy(why, c->errstr, sizeof why);
    moil_client_begin(c, DROP_WAIT_S);
    moil_client_call(c, moil_graph_next(s->call), fill_step, take_step, s);
    memcpy(c->errstr, why, sizeof why);
}

static int run(struct moil_client *c, struct graph_call *call)
{
    struct step s = {c, call};
    int more;
    do {
        enum script_id script = moil_graph_next(call);
        bool in = moil_graph_is_in(call);
        moil_client_begin(c, c->deadline_s);
        MOIL_CRASH_POINT("client.submitting");
        more = moil_client_call(c, script, fill_step, take_step, &s);
        MOIL_CRASH_POINT("client.submitted");
        if (more < 0 && in)
            return 0;
    } while (more == 1);
    if (more < 0)
        drop_staged(c, &s);
    if (more == MOIL_ESTATE)
        return moil_client_fail(c, more, "the group ended before all new members were in");
    return more;
}

int moil_client_submit_graph(struct moil_client *c, const struct graph *graph, bool *created,
                             char *token)
{
    struct graph_call call;
    char why[200];
    c->errstr[0] = '\0';
    int status = moil_graph_begin(&call, graph, why, sizeof why);
    if (status)
        return moil_client_fail(c, status, "%s", why);
    status = run(c, &call);
    if (!status && created)
        *created = call.created;
    if (!status && token)
        memcpy(token, call.token, sizeof call.token);
    moil_graph_end(&call);
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
