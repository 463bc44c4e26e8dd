/* pulse.c: see pulse.h. */
#include "super/pulse.h"

#include <sys/mman.h>

#include "base/error.h"

enum { GAP_MS = 2000 }; /* between two looks: four times what it takes in good order */

int moil_pulse_open(struct pulse_watch *w, int64_t silence_ms)
{
    *w = (struct pulse_watch){.silence_ms = silence_ms};
    void *shared =
        mmap(NULL, sizeof *w->pulse, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return MOIL_ENOMEM;
    w->pulse = shared;
    return 0;
}

void moil_pulse_close(struct pulse_watch *w)
{
    if (w->pulse)
        munmap(w->pulse, sizeof *w->pulse);
    w->pulse = NULL;
}

int64_t moil_pulse_look(struct pulse_watch *w, int64_t started_ms, int64_t now_ms)
{
    if (now_ms - w->looked_ms > GAP_MS)
        w->awake_ms = now_ms;
    w->looked_ms = now_ms;
    int64_t last_ms = atomic_load(&w->pulse->heartbeat_us) / 1000;
    last_ms = last_ms > started_ms ? last_ms : started_ms;
    int64_t since_ms = last_ms > w->awake_ms ? last_ms : w->awake_ms;
    bool is_silent = w->silence_ms > 0 && now_ms - since_ms >= w->silence_ms;
    return is_silent ? now_ms - last_ms : 0;
}
