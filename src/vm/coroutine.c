/* moil's own `coroutine` table. To a program it behaves as the stock one, with this in addition:
 * when code inside of a coroutine waits for the host (moil.sleep, result:get) or ends its job
 * (self:retry), that yield passes through every coroutine of the job to the run, and the answer
 * comes back the same way. A coroutine's own yields stop where they always did.
 *
 * A thread knows its run only while it is being resumed; that is also what tells that nobody else
 * may resume or close it meanwhile. */
#include <stdlib.h>

#include "base/mem.h"
#include "vm/limits.h"
#include "vm/state.h"

/* Leaves what the values on the top of L mean to the caller: n values, or (n < 0) an error. */
typedef int finish_fn(lua_State *L, lua_State *co, int n);

/* --- the list of coroutines between the run and the running code ------------------------------ */

static void enter(lua_State *L, struct run *run, lua_State *co)
{
    if (!run) {
        return;
    }
    if (run->nest_len == run->nest_cap) {
        size_t cap = run->nest_cap ? run->nest_cap * 2 : 4;
        lua_State **nest = moil_mem_realloc(run->nest, cap * sizeof(lua_State *));

        if (!nest) {
            luaL_error(L, "not enough memory");
            return;
        }
        run->nest = nest;
        run->nest_cap = cap;
    }
    run->nest[run->nest_len++] = co;
    run->barriers += lua_isyieldable(L) ? 0 : 1;
    moil_thread_set_run(co, run);
}

static void leave(lua_State *L, struct run *run, lua_State *co)
{
    if (run) {
        run->nest_len--;
        run->barriers -= lua_isyieldable(L) ? 0 : 1;
        moil_thread_set_run(co, NULL);
    }
}

/* --- resuming --------------------------------------------------------------------------------- */

/* Moves what a resume came to from co to L. The number of values, or -1 with the error on the top.
 */
static int take_results(lua_State *L, lua_State *co, int status, int n)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, n + 1)) {
        lua_pop(co, n);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, n);
    return n;
}

/* Resumes co, which is entered already, with the n values on its top. What belongs to the run
 * passes on outwards, and k comes back here. */
static int step(lua_State *L, lua_State *co, int n, lua_KFunction k, finish_fn *finish)
{
    struct run *run = moil_thread_run(L);
    int results = 0;
    int status;

    if (run) {
        moil_limits_running(run, co);
    }
    status = lua_resume(co, L, n, &results);
    if (run) {
        moil_limits_running(run, L);
    }

    if (run && status == LUA_YIELD && run->exit != EXIT_NONE) {
        return lua_yieldk(L, 0, (lua_KContext)co, k);
    }
    leave(L, run, co);
    return finish(L, co, take_results(L, co, status, results));
}

/* The n values on the top of L are for co. */
static int start(lua_State *L, lua_State *co, int n, lua_KFunction k, finish_fn *finish)
{
    if (moil_thread_run(co)) {
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return finish(L, co, -1);
    }
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return finish(L, co, -1);
    }
    enter(L, moil_thread_run(L), co);
    lua_xmove(L, co, n);
    return step(L, co, n, k, finish);
}

static lua_State *check_thread(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);

    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

static int finish_resume(lua_State *L, lua_State *co, int n)
{
    (void)co;
    if (n < 0) {
        lua_pushboolean(L, 0); /* … error false */
        lua_insert(L, -2);     /* … false error */
        return 2;
    }
    lua_pushboolean(L, 1);   /* … values true */
    lua_insert(L, -(n + 1)); /* … true values */
    return n + 1;
}

static int resume_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return step(L, (lua_State *)ctx, 0, resume_k, finish_resume);
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_thread(L);

    return start(L, co, lua_gettop(L) - 1, resume_k, finish_resume);
}

static int co_create(lua_State *L)
{
    lua_State *co;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    co = lua_newthread(L); /* fn … thread */
    lua_pushvalue(L, 1);   /* fn … thread fn */
    lua_xmove(L, co, 1);   /* fn … thread */
    return 1;
}

/* --- wrap ------------------------------------------------------------------------------------- */

/* What its <close> variables do belongs to the job that closes it. */
static int close_thread(lua_State *L, lua_State *co)
{
    int status;

    struct run *run = moil_thread_run(L);

    moil_thread_set_run(co, run);
    if (run) {
        moil_limits_running(run, co);
    }
    status = moil_thread_close(co, L);
    if (run) {
        moil_limits_running(run, L);
    }
    moil_thread_set_run(co, NULL);
    return status;
}

static int finish_wrap(lua_State *L, lua_State *co, int n)
{
    int status = lua_status(co);

    if (n >= 0) {
        return n;
    }
    if (status != LUA_OK && status != LUA_YIELD) { /* it died of the error: its <close> variables
                                                      run */
        status = close_thread(L, co);
        lua_xmove(co, L, 1); /* … error */
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);  /* … error where */
        lua_insert(L, -2); /* … where error */
        lua_concat(L, 2);  /* … error */
    }
    return lua_error(L);
}

static int wrap_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return step(L, (lua_State *)ctx, 0, wrap_k, finish_wrap);
}

static int call_wrapped(lua_State *L)
{
    return start(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L), wrap_k, finish_wrap);
}

static int co_wrap(lua_State *L)
{
    co_create(L);                         /* fn … thread */
    lua_pushcclosure(L, call_wrapped, 1); /* fn … wrapped */
    return 1;
}

/* --- the rest --------------------------------------------------------------------------------- */

/* In a job, what runs outside of its own coroutines is its main program, as in a script. */
static bool is_main(lua_State *L)
{
    const struct run *run = moil_thread_run(L);

    return run && run->nest_len == 0;
}

static int co_yield (lua_State *L)
{
    if (is_main(L)) {
        return luaL_error(L, "attempt to yield from outside a coroutine");
    }
    return lua_yield(L, lua_gettop(L));
}

static const char *status_of(lua_State *L, lua_State *co)
{
    lua_Debug ar;

    if (L == co) {
        return "running";
    }
    switch (lua_status(co)) {
    case LUA_YIELD:
        return moil_thread_run(co) ? "normal" : "suspended"; /* normal: a job waits inside of it */
    case LUA_OK:
        if (lua_getstack(co, 0, &ar)) {
            return "normal";
        }
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    default:
        return "dead";
    }
}

static int co_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_thread(L))); /* … status */
    return 1;
}

static int co_running(lua_State *L)
{
    int ismain = lua_pushthread(L);           /* thread */
    lua_pushboolean(L, ismain || is_main(L)); /* thread main */
    return 2;
}

static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isnone(L, 1) ? L : check_thread(L);

    lua_pushboolean(L, lua_isyieldable(co) && !is_main(co)); /* … yes */
    return 1;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_thread(L);
    const char *status = status_of(L, co);

    if (status[0] != 's' && status[0] != 'd') {
        return luaL_error(L, "cannot close a %s coroutine", status);
    }
    if (close_thread(L, co) == LUA_OK) {
        lua_pushboolean(L, 1); /* … true */
        return 1;
    }
    lua_pushboolean(L, 0); /* … false */
    lua_xmove(co, L, 1);   /* … false error */
    return 2;
}

static const luaL_Reg functions[] = {
    {"create", co_create},
    {"resume", co_resume},
    {"wrap", co_wrap},
    {"yield", co_yield },
    {"status", co_status},
    {"running", co_running},
    {"isyieldable", co_isyieldable},
    {"close", co_close},
    {NULL, NULL},
};

void moil_coroutine_open(lua_State *L)
{
    lua_getglobal(L, "coroutine");  /* table */
    luaL_setfuncs(L, functions, 0); /* table */
    lua_pop(L, 1);
}
