/* order.c: see order.h. */
#include "super/order.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "super/phase.h"

static const char stopping[] = "the node is starting or stopping: it takes no such order now";

/* One word; its text becomes one line. */
static void answer(struct super *s, const char *request, bool is_ok, const char *text)
{
    char word[ORDER_REQUEST_MAX + 640];
    int n = snprintf(word, sizeof word - 1, "answer %s %s %.512s", request,
                     is_ok ? "ok" : "refused", text);
    for (int i = 0; i < n; i++)
        word[i] = iscntrl((unsigned char)word[i]) ? ' ' : word[i];
    word[n] = '\n';
    word[n + 1] = '\0';
    moil_children_say(&s->children, word);
}

/* --- workers more and less -------------------------------------------------------------------- */

static int count_workers(struct super *s)
{
    const struct generation *g = moil_generation_in(&s->generations, GENERATION_SERVING);
    return g ? moil_generation_count(s, g->number) : 0;
}

/* Why so many workers cannot come or go; "": they can. All or nothing, so that refused means that
 * nothing was done. */
static void judge_resize(struct super *s, enum event event, int by, char *out, size_t size)
{
    int now = count_workers(s);
    out[0] = '\0';
    if (s->options->alone)
        snprintf(out, size, "this node runs the schedule alone: it has no workers");
    else if (by < 1 || by > SUPER_WORKERS_MAX)
        snprintf(out, size, "the number of workers to add or take is 1 to %d", SUPER_WORKERS_MAX);
    else if (event == EVENT_LESS && by >= now)
        snprintf(out, size, "nothing is done: of %d worker%s %d can go, as the last one stays", now,
                 now == 1 ? "" : "s", now - 1);
    else if (event == EVENT_MORE && by > SUPER_WORKERS_MAX - now)
        snprintf(out, size, "nothing is done: %d more are possible, as a node has %d at most",
                 SUPER_WORKERS_MAX - now, SUPER_WORKERS_MAX);
}

static void resize(struct super *s, const char *request, enum event event, int by)
{
    int before = count_workers(s), after;
    char text[160];
    judge_resize(s, event, by, text, sizeof text);
    if (text[0]) {
        answer(s, request, false, text);
        return;
    }
    for (int i = 0; i < by; i++)
        moil_phase_event(s, event);
    after = count_workers(s);
    snprintf(text, sizeof text, "%d worker%s, %d before", after, after == 1 ? "" : "s", before);
    answer(s, request, after - before == (event == EVENT_MORE ? by : -by), text);
}

/* --- reload ----------------------------------------------------------------------------------- */

static void reload(struct super *s, const char *request)
{
    struct orders *o = &s->orders;
    if (o->reload_count == ORDER_RELOADS_MAX) {
        answer(s, request, false, "too many wait for a reload already");
        return;
    }
    struct order_reload *r = &o->reloads[o->reload_count++];
    snprintf(r->request, sizeof r->request, "%s", request);
    r->generation = 0;
    log_info("reload: asked for by way of Redis");
    moil_phase_event(s, EVENT_RELOAD);
}

void moil_orders_reload_begins(struct super *s, int generation)
{
    for (size_t i = 0; i < s->orders.reload_count; i++) {
        if (s->orders.reloads[i].generation == 0)
            s->orders.reloads[i].generation = generation;
    }
}

/* Answers all who wait for this generation; < 0: for any. */
static void conclude(struct super *s, int generation, bool is_ok, const char *text)
{
    struct orders *o = &s->orders;
    size_t left = 0;
    for (size_t i = 0; i < o->reload_count; i++) {
        if (generation < 0 || o->reloads[i].generation == generation)
            answer(s, o->reloads[i].request, is_ok, text);
        else
            o->reloads[left++] = o->reloads[i];
    }
    o->reload_count = left;
}

void moil_orders_reloaded(struct super *s, int generation)
{
    char text[64];
    snprintf(text, sizeof text, "generation %d serves", generation);
    conclude(s, generation, true, text);
}

void moil_orders_reload_failed(struct super *s, int generation, const char *why)
{
    conclude(s, generation, false, why);
}

void moil_orders_end(struct super *s)
{
    conclude(s, -1, false, "the node stops");
}

/* --- lines ------------------------------------------------------------------------------------ */

static const struct {
    const char *verb;
    enum event event;
    const char *done;
} verbs[] = {
    {"quiet", EVENT_QUIET, "takes no new jobs"},
    {"resume", EVENT_RESUME, "takes new jobs"},
    {"stop", EVENT_STOP, "warm shutdown: what runs may end"},
    {"kill", EVENT_STOP_NOW, "cold shutdown: jobs go back to their queues"},
    {"reload", EVENT_RELOAD, ""},
    {"grow", EVENT_MORE, ""},
    {"shrink", EVENT_LESS, ""},
};

static void obey(struct super *s, const char *line)
{
    char request[ORDER_REQUEST_MAX + 1], verb[16];
    int number = 1;
    if (sscanf(line, "%64s %15s %d", request, verb, &number) < 2)
        return;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        enum event event = verbs[i].event;
        if (strcmp(verbs[i].verb, verb) != 0)
            continue;
        if (!moil_phase_takes(s, event)) {
            answer(s, request, false, stopping);
        } else if (event == EVENT_MORE || event == EVENT_LESS) {
            resize(s, request, event, number);
        } else if (event == EVENT_RELOAD) {
            reload(s, request);
        } else {
            answer(s, request, true, verbs[i].done); /* first: the agent may be on its way then */
            moil_phase_event(s, event);
        }
        return;
    }
    answer(s, request, false, "this node knows no such order");
}

static void take_lines(struct super *s)
{
    struct orders *o = &s->orders;
    size_t used = 0;
    char *newline;
    while ((newline = memchr(o->text + used, '\n', o->len - used))) {
        *newline = '\0';
        obey(s, o->text + used);
        used = (size_t)(newline - o->text) + 1;
    }
    o->len -= used;
    memmove(o->text, o->text + used, o->len);
    if (o->len == sizeof o->text) /* no agent of ours writes that */
        o->len = 0;
}

void moil_orders_read(struct super *s)
{
    struct orders *o = &s->orders;
    ssize_t n = read(s->children.order_fds[0], o->text + o->len, sizeof o->text - o->len);
    if (n > 0) {
        o->len += (size_t)n;
        take_lines(s);
    }
}
