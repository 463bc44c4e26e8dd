/* answers.c: see answers.h. */
#include "worker/answers.h"

#include <string.h>
#include <utlist.h>

#include "base/error.h"
#include "base/mem.h"

struct answer {
    struct answer *prev, *next;
    struct answers *all;
    bool sent;
    size_t request_len, text_len;
    char bytes[]; /* request, text */
};

void moil_answers_init(struct answers *as, struct broker *broker)
{
    *as = (struct answers){.broker = broker};
}

static void drop(struct answer *an)
{
    DL_DELETE(an->all->list, an);
    an->all->count--;
    moil_mem_free(an);
}

void moil_answers_fini(struct answers *as)
{
    while (as->list)
        drop(as->list);
}

static void send(struct answer *an);

static void sent(void *data, int err, const struct reply *reply)
{
    (void)reply;
    struct answer *an = data;
    an->sent = false;
    if (err == MOIL_ENOSCRIPT)
        send(an);
    else if (!err || !moil_link_is_transient(err))
        drop(an); /* else it waits for the link */
}

static void send(struct answer *an)
{
    struct broker *b = an->all->broker;
    moil_args_clear(&b->args);
    moil_args_add(&b->args, an->bytes, an->request_len);
    moil_args_add(&b->args, an->bytes + an->request_len, an->text_len);
    an->sent = moil_broker_eval(b, SCRIPT_CONTROL_REPLY, sent, an) == 0;
}

void moil_answers_send(struct answers *as, struct slice request, struct slice text)
{
    struct answer *an =
        as->count < ANSWERS_MAX ? moil_mem_alloc(sizeof *an + request.n + text.n) : NULL;
    if (!an)
        return;
    *an = (struct answer){.all = as, .request_len = request.n, .text_len = text.n};
    memcpy(an->bytes, request.p, request.n);
    memcpy(an->bytes + request.n, text.p, text.n);
    DL_APPEND(as->list, an);
    as->count++;
    send(an);
}

void moil_answers_resend(struct answers *as)
{
    struct answer *an;
    DL_FOREACH(as->list, an) {
        if (!an->sent)
            send(an);
    }
}

/* --- claims ----------------------------------------------------------------------------------- */

struct claim {
    struct broker *broker;
    answers_claim_fn *fn;
    void *data;
    size_t request_len, who_len;
    char bytes[]; /* request, who */
};

static int ask(struct claim *c);

static void asked(void *data, int err, const struct reply *reply)
{
    struct claim *c = data;
    if (err == MOIL_ENOSCRIPT && ask(c) == 0)
        return;
    c->fn(c->data, !err && moil_reply_integer(reply) == 1);
    moil_mem_free(c);
}

static int ask(struct claim *c)
{
    moil_args_clear(&c->broker->args);
    moil_args_add(&c->broker->args, c->bytes, c->request_len);
    moil_args_add(&c->broker->args, c->bytes + c->request_len, c->who_len);
    return moil_broker_eval(c->broker, SCRIPT_CONTROL_CLAIM, asked, c);
}

int moil_answers_claim(struct answers *as, struct slice request, struct slice who,
                       answers_claim_fn *fn, void *data)
{
    struct claim *c = moil_mem_alloc(sizeof *c + request.n + who.n);
    if (!c)
        return MOIL_ENOMEM;
    *c = (struct claim){
        .broker = as->broker, .fn = fn, .data = data, .request_len = request.n, .who_len = who.n};
    memcpy(c->bytes, request.p, request.n);
    memcpy(c->bytes + request.n, who.p, who.n);
    int err = ask(c);
    if (err)
        moil_mem_free(c);
    return err;
}
