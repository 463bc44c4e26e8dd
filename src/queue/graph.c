/* graph.c: see graph.h. The order of all: the workflow's own job, so that a repeat is seen by it;
 * the jobs that wait for others outside, and those others' links, in one script, so that an id that
 * nobody knows refuses the whole; then members and lines; then the other jobs, those that are ready
 * last, so that no end can come before what it advances is there. */
#include "queue/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "queue/message.h"

enum {
    NODE_WEIGHT = 4, /* a job is as much work for Redis as so many ids in a list */
    BATCH_WEIGHT = NODE_WEIGHT * MOIL_BATCH_MAX,
    BATCH_BYTES = 1 << 20,
    FRONT_BYTES = 8 << 20, /* of payload that cannot be split */
    LIST_MAX = 250,        /* ids or lines of one entry: the scripts unpack them */
    HEADER_MAX = 800,      /* a record's header and a plan: two names and a dozen numbers */
    ROUNDS_MAX = 64,       /* of advancing, beyond one for each batch: the rest may be others' */
};

/* --- the order -------------------------------------------------------------------------------- */

/* The id that a link names; empty where it is none. */
static struct slice target_of(struct slice link)
{
    return link.n > 2 ? slice_of(link.p + 2, link.n - 2) : slice_of("", 0);
}

static int compare(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = n ? memcmp(x->p, y->p, n) : 0;
    return order ? order : x->n < y->n ? -1 : x->n > y->n;
}

static struct slice *sorted_targets(const struct graph *g)
{
    struct slice *targets = moil_mem_alloc((g->dep_count ? g->dep_count : 1) * sizeof *targets);
    for (size_t i = 0; targets && i < g->dep_count; i++)
        targets[i] = target_of(g->deps[i].link);
    if (targets)
        qsort(targets, g->dep_count, sizeof *targets, compare);
    return targets;
}

/* The first one, then those that `deps` name, then the others. */
static void order_nodes(struct graph_call *c, const struct slice *targets)
{
    const struct graph *g = c->graph;
    size_t at = 0;
    for (int others = 0; others < 2; others++) {
        for (size_t i = 0; i < g->node_count; i++) {
            bool first = i == 0 || bsearch(&g->nodes[i].job.id, targets, g->dep_count,
                                           sizeof *targets, compare) != NULL;
            if (first == !others)
                c->order[at++] = &g->nodes[i];
        }
        if (!others)
            c->front = at;
    }
}

static size_t payload(const struct submission *s)
{
    return s->job.args.n + s->job.kwargs.n + s->job.extra.n + s->links.n;
}

static int check_front(const struct graph_call *c, char *errstr, size_t errlen)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->front; i++)
        bytes += payload(c->order[i]);
    if (c->front > MOIL_GRAPH_DEPENDENTS_MAX + 1)
        snprintf(errstr, errlen, "depends_on: at most %d jobs of a workflow can wait for others",
                 MOIL_GRAPH_DEPENDENTS_MAX);
    else if (bytes > FRONT_BYTES)
        snprintf(errstr, errlen,
                 "depends_on: at most %d bytes of arguments for all jobs that wait for others",
                 FRONT_BYTES);
    else
        return 0;
    return MOIL_ETOOLARGE;
}

static int check(const struct graph *g, char *errstr, size_t errlen)
{
    if (g->node_count > MOIL_GRAPH_NODES_MAX) {
        snprintf(errstr, errlen, "a workflow of %zu jobs: at most %d are taken", g->node_count,
                 MOIL_GRAPH_NODES_MAX);
        return MOIL_ETOOLARGE;
    }
    if (g->dep_count > MOIL_GRAPH_DEPS_MAX) {
        snprintf(errstr, errlen, "depends_on: a workflow with %zu ids, at most %d are taken",
                 g->dep_count, MOIL_GRAPH_DEPS_MAX);
        return MOIL_ETOOLARGE;
    }
    bool right = g->node_count > 0;
    if (right && g->aim != GRAPH_EXTEND)
        right = slice_eq(g->id, g->nodes[0].job.id);
    for (size_t i = 0; i < g->dep_count; i++)
        right = right && moil_name_is_valid(target_of(g->deps[i].link));
    if (!right)
        snprintf(errstr, errlen, "a workflow's first job must be the one of its id");
    return right ? 0 : MOIL_EINVAL;
}

int moil_graph_begin(struct graph_call *c, const struct graph *graph, char *errstr, size_t errlen)
{
    int err = check(graph, errstr, errlen);
    if (err)
        return err;
    struct slice *targets = sorted_targets(graph);
    *c = (struct graph_call){.graph = graph};
    c->order = moil_mem_alloc(graph->node_count * sizeof(struct submission *));
    if (targets && c->order) {
        order_nodes(c, targets);
        err = check_front(c, errstr, errlen);
    } else {
        snprintf(errstr, errlen, "out of memory");
        err = MOIL_ENOMEM;
    }
    moil_mem_free(targets);
    moil_id_new(c->token);
    c->step = graph->aim == GRAPH_STAGE    ? STEP_STAGE
              : graph->aim == GRAPH_EXTEND ? STEP_EXTEND
                                           : STEP_INLINE;
    if (err)
        moil_graph_end(c);
    return err;
}

void moil_graph_end(struct graph_call *c)
{
    moil_mem_free(c->order);
    c->order = NULL;
}

/* --- a batch ---------------------------------------------------------------------------------- */

static size_t phase_count(const struct graph_call *c, enum graph_phase phase)
{
    switch (phase) {
    case PHASE_FRONT:
        return c->front;
    case PHASE_DEPS:
        return c->graph->dep_count;
    case PHASE_MEMBERS:
        return c->graph->member_count;
    case PHASE_LINES:
        return c->graph->line_count;
    case PHASE_NODES:
        return c->graph->node_count - c->front;
    case PHASE_END:
        break;
    }
    return 0;
}

/* Skips what has no entry (any more). */
static void settle_place(const struct graph_call *c, struct graph_place *p)
{
    const struct graph *g = c->graph;
    while (p->phase != PHASE_END) {
        if (p->at >= phase_count(c, p->phase))
            *p = (struct graph_place){.phase = p->phase + 1};
        else if (p->phase == PHASE_MEMBERS && g->members[p->at].count == 0)
            p->at++;
        else
            return;
    }
}

static struct submission *node_at(const struct graph_call *c, const struct graph_place *p)
{
    return c->order[p->at + (p->phase == PHASE_NODES ? c->front : 0)];
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

/* Moves behind one entry; its weight and bytes are added. */
static void step_over(const struct graph_call *c, struct graph_place *p, size_t *weight,
                      size_t *bytes)
{
    const struct graph *g = c->graph;
    size_t n = 1;
    switch (p->phase) {
    case PHASE_FRONT:
    case PHASE_NODES:
        *weight += NODE_WEIGHT;
        *bytes += payload(node_at(c, p));
        p->at++;
        break;
    case PHASE_DEPS:
        *weight += 1;
        p->at++;
        break;
    case PHASE_MEMBERS:
        n = at_most(g->members[p->at].count - p->within, LIST_MAX);
        *weight += n;
        p->within += n;
        if (p->within == g->members[p->at].count)
            *p = (struct graph_place){.phase = p->phase, .at = p->at + 1};
        break;
    case PHASE_LINES:
        n = at_most(g->line_count - p->at, LIST_MAX);
        *weight += n;
        p->at += n;
        break;
    case PHASE_END:
        break;
    }
    settle_place(c, p);
}

/* Where the batch ends that begins at c->from. */
static void measure(struct graph_call *c)
{
    size_t weight = 0;
    c->bytes = 0;
    settle_place(c, &c->from);
    c->to = c->from;
    while (c->to.phase != PHASE_END &&
           (c->to.phase <= PHASE_DEPS || (weight < BATCH_WEIGHT && c->bytes < BATCH_BYTES)))
        step_over(c, &c->to, &weight, &c->bytes);
}

static void add_plan(const struct submission *s, struct buffer *out)
{
    moil_buffer_add_int(out, s->open);
    if (s->delayed) {
        moil_buffer_add_str(out, s->due_is_relative ? " +" : " ");
        moil_buffer_add_int(out, s->due_ms);
    } else if (s->at_front) {
        moil_buffer_add_str(out, " f");
    }
}

/* The text has room for all of the batch and does not move. */
static void add_node(struct broker *b, const struct submission *s)
{
    size_t from = b->text.len;
    moil_args_str(&b->args, "J");
    moil_args_slice(&b->args, s->job.id);
    moil_message_encode(&s->job, &b->text);
    moil_args_add(&b->args, b->text.data + from, b->text.len - from);
    from = b->text.len;
    add_plan(s, &b->text);
    moil_args_add(&b->args, b->text.data + from, b->text.len - from);
    moil_args_slice(&b->args, s->links);
}

static void add_list(struct args *a, const char *kind, struct slice id, const struct slice *list,
                     size_t n)
{
    moil_args_str(a, kind);
    moil_args_slice(a, id);
    moil_args_int(a, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        moil_args_slice(a, list[i]);
}

static void add_entry(const struct graph_call *c, const struct graph_place *p, struct broker *b)
{
    const struct graph *g = c->graph;
    const struct graph_members *m;
    switch (p->phase) {
    case PHASE_FRONT:
    case PHASE_NODES:
        add_node(b, node_at(c, p));
        return;
    case PHASE_DEPS:
        moil_args_str(&b->args, "D");
        moil_args_slice(&b->args, g->deps[p->at].id);
        moil_args_slice(&b->args, g->deps[p->at].link);
        return;
    case PHASE_MEMBERS:
        m = &g->members[p->at];
        add_list(&b->args, m->are_parts ? "P" : "M", m->group, g->ids + m->first + p->within,
                 at_most(m->count - p->within, LIST_MAX));
        return;
    case PHASE_LINES:
        add_list(&b->args, "W", g->id, g->lines + p->at, at_most(g->line_count - p->at, LIST_MAX));
        return;
    case PHASE_END:
        return;
    }
}

static bool same_place(const struct graph_place *a, const struct graph_place *b)
{
    return a->phase == b->phase && a->at == b->at && a->within == b->within;
}

/* The entries from c->from to c->to. */
static void add_batch(const struct graph_call *c, struct broker *b)
{
    size_t weight = 0, ignored = 0;
    moil_buffer_clear(&b->text);
    if (!moil_buffer_reserve(&b->text, c->bytes + (size_t)HEADER_MAX * (MOIL_BATCH_MAX + 1)))
        b->args.failed = true;
    for (struct graph_place p = c->from; !b->args.failed && !same_place(&p, &c->to);) {
        add_entry(c, &p, b);
        step_over(c, &p, &weight, &ignored);
    }
    if (b->text.failed)
        b->args.failed = true;
}

/* --- steps ------------------------------------------------------------------------------------ */

enum script_id moil_graph_next(struct graph_call *c)
{
    if (c->step <= STEP_EXTEND)
        measure(c);
    if (c->step == STEP_INLINE && c->to.phase != PHASE_END)
        c->step = STEP_STAGE;
    switch (c->step) {
    case STEP_INLINE:
    case STEP_ACCEPT:
        return SCRIPT_ACCEPT;
    case STEP_STAGE:
    case STEP_DROP:
        return SCRIPT_STAGE;
    case STEP_EXTEND:
        return SCRIPT_EXTEND;
    case STEP_ADVANCE:
    case STEP_OVER:
        break;
    }
    return SCRIPT_ADVANCE;
}

void moil_graph_fill(struct graph_call *c, struct broker *b)
{
    struct args *a = &b->args;
    moil_args_clear(a);
    switch (c->step) {
    case STEP_INLINE:
    case STEP_ACCEPT:
        moil_args_str(a, c->token);
        moil_args_slice(a, c->graph->id);
        moil_args_int(a, c->batches);
        break;
    case STEP_STAGE:
        moil_args_str(a, c->token);
        moil_args_int(a, c->batches + 1);
        break;
    case STEP_EXTEND:
        moil_args_slice(a, c->graph->id);
        break;
    case STEP_DROP:
        moil_args_str(a, c->token);
        moil_args_int(a, 0);
        return;
    case STEP_ADVANCE:
    case STEP_OVER:
        moil_args_int(a, MOIL_BATCH_MAX);
        return;
    }
    if (c->step != STEP_ACCEPT)
        add_batch(c, b);
}

/* The entries were accepted; `left`: not all that follows from it is done. */
static int is_in(struct graph_call *c, bool left)
{
    c->step = left ? STEP_ADVANCE : STEP_OVER;
    return left;
}

static int take_extended(struct graph_call *c, const struct reply *reply)
{
    c->created = moil_reply_integer(moil_reply_at(reply, 0)) == 1;
    if (!c->created)
        return c->batches > 1 ? MOIL_ESTATE : 0;
    if (c->from.phase != PHASE_END)
        return 1;
    return is_in(c, moil_reply_integer(moil_reply_at(reply, 1)) == 1);
}

int moil_graph_take(struct graph_call *c, const struct reply *reply)
{
    if (c->step <= STEP_EXTEND && c->step != STEP_ACCEPT) {
        c->from = c->to;
        c->batches++;
    }
    switch (c->step) {
    case STEP_STAGE:
        if (c->from.phase != PHASE_END)
            return 1;
        c->created = true;
        c->step = c->graph->aim == GRAPH_STAGE ? STEP_OVER : STEP_ACCEPT;
        return c->step == STEP_ACCEPT;
    case STEP_INLINE:
    case STEP_ACCEPT:
        if (moil_reply_count(reply) < 1)
            return MOIL_EBADMSG;
        c->created = moil_reply_integer(moil_reply_at(reply, 0)) == 1;
        return is_in(c, moil_reply_integer(moil_reply_at(reply, 1)) == 1);
    case STEP_EXTEND:
        return moil_reply_count(reply) < 1 ? MOIL_EBADMSG : take_extended(c, reply);
    case STEP_ADVANCE:
        c->rounds++;
        return is_in(c, moil_reply_integer(reply) == 1 && c->rounds < c->batches + ROUNDS_MAX);
    case STEP_DROP:
    case STEP_OVER:
        break;
    }
    return 0;
}

bool moil_graph_drop(struct graph_call *c)
{
    if (c->batches == 0 || (c->step != STEP_STAGE && c->step != STEP_ACCEPT))
        return false;
    c->step = STEP_DROP;
    return true;
}

/* What the scripts say, and what that means; an id stands behind the one and within the other. */
static const struct {
    int err;
    const char *prefix, *before, *after;
} refusals[] = {
    {MOIL_EUNKNOWN, "UNKNOWN dep ", "depends_on: no job under the id ",
     ": never enqueued, or its result has expired"},
    {MOIL_EINVAL, "INUSE ", "the id ", " is in use: another job has it"},
};

bool moil_graph_explain(int err, const struct reply *reply, char *out, size_t size)
{
    struct slice text = moil_reply_slice(reply);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        size_t n = strlen(refusals[i].prefix);
        if (err != refusals[i].err || text.n <= n || memcmp(text.p, refusals[i].prefix, n) != 0)
            continue;
        snprintf(out, size, "%s%.*s%s", refusals[i].before, (int)at_most(text.n - n, MOIL_NAME_MAX),
                 text.p + n, refusals[i].after);
        return true;
    }
    return false;
}
