/* Rails against accidents in tasks, not a sandbox: print goes to the log, os.exit raises,
 * debug.sethook is refused (time limits need the hook), so are finalizers in Lua, and once the
 * files are loaded an assignment to an undeclared global is an error. */
#include <lualib.h>

#include "base/log.h"
#include "vm/state.h"

static int rail_print(lua_State *L)
{
    const struct run *run = moil_thread_run(L);
    int n = lua_gettop(L);
    struct slice text;
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1) {
            luaL_addchar(&b, '\t');
        }
        luaL_tolstring(L, i, NULL); /* … text */
        luaL_addvalue(&b);          /* … */
    }
    luaL_pushresult(&b);                  /* … text */
    text = moil_bind_push_message(L, -1); /* … text message */
    moil_log_job(LOG_INFO, run ? run->job.id : (struct slice){0},
                 run ? run->job.task : (struct slice){0}, text, (struct slice){0});
    return 0;
}

static int rail_exit(lua_State *L)
{
    return luaL_error(L, "os.exit is not for tasks: return, raise an error, or call self:reject{}");
}

static int rail_sethook(lua_State *L)
{
    return luaL_error(L, "debug.sethook is not for tasks: time limits need the hook");
}

/* Lua calls a finalizer in whichever thread allocates, with its hooks off: one that does not end
 * would take another job's time, and no limit could cut it. What has no __gc when it is set never
 * gets a finalizer (luaC_checkfinalizer), so here is the place to refuse it. [-0, +0, v] */
static void check_metatable(lua_State *L)
{
    int type = lua_type(L, 2);

    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");         /* value meta name */
        if (lua_rawget(L, 2) != LUA_TNIL) { /* value meta finalizer */
            luaL_error(L, "__gc is not for tasks: finalizers run in other jobs' time; use <close> "
                          "variables");
        }
        lua_pop(L, 1); /* value meta */
    }
}

/* As the stock one, but for finalizers. */
static int rail_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    check_metatable(L);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) { /* table meta (protection) */
        return luaL_error(L, "cannot change a protected metatable");
    }
    lua_setmetatable(L, 1); /* table */
    return 1;
}

/* debug.setmetatable: of any value, protected or not. */
static int rail_debug_setmetatable(lua_State *L)
{
    check_metatable(L);
    lua_setmetatable(L, 1); /* value */
    return 1;
}

/* (_G, name, value) */
static int rail_newindex(lua_State *L)
{
    return luaL_error(
        L, "undeclared global '%s': declare it local (or assign it while its file is loaded)",
        luaL_tolstring(L, 2, NULL));
}

static void replace(lua_State *L, const char *table, const char *name, lua_CFunction fn)
{
    lua_getglobal(L, table);   /* table */
    lua_pushcfunction(L, fn);  /* table fn */
    lua_setfield(L, -2, name); /* table */
    lua_pop(L, 1);
}

void moil_rails_open(lua_State *L)
{
    replace(L, LUA_GNAME, "print", rail_print);
    replace(L, LUA_OSLIBNAME, "exit", rail_exit);
    replace(L, LUA_GNAME, "setmetatable", rail_setmetatable);
    replace(L, LUA_DBLIBNAME, "setmetatable", rail_debug_setmetatable);
    replace(L, LUA_DBLIBNAME, "sethook", rail_sethook);
}

void moil_rails_seal(lua_State *L)
{
    lua_pushglobaltable(L);         /* _G */
    if (!lua_getmetatable(L, -1)) { /* _G (meta) */
        lua_createtable(L, 0, 1);   /* _G meta */
    }
    lua_pushcfunction(L, rail_newindex); /* _G meta fn */
    lua_setfield(L, -2, "__newindex");   /* _G meta */
    lua_setmetatable(L, -2);             /* _G */
    lua_pop(L, 1);
}
