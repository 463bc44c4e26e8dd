/* broker.c: see broker.h. Enqueueing splits a mix into scripts of one destination each and joins
 * their replies. */
#include "queue/broker.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "queue/message.h"

int moil_broker_init(struct broker *b, struct link *link, const char *ns, int timeout_ms)
{
    *b = (struct broker){.link = link, .timeout_ms = timeout_ms};
    moil_args_init(&b->args);
    moil_buffer_init(&b->text);
    return moil_keys_init(&b->keys, ns);
}

void moil_broker_fini(struct broker *b)
{
    moil_args_fini(&b->args);
    moil_buffer_fini(&b->text);
}

int moil_broker_eval(struct broker *b, enum script_id script, link_call_cb *cb, void *data)
{
    return moil_link_eval(b->link, &moil_scripts[script], moil_keys_prefix(&b->keys), &b->args,
                          b->timeout_ms, cb, data);
}

int moil_broker_fetch(struct broker *b, struct slice incarnation, unsigned want,
                      const struct slice *queues, size_t count, link_call_cb *cb, void *data)
{
    struct args *a = &b->args;
    moil_args_clear(a);
    moil_args_slice(a, incarnation);
    moil_args_int(a, want);
    for (size_t i = 0; i < count; i++)
        moil_args_slice(a, queues[i]);
    return moil_broker_eval(b, SCRIPT_FETCH, cb, data);
}

/* --- enqueue ---------------------------------------------------------------------------------- */

/* Bytes of payload in one script, beyond which a batch is cut: a megabyte of them keeps Redis busy
 * for about a millisecond. */
enum { PART_BYTES_MAX = 1 << 20 };

/* One moil_broker_enqueue under way. */
struct enqueue {
    struct broker *broker;
    broker_enqueue_cb *cb;
    void *data;
    int err;          /* the first failure of any part */
    unsigned waiting; /* parts without a reply, and one for the call that still sends */
};

/* One script of it: what stands at each position of its reply. */
struct part {
    struct enqueue *whole;
    size_t count;
    struct submission *subs[MOIL_BATCH_MAX];
};

static void finish(struct enqueue *e, const struct reply *reply)
{
    if (--e->waiting > 0)
        return;
    e->cb(e->data, e->err, reply);
    moil_mem_free(e);
}

static void part_done(void *data, int err, const struct reply *reply)
{
    struct part *part = data;
    struct enqueue *e = part->whole;
    if (err) {
        e->err = e->err ? e->err : err;
    } else {
        for (size_t i = 0; i < part->count; i++)
            part->subs[i]->acked = part->subs[i]->created = true;
        for (size_t i = 0; i < moil_reply_count(reply); i++) {
            int64_t at = moil_reply_integer(moil_reply_at(reply, i));
            if (at >= 1 && (size_t)at <= part->count)
                part->subs[at - 1]->created = false;
        }
    }
    moil_mem_free(part);
    finish(e, err ? reply : NULL);
}

/* True when both go to the same place, so that one script can take them. */
static bool same_place(const struct submission *a, const struct submission *b)
{
    if (a->delayed || b->delayed)
        return a->delayed == b->delayed;
    return a->at_front == b->at_front && a->job.priority == b->job.priority &&
           slice_eq(a->job.queue, b->job.queue);
}

/* The records go into one text; their addresses are known only when it has stopped growing. */
static void add_part_args(struct broker *b, const struct part *part)
{
    size_t ends[MOIL_BATCH_MAX];
    struct args *a = &b->args;
    const struct submission *first = part->subs[0];
    moil_args_clear(a);
    moil_buffer_clear(&b->text);
    for (size_t i = 0; i < part->count; i++) {
        moil_message_encode(&part->subs[i]->job, &b->text);
        if (part->subs[i]->delayed) {
            ends[i] = b->text.len;
            if (part->subs[i]->due_is_relative)
                moil_buffer_add_char(&b->text, '+');
            moil_buffer_add_int(&b->text, part->subs[i]->due_ms);
        } else {
            ends[i] = b->text.len;
        }
    }
    if (!first->delayed) {
        moil_args_slice(a, first->job.queue);
        moil_args_int(a, first->job.priority);
        moil_args_str(a, first->at_front ? "1" : "0");
    }
    size_t start = 0;
    for (size_t i = 0; i < part->count; i++) {
        const struct submission *s = part->subs[i];
        size_t due_len = 0;
        moil_args_slice(a, s->job.id);
        if (s->delayed) {
            char digits[24];
            due_len = moil_format_int(digits, s->due_ms) + (s->due_is_relative ? 1 : 0);
            moil_args_add(a, b->text.data + ends[i], due_len);
        }
        moil_args_add(a, b->text.data + start, ends[i] - start);
        start = ends[i] + due_len;
    }
    if (b->text.failed)
        a->failed = true;
}

static int send_part(struct enqueue *e, struct part *part)
{
    struct broker *b = e->broker;
    add_part_args(b, part);
    enum script_id script = part->subs[0]->delayed ? SCRIPT_SCHEDULE : SCRIPT_ENQUEUE;
    e->waiting++;
    int err = moil_broker_eval(b, script, part_done, part);
    if (err) {
        e->waiting--;
        moil_mem_free(part);
    }
    return err;
}

static bool goes_in_front(const struct submission *s)
{
    return s->at_front && !s->delayed;
}

static void reverse(struct part *part)
{
    for (size_t i = 0, k = part->count; i + 1 < k; i++) {
        struct submission *s = part->subs[i];
        part->subs[i] = part->subs[--k];
        part->subs[k] = s;
    }
}

/* Takes from `subs` what goes to the place of the one at `from`, in order; `sent` marks what was
 * taken. What goes in front is taken from the end: each script puts its part before the last one's.
 */
static struct part *take_part(struct enqueue *e, struct submission *subs, size_t count, size_t from,
                              bool *sent)
{
    struct part *part = moil_mem_alloc(sizeof *part);
    if (!part)
        return NULL;
    part->whole = e;
    part->count = 0;
    bool backward = goes_in_front(&subs[from]);
    size_t bytes = 0;
    for (size_t i = from; i < count && part->count < MOIL_BATCH_MAX && bytes < PART_BYTES_MAX;
         i += backward ? SIZE_MAX : 1) { /* one down from 0 is past the end */
        if (!sent[i] && same_place(&subs[from], &subs[i])) {
            sent[i] = true;
            part->subs[part->count++] = &subs[i];
            bytes += subs[i].job.args.n + subs[i].job.kwargs.n + subs[i].job.extra.n;
        }
    }
    if (backward)
        reverse(part);
    return part;
}

static int send_from(struct enqueue *e, struct submission *subs, size_t count, size_t from,
                     bool *sent)
{
    struct part *part = take_part(e, subs, count, from, sent);
    return part ? send_part(e, part) : MOIL_ENOMEM;
}

int moil_broker_enqueue(struct broker *b, struct submission *subs, size_t count,
                        broker_enqueue_cb *cb, void *data)
{
    struct enqueue *e = moil_mem_alloc(sizeof *e);
    bool *sent = moil_mem_zalloc(count ? count : 1, sizeof *sent);
    if (!e || !sent) {
        moil_mem_free(e);
        moil_mem_free(sent);
        return MOIL_ENOMEM;
    }
    *e = (struct enqueue){.broker = b, .cb = cb, .data = data, .waiting = 1};
    int err = 0;
    for (size_t i = 0; i < count; i++)
        sent[i] = subs[i].acked;
    for (size_t i = 0; i < count && !err; i++)
        if (!sent[i] && !goes_in_front(&subs[i]))
            err = send_from(e, subs, count, i, sent);
    for (size_t i = count; i-- > 0 && !err;)
        if (!sent[i])
            err = send_from(e, subs, count, i, sent);
    moil_mem_free(sent);
    if (err && e->waiting == 1) { /* nothing was sent */
        moil_mem_free(e);
        return err;
    }
    e->err = err;
    finish(e, NULL);
    return 0;
}
