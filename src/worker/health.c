/* health.c: see health.h. */
#include "worker/health.h"

#include <stdio.h>

static enum health level(int64_t waited_s, int64_t late_s, int64_t stuck_s)
{
    return waited_s >= stuck_s ? HEALTH_STUCK : waited_s >= late_s ? HEALTH_DEGRADED : HEALTH_OK;
}

static int64_t waited(int64_t since_us, int64_t now_us)
{
    return since_us && now_us > since_us ? (now_us - since_us) / 1000000 : 0;
}

enum health moil_health_judge(const struct health_facts *f, int64_t now_us, char *why, size_t size)
{
    int64_t still_s = waited(f->turned_us, now_us);
    /* While a job keeps the loop from turning, answers may lie unread: what was waited for then
     * says nothing. */
    int64_t seen_us = f->is_on_cpu && f->turned_us ? f->turned_us : now_us;
    const struct {
        int64_t waited_s;
        enum health health;
        const char *what;
    } cases[] = {
        {waited(f->unlinked_us, seen_us),
         level(waited(f->unlinked_us, seen_us), MOIL_HEALTH_LATE_S, MOIL_HEALTH_STUCK_S),
         "no connection to Redis"},
        {waited(f->hungry_us, seen_us),
         level(waited(f->hungry_us, seen_us), MOIL_HEALTH_FETCH_LATE_S, MOIL_HEALTH_FETCH_STUCK_S),
         "no answer to a fetch of jobs"},
        {waited(f->unsettled_us, seen_us),
         level(waited(f->unsettled_us, seen_us), MOIL_HEALTH_LATE_S, MOIL_HEALTH_STUCK_S),
         "results wait for Redis to take them"},
        {still_s,
         still_s < MOIL_HEALTH_STILL_S ? HEALTH_OK
         : f->is_on_cpu                ? HEALTH_DEGRADED
                                       : HEALTH_STUCK,
         f->is_on_cpu ? "its loop stands still behind a job" : "its loop stands still"},
    };
    size_t worst = 0;
    for (size_t i = 1; i < sizeof cases / sizeof cases[0]; i++)
        if (cases[i].health > cases[worst].health)
            worst = i;
    if (cases[worst].health == HEALTH_OK)
        snprintf(why, size, "%s", "");
    else
        snprintf(why, size, "%s for %lld s", cases[worst].what, (long long)cases[worst].waited_s);
    return cases[worst].health;
}

const char *moil_health_name(enum health health)
{
    switch (health) {
    case HEALTH_OK:
        return "ok";
    case HEALTH_DEGRADED:
        return "degraded";
    case HEALTH_STUCK:
        return "stuck";
    }
    return "?";
}
