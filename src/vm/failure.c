/* What a job raised, as the JSON text {code, message, traceback} that users see. Anything can be
 * raised, and looking at it may run user code (__tostring, __index), so that is done in a protected
 * call on the main thread. */
#include "base/log.h"
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
    if (traceback.p) {
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

/* (error, thread, buffer) */
static int render(lua_State *L)
{
    lua_State *co = lua_touserdata(L, 2);
    struct buffer *out = lua_touserdata(L, 3);
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
        message.p = luaL_tolstring(L, 1, &message.n); /* … text */
    }
    if (!traceback.p) {
        luaL_traceback(L, co, NULL, 0); /* … traceback */
        traceback.p = lua_tolstring(L, -1, &traceback.n);
    }
    add_fields(out, code, message, traceback);
    return 0;
}

void moil_failure_encode(lua_State *L, lua_State *co, struct buffer *out)
{
    int top = lua_gettop(L);

    if (lua_status(co) == LUA_ERRMEM) {
        lua_pop(co, 1);
        moil_failure_encode_text("MemoryLimitExceeded", "not enough memory", out);
        return;
    }
    lua_pushcfunction(L, render);  /* fn */
    lua_xmove(co, L, 1);           /* fn error */
    lua_pushlightuserdata(L, co);  /* fn error thread */
    lua_pushlightuserdata(L, out); /* fn error thread buffer */
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        log_warning("an error value could not be shown: %s",
                    lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "its __tostring raised");
        moil_failure_encode_text("Error", "(an error value that cannot be shown)", out);
    }
    lua_settop(L, top);
}
