/* control.c: commands that people send to nodes (control.lua). A part of the agent (agent.h).
 *
 * A message is "REQUEST COMMAND\nARGS". What the supervisor has to do goes to it as an order, and
 * its word is the answer, whichever agent is there by then; a command that moil does not know is
 * handed to each worker of the node, for moil.on_control. Each is claimed first, so that none is
 * carried out twice, or after who asked has given up. Of arguments nothing is logged. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/inbox.h"
#include "worker/agent.h"
#include "worker/answers.h"

enum {
    COMMAND_MAX = 64,       /* bytes of a command's name */
    LOOK_MS = 10,           /* whether the workers have the new limits … */
    LIMITS_PATIENCE_S = 10, /* … for that long */
};

/* One command that was taken: the message's parts, in `bytes`. */
struct command {
    struct command *prev, *next; /* of those that wait for workers to have the limits */
    struct agent *agent;
    char request[MOIL_ID_LEN + 1];
    char name[COMMAND_MAX + 1];
    uint64_t version; /* of the limits that are waited for */
    int64_t end_us;
    struct slice args;
    char bytes[];
};

struct control {
    struct answers answers;
    struct command *waiting;
    ev_timer look;
    uint64_t limits; /* the latest version seen */
};

/* --- answers ---------------------------------------------------------------------------------- */

/* The node's name is its id up to the last slash. */
static struct slice node_name(const struct agent *a)
{
    const char *id = a->options.node, *slash = strrchr(id, '/');
    return slash ? slice_of(id, (size_t)(slash - id)) : slice_str(id);
}

static void begin_answer(struct agent *a, struct buffer *out)
{
    moil_buffer_init(out);
    moil_buffer_add_str(out, "{\"node\":");
    moil_buffer_add_json(out, node_name(a));
    moil_buffer_add_str(out, ",\"node_id\":");
    moil_buffer_add_json(out, slice_str(a->options.node));
}

static void end_answer(struct agent *a, const char *request, struct buffer *out)
{
    moil_buffer_add_char(out, '}');
    if (!out->failed)
        moil_answers_send(&a->control->answers, slice_str(request), moil_buffer_slice(out));
    moil_buffer_fini(out);
}

void moil_control_answer(struct agent *a, const char *request, bool is_ok, const char *text)
{
    struct buffer out;
    begin_answer(a, &out);
    moil_buffer_addf(&out, ",\"ok\":%s,\"message\":", is_ok ? "true" : "false");
    moil_buffer_add_json(&out, slice_str(text));
    end_answer(a, request, &out);
}

static void answer_stats(struct agent *a, const char *request)
{
    struct buffer out;
    begin_answer(a, &out);
    moil_buffer_add_str(&out, ",\"ok\":true,\"value\":");
    moil_heartbeat_report(a, &out);
    end_answer(a, request, &out);
}

/* --- the supervisor's ------------------------------------------------------------------------- */

/* What the node itself carries out, and whether it takes the number of workers. */
static const struct known {
    const char *name;
    bool is_order, takes_number;
} known[] = {
    {"ping", false, false},  {"stats", false, false}, {"quiet", true, false},
    {"resume", true, false}, {"reload", true, false}, {"grow", true, true},
    {"shrink", true, true},  {"stop", true, false},   {"kill", true, false},
};

/* NULL: it is one of the tasks' own. */
static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    return NULL;
}

/* Its arguments as a number; what is out of bounds is 0, which the supervisor refuses. False:
 * they are not what it takes. */
static bool read_number(const struct command *c, const struct known *k, int *number)
{
    json_t *args = json_loadb(c->args.p, c->args.n, 0, NULL);
    const json_t *first = json_array_get(args, 0);
    json_int_t n = first ? json_integer_value(first) : 1;
    bool is_sound =
        json_array_size(args) <= (k->takes_number ? 1 : 0) && (!first || json_is_integer(first));
    *number = n < 1 || n > 100000 ? 0 : (int)n;
    json_decref(args);
    return is_sound;
}

static void order(const struct command *c, int number)
{
    char line[128];
    struct agent *a = c->agent;
    snprintf(line, sizeof line, "%s %s %d\n", c->request, c->name, number);
    MOIL_CRASH_POINT("agent.ordering");
    if (!a->options.order)
        moil_control_answer(a, c->request, false,
                            "this node is a part of another program, which "
                            "has it do so itself");
    else if (!a->options.order(a->options.data, line))
        moil_control_answer(a, c->request, false, "its supervisor is busy");
    MOIL_CRASH_POINT("agent.ordered");
}

/* --- time limits ------------------------------------------------------------------------------ */

static bool is_there(struct page *p)
{
    return atomic_load(&p->ready) && atomic_load(&p->pid) != 0;
}

/* Workers that do not have this version yet; those are told. */
static int tell_limits(struct agent *a, uint64_t version, bool again)
{
    int missing = 0;
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        if (!is_there(p) || atomic_load(&p->limits_known) >= version)
            continue;
        missing++;
        if (again || atomic_load(&p->limits_wanted) < version) {
            atomic_store(&p->limits_wanted, version);
            moil_inbox_rouse(&a->broker, slice_str(p->incarnation));
        }
    }
    return missing;
}

void moil_control_see_limits(struct agent *a, int64_t version)
{
    struct control *c = a->control;
    if (version > 0 && (uint64_t)version > c->limits)
        c->limits = (uint64_t)version;
    if (c->limits)
        tell_limits(a, c->limits, true);
}

static void end_limits(struct command *c, bool is_ok, const char *text)
{
    struct agent *a = c->agent;
    moil_control_answer(a, c->request, is_ok, text);
    DL_DELETE(a->control->waiting, c);
    moil_mem_free(c);
}

static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct agent *a = timer->data;
    struct command *c, *next;
    DL_FOREACH_SAFE(a->control->waiting, c, next) {
        if (tell_limits(a, c->version, false) == 0)
            end_limits(c, true, "jobs that start from now on have them");
        else if (moil_clock_monotonic_us() >= c->end_us)
            end_limits(c, false, "a worker has not taken them up yet: it will when it can");
    }
    if (!a->control->waiting)
        ev_timer_stop(loop, timer);
}

/* The command's memory is the waiting list's from here on. */
static void await_limits(struct command *c)
{
    struct agent *a = c->agent;
    json_t *args = json_loadb(c->args.p, c->args.n, 0, NULL);
    json_int_t version = json_integer_value(json_array_get(args, 0));
    json_decref(args);
    c->version = version > 0 ? (uint64_t)version : 0;
    c->end_us = moil_clock_monotonic_us() + LIMITS_PATIENCE_S * INT64_C(1000000);
    if (c->version > a->control->limits)
        a->control->limits = c->version;
    DL_APPEND(a->control->waiting, c);
    look_cb(a->loop, &a->control->look, 0);
    if (a->control->waiting)
        ev_timer_again(a->loop, &a->control->look);
}

/* --- custom commands -------------------------------------------------------------------------- */

/* To each worker, which answers for itself; ours tells which those are. */
static void hand_out(const struct command *c)
{
    struct agent *a = c->agent;
    struct buffer out, message;
    int count = 0;
    begin_answer(a, &out);
    moil_buffer_init(&message);
    moil_buffer_add_str(&out, ",\"workers\":[");
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        if (!is_there(p))
            continue;
        moil_buffer_clear(&message);
        moil_buffer_addf(&message, "C%s %d %s\n", c->request, slot + 1, c->name);
        moil_buffer_add_slice(&message, c->args);
        if (message.failed || moil_inbox_send(&a->broker, slice_str(p->incarnation),
                                              moil_buffer_slice(&message)) != 0)
            continue;
        atomic_fetch_add(&p->asked, 1);
        moil_buffer_addf(&out, count++ > 0 ? ",%d" : "%d", slot + 1);
    }
    moil_buffer_add_char(&out, ']');
    moil_buffer_fini(&message);
    if (count > 0) {
        end_answer(a, c->request, &out);
        return;
    }
    moil_buffer_fini(&out);
    moil_control_answer(a, c->request, false, "no worker of this node is ready");
}

/* --- taking ----------------------------------------------------------------------------------- */

static void carry_out(const struct command *c, const struct known *k)
{
    int number;
    char text[128];
    struct agent *a = c->agent;
    if (!read_number(c, k, &number)) {
        snprintf(text, sizeof text, "%s takes %s", k->name,
                 k->takes_number ? "the number of workers, one whole number (or nothing: 1)"
                                 : "no arguments");
        moil_control_answer(a, c->request, false, text);
    } else if (k->is_order) {
        order(c, number);
    } else if (strcmp(k->name, "stats") == 0) {
        answer_stats(a, c->request);
    } else {
        moil_control_answer(a, c->request, true, "pong");
    }
}

static void claimed(void *data, bool is_ours)
{
    struct command *c = data;
    struct agent *a = c->agent;
    if (!is_ours || a->stopping) {
        moil_mem_free(c);
        return;
    }
    MOIL_CRASH_POINT("agent.claimed");
    log_info("control: %s", c->name);
    if (strcmp(c->name, "time-limit") == 0) {
        await_limits(c);
        return;
    }
    const struct known *k = find_known(c->name);
    if (k)
        carry_out(c, k);
    else
        hand_out(c);
    moil_mem_free(c);
}

void moil_control_take(struct agent *a, struct slice message)
{
    struct command *c = moil_mem_zalloc(1, sizeof *c + message.n + 1);
    const char *newline = message.n ? memchr(message.p, '\n', message.n) : NULL;
    if (!c || !newline) {
        moil_mem_free(c);
        return;
    }
    size_t head = (size_t)(newline - message.p), rest = message.n - head - 1;
    memcpy(c->bytes, message.p, message.n);
    c->agent = a;
    c->args = slice_of(c->bytes + head + 1, rest);
    c->bytes[head] = '\0';
    if (sscanf(c->bytes, "%36s %64s", c->request, c->name) != 2 ||
        moil_answers_claim(&a->control->answers, slice_str(c->request), slice_str(a->options.node),
                           claimed, c) != 0)
        moil_mem_free(c); /* without a link: the asker is told that we were silent */
}

/* --- life ------------------------------------------------------------------------------------- */

int moil_control_init(struct agent *a)
{
    a->control = moil_mem_zalloc(1, sizeof *a->control);
    if (!a->control)
        return MOIL_ENOMEM;
    moil_answers_init(&a->control->answers, &a->broker);
    ev_timer_init(&a->control->look, look_cb, 0, LOOK_MS / 1000.0);
    a->control->look.data = a;
    return 0;
}

void moil_control_fini(struct agent *a)
{
    struct command *c, *next;
    if (!a->control)
        return;
    ev_timer_stop(a->loop, &a->control->look);
    DL_FOREACH_SAFE(a->control->waiting, c, next)
        moil_mem_free(c);
    moil_answers_fini(&a->control->answers);
    moil_mem_free(a->control);
    a->control = NULL;
}

void moil_control_start(struct agent *a)
{
    moil_answers_resend(&a->control->answers);
}
