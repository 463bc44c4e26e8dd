/* What a job raised, as the JSON text {code, message, traceback} that users see. Anything can be
 * raised, and looking at it may run user code (__tostring, __index): that is done in the run's own
 * thread, where its limits hold. A string is shown on the main thread. */
#include "base/clock.h"
#include "base/log.h"
#include "vm/limits.h"
#include "vm/state.h"

enum {
    CODE_MAX = 200,
    MESSAGE_MAX = 8 * 1024,
    TRACEBACK_MAX = 16 * 1024,
};

static struct slice cut(struct slice s, size_t max)
{
    return slice_of(s.p, s.n < max ? s.n : max);
}

static void add_member(struct buffer *out, const char *name, struct slice value, size_t max)
{
    moil_buffer_addf(out, "%c\"%s\":", out->len ? ',' : '{', name);
    moil_buffer_add_json(out, cut(value, max));
}

static void add_fields(struct buffer *out, struct slice code, struct slice message,
                       struct slice traceback)
{
    moil_buffer_clear(out);
    add_member(out, "code", code, CODE_MAX);
    add_member(out, "message", message, MESSAGE_MAX);
    if (traceback.n) {
        add_member(out, "traceback", traceback, TRACEBACK_MAX);
    }
    moil_buffer_add_char(out, '}');
}

void moil_failure_encode_text(const char *code, const char *message, struct buffer *out)
{
    add_fields(out, slice_str(code), slice_str(message), (struct slice){0});
}

/* The field of an error table as text, pushed; absent when it is nil. [-0, +1, e] */
static struct slice field_text(lua_State *L, int idx, const char *name)
{
    struct slice s = {0};

    if (lua_getfield(L, idx, name) != LUA_TNIL) { /* value */
        s.p = luaL_tolstring(L, -1, &s.n);        /* value text */
        lua_remove(L, -2);                        /* text */
    }
    return s;
}

static struct slice text_of(lua_State *L, int idx)
{
    struct slice s;

    if (lua_type(L, idx) == LUA_TSTRING) { /* whose metatable is everybody's */
        lua_pushvalue(L, idx);             /* text */
        s.p = lua_tolstring(L, -1, &s.n);
    } else {
        s.p = luaL_tolstring(L, idx, &s.n); /* text */
    }
    return s;
}

/* (error, traceback, buffer) */
static int render(lua_State *L)
{
    struct slice code = {0};
    struct slice message = {0};
    struct slice traceback = {0};

    if (lua_istable(L, 1)) {
        code = field_text(L, 1, "code");           /* … code */
        message = field_text(L, 1, "message");     /* … message */
        traceback = field_text(L, 1, "traceback"); /* … traceback */
    }
    if (!code.p) {
        code = slice_str("Error");
    }
    if (!message.p) {
        message = text_of(L, 1); /* … text */
    }
    if (!traceback.p) {
        traceback.p = lua_tolstring(L, 2, &traceback.n);
    }
    add_fields(lua_touserdata(L, 3), code, message, traceback);
    return 0;
}

/* (thread) -> traceback */
static int trace(lua_State *L)
{
    luaL_traceback(L, lua_touserdata(L, 1), NULL, 0); /* thread traceback */
    return 1;
}

/* Renders the error and the traceback on the top of L in the run's thread, within the time that
 * <close> variables have. [-2, +0, -] */
static int show(struct run *run, lua_State *L)
{
    enum run_phase phase = run->phase;
    int64_t soft_us = run->soft_us, hard_us = run->hard_us;
    int n = 3;
    int results = 0;
    int status = LUA_OK;

    run->phase = RUN_SHOW;
    moil_limits_close(run);
    lua_settop(run->co, 0);
    lua_pushcfunction(run->co, render);          /* fn */
    lua_xmove(L, run->co, 2);                    /* fn error traceback */
    lua_pushlightuserdata(run->co, &run->value); /* fn error traceback buffer */
    do {
        run->exit = EXIT_NONE;
        run->slice_us = moil_clock_monotonic_us();
        moil_limits_running(run, run->co);
        run->vm->on_cpu = run;
        status = lua_resume(run->co, NULL, n, &results);
        run->vm->on_cpu = NULL;
        n = 0;
    } while (status == LUA_YIELD && (run->exit == EXIT_SLICE || run->exit == EXIT_COLLECT));
    run->phase = phase;
    run->soft_us = soft_us;
    run->hard_us = hard_us;
    return status;
}

void moil_failure_encode(struct run *run)
{
    lua_State *L = run->vm->L;
    int top = lua_gettop(L);
    bool plain = lua_type(run->co, -1) == LUA_TSTRING;
    int status;

    if (lua_status(run->co) == LUA_ERRMEM) {
        lua_pop(run->co, 1);
        moil_failure_encode_text("MemoryLimitExceeded", "not enough memory", &run->value);
        return;
    }
    lua_xmove(run->co, L, 1);          /* error */
    lua_pushcfunction(L, trace);       /* error fn */
    lua_pushlightuserdata(L, run->co); /* error fn thread */
    status = lua_pcall(L, 1, 1, 0);    /* error traceback */
    if (status == LUA_OK && plain) {
        lua_pushcfunction(L, render);          /* error traceback fn */
        lua_insert(L, -3);                     /* fn error traceback */
        lua_pushlightuserdata(L, &run->value); /* fn error traceback buffer */
        status = lua_pcall(L, 3, 0, 0);
    } else if (status == LUA_OK) {
        moil_run_close_threads(run);
        status = show(run, L);
    }
    if (status != LUA_OK) {
        log_warning("an error value of task %.*s could not be shown", (int)run->job.task.n,
                    run->job.task.p);
        moil_failure_encode_text("Error", "(an error value that cannot be shown)", &run->value);
    }
    lua_settop(L, top);
}
