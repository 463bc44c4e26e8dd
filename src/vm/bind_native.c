/* Tasks in C: a function that Lua sees as any other, and whose work the host does (vm/host.h,
 * `native`).
 *
 * A job of such a task, without hooks before it, passes its arguments and its result as the JSON
 * text that they are; called from Lua, they are values as for any function. */
#include "vm/json.h"
#include "vm/state.h"

static int ended_badly(lua_State *L, int status, lua_KContext ctx)
{
    (void)L, (void)status, (void)ctx;
    return 0;
}

/* What a run that ended badly does: job.end_native(kind, code, message, milliseconds, is_job),
 * which raises or stops. */
static int end_badly(lua_State *L, const struct vm_call *call, bool is_job)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->run->vm->end_native_ref); /* fn */
    if (call->failed) {                   /* it was cancelled, or could not begin */
        lua_pushliteral(L, "failure");    /* fn kind */
        lua_pushstring(L, call->code);    /* fn kind code */
        lua_pushstring(L, call->message); /* fn kind code message */
        lua_pushnil(L);                   /* fn kind code message ms */
    } else {
        moil_call_push(call, L); /* likewise */
    }
    lua_pushboolean(L, is_job); /* fn kind code message ms is_job */
    lua_callk(L, 5, 0, 0, ended_badly);
    return 0;
}

static bool is_success(const struct vm_call *call)
{
    return !call->failed && moil_call_answer_count(call) == 1;
}

static int push_result(lua_State *L, int status, lua_KContext ctx)
{
    const struct vm_call *call = (const struct vm_call *)ctx;
    char err[200];

    (void)status;
    if (!is_success(call)) {
        return end_badly(L, call, false);
    }
    if (moil_json_decode(L, moil_call_answer_text(call, 0), err, sizeof err) != 0) { /* value */
        return moil_bind_raise(L, "BadMessage", err);
    }
    return 1;
}

/* (arguments…) -> result. Upvalues: bind, the task. */
static int native_call(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct vm_native ask = {.task = lua_touserdata(L, lua_upvalueindex(2))};
    struct json_sink to = {.out = &call->request, .max = moil_host_payload(&bind->host)};
    int n = lua_gettop(L);

    lua_createtable(L, n, 0); /* arguments… list */
    lua_insert(L, 1);         /* list arguments… */
    for (int i = n; i >= 1; i--) {
        lua_rawseti(L, 1, i);
    }
    if (moil_json_encode_args(L, 1, n, &to) != 0) { /* list */
        return moil_bind_raise(L, "BadArgument", to.err[0] ? to.err : "too large to be arguments");
    }
    moil_buffer_add_char(&call->request, '\0');
    if (call->request.failed) {
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    ask.args = slice_of(call->request.data, call->request.len - 1);
    return moil_bind_finish(L, call, bind->host.native(bind->host.data, call, &ask), push_result);
}

const void *moil_native_of(lua_State *L, int idx)
{
    const void *task = NULL;

    if (lua_tocfunction(L, idx) == native_call && lua_getupvalue(L, idx, 2)) { /* task */
        task = lua_touserdata(L, -1);
        lua_pop(L, 1);
    }
    return task;
}

/* --- as a job --------------------------------------------------------------------------------- */

/* The result stays the text that it is: nothing is pushed. */
static int keep_result(lua_State *L, int status, lua_KContext ctx)
{
    const struct vm_call *call = (const struct vm_call *)ctx;
    struct run *run = call->run;
    struct slice text;

    (void)status;
    if (!is_success(call)) {
        return end_badly(L, call, true);
    }
    text = moil_call_answer_text(call, 0);
    moil_buffer_clear(&run->value);
    moil_buffer_add_slice(&run->value, text);
    run->has_result = true;
    return 0;
}

int moil_native_run(lua_State *L, struct run *run, const void *task)
{
    const struct vm_host *host = &run->vm->host;
    struct vm_native ask = {.task = task, .args = run->job.args, .kwargs = run->job.kwargs};

    moil_call_clear(&run->call);
    return moil_bind_finish(L, &run->call, host->native(host->data, &run->call, &ask), keep_result);
}

/* () -> nothing: the work of the job that runs. For a function that has something to do before. */
static int native_job(lua_State *L)
{
    return moil_native_run(L, moil_thread_run(L), lua_touserdata(L, lua_upvalueindex(2)));
}

/* --- for Lua ---------------------------------------------------------------------------------- */

/* [-0, +1, m] */
static void push_function(lua_State *L, lua_CFunction fn, const struct vm_native_task *task)
{
    lua_pushvalue(L, lua_upvalueindex(1));                   /* bind */
    lua_pushlightuserdata(L, (void *)(uintptr_t)task->task); /* bind task */
    lua_pushcclosure(L, fn, 2);                              /* fn */
}

/* native(name) -> the function of that task in C, the same for a job of its own (native_job), its
 * options as JSON text; or nothing */
static int core_native(lua_State *L)
{
    const struct bind *bind = moil_bind_of(L);
    const char *name = luaL_checkstring(L, 1);

    for (size_t i = 0; bind->vm && i < bind->vm->native_count; i++) {
        const struct vm_native_task *task = &bind->vm->natives[i];

        if (strcmp(task->name, name) == 0) {
            push_function(L, native_call, task); /* fn */
            push_function(L, native_job, task);  /* fn job */
            lua_pushstring(L, task->options);    /* fn job options */
            return 3;
        }
    }
    return 0;
}

/* natives() -> the names of all of them */
static int core_natives(lua_State *L)
{
    const struct bind *bind = moil_bind_of(L);
    size_t count = bind->vm ? bind->vm->native_count : 0;

    lua_createtable(L, (int)count, 0); /* list */
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, bind->vm->natives[i].name); /* list name */
        lua_rawseti(L, -2, (lua_Integer)i + 1);       /* list */
    }
    return 1;
}

const luaL_Reg moil_bind_native_functions[] = {
    {"native", core_native},
    {"natives", core_natives},
    {NULL, NULL},
};
