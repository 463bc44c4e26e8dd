/* order.c: see order.h. */
#include "worker/order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/delivery.h"
#include "worker/worker.h"

static const double TIME_LIMIT_S = 1; /* where moil.on_control says nothing else */

/* A claim under way: the delivery to be. */
struct order {
    struct orders *orders;
    int slot; /* the worker's number, 1 is the first */
    char name[MOIL_NAME_MAX + 1];
    char request[MOIL_ID_LEN + 1];
    size_t args_len;
    char args[];
};

/* --- answers ---------------------------------------------------------------------------------- */

static void answer(struct orders *os, const char *request, int slot, const char *key,
                   struct slice json)
{
    struct buffer out;
    const char *id = os->worker->options.node, *slash = strrchr(id, '/');
    moil_buffer_init(&out);
    moil_buffer_add_str(&out, "{\"node\":");
    moil_buffer_add_json(&out, slash ? slice_of(id, (size_t)(slash - id)) : slice_str(id));
    moil_buffer_add_str(&out, ",\"node_id\":");
    moil_buffer_add_json(&out, slice_str(id));
    moil_buffer_addf(&out, ",\"worker\":%d,\"ok\":%s,\"%s\":", slot,
                     strcmp(key, "value") == 0 ? "true" : "false", key);
    moil_buffer_add_slice(&out, json);
    moil_buffer_add_char(&out, '}');
    if (!out.failed)
        moil_answers_send(&os->answers, slice_str(request), moil_buffer_slice(&out));
    moil_buffer_fini(&out);
}

static void refuse(struct orders *os, const struct order *o, const char *code, const char *message)
{
    struct buffer error;
    moil_buffer_init(&error);
    moil_buffer_addf(&error, "{\"code\":\"%s\",\"message\":", code);
    moil_buffer_add_json(&error, slice_str(message));
    moil_buffer_add_char(&error, '}');
    if (!error.failed)
        answer(os, o->request, o->slot, "error", moil_buffer_slice(&error));
    moil_buffer_fini(&error);
}

/* --- running ---------------------------------------------------------------------------------- */

void moil_order_ended(struct delivery *d, const struct run_outcome *outcome)
{
    struct order *o = d->order;
    struct orders *os = o->orders;
    if (outcome->kind == OUTCOME_SUCCESS && outcome->value.n > ORDER_ANSWER_MAX)
        refuse(os, o, "TooLarge", "an answer of more than the 65536 bytes allowed");
    else if (outcome->kind == OUTCOME_SUCCESS)
        answer(os, o->request, o->slot, "value", outcome->value);
    else if (outcome->kind == OUTCOME_FAILURE)
        answer(os, o->request, o->slot, "error", outcome->value);
    else
        refuse(os, o, "BadArgument", "a control command is no job: it returns, or raises an error");
    moil_delivery_free(d);
}

/* The order becomes the delivery's. */
static struct delivery *new_delivery(struct orders *os, struct order *o, struct task *task)
{
    struct worker *w = os->worker;
    struct delivery *d = moil_mem_zalloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->worker = w;
    d->order = o;
    d->task = task;
    d->job.id = slice_str(o->request);
    d->job.task = slice_str(o->name);
    d->job.args = slice_of(o->args, o->args_len);
    d->noted = NOTE_OWN;
    d->started_us = moil_clock_wall_us();
    d->started_mono_us = moil_clock_monotonic_us();
    d->run = moil_run_new(w->vm, task, &d->job, slice_str(w->incarnation), d);
    if (!d->run) {
        moil_mem_free(d);
        return NULL;
    }
    DL_APPEND(os->running, d);
    return d;
}

static size_t memory_limit(const struct worker *w, const struct task *task)
{
    if (task->memory_limit > 0)
        return (size_t)task->memory_limit;
    return w->options.memory_limit ? w->options.memory_limit : ORDER_MEMORY;
}

static void run(struct order *o)
{
    struct orders *os = o->orders;
    struct worker *w = os->worker;
    struct task *task = moil_vm_control(w->vm, slice_str(o->name));
    struct delivery *d;
    char message[MOIL_NAME_MAX + 100];
    if (!task) {
        snprintf(message, sizeof message,
                 "no such command: the tasks have no moil.on_control(\"%.64s\", …)", o->name);
        refuse(os, o, "UnknownCommand", message);
    } else if (w->state >= WORKER_STOPPING) {
        refuse(os, o, "Stopping", "the worker stops");
    } else if (!(d = new_delivery(os, o, task))) {
        refuse(os, o, "OutOfMemory", "out of memory");
    } else {
        double limit_s = task->time_limit_s > 0 ? task->time_limit_s : TIME_LIMIT_S;
        moil_run_limit_memory(d->run, memory_limit(w, task));
        moil_delivery_begin(d, 0, limit_s);
        return;
    }
    os->count--;
    moil_mem_free(o);
}

static void claimed(void *data, bool is_ours)
{
    struct order *o = data;
    if (is_ours) {
        run(o);
        return;
    }
    o->orders->count--;
    moil_mem_free(o);
}

void moil_orders_take(struct orders *os, struct slice message)
{
    const char *newline = message.n ? memchr(message.p, '\n', message.n) : NULL;
    size_t head = newline ? (size_t)(newline - message.p) : 0;
    char line[MOIL_ID_LEN + 100];
    os->heard++;
    struct order *o =
        newline && head < sizeof line ? moil_mem_zalloc(1, sizeof *o + message.n - head) : NULL;
    if (!o)
        return;
    memcpy(line, message.p, head);
    line[head] = '\0';
    o->orders = os;
    o->args_len = message.n - head - 1;
    memcpy(o->args, newline + 1, o->args_len);
    if (sscanf(line, "%36s %d %64s", o->request, &o->slot, o->name) != 3) {
        moil_mem_free(o);
        return;
    }
    if (os->count >= ORDERS_MAX) {
        refuse(os, o, "Busy", "too many control commands run in this worker already");
        moil_mem_free(o);
        return;
    }
    os->count++;
    if (moil_answers_claim(&os->answers, slice_str(o->request), slice_str(os->worker->incarnation),
                           claimed, o) != 0)
        claimed(o, false);
}

bool moil_orders_await_message(const struct orders *os)
{
    return atomic_load_explicit(&os->worker->options.page->asked, memory_order_relaxed) !=
           os->heard;
}

void moil_orders_heard_nothing(struct orders *os)
{
    os->heard = atomic_load(&os->worker->options.page->asked);
}

/* --- time limits ------------------------------------------------------------------------------ */

static bool forget_limits(void *data, struct task *task)
{
    (void)data;
    task->set_time_limit_s = task->set_soft_time_limit_s = 0;
    return true;
}

/* As a task's own: seconds; < 0: none; 0: nothing was said. */
static double limit_of(const char *word)
{
    double s = strtod(word, NULL);
    return strcmp(word, "none") == 0 ? -1 : s > 0 && isfinite(s) ? s : 0;
}

void moil_orders_set_limits(struct orders *os, const struct reply *limits)
{
    struct worker *w = os->worker;
    os->limits = (uint64_t)moil_reply_integer(moil_reply_at(limits, 0));
    moil_vm_each_task(w->vm, forget_limits, NULL);
    for (size_t i = 1; i + 1 < moil_reply_count(limits); i += 2) {
        struct slice text = moil_reply_slice(moil_reply_at(limits, i + 1));
        struct task *task = moil_vm_task(w->vm, moil_reply_slice(moil_reply_at(limits, i)));
        char line[80], hard[32], soft[32];
        snprintf(line, sizeof line, "%.*s", (int)text.n, text.p);
        if (!task || sscanf(line, "%31s %31s", hard, soft) != 2)
            continue;
        task->set_time_limit_s = limit_of(hard);
        task->set_soft_time_limit_s = limit_of(soft);
    }
    atomic_store(&w->options.page->limits_known, os->limits);
}

static void limits_came(void *data, int err, const struct reply *reply)
{
    struct orders *os = data;
    os->asking = false;
    if (!err)
        moil_orders_set_limits(os, reply);
}

void moil_orders_turn(struct orders *os)
{
    struct worker *w = os->worker;
    uint64_t wanted = atomic_load_explicit(&w->options.page->limits_wanted, memory_order_relaxed);
    if (wanted <= os->limits || os->asking || w->state == WORKER_JOINING)
        return;
    moil_args_clear(&w->broker.args);
    os->asking = moil_broker_eval(&w->broker, SCRIPT_TIME_LIMITS, limits_came, os) == 0;
}

/* --- life ------------------------------------------------------------------------------------- */

void moil_orders_init(struct orders *os, struct worker *w)
{
    *os = (struct orders){.worker = w};
    moil_answers_init(&os->answers, &w->broker);
}

void moil_orders_fini(struct orders *os)
{
    moil_answers_fini(&os->answers);
}

void moil_orders_resume(struct orders *os)
{
    moil_answers_resend(&os->answers);
}
