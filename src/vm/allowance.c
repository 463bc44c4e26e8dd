/* allowance.c: see allowance.h.
 *
 * Lua itself collects everything in one go before it gives up on an allocation that was refused;
 * with a large heap that would stop all neighbours for a second. So a job that crosses its limit is
 * granted a little more, until it can yield. */
#include "vm/allowance.h"

#include <stdio.h>

#include "base/clock.h"
#include "vm/limits.h"

enum {
    MARGIN = 12,           /* a twelfth past its limit is where allocations are refused */
    GAIN = 16,             /* a sixteenth may be allocated before it is collected again */
    STRETCH_US = 5 * 1000, /* of collecting, as long as other jobs wait for their turns */
    CYCLES = 2, /* what is garbage when a collection is half through may survive that one */
    CLOSE_BYTES = 1024 * 1024,         /* for <close> variables */
    CONCLUDE_BYTES = 16 * 1024 * 1024, /* for policy and hooks, which may read the arguments anew */
    TRIM_BYTES = 16 * 1024 * 1024,     /* released, and worth giving back to the system */
};

static size_t ceiling_of(size_t limit)
{
    return limit ? limit + limit / MARGIN : LEDGER_UNBOUND;
}

static struct account *account_of(const struct run *run)
{
    return moil_ledger_at(&run->vm->ledger, run->account);
}

static size_t used_by(const struct run *run)
{
    return moil_account_used(account_of(run));
}

static void set_bound(struct run *run, size_t bytes)
{
    moil_account_bound(account_of(run), (int64_t)bytes);
}

static void set_limit(struct run *run, size_t bytes)
{
    run->memory_limit = bytes;
    run->memory_check = bytes ? bytes : LEDGER_UNBOUND;
    run->memory_ceiling = ceiling_of(bytes);
    set_bound(run, run->memory_check);
}

void moil_run_limit_memory(struct run *run, size_t bytes)
{
    set_limit(run, bytes);
}

void moil_vm_limit_memory(struct vm *vm, size_t bytes)
{
    vm->memory_cap = bytes;
    moil_ledger_bound(&vm->ledger, bytes ? (int64_t)bytes : LEDGER_UNBOUND);
}

void moil_allowance_enter(struct vm *vm, struct run *run)
{
    vm->payer = run;
    moil_ledger_enter(&vm->ledger, run ? run->account : LEDGER_NOBODY);
}

void moil_allowance_begin(struct run *run)
{
    account_of(run)->owner = run;
    set_limit(run, 0);
    run->refused = 0;
    run->cycles = 0;
    run->pressed = run->starved = run->largest = false;
}

/* --- crossing --------------------------------------------------------------------------------- */

/* It ends, or is collected, as soon as it can. */
static void press(struct run *run)
{
    run->pressed = true;
    if (run->vm->on_cpu == run) {
        moil_limits_arm(run);
    }
}

/* Lua asks once more after its emergency collection. That it is the same question is told by its
 * size; should another one have the same, then memory was found for that. */
static bool refuse(struct run *run, size_t more)
{
    run->refused = more;
    set_bound(run, 0); /* so that the next question comes here */
    press(run);
    return false;
}

/* A block that is large beside the limit is not granted in advance: to fill it would take long, and
 * where such blocks make up the heap, Lua's collection is short. */
static bool is_large_excess(const struct run *run, size_t used, size_t more)
{
    return used > run->memory_limit && run->memory_limit > 0 && more > run->memory_limit / MARGIN;
}

/* A state without runs: Lua asks once more after its collection (but for a buffer's bytes), which
 * is why the next question has to come here. When that is refused, too, the code that runs has to
 * end, which takes a little memory. */
static bool is_granted_alone(struct vm *vm, size_t total, size_t more)
{
    bool again = vm->refused == more;

    if (vm->memory_cap == 0 || total <= vm->memory_cap) {
        vm->refused = 0;
        moil_vm_limit_memory(vm, vm->memory_cap);
        return true;
    }
    vm->refused = again ? 0 : more;
    if (again && !vm->starved) {
        vm->starved = true;
        vm->memory_cap += CLOSE_BYTES + vm->memory_cap / MARGIN;
    }
    moil_ledger_bound(&vm->ledger, 0);
    return false;
}

bool moil_allowance_full(void *data, size_t more)
{
    struct vm *vm = data;
    struct run *run = vm->payer;
    size_t used = moil_account_used(vm->ledger.current) + more;
    size_t total = moil_ledger_used(&vm->ledger) + more;

    if (!run) {
        return !vm->alone || is_granted_alone(vm, total, more);
    }
    if (used > run->memory_ceiling || is_large_excess(run, used, more) ||
        total > ceiling_of(vm->memory_cap)) {
        return refuse(run, more);
    }
    if (run->refused == more) {
        run->refused = 0;
    }
    if (vm->memory_cap && total > vm->memory_cap) {
        moil_ledger_bound(&vm->ledger, (int64_t)ceiling_of(vm->memory_cap));
        press(run);
    }
    if (used > run->memory_check) {
        press(run);
    }
    set_bound(run, used > run->memory_check ? run->memory_ceiling : run->memory_check);
    return true;
}

/* --- collecting ------------------------------------------------------------------------------- */

void moil_allowance_collect_begin(struct run *run)
{
    run->cycles = CYCLES;
}

static bool has_room(const struct run *run)
{
    size_t used = used_by(run);
    size_t cap = run->vm->memory_cap;

    if (run->starved) {
        return used <= CLOSE_BYTES;
    }
    return (!run->memory_limit || used <= run->memory_limit) &&
           (!cap || moil_ledger_used(&run->vm->ledger) <= cap);
}

/* Steps of the collector until a cycle ends (true) or the time is up. In Lua's generational mode no
 * cycle ever ends. */
static bool end_cycle(struct vm *vm, int64_t end_us)
{
    lua_gc(vm->L, LUA_GCINC, 0, 0, 0);
    do {
        if (lua_gc(vm->L, LUA_GCSTEP, 0)) {
            return true;
        }
    } while (moil_clock_monotonic_us() < end_us);
    return false;
}

/* The state holds too much, and this run was at work when that was seen: the one with the largest
 * share has to go. When that is another, this one waits for the memory. */
static enum collection judge_crowded(struct run *run)
{
    struct vm *vm = run->vm;

    if (!vm->releasing) {
        vm->releasing = moil_ledger_largest(&vm->ledger);
        vm->releasing->largest = true;
        vm->victim = vm->releasing != run ? vm->releasing : NULL;
    }
    if (vm->releasing == run) {
        return COLLECTION_SHORT;
    }
    run->cycles = CYCLES;
    return COLLECTION_GOES_ON;
}

static enum collection judge(struct run *run)
{
    size_t limit = run->memory_limit;
    size_t used = used_by(run);
    struct vm *vm = run->vm;
    bool crowded = vm->memory_cap && moil_ledger_used(&vm->ledger) > vm->memory_cap;

    if (run->starved) {
        return COLLECTION_ENOUGH;
    }
    if (limit && used > limit) {
        return COLLECTION_SHORT;
    }
    if (crowded) {
        return judge_crowded(run);
    }
    if (limit) {
        run->memory_check = used + limit / GAIN > limit ? used + limit / GAIN : limit;
    }
    run->pressed = false;
    set_bound(run, run->memory_check);
    if (vm->memory_cap) {
        moil_ledger_bound(&vm->ledger, (int64_t)vm->memory_cap);
    }
    return COLLECTION_ENOUGH;
}

enum collection moil_allowance_collect(struct run *run)
{
    int64_t end_us = moil_clock_monotonic_us() + STRETCH_US;

    while (run->cycles > 0) {
        if (!end_cycle(run->vm, end_us)) {
            return COLLECTION_GOES_ON;
        }
        run->cycles = has_room(run) ? 0 : run->cycles - 1;
    }
    return judge(run);
}

/* --- the end ---------------------------------------------------------------------------------- */

void moil_allowance_end(struct run *run)
{
    struct vm *vm = run->vm;

    vm->victim = vm->victim == run ? NULL : vm->victim;
    vm->releasing = vm->releasing == run ? NULL : vm->releasing;
    moil_ledger_reset(&vm->ledger, run->account, NULL);
}

void moil_allowance_close(struct run *run)
{
    run->starved = true;
    run->held = used_by(run);
    run->refused = 0;
    run->pressed = false;
    run->memory_check = run->memory_ceiling = run->held + CLOSE_BYTES;
    set_bound(run, run->memory_ceiling);
}

void moil_allowance_conclude(struct run *run)
{
    size_t limit = run->memory_limit;

    if (run->held > TRIM_BYTES) {
        moil_ledger_trim(&run->vm->ledger);
    }
    if (run->vm->releasing == run) {
        run->vm->releasing = NULL;
    }
    run->starved = run->pressed = false;
    run->cycles = 0;
    run->refused = 0;
    moil_ledger_reset(&run->vm->ledger, run->account, run);
    set_limit(run, limit && limit < CONCLUDE_BYTES ? limit : CONCLUDE_BYTES);
}

void moil_allowance_describe(const struct run *run, char *out, size_t size)
{
    double mb = 1024.0 * 1024.0;

    if (run->largest) {
        snprintf(out, size,
                 "its worker is at the bound of its memory, and this job held the most: %.4g MB",
                 (double)used_by(run) / mb);
    } else if (run->memory_limit) {
        snprintf(out, size, "the memory limit of %.6g MB was exceeded",
                 (double)run->memory_limit / mb);
    } else {
        snprintf(out, size, "its worker is at the bound of its memory");
    }
}
