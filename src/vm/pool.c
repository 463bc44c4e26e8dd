/* pool.c: runs at rest. Makes them with their threads, keeps them for later jobs (a new thread
 * costs 0.6 us, a used one 0.14), and closes what a job has left open. Their phases are run.c's. */
#include <stdlib.h>

#include "base/mem.h"
#include "vm/allowance.h"
#include "vm/limits.h"
#include "vm/state.h"

enum {
    KEEP_VALUE = 16 * 1024, /* bytes of result kept with a pooled run */
    KEEP_RUNS = 1024, /* after a flood of waiting jobs the others (3 KB each) are given back */
};

/* (run) -> nothing */
static int make_thread(lua_State *L)
{
    struct run *run = lua_touserdata(L, 1);

    run->co = lua_newthread(L);                   /* run thread */
    run->co_ref = luaL_ref(L, LUA_REGISTRYINDEX); /* run */
    return 0;
}

static void destroy(struct run *run)
{
    if (run->account != LEDGER_NOBODY) {
        moil_ledger_close(&run->vm->ledger, run->account);
    }
    moil_buffer_fini(&run->value);
    moil_call_fini(&run->call);
    moil_mem_free(run->nest);
    moil_mem_free(run);
}

static struct run *create(struct vm *vm)
{
    struct run *run = moil_mem_zalloc(1, sizeof *run);

    if (!run) {
        return NULL;
    }
    run->vm = vm;
    moil_call_init(&run->call, run);
    lua_pushcfunction(vm->L, make_thread); /* fn */
    lua_pushlightuserdata(vm->L, run);     /* fn run */
    if (lua_pcall(vm->L, 1, 0, 0) != LUA_OK) {
        lua_pop(vm->L, 1);
        destroy(run);
        return NULL;
    }
    if (moil_ledger_open(&vm->ledger, run, &run->account) != 0) {
        luaL_unref(vm->L, LUA_REGISTRYINDEX, run->co_ref);
        destroy(run);
        return NULL;
    }
    return run;
}

void moil_run_free_idle(struct vm *vm)
{
    while (vm->idle) {
        struct run *run = vm->idle;

        vm->idle = run->next;
        destroy(run); /* the threads go with the state */
    }
}

struct run *moil_run_new(struct vm *vm, struct task *task, const struct job *job,
                         struct slice worker, void *owner)
{
    struct run *run = vm->idle;

    if (run) {
        vm->idle = run->next;
        vm->idle_count--;
    } else if (!(run = create(vm))) {
        return NULL;
    }
    run->next = NULL;
    run->task = task;
    run->job = *job;
    run->worker = worker;
    run->owner = owner;
    run->self_ref = LUA_NOREF;
    run->phase = RUN_CALL;
    run->exit = EXIT_NONE;
    run->stopped = false;
    run->exhausted = run->revoked = false;
    run->barriers = 0;
    run->running = run->co;
    run->soft_us = run->hard_us = 0;
    run->has_result = false;
    run->timed_out = run->condemned = run->spoiled = run->overran = false;
    run->outcome = (struct run_outcome){0};
    moil_allowance_begin(run);
    return run;
}

/* A new thread in the place of a spoiled one. Without memory for it the old one has to do. */
static void renew_thread(struct run *run)
{
    lua_State *L = run->vm->L;
    int old_ref = run->co_ref;

    moil_thread_set_run(run->co, NULL);
    lua_pushcfunction(L, make_thread); /* fn */
    lua_pushlightuserdata(L, run);     /* fn run */
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
    } else {
        luaL_unref(L, LUA_REGISTRYINDEX, old_ref);
        run->spoiled = false;
    }
    moil_thread_set_run(run->co, run);
}

static void close_thread(struct run *run, lua_State *co)
{
    moil_limits_running(run, co);
    moil_thread_close(co, NULL);
    lua_settop(co, 0);
}

void moil_run_close_threads(struct run *run)
{
    enum run_phase phase = run->phase;
    int64_t hard_us = run->hard_us, soft_us = run->soft_us;

    run->phase = RUN_OVER;
    run->vm->on_cpu = run;
    run->slice_us = 0;
    moil_limits_close(run);
    while (run->nest_len > 0) {
        lua_State *co = run->nest[--run->nest_len];

        close_thread(run, co);
        moil_thread_set_run(co, NULL);
    }
    run->barriers = 0;
    close_thread(run, run->co);
    run->vm->on_cpu = NULL;
    if (run->spoiled) {
        renew_thread(run);
    }
    run->phase = phase;
    run->hard_us = hard_us;
    run->soft_us = soft_us;
}

void moil_run_free(struct run *run)
{
    struct vm *vm = run->vm;

    if (lua_status(run->co) != LUA_OK || run->nest_len > 0 || run->spoiled) {
        run->phase = RUN_OVER;
        moil_allowance_enter(vm, run);
        moil_run_close_threads(run);
        moil_allowance_enter(vm, NULL);
    }
    lua_settop(run->co, 0);
    moil_thread_set_run(run->co, NULL);
    luaL_unref(vm->L, LUA_REGISTRYINDEX, run->self_ref);
    if (run->value.cap > KEEP_VALUE) {
        moil_buffer_fini(&run->value);
    } else {
        moil_buffer_clear(&run->value);
    }
    if (run->call.request.len > 0 || run->call.answers.len > 0) {
        moil_call_clear(&run->call);
    }
    moil_allowance_end(run);
    if (vm->idle_count == KEEP_RUNS) {
        luaL_unref(vm->L, LUA_REGISTRYINDEX, run->co_ref);
        destroy(run);
        return;
    }
    run->next = vm->idle;
    vm->idle = run;
    vm->idle_count++;
}
