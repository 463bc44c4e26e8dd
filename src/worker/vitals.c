/* vitals.c: what a worker's page tells of it (page.h), renewed once per turn of the loop by
 * worker.c; supervisor and agent read it. */
#include "base/clock.h"
#include "worker/worker.h"

/* How long something has been waited for, as the page tells it (health.h). */
static void note_wait(_Atomic int64_t *since_us, bool waits, bool *answered, int64_t now_us)
{
    if (!waits)
        atomic_store_explicit(since_us, 0, memory_order_relaxed);
    else if (*answered || atomic_load_explicit(since_us, memory_order_relaxed) == 0)
        atomic_store_explicit(since_us, now_us, memory_order_relaxed);
    *answered = false;
}

void moil_vitals_publish(struct worker *w)
{
    struct page *page = w->options.page;
    int64_t now_us = moil_clock_monotonic_us();
    bool never = false;
    atomic_store_explicit(&page->heartbeat_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&page->running, w->running_count, memory_order_relaxed);
    atomic_store_explicit(&page->reserved, w->reserved_count, memory_order_relaxed);
    atomic_store_explicit(&page->serving, w->state == WORKER_SERVING, memory_order_relaxed);
    atomic_store_explicit(&page->memory, moil_vm_memory(w->vm), memory_order_relaxed);
    note_wait(&page->unlinked_us, moil_link_state(w->link) != LINK_UP, &never, now_us);
    note_wait(&page->hungry_us, w->fetcher.hungry, &w->fetcher.answered, now_us);
    note_wait(&page->unsettled_us, !moil_settler_is_empty(&w->settler), &w->settler.answered,
              now_us);
}
