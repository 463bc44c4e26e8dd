/* heartbeat.c: bumps the node's lease, every 5 s by default, and renews its report. A part of the
 * agent (agent.h). */
#include "base/log.h"
#include "queue/lease.h"
#include "worker/agent.h"

static void add_worker(struct buffer *out, int slot, struct page *p)
{
    moil_buffer_addf(
        out, "{\"slot\":%d,\"pid\":%d,\"incarnation\":\"%.36s\",\"running\":%u,\"reserved\":%u,",
        slot, (int)atomic_load(&p->pid), p->incarnation, (unsigned)atomic_load(&p->running),
        (unsigned)atomic_load(&p->reserved));
    moil_buffer_addf(out, "\"finished\":%llu,\"lua_bytes\":%llu}",
                     (unsigned long long)atomic_load(&p->finished),
                     (unsigned long long)atomic_load(&p->memory));
}

static void beat(struct agent *a)
{
    struct buffer *text = &a->text;
    bool any = false;
    moil_buffer_clear(text);
    moil_buffer_add_char(text, '{');
    moil_buffer_add_slice(text, a->options.report);
    moil_buffer_add_str(text, ",\"workers\":[");
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        if (!atomic_load(&p->ready))
            continue;
        if (any)
            moil_buffer_add_char(text, ',');
        any = true;
        add_worker(text, slot, p);
    }
    moil_buffer_add_str(text, "]}");
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, a->options.node);
    moil_args_slice(&a->broker.args, moil_buffer_slice(text));
    if (!text->failed)
        moil_broker_eval(&a->broker, SCRIPT_HEARTBEAT, NULL, NULL);
}

static int ready_count(const struct agent *a)
{
    int n = 0;
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++)
        n += atomic_load(&a->options.page_at(a->options.data, slot)->ready) ? 1 : 0;
    return n;
}

static void heartbeat_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct agent *a = timer->data;
    beat(a);
    double every_s = a->options.lease_s / MOIL_LEASE_BEATS;
    /* Until the first worker is there the report is young: people ask for it right after the start.
     */
    if (ready_count(a) < a->options.slots(a->options.data) && every_s > 0.5)
        every_s = 0.5;
    timer->repeat = every_s;
    ev_timer_again(loop, timer);
}

void moil_heartbeat_start(struct agent *a)
{
    ev_timer_stop(a->loop, &a->heartbeat);
    ev_timer_init(&a->heartbeat, heartbeat_cb, 0, a->options.lease_s / MOIL_LEASE_BEATS);
    a->heartbeat.data = a;
    heartbeat_cb(a->loop, &a->heartbeat, 0);
}
