/* Runs: one job's coroutine, from its arguments to an outcome.
 *
 * A plain job is one resume: push the function, decode the arguments, call, encode the result. What
 * ends badly, or has hooks, gets a second phase in the same (reset) thread: lua/moil/job.lua's
 * `conclude`, which asks the retry policy and calls the hooks, and may wait too. Making, reusing
 * and closing runs is pool.c's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "vm/allowance.h"
#include "vm/json.h"
#include "vm/limits.h"
#include "vm/state.h"

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

    if (task->native) {
        return moil_native_run(L, run, task->native);
    }
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
    [OUTCOME_REPLACE] = "replace",
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

static void revoke(struct run *run)
{
    fail_with(run, "Revoked", "revoked");
    run->outcome.kind = OUTCOME_REVOKED;
}

/* The result is on the top of the thread. */
static void take_result(struct run *run)
{
    size_t max = moil_host_payload(&run->vm->host);
    struct json_sink to = {.out = &run->value, .max = max, .root = "result"};
    int code;

    if (run->has_result) { /* of a task in C, which its host has looked at */
        run->outcome.kind = OUTCOME_SUCCESS;
        return;
    }
    moil_buffer_clear(&run->value);
    code = moil_json_encode(run->co, -1, &to);
    if (code == MOIL_EINVAL) {
        fail_with(run, "BadArgument", to.err);
    } else if (code == MOIL_ETOOLARGE) {
        snprintf(to.err, sizeof to.err, "a result of more than the %zu bytes allowed", max);
        fail_with(run, "TooLarge", to.err);
    } else if (code != 0) {
        fail_with(run, "MemoryLimitExceeded", "not enough memory for the result");
    } else {
        run->outcome.kind = OUTCOME_SUCCESS;
    }
}

/* What it holds is garbage when this returns, but not collected yet. */
static void end_starved(struct run *run)
{
    char message[200];

    moil_allowance_describe(run, message, sizeof message);
    moil_allowance_close(run);
    moil_run_close_threads(run);
    fail_with(run, "MemoryLimitExceeded", message);
}

/* The first phase is over: decides the outcome so far. */
static void end_call(struct run *run, int status)
{
    if (run->stopped) {
        moil_run_close_threads(run);
    } else if ((status == LUA_YIELD && run->exit == EXIT_MEMORY) || moil_allowance_is_spent(run)) {
        end_starved(run);
    } else if ((status == LUA_YIELD && run->exit == EXIT_LIMIT) || run->overran) {
        run->exit = EXIT_LIMIT;
        moil_run_close_threads(run); /* also where something caught the error and it ended by itself
                                      */
        run->timed_out = true;
        if (run->revoked) {
            revoke(run);
        } else {
            fail_with(run, "TimeLimitExceeded", "the time limit has passed");
        }
    } else if (status == LUA_OK) {
        take_result(run);
    } else if (status == LUA_YIELD) { /* not by us, not by coroutine.yield: a C library's lua_yield
                                       */
        moil_run_close_threads(run);
        fail_with(run, "Error", "attempt to yield from outside a coroutine");
    } else {
        run->outcome.kind = OUTCOME_FAILURE;
        moil_failure_encode(run);
        moil_run_close_threads(run);
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
    case OUTCOME_REPLACE: /* what takes its place has hooks of its own */
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
    } else if (status == LUA_YIELD && run->exit == EXIT_MEMORY) {
        moil_log_job(LOG_ERROR, run->job.id, run->job.task,
                     slice_str("hooks and retry policy took more memory than they may"),
                     (struct slice){0});
        moil_allowance_close(run);
    } else {
        log_conclude_error(run);
    }
    moil_run_close_threads(run);
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

static enum run_status advance(struct run *run, int status);

static enum run_status end(struct run *run)
{
    run->phase = RUN_OVER;
    run->outcome.value = moil_buffer_slice(&run->value);
    return RUN_DONE;
}

/* The outcome so far is known: the second phase, where one is wanted. */
static enum run_status conclude(struct run *run)
{
    if (run->starved || moil_allowance_is_spent(run)) {
        moil_allowance_conclude(run);
    }
    if (run->phase == RUN_CONCLUDE || !needs_conclusion(run)) {
        return end(run);
    }
    moil_limits_conclude(run);
    start_phase(run, RUN_CONCLUDE, call_conclude);
    return advance(run, resume(run));
}

/* Its next turns are the collector's. */
static enum run_status await_collection(struct run *run)
{
    moil_allowance_collect_begin(run);
    return RUN_SLICED;
}

/* The phase ended with that status: the next one, or the end. */
static enum run_status advance(struct run *run, int status)
{
    if (status == LUA_YIELD && run->exit == EXIT_WAIT) {
        return RUN_WAITING;
    }
    if (status == LUA_YIELD && run->exit == EXIT_SLICE) {
        return RUN_SLICED;
    }
    if (status == LUA_YIELD && run->exit == EXIT_COLLECT) {
        return await_collection(run);
    }
    if (run->phase == RUN_CONCLUDE) {
        end_conclude(run, status);
        return end(run);
    }
    end_call(run, status);
    return run->starved ? await_collection(run) : conclude(run);
}

static bool is_past_hard_limit(const struct run *run)
{
    return run->hard_us && moil_clock_monotonic_us() >= run->hard_us;
}

/* A turn for the collector. */
static enum run_status collect(struct run *run)
{
    enum collection collection = moil_allowance_collect(run);

    if (collection == COLLECTION_GOES_ON && !is_past_hard_limit(run)) {
        return RUN_SLICED;
    }
    run->cycles = 0;
    if (run->starved) {
        return conclude(run);
    }
    if (collection == COLLECTION_ENOUGH) {
        return advance(run, resume(run));
    }
    run->exit = collection == COLLECTION_SHORT ? EXIT_MEMORY : EXIT_LIMIT;
    return advance(run, LUA_YIELD);
}

void moil_run_condemn(struct run *run, struct slice error)
{
    moil_buffer_clear(&run->value);
    moil_buffer_add_slice(&run->value, error);
    run->outcome.kind = OUTCOME_FAILURE;
    run->condemned = true;
}

static enum run_status begin_or_go_on(struct run *run)
{
    if (run->cycles > 0) {
        return collect(run);
    }
    if (run->condemned) { /* no function runs: what needs a conclusion gets it */
        run->condemned = false;
        moil_thread_set_run(run->co, run);
        return conclude(run);
    }
    if (run->exit == EXIT_NONE) {
        moil_thread_set_run(run->co, run);
        start_phase(run, RUN_CALL, call_task);
    }
    return advance(run, resume(run));
}

static enum run_status terminate(struct run *run)
{
    moil_run_close_threads(run);
    revoke(run);
    run->timed_out = true; /* its hook has 10 s of its own */
    return conclude(run);
}

static enum run_status exceed(struct run *run)
{
    run->exit = EXIT_MEMORY;
    return run->starved ? RUN_SLICED : advance(run, LUA_YIELD);
}

static enum run_status expire(struct run *run)
{
    if (run->soft_us && moil_run_next_deadline(run) == run->soft_us) {
        run->soft_us = 0;
        moil_call_fail(&run->call, "SoftTimeLimitExceeded", "the soft time limit has passed");
        return begin_or_go_on(run);
    }
    run->exit = EXIT_LIMIT;
    return advance(run, LUA_YIELD);
}

/* All that a run does is counted as its own. */
static enum run_status counted(struct run *run, enum run_status (*step)(struct run *run))
{
    enum run_status status;

    moil_allowance_enter(run->vm, run);
    status = step(run);
    moil_allowance_enter(run->vm, NULL);
    return status;
}

enum run_status moil_run_resume(struct run *run)
{
    return counted(run, begin_or_go_on);
}

enum run_status moil_run_terminate(struct run *run)
{
    return counted(run, terminate);
}

enum run_status moil_run_exceed(struct run *run)
{
    return counted(run, exceed);
}

enum run_status moil_run_expire(struct run *run)
{
    return counted(run, expire);
}

const struct run_outcome *moil_run_outcome(const struct run *run)
{
    return &run->outcome;
}

void *moil_run_owner(const struct run *run)
{
    return run->owner;
}
