/* What bounds a run on the CPU: its slice, its soft and its hard time limit, and what follows from
 * its memory limit (docs/architecture.md,
 * "Time limits").
 *
 * Inside vm/; worker/ sees moil_vm_tick and the limits in vm.h. A hook armed from a timer signal
 * costs a running job nothing until it fires; a hook that is always set costs 60 to 90 % of a tight
 * loop's speed, whatever its count, and is for hosts whose signals are their own (VM_LIMITS_HOOK).
 */
#ifndef MOIL_VM_LIMITS_H
#define MOIL_VM_LIMITS_H

#include "vm/state.h"

/* Makes the run on the CPU look at its limits at its next instruction. Async-signal-safe. */
void moil_limits_arm(struct run *run);

/* Sets the hook that looks by itself, where it is not set. */
void moil_limits_watch(lua_State *L);

/* The thread that runs now, told at each change; the signal handler arms the hook on it. */
static inline void moil_limits_running(struct run *run, lua_State *L)
{
    run->running = L;
    if (run->vm->limits == VM_LIMITS_HOOK) {
        moil_limits_watch(L);
    }
    if (run->overran) { /* the hook raised in another thread, and this one may go on */
        moil_limits_arm(run);
    }
}

/* True when the run's limits let it go on in a second phase; sets what it may take there. */
void moil_limits_conclude(struct run *run);

/* Loading files, with VM_LIMITS_HOOK: they have 5 s, as nobody else would end them. */
void moil_limits_load_begin(struct vm *vm);
void moil_limits_load_end(struct vm *vm);

/* For closing: <close> variables get 100 ms. */
void moil_limits_close(struct run *run);

#endif
