/* watchdog.c: how each worker of the node does (health.h), looked at once a second: each change is
 * logged and reported at once. A part of the agent (agent.h); it needs no Redis. */
#include "base/clock.h"
#include "base/log.h"
#include "worker/agent.h"

struct health_facts moil_watchdog_facts(const struct page *p)
{
    return (struct health_facts){
        .unlinked_us = atomic_load_explicit(&p->unlinked_us, memory_order_relaxed),
        .hungry_us = atomic_load_explicit(&p->hungry_us, memory_order_relaxed),
        .unsettled_us = atomic_load_explicit(&p->unsettled_us, memory_order_relaxed),
        .turned_us = atomic_load_explicit(&p->heartbeat_us, memory_order_relaxed),
        .is_on_cpu = p->on_cpu[0] != '\0',
    };
}

enum health moil_watchdog_judge(struct page *p, char *why, size_t size)
{
    struct health_facts facts = moil_watchdog_facts(p);
    return moil_health_judge(&facts, moil_clock_monotonic_us(), why, size);
}

/* Returns true when it has changed. */
static bool look(struct page *p, int slot)
{
    char why[MOIL_HEALTH_WHY];
    enum health before = (enum health)atomic_load(&p->health), now;
    now = moil_watchdog_judge(p, why, sizeof why);
    if (now == before)
        return false;
    atomic_store(&p->health, (uint32_t)now);
    switch (now) {
    case HEALTH_OK:
        log_info("worker %d is well again", slot + 1);
        break;
    case HEALTH_DEGRADED:
        log_warning("worker %d is degraded: %s", slot + 1, why);
        break;
    case HEALTH_STUCK:
        log_error("worker %d is stuck: %s", slot + 1, why);
        break;
    }
    return true;
}

static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct agent *a = timer->data;
    bool changed = false;
    for (int slot = 0; slot < a->options.slots(a->options.data); slot++) {
        struct page *p = a->options.page_at(a->options.data, slot);
        if (atomic_load(&p->ready) && look(p, slot))
            changed = true;
    }
    if (changed && moil_link_state(a->link) == LINK_UP)
        moil_heartbeat_start(a);
}

void moil_watchdog_start(struct agent *a)
{
    ev_timer_init(&a->watchdog, look_cb, 1, 1);
    a->watchdog.data = a;
    ev_timer_start(a->loop, &a->watchdog);
}
