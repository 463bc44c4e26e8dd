/* The delays before restarts: doubled at each death right after the start, else the first.
 * Called by super/ only. */
#include "super/backoff.h"

int64_t moil_backoff_death(struct backoff *b, int64_t lived_ms)
{
    if (lived_ms >= BACKOFF_STABLE_MS)
        b->quick_deaths = 0;
    else if (b->quick_deaths < INT32_MAX)
        b->quick_deaths++;
    if (lived_ms >= BACKOFF_WORKED_MS || b->delay_ms == 0) {
        b->delay_ms = BACKOFF_FIRST_MS;
        return b->delay_ms;
    }
    b->delay_ms *= 2;
    if (b->delay_ms > BACKOFF_MAX_MS)
        b->delay_ms = BACKOFF_MAX_MS;
    return b->delay_ms;
}

bool moil_backoff_is_loop(const struct backoff *b)
{
    return b->quick_deaths >= BACKOFF_LOOP_DEATHS;
}
