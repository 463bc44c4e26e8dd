/* inbox.c: see inbox.h. The reply of wait.lua is matched to waiters by id, as the waiters may have
 * gone meanwhile. */
#include "queue/inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

struct inbox_job {
    UT_hash_handle hh;
    struct inbox_wait *waits;
    size_t len;
    char id[];
};

enum { INBOX_TTL_S = 120 }; /* the prelude of the scripts has the same */

/* The ids of one wait.lua call, in its order. */
struct question {
    struct inbox *inbox;
    size_t count;
    char ids[][MOIL_NAME_MAX + 1];
};

void moil_inbox_init(struct inbox *in, struct broker *broker, const char *owner)
{
    *in = (struct inbox){.broker = broker};
    snprintf(in->owner, sizeof in->owner, "%s", owner);
}

void moil_inbox_fini(struct inbox *in)
{
    struct inbox_job *job = in->jobs, *next;
    HASH_CLEAR(hh, in->jobs);
    for (; job; job = next) {
        next = job->hh.next;
        moil_mem_free(job);
    }
}

int moil_inbox_rouse(struct broker *b, struct slice owner)
{
    return moil_inbox_send(b, owner, slice_str("N"));
}

int moil_inbox_send(struct broker *b, struct slice owner, struct slice message)
{
    struct args *a = &b->args;
    moil_buffer_clear(&b->text);
    moil_keys_inbox(&b->keys, owner, &b->text);
    if (b->text.failed)
        return MOIL_ENOMEM;
    moil_args_clear(a);
    moil_args_str(a, "RPUSH");
    moil_args_slice(a, moil_buffer_slice(&b->text));
    moil_args_slice(a, message);
    int err = moil_link_call(b->link, a, b->timeout_ms, NULL, NULL);
    moil_args_clear(a);
    moil_args_str(a, "EXPIRE");
    moil_args_slice(a, moil_buffer_slice(&b->text));
    moil_args_int(a, INBOX_TTL_S);
    return err ? err : moil_link_call(b->link, a, b->timeout_ms, NULL, NULL);
}

bool moil_inbox_is_empty(const struct inbox *in)
{
    return in->jobs == NULL;
}

static struct inbox_job *find(struct inbox *in, struct slice id)
{
    struct inbox_job *job = NULL;
    HASH_FIND(hh, in->jobs, id.p, id.n, job);
    return job;
}

void moil_inbox_cancel(struct inbox *in, struct inbox_wait *wait)
{
    struct inbox_job *job = wait->job;
    if (!job)
        return;
    wait->job = NULL;
    DL_DELETE(job->waits, wait);
    if (!job->waits) {
        HASH_DEL(in->jobs, job);
        moil_mem_free(job);
    }
}

/* Tells all who wait for an id. A waiter may start or end waits, its own too, from its callback. */
static void tell(struct inbox *in, struct slice id, enum inbox_event event, int err,
                 struct slice text)
{
    struct inbox_job *job = find(in, id);
    if (!job)
        return;
    if (event == INBOX_PROGRESS) {
        struct inbox_wait *w, *next;
        DL_FOREACH_SAFE(job->waits, w, next)
            w->cb(w, event, err, text);
        return;
    }
    HASH_DEL(in->jobs, job);
    while (job->waits) {
        struct inbox_wait *w = job->waits;
        DL_DELETE(job->waits, w);
        w->job = NULL;
        w->cb(w, event, err, text);
    }
    moil_mem_free(job);
}

static void answer(struct inbox *in, struct slice id, const struct reply *r)
{
    struct slice text = moil_reply_slice(r);
    if (!text.p)
        tell(in, id, INBOX_UNKNOWN, 0, slice_of("", 0));
    else if (!text.n || text.p[0] != 'W')
        tell(in, id, INBOX_ENDED, 0, text);
    else if (text.n > 1)
        tell(in, id, INBOX_PROGRESS, 0, slice_of(text.p + 1, text.n - 1));
}

static int ask(struct question *q);

static void answered(void *data, int err, const struct reply *reply)
{
    struct question *q = data;
    if (err == MOIL_ENOSCRIPT) { /* somebody flushed the scripts: the next one brings its text along
                                  */
        ask(q);
        return;
    }
    for (size_t i = 0; i < q->count; i++) {
        struct slice id = slice_str(q->ids[i]);
        if (!err)
            answer(q->inbox, id, moil_reply_at(reply, i));
        else if (!moil_link_is_transient(err)) /* else the next refresh asks again */
            tell(q->inbox, id, INBOX_FAILED, err, moil_reply_slice(reply));
    }
    moil_mem_free(q);
}

static struct question *question_new(struct inbox *in, size_t count)
{
    struct question *q = moil_mem_alloc(sizeof *q + count * sizeof q->ids[0]);
    if (q) {
        q->inbox = in;
        q->count = 0;
    }
    return q;
}

static int ask(struct question *q)
{
    struct broker *b = q->inbox->broker;
    moil_args_clear(&b->args);
    moil_args_str(&b->args, q->inbox->owner);
    for (size_t i = 0; i < q->count; i++)
        moil_args_str(&b->args, q->ids[i]);
    int err = moil_broker_eval(b, SCRIPT_WAIT, answered, q);
    if (err)
        moil_mem_free(q);
    return err;
}

static void add_id(struct question *q, const char *id, size_t len)
{
    memcpy(q->ids[q->count], id, len);
    q->ids[q->count++][len] = '\0';
}

int moil_inbox_wait(struct inbox *in, struct inbox_wait *wait, struct slice id)
{
    if (id.n == 0 || id.n > MOIL_NAME_MAX)
        return MOIL_EINVAL;
    struct question *q = question_new(in, 1);
    struct inbox_job *job = find(in, id);
    bool fresh = !job;
    if (fresh && (job = moil_mem_zalloc(1, sizeof *job + id.n))) {
        memcpy(job->id, id.p, id.n);
        job->len = id.n;
    }
    if (!q || !job) {
        moil_mem_free(q);
        if (fresh)
            moil_mem_free(job);
        return MOIL_ENOMEM;
    }
    add_id(q, id.p, id.n);
    int err = ask(q);
    if (err && !moil_link_is_transient(err)) { /* without a link it waits for the next refresh */
        if (fresh)
            moil_mem_free(job);
        return err;
    }
    if (fresh) {
        HASH_ADD_KEYPTR(hh, in->jobs, job->id, job->len, job);
        if (!job->hh.tbl) { /* no memory: the answer will find nobody */
            moil_mem_free(job);
            return MOIL_ENOMEM;
        }
    }
    wait->job = job;
    DL_APPEND(job->waits, wait);
    return 0;
}

void moil_inbox_deliver(struct inbox *in, struct slice message)
{
    const char *newline = message.n > 1 ? memchr(message.p, '\n', message.n) : NULL;
    if (!newline)
        return;
    struct slice id = slice_of(message.p + 1, (size_t)(newline - message.p) - 1);
    struct slice text = slice_of(newline + 1, (size_t)(message.p + message.n - newline) - 1);
    switch (message.p[0]) {
    case 'F':
        tell(in, id, INBOX_ENDED, 0, text);
        break;
    case 'P':
        tell(in, id, INBOX_PROGRESS, 0, text);
        break;
    case 'U':
        tell(in, id, INBOX_UNKNOWN, 0, text);
        break;
    default:
        break;
    }
}

void moil_inbox_refresh(struct inbox *in)
{
    struct question *q = NULL;
    struct inbox_job *job, *next;
    HASH_ITER(hh, in->jobs, job, next) {
        if (!q && !(q = question_new(in, MOIL_BATCH_MAX)))
            return;
        add_id(q, job->id, job->len);
        if (q->count == MOIL_BATCH_MAX) {
            if (ask(q) != 0)
                return;
            q = NULL;
        }
    }
    if (q)
        ask(q);
}
