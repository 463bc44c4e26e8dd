/* recoverer.c: gives back the jobs of workers that died, as the supervisor tells at once, and of
 * nodes that vanished, as their leases tell. A part of the agent (agent.h).
 *
 * A node is gone when our own link has been up unbroken for one lease and the node's counter has
 * not moved meanwhile: so no clock but our own monotonic one matters, and an outage of Redis
 * expires nobody. What another agent left half done is gone on with. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/lease.h"
#include "worker/agent.h"
#include "worker/word.h"

enum {
    CRASHES_MAX = 3, /* deliveries that may end with the process dying under the job */
    LOSSES_MAX = 10,
    WORD_MAX = 1024,
    NO_LEASE = -1,
};

/* A node's lease as we last saw it move. */
struct lease_seen {
    UT_hash_handle hh;
    int64_t counter;
    int64_t since_us; /* monotonic */
    double lease_s;   /* ours, or the longer one that it asks for */
    bool there;       /* in the last answer */
    char node[];
};

/* One dead incarnation, until it is recovered: what is not acknowledged is said again. */
struct recovery {
    struct recovery *prev, *next;
    struct agent *agent;
    char incarnation[MOIL_ID_LEN + 1];
    char kind[24]; /* condemn.lua's */
    char on_cpu[MOIL_NAME_MAX + 1];
    char error[512];
    bool condemned;
    bool busy; /* a script is under way */
};

static void step(struct recovery *r);

static void finish(struct recovery *r)
{
    struct agent *a = r->agent;
    MOIL_CRASH_POINT("agent.recovered");
    DL_DELETE(a->recoveries, r);
    moil_mem_free(r);
    moil_agent_leave_if_free(a);
}

static void stepped(void *data, int err, const struct reply *reply)
{
    struct recovery *r = data;
    r->busy = false;
    MOIL_CRASH_POINT_IF(!err && !r->condemned, "agent.condemned");
    MOIL_CRASH_POINT_IF(!err && r->condemned, "agent.recovering");
    if (err && err != MOIL_ENOSCRIPT) { /* the next look tries again */
        if (reply)
            log_error("recovery of worker %s: %.*s", r->incarnation, (int)moil_reply_slice(reply).n,
                      moil_reply_slice(reply).p);
    } else if (!err && r->condemned && moil_reply_integer(reply) == 0) {
        finish(r);
    } else {
        r->condemned = r->condemned || !err;
        step(r);
    }
}

static void step(struct recovery *r)
{
    struct args *a = &r->agent->broker.args;
    if (r->busy)
        return;
    moil_args_clear(a);
    moil_args_str(a, r->incarnation);
    if (r->condemned) {
        moil_args_int(a, CRASHES_MAX);
        moil_args_int(a, LOSSES_MAX);
    } else {
        moil_args_str(a, r->kind);
        moil_args_str(a, r->on_cpu);
        moil_args_str(a, r->error);
    }
    r->busy = moil_broker_eval(&r->agent->broker, r->condemned ? SCRIPT_RECOVER : SCRIPT_CONDEMN,
                               stepped, r) == 0;
}

static void step_all(struct agent *a)
{
    struct recovery *r, *next;
    DL_FOREACH_SAFE(a->recoveries, r, next) {
        step(r);
    }
}

static struct recovery *find_recovery(struct agent *a, struct slice incarnation)
{
    struct recovery *r;
    DL_FOREACH(a->recoveries, r) {
        if (slice_is(incarnation, r->incarnation))
            break;
    }
    return r;
}

/* The one of that incarnation, new where there is none; NULL when out of memory. */
static struct recovery *recovery_of(struct agent *a, struct slice incarnation)
{
    struct recovery *r = find_recovery(a, incarnation);
    if (r)
        return r;
    if (incarnation.n > MOIL_ID_LEN || !(r = moil_mem_zalloc(1, sizeof *r)))
        return NULL;
    r->agent = a;
    snprintf(r->incarnation, sizeof r->incarnation, "%.*s", (int)incarnation.n, incarnation.p);
    DL_APPEND(a->recoveries, r);
    return r;
}

static void condemn(struct agent *a, struct slice incarnation, const char *kind, const char *on_cpu,
                    const char *error)
{
    struct recovery *r = recovery_of(a, incarnation);
    if (!r || r->condemned || r->busy)
        return;
    snprintf(r->kind, sizeof r->kind, "%s", kind);
    snprintf(r->on_cpu, sizeof r->on_cpu, "%s", on_cpu);
    snprintf(r->error, sizeof r->error, "%s", error);
    MOIL_CRASH_POINT("agent.told");
    step(r);
}

/* --- a worker of this node died ------------------------------------------------------------- */

/* {"code", "message"} of a job whose process died under it. */
static void describe_death(const char *how, int number, char *out, size_t size)
{
    if (strcmp(how, "limit") == 0)
        snprintf(out, size,
                 "{\"code\":\"TimeLimitExceeded\",\"message\":\"the time limit has passed, and its "
                 "worker process had to be killed\"}");
    else if (strcmp(how, "signal") == 0 && number == SIGKILL) /* not by us: the kernel does so */
        snprintf(out, size,
                 "{\"code\":\"WorkerLost\",\"message\":\"its worker process was killed by signal 9 "
                 "(perhaps out of memory) while running it\"}");
    else if (strcmp(how, "signal") == 0)
        snprintf(
            out, size,
            "{\"code\":\"WorkerLost\",\"message\":\"its worker process was killed by signal %d "
            "(%s) while running it\"}",
            number, strsignal(number));
    else
        snprintf(
            out, size,
            "{\"code\":\"WorkerLost\",\"message\":\"its worker process ended with exit code %d "
            "while running it\"}",
            number);
}

static void take_word(struct agent *a, const char *line)
{
    struct word word;
    char error[512];
    if (moil_word_parse(line, &word) != 0) {
        log_warning("a word of the supervisor that is not understood: %.100s", line);
        return;
    }
    switch (word.kind) {
    case WORD_GENERATION:
        moil_heartbeat_start(a); /* people ask for the node's new report now */
        return;
    case WORD_ANSWER:
        moil_control_answer(a, word.request, word.is_ok, word.text);
        return;
    case WORD_REPORT:
        moil_heartbeat_renew(a);
        return;
    case WORD_DEAD:
        break;
    }
    bool is_plain = strcmp(word.how, "limit") == 0 || strcmp(word.how, "stop") == 0;
    char kind[24];
    snprintf(kind, sizeof kind, word.deliveries_max && !is_plain ? "%s:%d" : "%s",
             is_plain ? word.how : "crash", word.deliveries_max);
    describe_death(word.how, word.number, error, sizeof error);
    condemn(a, slice_str(word.incarnation), kind, word.on_cpu, error);
}

/* The lines that are whole. */
static void take_words(struct agent *a)
{
    const char *text = moil_buffer_cstr(&a->word), *newline;
    size_t used = 0;
    while ((newline = memchr(text + used, '\n', a->word.len - used))) {
        char line[WORD_MAX];
        snprintf(line, sizeof line, "%.*s", (int)(newline - text - (ptrdiff_t)used), text + used);
        used = (size_t)(newline - text) + 1;
        take_word(a, line);
    }
    memmove(a->word.data, a->word.data + used, a->word.len - used);
    a->word.len -= used;
}

/* All that the supervisor has said by now. */
static void hear(struct agent *a)
{
    ssize_t n = 0;
    do {
        char *room = moil_buffer_reserve(&a->word, WORD_MAX);
        n = room ? read(a->options.word_fd, room, WORD_MAX) : -1;
        if (n > 0) {
            a->word.len += (size_t)n;
            take_words(a);
        }
    } while (n > 0);
    if (n == 0)
        ev_io_stop(a->loop, &a->words);
}

static void words_cb(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    hear(watcher->data);
}

/* --- nodes that vanished ---------------------------------------------------------------------- */

static void look_for_unfinished(struct agent *a);

static void evicted(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    MOIL_CRASH_POINT_IF(!err, "agent.evicted");
    if (!err && moil_reply_integer(reply) > 0)
        look_for_unfinished(a);
}

static void evict(struct agent *a, const struct lease_seen *seen)
{
    log_warning("node %s has been silent for a lease (%g s): its jobs are given back", seen->node,
                seen->lease_s);
    struct args *args = &a->broker.args;
    MOIL_CRASH_POINT("agent.evicting");
    moil_args_clear(args);
    moil_args_str(args, seen->node);
    moil_args_int(args, seen->counter);
    moil_args_str(
        args,
        "{\"code\":\"WorkerLost\",\"message\":\"its node vanished, too often, while running it\"}");
    moil_broker_eval(&a->broker, SCRIPT_EVICT, evicted, a);
}

static struct lease_seen *see(struct agent *a, struct slice node, int64_t now_us)
{
    struct lease_seen *seen;
    HASH_FIND(hh, a->seen, node.p, node.n, seen);
    if (!seen && (seen = moil_mem_zalloc(1, sizeof *seen + node.n + 1))) {
        memcpy(seen->node, node.p, node.n);
        seen->counter = -1;
        seen->since_us = now_us;
        seen->lease_s = moil_lease_of(node);
        if (seen->lease_s < a->options.lease_s)
            seen->lease_s = a->options.lease_s;
        HASH_ADD_KEYPTR(hh, a->seen, seen->node, node.n, seen);
        if (!seen->hh.tbl) {
            moil_mem_free(seen);
            return NULL;
        }
    }
    return seen;
}

static bool has_expired(const struct agent *a, const struct lease_seen *seen, int64_t now_us)
{
    int64_t lease_us = (int64_t)(seen->lease_s * 1e6);
    return a->up_since_us && now_us - seen->since_us >= lease_us &&
           now_us - a->up_since_us >= lease_us && strcmp(seen->node, a->options.node) != 0;
}

static void look_at_lease(struct agent *a, struct slice node, int64_t counter)
{
    int64_t now_us = moil_clock_monotonic_us();
    struct lease_seen *seen = see(a, node, now_us);
    if (!seen)
        return;
    seen->there = true;
    if (seen->counter != counter) {
        seen->counter = counter;
        seen->since_us = now_us;
    } else if (has_expired(a, seen, now_us)) {
        evict(a, seen);
    }
}

static void leases_cb(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    struct lease_seen *seen, *next;
    HASH_ITER(hh, a->seen, seen, next) {
        seen->there = false;
    }
    for (size_t i = 0; !err && i + 1 < moil_reply_count(reply); i += 2)
        look_at_lease(a, moil_reply_slice(moil_reply_at(reply, i)),
                      moil_reply_integer(moil_reply_at(reply, i + 1)));
}

static bool is_on_a_page(const struct agent *a, struct slice incarnation)
{
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++)
        if (slice_is(incarnation, a->options.page_at(a->options.data, slot)->incarnation))
            return true;
    return false;
}

/* Of "NODE MS". */
static struct slice node_of(struct slice value)
{
    const char *space = value.n ? memchr(value.p, ' ', value.n) : NULL;
    return slice_of(value.p, space ? (size_t)(space - value.p) : 0);
}

/* Its supervisor says how it died before it clears the page: a word that waits comes first, and
 * holds. */
static void condemn_if_gone(struct agent *a, struct slice incarnation)
{
    if (is_on_a_page(a, incarnation))
        return;
    if (ev_is_active(&a->words))
        hear(a);
    if (!find_recovery(a, incarnation))
        condemn(a, incarnation, "stop", "-", "{}");
}

/* A worker that is registered for this node and on none of its pages is dead, though no word came
 * of it. One whose node never had a lease is watched as if that had a counter of -1. */
static void look_at_worker(struct agent *a, struct slice incarnation, struct slice value)
{
    struct slice node = node_of(value);
    struct lease_seen *seen;
    if (slice_is(node, a->options.node)) {
        condemn_if_gone(a, incarnation);
        return;
    }
    HASH_FIND(hh, a->seen, node.p, node.n, seen);
    if (node.n && (!seen || !seen->there || seen->counter == NO_LEASE))
        look_at_lease(a, node, NO_LEASE);
}

/* After leases_cb, whose replies come first. */
static void workers_cb(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    struct lease_seen *seen, *next;
    MOIL_CRASH_POINT_IF(!err, "agent.looking");
    if (err)
        return;
    for (size_t i = 0; i + 1 < moil_reply_count(reply); i += 2)
        look_at_worker(a, moil_reply_slice(moil_reply_at(reply, i)),
                       moil_reply_slice(moil_reply_at(reply, i + 1)));
    HASH_ITER(hh, a->seen, seen, next) {
        if (!seen->there) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the last one takes the table along */
            HASH_DEL(a->seen, seen);
            moil_mem_free(seen);
        }
    }
}

static int ask_key(struct agent *a, const char *command, const char *key, link_call_cb *cb)
{
    struct buffer *text = &a->text;
    moil_buffer_clear(text);
    moil_buffer_add_slice(text, moil_keys_prefix(&a->broker.keys));
    moil_buffer_add_str(text, key);
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, command);
    moil_args_slice(&a->broker.args, moil_buffer_slice(text));
    if (text->failed)
        return MOIL_ENOMEM;
    return moil_link_call(a->link, &a->broker.args, a->broker.timeout_ms, cb, a);
}

static void unfinished_cb(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    for (size_t i = 0; !err && i < moil_reply_count(reply); i++) {
        struct recovery *r = recovery_of(a, moil_reply_slice(moil_reply_at(reply, i)));
        if (r && !r->busy) {
            r->condemned = true;
            step(r);
        }
    }
}

static void look_for_unfinished(struct agent *a)
{
    ask_key(a, "HKEYS", "recovering", unfinished_cb);
}

static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct agent *a = timer->data;
    ask_key(a, "HGETALL", "leases", leases_cb);
    ask_key(a, "HGETALL", "workers", workers_cb);
    step_all(a);
    look_for_unfinished(a);
}

void moil_recoverer_start(struct agent *a)
{
    ev_timer_stop(a->loop, &a->leases);
    ev_timer_init(&a->leases, look_cb, 0, a->options.lease_s / MOIL_LEASE_BEATS);
    a->leases.data = a;
    ev_timer_again(a->loop, &a->leases);
    look_for_unfinished(a);
    step_all(a);
    if (a->options.word_fd >= 0 && !ev_is_active(&a->words)) {
        ev_io_init(&a->words, words_cb, a->options.word_fd, EV_READ);
        a->words.data = a;
        ev_io_start(a->loop, &a->words);
    }
}

void moil_recoverer_fini(struct agent *a)
{
    struct lease_seen *seen, *next;
    struct recovery *r, *after;
    DL_FOREACH_SAFE(a->recoveries, r, after) {
        DL_DELETE(a->recoveries, r);
        moil_mem_free(r);
    }
    ev_timer_stop(a->loop, &a->leases);
    if (ev_is_active(&a->words))
        ev_io_stop(a->loop, &a->words);
    seen = a->seen;
    HASH_CLEAR(hh, a->seen);
    for (; seen; seen = next) {
        next = seen->hh.next;
        moil_mem_free(seen);
    }
    moil_buffer_fini(&a->word);
}

static void last_look_cb(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    a->looking = false;
    for (size_t i = 0; !err && i + 1 < moil_reply_count(reply); i += 2)
        if (slice_is(node_of(moil_reply_slice(moil_reply_at(reply, i + 1))), a->options.node))
            condemn_if_gone(a, moil_reply_slice(moil_reply_at(reply, i)));
    moil_agent_leave_if_free(a);
}

void moil_recoverer_finish(struct agent *a)
{
    if (ev_is_active(&a->words))
        hear(a);
    a->looking = ask_key(a, "HGETALL", "workers", last_look_cb) == 0;
}
