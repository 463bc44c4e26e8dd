/* heartbeat.c: bumps the node's lease, every 5 s by default, and renews its report. A part of the
 * agent (agent.h). */
#include <stdio.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/log.h"
#include "queue/lease.h"
#include "worker/agent.h"

enum { TIMEOUT_MIN_MS = 1000 };
static const double RENEW_S = 0.02; /* so long after a change: several often come together */

static void beat(struct agent *a);

/* The worst of the workers so far, for the node. */
struct worst {
    enum health health;
    char why[MOIL_HEALTH_WHY + 32];
};

static void add_health(struct buffer *out, int slot, struct page *p, struct worst *worst)
{
    char why[MOIL_HEALTH_WHY];
    enum health health = moil_watchdog_judge(p, why, sizeof why);
    moil_buffer_addf(out, "\"health\":\"%s\",", moil_health_name(health));
    if (health != HEALTH_OK)
        moil_buffer_addf(out, "\"trouble\":\"%s\",", why);
    if (health > worst->health) {
        worst->health = health;
        snprintf(worst->why, sizeof worst->why, "worker %d: %s", slot + 1, why);
    }
}

static void add_worker(struct buffer *out, int slot, struct page *p, struct worst *worst)
{
    moil_buffer_addf(
        out,
        "{\"slot\":%d,\"generation\":%u,\"pid\":%d,\"incarnation\":\"%.36s\",\"running\":%u,"
        "\"reserved\":%u,",
        slot, (unsigned)atomic_load(&p->generation), (int)atomic_load(&p->pid), p->incarnation,
        (unsigned)atomic_load(&p->running), (unsigned)atomic_load(&p->reserved));
    add_health(out, slot, p, worst);
    moil_buffer_addf(out, "\"finished\":%llu,\"lua_bytes\":%llu}",
                     (unsigned long long)atomic_load(&p->finished),
                     (unsigned long long)atomic_load(&p->memory));
}

/* One that met a flushed script cache is said again. */
static void beaten(void *data, int err, const struct reply *reply)
{
    (void)reply;
    if (err == MOIL_ENOSCRIPT)
        beat(data);
}

/* A link that was dropped without a word is noticed by a heartbeat without an answer, in time for
 * the next one on a new link before the lease is over. */
static int timeout_ms(const struct agent *a)
{
    int ms = (int)(a->options.lease_s * 1000 / 4);
    return ms > TIMEOUT_MIN_MS ? ms : TIMEOUT_MIN_MS;
}

/* How many files each of the node's processes may open. */
static unsigned long long files_limit(void)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    return (unsigned long long)limit.rlim_cur;
}

void moil_heartbeat_report(struct agent *a, struct buffer *text)
{
    bool any = false;
    struct worst worst = {.health = HEALTH_OK};
    moil_buffer_add_char(text, '{');
    moil_buffer_add_slice(text, a->options.report(a->options.data));
    moil_buffer_add_str(text, ",\"workers\":[");
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        if (!atomic_load(&p->ready))
            continue;
        if (any)
            moil_buffer_add_char(text, ',');
        any = true;
        add_worker(text, slot, p, &worst);
    }
    moil_buffer_addf(text, "],\"clock\":%.3f,\"files\":%llu,\"health\":\"%s\"",
                     (double)moil_clock_wall_us() / 1e6, files_limit(),
                     moil_health_name(worst.health));
    if (a->options.is_quiet && a->options.is_quiet(a->options.data))
        moil_buffer_add_str(text, ",\"quiet\":true");
    if (worst.health != HEALTH_OK)
        moil_buffer_addf(text, ",\"trouble\":\"%s\"", worst.why);
    moil_buffer_add_char(text, '}');
}

static void beat(struct agent *a)
{
    struct buffer *text = &a->text;
    if (a->leaving)
        return;
    moil_buffer_clear(text);
    moil_heartbeat_report(a, text);
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, a->options.node);
    moil_args_slice(&a->broker.args, moil_buffer_slice(text));
    if (!text->failed)
        moil_link_eval(a->link, &moil_scripts[SCRIPT_HEARTBEAT], moil_keys_prefix(&a->broker.keys),
                       &a->broker.args, timeout_ms(a), beaten, a);
}

/* No worker is ready yet, or one is on its way. */
static bool is_young(const struct agent *a)
{
    int ready = 0, starting = 0;
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        const struct page *p = a->options.page_at(a->options.data, slot);
        bool is_ready = atomic_load(&p->ready);
        ready += is_ready;
        starting += !is_ready && atomic_load(&p->pid) != 0;
    }
    return (ready == 0 && !a->options.alone) || starting > 0;
}

static void heartbeat_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct agent *a = timer->data;
    beat(a);
    MOIL_CRASH_POINT("agent.beat");
    double every_s = a->options.lease_s / MOIL_LEASE_BEATS;
    /* Until all workers are there the report is young: people ask for it right after the start. */
    if (is_young(a) && every_s > 0.5)
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

void moil_heartbeat_renew(struct agent *a)
{
    if (!ev_is_active(&a->heartbeat) || ev_timer_remaining(a->loop, &a->heartbeat) <= RENEW_S)
        return;
    a->heartbeat.repeat = RENEW_S;
    ev_timer_again(a->loop, &a->heartbeat);
}
