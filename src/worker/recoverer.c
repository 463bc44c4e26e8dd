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

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "queue/lease.h"
#include "worker/agent.h"

enum {
    CRASHES_MAX = 3, /* deliveries that may end with the process dying under the job */
    LOSSES_MAX = 10,
    LOOK_S = 5,
    WORD_MAX = 1024,
};

/* A node's lease as we last saw it move. */
struct lease_seen {
    UT_hash_handle hh;
    int64_t counter;
    int64_t since_us; /* monotonic */
    bool there;       /* in the last answer */
    char node[];
};

/* One incarnation being recovered. */
struct recovery {
    struct agent *agent;
    char incarnation[MOIL_ID_LEN + 1];
};

static void recover(struct recovery *r);

static void recovered(void *data, int err, const struct reply *reply)
{
    struct recovery *r = data;
    if ((!err && moil_reply_integer(reply) == 1) || err == MOIL_ENOSCRIPT) {
        recover(r);
        return;
    }
    if (err && reply)
        log_error("recovery of worker %s: %.*s", r->incarnation, (int)moil_reply_slice(reply).n,
                  moil_reply_slice(reply).p);
    free(r); /* after an error the next look at `recovering` finds it */
}

static void recover(struct recovery *r)
{
    struct args *a = &r->agent->broker.args;
    moil_args_clear(a);
    moil_args_str(a, r->incarnation);
    moil_args_int(a, CRASHES_MAX);
    moil_args_int(a, LOSSES_MAX);
    if (moil_broker_eval(&r->agent->broker, SCRIPT_RECOVER, recovered, r) != 0)
        free(r);
}

static struct recovery *recovery_new(struct agent *a, struct slice incarnation)
{
    struct recovery *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    r->agent = a;
    snprintf(r->incarnation, sizeof r->incarnation, "%.*s", (int)incarnation.n, incarnation.p);
    return r;
}

/* --- a worker of this node died --------------------------------------------------------------- */

static void condemned(void *data, int err, const struct reply *reply)
{
    if (err) /* the death is told again by the lease, at the latest */
        recovered(data, err == MOIL_ENOSCRIPT ? MOIL_EREDIS : err, reply);
    else
        recover(data);
}

/* {"code", "message"} of a job whose process died under it. */
static void describe_death(const char *how, int number, char *out, size_t size)
{
    if (strcmp(how, "limit") == 0)
        snprintf(out, size,
                 "{\"code\":\"TimeLimitExceeded\",\"message\":\"the time limit has passed, and its "
                 "worker process had to be killed\"}");
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

static void condemn(struct agent *a, const char *incarnation, const char *how, int number,
                    const char *id)
{
    struct recovery *r = recovery_new(a, slice_str(incarnation));
    char error[512];
    if (!r)
        return;
    describe_death(how, number, error, sizeof error);
    struct args *args = &a->broker.args;
    moil_args_clear(args);
    moil_args_str(args, incarnation);
    moil_args_str(args, strcmp(how, "limit") == 0 ? "limit" : "crash");
    moil_args_str(args, id);
    moil_args_str(args, error);
    if (moil_broker_eval(&a->broker, SCRIPT_CONDEMN, condemned, r) != 0)
        free(r);
}

/* "dead SLOT INCARNATION signal|exit|limit NUMBER ID" */
static void take_word(struct agent *a, const char *line)
{
    int slot, number;
    char incarnation[MOIL_ID_LEN + 1], how[8], id[MOIL_NAME_MAX + 1];
    if (sscanf(line, "dead %d %36s %7s %d %200s", &slot, incarnation, how, &number, id) == 5)
        condemn(a, incarnation, how, number, id);
    else
        log_warning("a word of the supervisor that is not understood: %.100s", line);
}

static void words_cb(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct agent *a = watcher->data;
    char *room = moil_buffer_reserve(&a->word, WORD_MAX);
    ssize_t n = room ? read(watcher->fd, room, WORD_MAX) : -1;
    if (n == 0) {
        ev_io_stop(loop, watcher);
        return;
    }
    if (n < 0)
        return;
    a->word.len += (size_t)n;
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

/* --- nodes that vanished ---------------------------------------------------------------------- */

static void look_for_unfinished(struct agent *a);

static void evicted(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    if (!err && moil_reply_integer(reply) > 0)
        look_for_unfinished(a);
}

static void evict(struct agent *a, const struct lease_seen *seen)
{
    log_warning("node %s has been silent for a lease (%d s): its jobs are given back", seen->node,
                MOIL_LEASE_MS / 1000);
    struct args *args = &a->broker.args;
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
    if (!seen && (seen = calloc(1, sizeof *seen + node.n + 1))) {
        memcpy(seen->node, node.p, node.n);
        seen->counter = -1;
        seen->since_us = now_us;
        HASH_ADD_KEYPTR(hh, a->seen, seen->node, node.n, seen);
        if (!seen->hh.tbl) {
            free(seen);
            return NULL;
        }
    }
    return seen;
}

static void leases_cb(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    struct lease_seen *seen, *next;
    int64_t now_us = moil_clock_monotonic_us(), lease_us = MOIL_LEASE_MS * INT64_C(1000);
    if (err || !a->up_since_us)
        return;
    HASH_ITER(hh, a->seen, seen, next)
        seen->there = false;
    for (size_t i = 0; i + 1 < moil_reply_count(reply); i += 2) {
        int64_t counter = moil_reply_integer(moil_reply_at(reply, i + 1));
        seen = see(a, moil_reply_slice(moil_reply_at(reply, i)), now_us);
        if (!seen)
            return;
        seen->there = true;
        if (seen->counter != counter) {
            seen->counter = counter;
            seen->since_us = now_us;
        } else if (now_us - seen->since_us >= lease_us && now_us - a->up_since_us >= lease_us &&
                   strcmp(seen->node, a->options.node) != 0) {
            evict(a, seen);
        }
    }
    HASH_ITER(hh, a->seen, seen, next) {
        if (!seen->there) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the last one takes the table along */
            HASH_DEL(a->seen, seen);
            free(seen);
        }
    }
}

static void ask_key(struct agent *a, const char *command, const char *key, link_call_cb *cb)
{
    struct buffer *text = &a->text;
    moil_buffer_clear(text);
    moil_buffer_add_slice(text, moil_keys_prefix(&a->broker.keys));
    moil_buffer_add_str(text, key);
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, command);
    moil_args_slice(&a->broker.args, moil_buffer_slice(text));
    if (!text->failed)
        moil_link_call(a->link, &a->broker.args, a->broker.timeout_ms, cb, a);
}

static void unfinished_cb(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    for (size_t i = 0; !err && i < moil_reply_count(reply); i++) {
        struct recovery *r = recovery_new(a, moil_reply_slice(moil_reply_at(reply, i)));
        if (r)
            recover(r);
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
    look_for_unfinished(a);
}

void moil_recoverer_start(struct agent *a)
{
    ev_timer_stop(a->loop, &a->leases);
    ev_timer_init(&a->leases, look_cb, 0, LOOK_S);
    a->leases.data = a;
    ev_timer_again(a->loop, &a->leases);
    look_for_unfinished(a);
    if (a->options.word_fd >= 0 && !ev_is_active(&a->words)) {
        ev_io_init(&a->words, words_cb, a->options.word_fd, EV_READ);
        a->words.data = a;
        ev_io_start(a->loop, &a->words);
    }
}

void moil_recoverer_fini(struct agent *a)
{
    struct lease_seen *seen, *next;
    ev_timer_stop(a->loop, &a->leases);
    if (ev_is_active(&a->words))
        ev_io_stop(a->loop, &a->words);
    seen = a->seen;
    HASH_CLEAR(hh, a->seen);
    for (; seen; seen = next) {
        next = seen->hh.next;
        free(seen);
    }
    moil_buffer_fini(&a->word);
}
