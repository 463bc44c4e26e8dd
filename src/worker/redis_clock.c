/* redis_clock.c: see redis_clock.h. */
#include "worker/redis_clock.h"

enum { MOVED_US = 1000 };

bool moil_redis_clock_hear(struct redis_clock *c, int64_t sent_us, int64_t now_us, int64_t redis_us)
{
    int64_t least = redis_us - now_us, most = redis_us - sent_us, before = c->offset_us;
    if (!c->known)
        c->offset_us = least + (most - least) / 2;
    else if (c->offset_us < least)
        c->offset_us = least;
    else if (c->offset_us > most)
        c->offset_us = most;
    int64_t moved = c->offset_us - before;
    bool was_known = c->known;
    c->known = true;
    return !was_known || moved >= MOVED_US || moved <= -MOVED_US;
}
