/* The functions of `moil.core` that belong to the job now running; where none is, they say so. */
#include <math.h>

#include "base/error.h"
#include "vm/json.h"
#include "vm/state.h"

/* current() -> self, or nil outside of a job */
static int core_current(lua_State *L)
{
    struct run *run = moil_bind_run(L, moil_bind_of(L));

    if (run) {
        moil_self_push(L, run); /* self */
    } else {
        lua_pushnil(L); /* nil */
    }
    return 1;
}

/* lineage() -> the ids of this job and of the root of its tree, for a job that it enqueues; nothing
 * outside of a job */
static int core_lineage(lua_State *L)
{
    struct run *run = moil_bind_run(L, moil_bind_of(L));
    char err[200];

    lua_settop(L, 0);
    if (!run) {
        return 0;
    }
    lua_pushlstring(L, run->job.id.p, run->job.id.n); /* id */
    lua_pushvalue(L, -1);                             /* id root */
    if (run->job.extra.n > 0 &&
        moil_json_decode(L, run->job.extra, err, sizeof err) == 0 &&           /* id root extra */
        lua_istable(L, -1) && lua_getfield(L, -1, "root_id") == LUA_TSTRING) { /* id root extra root
                                                                                */
        lua_replace(L, 2);                                                     /* id root … */
    }
    lua_settop(L, 2);
    return 2;
}

static const char *const stop_names[] = {"retry", "failure", "reject", "ignore", "replace", NULL};
static const enum outcome stop_outcomes[] = {OUTCOME_RETRY, OUTCOME_FAILURE, OUTCOME_REJECT,
                                             OUTCOME_IGNORE, OUTCOME_REPLACE};

/* What ends it, to the run's value: the error as JSON text, or a token as it is. */
static void take_reason(lua_State *L, struct run *run, bool is_token)
{
    struct json_sink to = {.out = &run->value, .root = "reason"};
    size_t n;

    moil_buffer_clear(&run->value);
    if (is_token) {
        const char *token = luaL_checklstring(L, 2, &n);

        moil_buffer_add(&run->value, token, n);
        return;
    }
    to.max = moil_host_payload(&run->vm->host);
    moil_bind_encode(L, 2, &to);
}

/* stop(kind, err, delay), stop("replace", token): ends the job here. It yields and is never
 * resumed, so no pcall can swallow it; where no yield can pass, it raises, and the outcome holds
 * all the same. */
static int core_stop(lua_State *L)
{
    struct run *run = moil_bind_run(L, moil_bind_of(L));
    int kind = luaL_checkoption(L, 1, NULL, stop_names);
    lua_Number delay_s = luaL_optnumber(L, 3, 0);

    if (!run) {
        return moil_bind_raise(L, "BadArgument", "no job is running here");
    }
    if (run->phase != RUN_CALL) {
        return moil_bind_raise(
            L, "BadArgument",
            "a hook cannot retry, reject, ignore or replace: the outcome is decided already");
    }
    if (!run->stopped) {
        take_reason(L, run, stop_outcomes[kind] == OUTCOME_REPLACE);
        run->outcome.kind = stop_outcomes[kind];
        run->outcome.delay_ms = (int64_t)ceil(delay_s * 1000);
        run->exhausted = stop_outcomes[kind] == OUTCOME_FAILURE;
        run->stopped = true;
    }
    if (!lua_isyieldable(L) || run->barriers > 0) {
        return moil_bind_raise(L, "Stopped",
                               "the job ends here (self:retry, reject, ignore or replace)");
    }
    run->exit = EXIT_STOP;
    return lua_yield(L, 0);
}

const luaL_Reg moil_bind_job_functions[] = {
    {"current", core_current},
    {"lineage", core_lineage},
    {"stop", core_stop},
    {NULL, NULL},
};
