/* Makes `self`, the job as its own code sees it: plain fields, and methods by the metatable of
 * lua/moil/job.lua. Made only where a task is bound, has hooks, or calls moil.current(). */
#include "vm/json.h"
#include "vm/state.h"

static void set_slice(lua_State *L, const char *field, struct slice s)
{
    lua_pushlstring(L, s.p ? s.p : "", s.n); /* self value */
    lua_setfield(L, -2, field);              /* self */
}

static void set_int(lua_State *L, const char *field, lua_Integer v)
{
    lua_pushinteger(L, v);      /* self value */
    lua_setfield(L, -2, field); /* self */
}

/* The JSON text's value, or an empty table. */
static void set_json(lua_State *L, const char *field, struct slice text)
{
    char err[200];

    if (text.n == 0 || moil_json_decode(L, text, err, sizeof err) != 0) { /* self value */
        lua_createtable(L, 0, 0);                                         /* self value */
    }
    lua_setfield(L, -2, field); /* self */
}

/* Fields from the options that travelled with the job. */
static void set_extra(lua_State *L, struct slice extra)
{
    static const char *const names[] = {"eta",         "parent_id", "root_id", "group_id",
                                        "workflow_id", "headers",   NULL};
    char err[200];

    if (extra.n == 0 || moil_json_decode(L, extra, err, sizeof err) != 0) { /* self extra */
        return;
    }
    if (lua_istable(L, -1)) {
        for (int i = 0; names[i]; i++) {
            if (lua_getfield(L, -1, names[i]) == LUA_TNIL) { /* self extra value */
                lua_pop(L, 1);
            } else {
                lua_setfield(L, -3, names[i]); /* self extra */
            }
        }
        if (lua_getfield(L, -1, "retry") == LUA_TNIL) { /* self extra retry */
            lua_pop(L, 1);
        } else {
            lua_setfield(L, -3, "retry_data"); /* self extra */
        }
    }
    lua_pop(L, 1); /* self */
}

void moil_self_push(lua_State *L, struct run *run)
{
    const struct job *job = &run->job;

    luaL_checkstack(L, 8, "self");
    if (run->self_ref != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, run->self_ref); /* self */
        return;
    }
    lua_createtable(L, 0, 16); /* self */
    set_slice(L, "id", job->id);
    set_slice(L, "task", job->task);
    set_slice(L, "queue", job->queue);
    set_slice(L, "worker", run->worker);
    set_int(L, "retries", job->retries);
    set_int(L, "attempt", (lua_Integer)job->retries + 1);
    set_int(L, "deliveries", (lua_Integer)moil_job_deliveries(job));
    set_slice(L, "root_id", job->id);
    set_json(L, "args", job->args);
    set_json(L, "kwargs", job->kwargs);
    set_json(L, "headers", (struct slice){0});
    set_extra(L, job->extra);
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->task->table_ref);   /* self options */
    lua_setfield(L, -2, "options");                            /* self */
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->vm->self_meta_ref); /* self meta */
    lua_setmetatable(L, -2);                                   /* self */
    lua_pushvalue(L, -1);                                      /* self self */
    run->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);            /* self */
}
