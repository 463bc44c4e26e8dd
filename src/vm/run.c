/* Runs: one job's coroutine, from its arguments to an outcome.
 *
 * A plain job is one resume: push the function, decode the arguments, call, encode the result. What
 * ends badly, or has hooks, gets a second phase in the same (reset) thread: lua/moil/job.lua's
 * `conclude`, which asks the retry policy and calls the hooks, and may wait too. Threads are
 * pooled: a new one costs 0.6 us, a used one 0.14. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "vm/json.h"
#include "vm/limits.h"
#include "vm/state.h"

enum {
    KEEP_VALUE = 16 * 1024, /* bytes of result kept with a pooled run */
    KEEP_RUNS = 1024, /* after a flood of waiting jobs the others (3 KB each) are given back */
};

/* --- the pool --------------------------------------------------------------------------------- */

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
    moil_buffer_fini(&run->value);
    moil_call_fini(&run->call);
    free(run->nest);
    free(run);
}

static struct run *create(struct vm *vm)
{
    struct run *run = calloc(1, sizeof *run);

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
    run->exhausted = false;
    run->barriers = 0;
    run->running = run->co;
    run->soft_us = run->hard_us = 0;
    run->timed_out = run->condemned = run->spoiled = run->overran = false;
    run->outcome = (struct run_outcome){0};
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

/* Ends all coroutines of the job, the innermost first, so that their <close> variables run in the
 * order that they would. They have 100 ms, whatever is left of the limits. */
static void close_threads(struct run *run)
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
        close_threads(run);
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
    if (vm->idle_count == KEEP_RUNS) {
        luaL_unref(vm->L, LUA_REGISTRYINDEX, run->co_ref);
        destroy(run);
        return;
    }
    run->next = vm->idle;
    vm->idle = run;
    vm->idle_count++;
}

/* --- what runs in the thread ------------------------------------------------------------------ */

static int call_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 1;
}

static int raise_bad_job(lua_State *L, const char *what, const char *why)
{
    lua_createtable(L, 0, 2);                /* error */
    lua_pushliteral(L, "BadMessage");        /* error code */
    lua_setfield(L, -2, "code");             /* error */
    lua_pushfstring(L, "%s: %s", what, why); /* error message */
    lua_setfield(L, -2, "message");          /* error */
    return lua_error(L);
}

/* The first phase: the task's function with the job's arguments. */
static int call_task(lua_State *L)
{
    struct run *run = moil_thread_run(L);
    struct task *task = run->task;
    char err[200];
    int n;

    lua_rawgeti(L, LUA_REGISTRYINDEX, task->fn_ref); /* fn */
    if (task->bind) {
        moil_self_push(L, run); /* fn self */
    }
    n = moil_json_decode_args(L, run->job.args, err, sizeof err); /* fn (self) arguments… */
    if (n < 0) {
        return raise_bad_job(L, "arguments", err);
    }
    if (run->job.kwargs.n > 0 && !slice_is(run->job.kwargs, "{}")) {
        if (moil_json_decode(L, run->job.kwargs, err, sizeof err) != 0) { /* … kwargs */
            return raise_bad_job(L, "kwargs", err);
        }
        n++;
    }
    lua_callk(L, n + (task->bind ? 1 : 0), 1, 0, call_done); /* result */
    return 1;
}

static const char *const outcome_names[] = {
    [OUTCOME_SUCCESS] = "success", [OUTCOME_FAILURE] = "failure", [OUTCOME_RETRY] = "retry",
    [OUTCOME_REJECT] = "reject",   [OUTCOME_REVOKED] = "revoked", [OUTCOME_IGNORE] = "ignore",
};

/* The second phase: conclude(self, outcome, value, delay) -> seconds until a retry, or nil. */
static int call_conclude(lua_State *L)
{
    struct run *run = moil_thread_run(L);
    char err[200];

    lua_rawgeti(L, LUA_REGISTRYINDEX, run->vm->conclude_ref); /* fn */
    moil_self_push(L, run);                                   /* fn self */
    lua_pushstring(L, run->exhausted ? "exhausted" : outcome_names[run->outcome.kind]);
    if (moil_json_decode(L, moil_buffer_slice(&run->value), err, sizeof err) != 0) { /* fn self
                                                                                        outcome
                                                                                        value */
        lua_pushnil(L);
    }
    lua_pushnumber(L, (lua_Number)run->outcome.delay_ms / 1000); /* … delay */
    lua_callk(L, 4, 1, 0, call_done);                            /* delay */
    return 1;
}

/* --- from the thread's end to the outcome ----------------------------------------------------- */

static void fail_with(struct run *run, const char *code, const char *message)
{
    run->outcome.kind = OUTCOME_FAILURE;
    moil_failure_encode_text(code, message, &run->value);
}

/* The result is on the top of the thread. */
static void take_result(struct run *run)
{
    size_t max = moil_host_payload(&run->vm->host);
    char err[400];
    int code;

    moil_buffer_clear(&run->value);
    code = moil_json_encode(run->co, -1, "result", &run->value, err, sizeof err);
    if (code == MOIL_EINVAL) {
        fail_with(run, "BadArgument", err);
    } else if (code != 0) {
        fail_with(run, "MemoryLimitExceeded", "not enough memory for the result");
    } else if (run->value.len > max) {
        snprintf(err, sizeof err, "a result of %zu bytes, more than the %zu allowed",
                 run->value.len, max);
        fail_with(run, "TooLarge", err);
    } else {
        run->outcome.kind = OUTCOME_SUCCESS;
    }
}

/* The first phase is over: decides the outcome so far. */
static void end_call(struct run *run, int status)
{
    if (run->stopped) {
        close_threads(run);
    } else if ((status == LUA_YIELD && run->exit == EXIT_LIMIT) || run->overran) {
        close_threads(run); /* also where something caught the error and it ended by itself */
        run->timed_out = true;
        fail_with(run, "TimeLimitExceeded", "the time limit has passed");
    } else if (status == LUA_OK) {
        take_result(run);
    } else if (status == LUA_YIELD) { /* not by us, not by coroutine.yield: a C library's lua_yield
                                       */
        close_threads(run);
        fail_with(run, "Error", "attempt to yield from outside a coroutine");
    } else {
        run->outcome.kind = OUTCOME_FAILURE;
        moil_failure_encode(run->vm->L, run->co, &run->value);
        close_threads(run);
    }
}

static bool needs_conclusion(const struct run *run)
{
    switch (run->outcome.kind) {
    case OUTCOME_SUCCESS:
    case OUTCOME_REVOKED: /* after_return */
        return run->task->has_success;
    case OUTCOME_FAILURE: /* a retry policy may have come with the job */
        return run->task->has_failure || run->job.extra.n > 0;
    case OUTCOME_RETRY:
    case OUTCOME_REJECT:
        return run->task->has_failure;
    case OUTCOME_IGNORE:
        return false;
    }
    return false;
}

/* Hooks and policies are called protected by `conclude`: what arrives here is short memory. The
 * error is on the top of the thread. */
static void log_conclude_error(struct run *run)
{
    char text[300];

    snprintf(text, sizeof text, "hooks failed: %s",
             lua_type(run->co, -1) == LUA_TSTRING ? lua_tostring(run->co, -1) : "?");
    moil_log_job(LOG_ERROR, run->job.id, run->job.task, slice_str(text), (struct slice){0});
}

/* The second phase is over: a number is a retry, all else leaves the outcome as it was. */
static void end_conclude(struct run *run, int status)
{
    if (status == LUA_OK) {
        if (run->outcome.kind == OUTCOME_FAILURE && lua_type(run->co, -1) == LUA_TNUMBER) {
            run->outcome.kind = OUTCOME_RETRY;
            run->outcome.delay_ms = (int64_t)ceil(lua_tonumber(run->co, -1) * 1000);
        }
        return;
    }
    if (status == LUA_YIELD && run->exit == EXIT_LIMIT) {
        moil_log_job(LOG_ERROR, run->job.id, run->job.task,
                     slice_str("hooks and retry policy took longer than the limit"),
                     (struct slice){0});
    } else {
        log_conclude_error(run);
    }
    close_threads(run);
}

static void start_phase(struct run *run, enum run_phase phase, lua_CFunction fn)
{
    run->phase = phase;
    lua_settop(run->co, 0);
    lua_pushcfunction(run->co, fn); /* fn */
}

/* One stretch on the CPU. */
static int resume(struct run *run)
{
    int results, status;

    run->exit = EXIT_NONE;
    run->slice_us = moil_clock_monotonic_us();
    moil_limits_running(run, run->co);
    run->vm->on_cpu = run;
    status = lua_resume(run->co, NULL, 0, &results);
    run->vm->on_cpu = NULL;
    return status;
}

/* The phase ended with that status: the next one, or the end. */
static enum run_status advance(struct run *run, int status)
{
    for (;;) {
        if (status == LUA_YIELD && run->exit == EXIT_WAIT) {
            return RUN_WAITING;
        }
        if (status == LUA_YIELD && run->exit == EXIT_SLICE) {
            return RUN_SLICED;
        }
        if (run->phase == RUN_CONCLUDE) {
            end_conclude(run, status);
            break;
        }
        end_call(run, status);
        if (!needs_conclusion(run)) {
            break;
        }
        moil_limits_conclude(run);
        start_phase(run, RUN_CONCLUDE, call_conclude);
        status = resume(run);
    }
    run->phase = RUN_OVER;
    run->outcome.value = moil_buffer_slice(&run->value);
    return RUN_DONE;
}

void moil_run_condemn(struct run *run, struct slice error)
{
    moil_buffer_clear(&run->value);
    moil_buffer_add_slice(&run->value, error);
    run->outcome.kind = OUTCOME_FAILURE;
    run->condemned = true;
}

/* No function runs: what needs a conclusion gets it. */
static enum run_status conclude_condemned(struct run *run)
{
    run->condemned = false;
    moil_thread_set_run(run->co, run);
    if (!needs_conclusion(run)) {
        run->phase = RUN_OVER;
        run->outcome.value = moil_buffer_slice(&run->value);
        return RUN_DONE;
    }
    start_phase(run, RUN_CONCLUDE, call_conclude);
    return advance(run, resume(run));
}

enum run_status moil_run_resume(struct run *run)
{
    if (run->condemned) {
        return conclude_condemned(run);
    }
    if (run->exit == EXIT_NONE) {
        moil_thread_set_run(run->co, run);
        start_phase(run, RUN_CALL, call_task);
    }
    return advance(run, resume(run));
}

enum run_status moil_run_terminate(struct run *run)
{
    close_threads(run);
    fail_with(run, "Revoked", "revoked");
    run->outcome.kind = OUTCOME_REVOKED;
    if (run->phase == RUN_CONCLUDE || !needs_conclusion(run)) {
        run->phase = RUN_OVER;
        run->outcome.value = moil_buffer_slice(&run->value);
        return RUN_DONE;
    }
    run->timed_out = true; /* its hook has 10 s of its own */
    moil_limits_conclude(run);
    start_phase(run, RUN_CONCLUDE, call_conclude);
    return advance(run, resume(run));
}

enum run_status moil_run_expire(struct run *run)
{
    if (run->soft_us && moil_run_next_deadline(run) == run->soft_us) {
        run->soft_us = 0;
        moil_call_fail(&run->call, "SoftTimeLimitExceeded", "the soft time limit has passed");
        return moil_run_resume(run);
    }
    run->exit = EXIT_LIMIT;
    return advance(run, LUA_YIELD);
}

const struct run_outcome *moil_run_outcome(const struct run *run)
{
    return &run->outcome;
}

void *moil_run_owner(const struct run *run)
{
    return run->owner;
}
