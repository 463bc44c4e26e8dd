/* limits.c: see limits.h. The handler (moil_vm_tick) only arms a hook; the hook decides, in the
 * job's own thread: past the hard limit it leaves for good by a yield, which pcall cannot catch; at
 * the soft limit it raises once; past its slice it yields, so that neighbours and the loop get
 * their turn. Where no yield can pass (a sort's comparison, a gsub's function) it raises. */
#include "vm/limits.h"

#include <math.h>

#include "base/clock.h"
#include "vm/allowance.h"
#include "vm/source.h"

enum {
    SLICE_US = 10 * 1000,
    CONCLUDE_US = 10 * 1000 * 1000, /* for policy and hooks of a job that ran out of time */
    CLOSE_US = 100 * 1000,
    LOAD_S = 5,
    LOOK_EVERY = 256, /* instructions between two looks of a hook that is always set: a look costs
                         some 40 ns, the hook's being there more than all looks */
};

static int64_t deadline(int64_t start_us, double seconds)
{
    return seconds > 0 && seconds < 1e9 ? start_us + (int64_t)(seconds * 1e6) : 0;
}

void moil_run_limit(struct run *run, double soft_s, double hard_s)
{
    int64_t now_us = moil_clock_monotonic_us();

    run->soft_us = deadline(now_us, soft_s);
    run->hard_us = deadline(now_us, hard_s);
}

int64_t moil_run_hard_deadline(const struct run *run)
{
    return run->hard_us;
}

int64_t moil_run_next_deadline(const struct run *run)
{
    return run->soft_us && (!run->hard_us || run->soft_us < run->hard_us) ? run->soft_us
                                                                          : run->hard_us;
}

void moil_limits_conclude(struct run *run)
{
    int64_t now_us = moil_clock_monotonic_us();

    run->soft_us = 0;
    if (run->timed_out || (run->hard_us && run->hard_us <= now_us)) {
        run->hard_us = now_us + CONCLUDE_US;
    }
    run->timed_out = false;
    if (run->vm->host.deadline) {
        run->vm->host.deadline(run->vm->host.data, run->hard_us);
    }
}

void moil_limits_close(struct run *run)
{
    run->soft_us = 0;
    run->hard_us = moil_clock_monotonic_us() + CLOSE_US;
}

/* An error that leaves a hook keeps the thread's hooks off for good, unless a pcall catches it
 * (ldo.c: luaD_hook clears `allowhook`, and only its return or a pcall sets it again). [-0, +0, v]
 */
static void raise(lua_State *L, struct run *run, const char *code, const char *message)
{
    run->spoiled = true;
    luaL_where(L, 0);                                         /* where */
    lua_createtable(L, 0, 2);                                 /* where error */
    lua_pushstring(L, code);                                  /* where error code */
    lua_setfield(L, -2, "code");                              /* where error */
    lua_pushfstring(L, "%s%s", lua_tostring(L, -2), message); /* where error message */
    lua_setfield(L, -2, "message");                           /* where error */
    luaL_setmetatable(L, MOIL_ERROR_META);
    lua_error(L);
}

static bool may_yield(lua_State *L, const struct run *run)
{
    return lua_isyieldable(L) && run->barriers == 0 && run->phase != RUN_OVER;
}

static void limit_hook(lua_State *L, lua_Debug *ar);

/* For good. Code that catches the error and goes on meets the hook again at its next instruction,
 * until it is where it can be left. */
static void raise_last(lua_State *L, struct run *run, const char *code, const char *message)
{
    lua_sethook(L, limit_hook, LUA_MASKCOUNT, 1);
    raise(L, run, code, message);
}

/* There is nothing more to be seen for now. */
static void rest(lua_State *L, const struct run *run)
{
    if (run && run->vm->limits == VM_LIMITS_HOOK) {
        if (lua_gethookcount(L) != LOOK_EVERY) {
            lua_sethook(L, limit_hook, LUA_MASKCOUNT, LOOK_EVERY);
        }
    } else {
        lua_sethook(L, NULL, 0, 0);
    }
}

void moil_limits_watch(lua_State *L)
{
    if (lua_gethook(L) != limit_hook) {
        lua_sethook(L, limit_hook, LUA_MASKCOUNT, LOOK_EVERY);
    }
}

static void limit_hook(lua_State *L, lua_Debug *ar)
{
    struct run *run = moil_thread_run(L);
    int64_t now_us = moil_clock_monotonic_us();

    (void)ar;
    rest(L, run);
    if (!run) {
        return;
    }
    if (moil_allowance_is_spent(run)) {
        if (!may_yield(L, run)) {
            raise_last(L, run, "MemoryLimitExceeded", "the memory limit was exceeded");
        }
        run->exit = EXIT_MEMORY;
        lua_yield(L, 0);
    } else if (run->revoked && run->exit != EXIT_LIMIT && run->phase == RUN_CALL) {
        if (!may_yield(L, run)) {
            run->overran = true;
            raise_last(L, run, "Revoked", "revoked");
        }
        run->exit = EXIT_LIMIT;
        lua_yield(L, 0);
    } else if (run->hard_us && now_us >= run->hard_us) {
        if (!may_yield(L, run)) {
            run->overran = true;
            raise_last(L, run, "TimeLimitExceeded", "the time limit has passed");
        }
        run->exit = EXIT_LIMIT;
        lua_yield(L, 0);
    } else if (run->soft_us && now_us >= run->soft_us) {
        run->soft_us = 0;
        raise(L, run, "SoftTimeLimitExceeded", "the soft time limit has passed");
    } else if (run->pressed && may_yield(L, run)) {
        run->exit = EXIT_COLLECT;
        lua_yield(L, 0);
    } else if (now_us - run->slice_us >= SLICE_US && may_yield(L, run)) {
        run->exit = EXIT_SLICE;
        lua_yield(L, 0);
    }
}

/* Code that catches the error meets the hook again at its next instruction. */
static void load_hook(lua_State *L, lua_Debug *ar)
{
    const struct vm *vm = moil_source_vm(L);

    (void)ar;
    if (vm->load_end_us && moil_clock_monotonic_us() >= vm->load_end_us) {
        lua_sethook(L, load_hook, LUA_MASKCOUNT, 1);
        luaL_where(L, 0);
        lua_pushfstring(L, "%sloading took more than %d s: it waits or loops here",
                        lua_tostring(L, -1), LOAD_S); /* where message */
        lua_error(L);
    }
}

void moil_limits_load_begin(struct vm *vm)
{
    if (vm->limits == VM_LIMITS_HOOK) {
        vm->load_end_us = moil_clock_monotonic_us() + LOAD_S * INT64_C(1000000);
        lua_sethook(vm->L, load_hook, LUA_MASKCOUNT, LOOK_EVERY);
    }
}

void moil_limits_load_end(struct vm *vm)
{
    if (vm->load_end_us) {
        vm->load_end_us = 0;
        lua_sethook(vm->L, NULL, 0, 0);
    }
}

/* Arming walks all frames of the thread: a deep recursion takes longer for that than the time to
 * the next tick, so an armed hook is left alone. */
void moil_limits_arm(struct run *run)
{
    if (lua_gethook(run->running) != limit_hook || lua_gethookcount(run->running) != 1) {
        lua_sethook(run->running, limit_hook, LUA_MASKCOUNT, 1);
    }
}

void moil_vm_revoke(struct vm *vm)
{
    if (vm->on_cpu) {
        vm->on_cpu->revoked = true;
    }
}

void moil_vm_tick(struct vm *vm)
{
    struct run *run = vm->on_cpu;

    if (run && (run->pressed || moil_clock_monotonic_us() - run->slice_us >= SLICE_US)) {
        moil_limits_arm(run);
    }
}
