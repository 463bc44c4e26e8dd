/* Opens `moil.core`: gathers the functions of the bind_*.c files into one table with one shared
 * upvalue, and has what they all need (who calls, from where, raising errors). Must not know what
 * the functions do. */
#include "vm/bind.h"

#include <stdio.h>

#include "base/error.h"
#include "vm/json.h"
#include "vm/state.h"

enum { MESSAGE_MAX = 8 * 1024 }; /* bytes of a log line's message */

static int bind_gc(lua_State *L)
{
    struct bind *bind = lua_touserdata(L, 1);

    moil_call_fini(&bind->call);
    moil_buffer_fini(&bind->scratch);
    return 0;
}

/* An error that nobody catches reads "file:line: Code: message" in a plain program too. */
static int error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "where");   /* where */
    lua_getfield(L, 1, "code");    /* where code */
    lua_getfield(L, 1, "message"); /* where code message */
    lua_pushfstring(L, "%s%s%s: %s", lua_isstring(L, -3) ? lua_tostring(L, -3) : "",
                    lua_isstring(L, -3) ? ": " : "",
                    lua_isstring(L, -2) ? lua_tostring(L, -2) : "Error",
                    lua_isstring(L, -1) ? lua_tostring(L, -1) : "?"); /* where code message text */
    return 1;
}

/* The names of moil's own Lua files begin with this prefix: their lines are not where a user's
 * mistake is. */
static int core_library(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);

    snprintf(bind->library, sizeof bind->library, "%s", luaL_checkstring(L, 1));
    return 0;
}

static const luaL_Reg own_functions[] = {
    {"library", core_library},
    {NULL, NULL},
};

static void push_bind(lua_State *L, const struct vm_host *host)
{
    struct bind *bind = lua_newuserdatauv(L, sizeof *bind, 0); /* bind */

    memset(bind, 0, sizeof *bind);
    bind->host = *host;
    moil_call_init(&bind->call, NULL);
    lua_createtable(L, 0, 1);      /* bind meta */
    lua_pushcfunction(L, bind_gc); /* bind meta fn */
    lua_setfield(L, -2, "__gc");   /* bind meta */
    lua_setmetatable(L, -2);       /* bind */
}

/* [-0, +0, m] with the table and the bind on the top */
static void set_functions(lua_State *L, const luaL_Reg *functions)
{
    lua_pushvalue(L, -2);           /* table bind table */
    lua_pushvalue(L, -2);           /* table bind table bind */
    luaL_setfuncs(L, functions, 1); /* table bind table */
    lua_pop(L, 1);                  /* table bind */
}

int moil_bind_open(lua_State *L, const struct vm_host *host)
{
    moil_json_open(L);
    lua_createtable(L, 0, 32); /* core */
    push_bind(L, host);        /* core bind */
    set_functions(L, own_functions);
    set_functions(L, moil_bind_host_functions);
    set_functions(L, moil_bind_beat_functions);
    set_functions(L, moil_bind_control_functions);
    set_functions(L, moil_bind_graph_functions);
    set_functions(L, moil_bind_job_functions);
    set_functions(L, moil_bind_native_functions);
    set_functions(L, moil_bind_plain_functions);
    lua_pop(L, 1);                               /* core */
    moil_json_push_null(L);                      /* core null */
    lua_setfield(L, -2, "null");                 /* core */
    moil_json_push_object_meta(L);               /* core meta */
    lua_setfield(L, -2, "object_meta");          /* core */
    if (luaL_newmetatable(L, MOIL_ERROR_META)) { /* core meta */
        lua_pushcfunction(L, error_tostring);    /* core meta fn */
        lua_setfield(L, -2, "__tostring");       /* core meta */
    }
    lua_setfield(L, -2, "error_meta"); /* core */
    return 1;
}

/* The worker's limit, where it has one, as a field of the table on the top. [-0, +0, m] */
static void set_limit(lua_State *L, const char *field, double seconds)
{
    if (seconds > 0) {
        lua_pushnumber(L, seconds); /* core seconds */
        lua_setfield(L, -2, field); /* core */
    }
}

void moil_bind_attach(lua_State *L, struct vm *vm)
{
    struct bind *bind;

    lua_getfield(L, -1, "library"); /* core fn */
    lua_getupvalue(L, -1, 1);       /* core fn bind */
    bind = lua_touserdata(L, -1);
    bind->vm = vm;
    lua_remove(L, -2); /* core bind */
    set_functions(L, moil_task_functions);
    lua_pop(L, 1);                      /* core */
    lua_pushstring(L, vm->config_json); /* core text */
    lua_setfield(L, -2, "config");      /* core */
    set_limit(L, "time_limit", vm->time_limit_s);
    set_limit(L, "soft_time_limit", vm->soft_time_limit_s);
    set_limit(L, "max_memory", vm->max_memory_mb);
}

struct run *moil_bind_run(lua_State *L, const struct bind *bind)
{
    return bind->vm ? moil_thread_run(L) : NULL;
}

void moil_bind_push_where(lua_State *L, const struct bind *bind)
{
    size_t n = strlen(bind->library);
    lua_Debug ar;

    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && (n == 0 || strncmp(ar.source, bind->library, n) != 0)) {
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline); /* where */
            return;
        }
    }
    lua_pushnil(L); /* nil */
}

void moil_bind_encode(lua_State *L, int idx, struct json_sink *to)
{
    int code = moil_json_encode(L, idx, to);

    if (code == MOIL_ETOOLARGE) {
        snprintf(to->err, sizeof to->err, "%s: more than the %zu bytes allowed", to->root, to->max);
    } else if (code == MOIL_ENOMEM) {
        snprintf(to->err, sizeof to->err, "%s: %s", to->root, moil_strerror(code));
    }
    if (code != 0) {
        moil_bind_raise(L, moil_error_code(code), to->err);
    }
}

struct slice moil_bind_push_message(lua_State *L, int idx)
{
    struct slice s;

    s.p = luaL_tolstring(L, idx, &s.n); /* text */
    if (s.n <= MESSAGE_MAX) {
        return s;
    }
    s.n = MESSAGE_MAX;
    while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) { /* not within a character */
        s.n--;
    }
    lua_pushlstring(L, s.p, s.n); /* text part */
    lua_pushliteral(L, "…");      /* text part mark */
    lua_concat(L, 2);             /* text part */
    lua_remove(L, -2);            /* part */
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

int moil_bind_raise(lua_State *L, const char *code, const char *message)
{
    lua_createtable(L, 0, 3);                 /* error */
    lua_pushstring(L, code);                  /* error code */
    lua_setfield(L, -2, "code");              /* error */
    lua_pushstring(L, message);               /* error message */
    lua_setfield(L, -2, "message");           /* error */
    moil_bind_push_where(L, moil_bind_of(L)); /* error where */
    lua_setfield(L, -2, "where");             /* error */
    luaL_setmetatable(L, MOIL_ERROR_META);    /* error */
    return lua_error(L);
}
