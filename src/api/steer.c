/* steer.c: revoke, reschedule, forget, delete, purge, pause. A part of the client (client.h).
 *
 * Each is one script on an id or a queue, asked again by purge until nothing is left; what it
 * answers is a state or a number. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/error.h"
#include "queue/describe.h"
#include "queue/message.h"

/* What is asked, and what came of it. */
struct steer {
    struct moil_request request;
    const struct verb *verb;
    char subject[MOIL_NAME_MAX + 1]; /* the id or the queue */
    bool terminate;
    double countdown, eta;
    int64_t number;
    char state[MOIL_NAME_MAX + 1];
};

struct verb {
    enum script_id script;
    void (*fill)(const struct steer *s, struct args *a); /* behind the subject; NULL: nothing */
    int (*take)(struct steer *s, const struct reply *reply);
    const char *wrong; /* of a subject that is no name */
};

static const char wrong_id[] = "an id is 1 to 200 printable characters without space";
static const char wrong_queue[] = "a queue is 1 to 200 printable characters without space";

/* --- asking ----------------------------------------------------------------------------------- */

static void fill_revoke(const struct steer *s, struct args *a)
{
    moil_revoke_args(a, MOIL_RESULT_TTL_DEFAULT_S, s->terminate);
}

static void fill_reschedule(const struct steer *s, struct args *a)
{
    moil_reschedule_args(a, s->countdown, s->eta);
}

static void fill_purge(const struct steer *s, struct args *a)
{
    (void)s;
    moil_args_int(a, MOIL_BATCH_MAX);
}

static void fill_pause(const struct steer *s, struct args *a)
{
    (void)s;
    moil_args_str(a, "p");
}

static void fill_resume(const struct steer *s, struct args *a)
{
    (void)s;
    moil_args_str(a, "r");
}

/* --- answers ---------------------------------------------------------------------------------- */

static int unknown(struct steer *s)
{
    return moil_request_fail(
        &s->request, MOIL_STATUS_UNKNOWN,
        "no job under this id: never enqueued, or its result expired or was not kept");
}

static int take_state(struct steer *s, const struct reply *reply)
{
    struct slice state = moil_reply_slice(reply);
    if (!state.p)
        return unknown(s);
    snprintf(s->state, sizeof s->state, "%.*s", (int)state.n, state.p);
    return 0;
}

static int take_number(struct steer *s, const struct reply *reply)
{
    if (moil_reply_type(reply) == REPLY_NIL)
        return unknown(s);
    s->number = moil_reply_integer(reply);
    return 0;
}

/* What is not there is none to forget. */
static int take_forgotten(struct steer *s, const struct reply *reply)
{
    s->number = moil_reply_type(reply) == REPLY_NIL ? 0 : moil_reply_integer(reply);
    return 0;
}

static int take_deleted(struct steer *s, const struct reply *reply)
{
    int status = take_number(s, reply);
    if (status || s->number)
        return status;
    return moil_request_fail(&s->request, MOIL_STATUS_STATE,
                             "a worker holds this job: revoke it, or wait until it has ended");
}

static int take_purged(struct steer *s, const struct reply *reply)
{
    s->number += moil_reply_integer(moil_reply_at(reply, 0));
    int status = moil_client_step(s->request.client, (size_t)s->number, 0);
    if (status)
        return moil_request_fail(&s->request, status, "stopped after %lld jobs",
                                 (long long)s->number);
    return moil_reply_integer(moil_reply_at(reply, 1)) ? REQUEST_MORE : 0;
}

static int take_done(struct steer *s, const struct reply *reply)
{
    (void)reply;
    s->number = 1;
    return 0;
}

static const struct verb do_revoke = {SCRIPT_REVOKE, fill_revoke, take_state, wrong_id};
static const struct verb do_reschedule = {SCRIPT_RESCHEDULE, fill_reschedule, take_state, wrong_id};
static const struct verb do_forget = {SCRIPT_FORGET, NULL, take_forgotten, wrong_id};
static const struct verb do_delete = {SCRIPT_DELETE, NULL, take_deleted, wrong_id};
static const struct verb do_purge = {SCRIPT_PURGE, fill_purge, take_purged, wrong_queue};
static const struct verb do_pause = {SCRIPT_PAUSE, fill_pause, take_done, wrong_queue};
static const struct verb do_resume = {SCRIPT_PAUSE, fill_resume, take_done, wrong_queue};

/* --- the operation ---------------------------------------------------------------------------- */

static int send_verb(struct moil_request *r)
{
    const struct steer *s = (const struct steer *)r;
    struct broker *b = &r->client->broker;
    moil_args_clear(&b->args);
    moil_args_str(&b->args, s->subject);
    if (s->verb->fill)
        s->verb->fill(s, &b->args);
    return moil_broker_eval(b, s->verb->script, moil_request_answered, r);
}

static int take(struct moil_request *r, const struct reply *reply)
{
    struct steer *s = (struct steer *)r;
    return s->verb->take(s, reply);
}

static void tell_state(struct moil_request *r)
{
    if (r->fn.answer)
        r->fn.answer(r->data, r->status, r->errstr, r->status ? NULL : ((struct steer *)r)->state);
}

static void tell_number(struct moil_request *r)
{
    if (r->fn.count)
        r->fn.count(r->data, r->status, r->errstr,
                    r->status ? 0 : (size_t)((struct steer *)r)->number);
}

static void free_nothing(struct moil_request *r)
{
    (void)r;
}

static const struct operation with_state = {
    .late = "answer", .send = send_verb, .take = take, .tell = tell_state, .free = free_nothing};
static const struct operation with_number = {
    .late = "answer", .send = send_verb, .take = take, .tell = tell_number, .free = free_nothing};

/* Not started yet; NULL with the sentence set. */
static struct steer *make(struct moil_client *c, const struct verb *verb, const char *subject)
{
    moil_client_begin(c, c->deadline_s);
    if (!moil_name_is_valid(slice_str(subject ? subject : ""))) {
        moil_client_fail(c, MOIL_STATUS_INVALID, "%s", verb->wrong);
        return NULL;
    }
    struct steer *s =
        moil_request_new(c, verb->take == take_state ? &with_state : &with_number, sizeof *s);
    if (!s)
        return NULL;
    s->verb = verb;
    snprintf(s->subject, sizeof s->subject, "%s", subject);
    return s;
}

static struct steer *make_revoke(struct moil_client *c, const char *id, int terminate)
{
    struct steer *s = make(c, &do_revoke, id);
    if (s)
        s->terminate = terminate != 0;
    return s;
}

static struct steer *make_reschedule(struct moil_client *c, const char *id, double countdown,
                                     double eta)
{
    const char *wrong = NULL;
    if (!(countdown >= 0 && countdown <= 1e10) || !(fabs(eta) <= 1e11))
        wrong = "countdown and eta must be times that a calendar knows, countdown not negative";
    else if (countdown > 0 && eta != 0)
        wrong = "countdown and eta exclude each other";
    if (wrong) {
        moil_client_fail(c, MOIL_STATUS_INVALID, "%s", wrong);
        return NULL;
    }
    struct steer *s = make(c, &do_reschedule, id);
    if (s) {
        s->countdown = countdown;
        s->eta = eta;
    }
    return s;
}

/* --- blocking --------------------------------------------------------------------------------- */

/* Runs it to its end; s NULL: why it could not be made. The outs may be NULL. */
static int run(struct moil_client *c, struct steer *s, char *state, size_t *number)
{
    if (!s)
        return c->status;
    moil_request_start(&s->request, c->deadline_s);
    int status = moil_client_run(c, &s->request);
    if (!status && state)
        memcpy(state, s->state, sizeof s->state);
    if (!status && number)
        *number = (size_t)s->number;
    moil_request_release(&s->request);
    return status;
}

int moil_revoke(moil_client *c, const char *id, int terminate, char *state)
{
    return run(c, make_revoke(c, id, terminate), state, NULL);
}

int moil_reschedule(moil_client *c, const char *id, double countdown, double eta, char *state)
{
    return run(c, make_reschedule(c, id, countdown, eta), state, NULL);
}

int moil_forget(moil_client *c, const char *id)
{
    size_t number = 0;
    int status = run(c, make(c, &do_forget, id), NULL, &number);
    return status ? status : (int)number;
}

int moil_delete(moil_client *c, const char *id)
{
    return run(c, make(c, &do_delete, id), NULL, NULL);
}

int moil_purge(moil_client *c, const char *queue, size_t *purged)
{
    return run(c, make(c, &do_purge, queue), NULL, purged);
}

int moil_pause(moil_client *c, const char *queue)
{
    return run(c, make(c, &do_pause, queue), NULL, NULL);
}

int moil_resume(moil_client *c, const char *queue)
{
    return run(c, make(c, &do_resume, queue), NULL, NULL);
}

/* --- on the host's loop ----------------------------------------------------------------------- */

static moil_request *start(struct steer *s, union request_fn fn, void *data)
{
    if (!s)
        return NULL;
    s->request.fn = fn;
    s->request.data = data;
    moil_request_start(&s->request, s->request.client->deadline_s);
    return &s->request;
}

moil_request *moil_async_revoke(moil_async *client, const char *id, int terminate,
                                moil_answer_fn *fn, void *data)
{
    return start(make_revoke(&client->client, id, terminate), (union request_fn){.answer = fn},
                 data);
}

moil_request *moil_async_reschedule(moil_async *client, const char *id, double countdown,
                                    double eta, moil_answer_fn *fn, void *data)
{
    return start(make_reschedule(&client->client, id, countdown, eta),
                 (union request_fn){.answer = fn}, data);
}

moil_request *moil_async_forget(moil_async *client, const char *id, moil_count_fn *fn, void *data)
{
    return start(make(&client->client, &do_forget, id), (union request_fn){.count = fn}, data);
}

moil_request *moil_async_delete(moil_async *client, const char *id, moil_count_fn *fn, void *data)
{
    return start(make(&client->client, &do_delete, id), (union request_fn){.count = fn}, data);
}

moil_request *moil_async_purge(moil_async *client, const char *queue, moil_count_fn *fn, void *data)
{
    return start(make(&client->client, &do_purge, queue), (union request_fn){.count = fn}, data);
}

moil_request *moil_async_pause(moil_async *client, const char *queue, moil_count_fn *fn, void *data)
{
    return start(make(&client->client, &do_pause, queue), (union request_fn){.count = fn}, data);
}

moil_request *moil_async_resume(moil_async *client, const char *queue, moil_count_fn *fn,
                                void *data)
{
    return start(make(&client->client, &do_resume, queue), (union request_fn){.count = fn}, data);
}
