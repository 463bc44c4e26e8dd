/* The functions of `moil.core` that ask the host: each fills a question, calls the host, and
 * returns its answer, at once or after a yield that passes through all coroutines of the job
 * (coroutine.c). */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "vm/json.h"
#include "vm/state.h"

/* --- asking ----------------------------------------------------------------------------------- */

struct vm_call *moil_bind_begin(lua_State *L, struct bind *bind)
{
    struct run *run = moil_bind_run(L, bind);
    struct vm_call *call = run ? &run->call : &bind->call;

    if (bind->vm && !run) {
        moil_bind_raise(L, "BadArgument",
                        "this needs a running job: it cannot be called while files are loaded");
    } else if (run && (!lua_isyieldable(L) || run->barriers > 0 || run->phase == RUN_SHOW)) {
        moil_bind_raise(L, "BadArgument",
                        "cannot wait here: inside of a C function that calls back (table.sort, "
                        "string.gsub, require), a metamethod or a <close> variable that cannot be "
                        "suspended");
    }
    moil_call_clear(call);
    return call;
}

int moil_bind_answers(lua_State *L, int status, lua_KContext ctx)
{
    const struct vm_call *call = (const struct vm_call *)ctx;

    (void)status;
    if (call->failed) {
        return moil_bind_raise(L, call->code, call->message);
    }
    return moil_call_push(call, L);
}

int moil_bind_finish(lua_State *L, struct vm_call *call, enum vm_answer answer, lua_KFunction k)
{
    if (answer == VM_READY) {
        return k(L, LUA_OK, (lua_KContext)call);
    }
    call->run->exit = EXIT_WAIT;
    return lua_yieldk(L, 0, (lua_KContext)call, k);
}

static int finish(lua_State *L, struct vm_call *call, enum vm_answer answer)
{
    return moil_bind_finish(L, call, answer, moil_bind_answers);
}

static struct slice check_slice(lua_State *L, int arg)
{
    size_t n;
    const char *p = luaL_checklstring(L, arg, &n);

    return slice_of(p, n);
}

/* A string argument, copied into the call and ready to use; no more may be put into it afterwards.
 */
static struct slice put_last(struct vm_call *call, struct slice s)
{
    struct slice place = moil_call_put(call, s);

    moil_call_settle(call, &place);
    return place;
}

static void check_memory(lua_State *L, const struct vm_call *call)
{
    if (call->request.failed) {
        moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
}

/* --- enqueue(specs) -> list of booleans ------------------------------------------------------- */

static int push_created(lua_State *L, int status, lua_KContext ctx)
{
    const struct vm_call *call = (const struct vm_call *)ctx;
    size_t count = moil_call_answer_count(call);

    if (call->failed) {
        return moil_bind_answers(L, status, ctx);
    }
    lua_createtable(L, (int)count, 0); /* list */
    for (size_t i = 0; i < count; i++) {
        lua_pushboolean(L, moil_call_answer_bool(call, i)); /* list created */
        lua_rawseti(L, -2, (lua_Integer)i + 1);             /* list */
    }
    return 1;
}

static int core_enqueue(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    size_t count;

    luaL_checktype(L, 1, LUA_TTABLE);
    count = lua_rawlen(L, 1);
    if (count == 0) {
        lua_createtable(L, 0, 0); /* list */
        return 1;
    }
    if (!moil_call_reserve(call, count)) {
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1); /* spec */
        moil_submission_read(L, lua_gettop(L), bind, call, &call->subs[i]);
        lua_pop(L, 1);
    }
    check_memory(L, call);
    for (size_t i = 0; i < count; i++) {
        moil_submission_settle(call, &call->subs[i]);
    }
    return moil_bind_finish(L, call, bind->host.enqueue(bind->host.data, call, call->subs, count),
                            push_created);
}

/* --- wait(id, timeout, progress, seen) -> state, JSON text (, seen) --------------------------- */

static int core_wait(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct vm_wait wait = {.timeout_s = luaL_optnumber(L, 2, -1), .progress = lua_toboolean(L, 3)};

    wait.id = moil_call_put(call, check_slice(L, 1));
    if (!lua_isnoneornil(L, 4)) {
        wait.seen = moil_call_put(call, check_slice(L, 4));
    }
    check_memory(L, call);
    moil_call_settle(call, &wait.id);
    moil_call_settle(call, &wait.seen);
    return finish(L, call, bind->host.wait(bind->host.data, call, &wait));
}

/* --- inspect(id) -> JSON; revoke(id, terminate), reschedule(id, countdown, eta) -> state;
 * forget(id), delete(id) -> boolean --- */

static int query(lua_State *L, struct vm_question question)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);

    question.id = put_last(call, check_slice(L, 1));
    check_memory(L, call);
    return finish(L, call, bind->host.query(bind->host.data, call, &question));
}

static int core_inspect(lua_State *L)
{
    return query(L, (struct vm_question){.query = VM_INSPECT});
}

static int core_revoke(lua_State *L)
{
    return query(L, (struct vm_question){.query = VM_REVOKE, .terminate = lua_toboolean(L, 2)});
}

static int core_reschedule(lua_State *L)
{
    return query(L, (struct vm_question){.query = VM_RESCHEDULE,
                                         .countdown = luaL_optnumber(L, 2, 0),
                                         .eta = luaL_optnumber(L, 3, 0)});
}

static int core_forget(lua_State *L)
{
    return query(L, (struct vm_question){.query = VM_FORGET});
}

static int core_delete(lua_State *L)
{
    return query(L, (struct vm_question){.query = VM_DELETE});
}

/* --- sleep(seconds) --------------------------------------------------------------------------- */

static int core_sleep(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);

    return finish(L, call, bind->host.sleep(bind->host.data, call, luaL_checknumber(L, 1)));
}

/* --- spawn(argv, input, timeout, max_output, cwd) --------------------------------------------- */

/* The argv array, NULL at its end, is the first thing in the request; its strings follow. */
static const char *const *put_argv(lua_State *L, struct vm_call *call, size_t count)
{
    size_t size = (count + 1) * sizeof(char *);
    char **argv;
    char *p;

    if (!moil_buffer_reserve(&call->request, size)) {
        return NULL;
    }
    call->request.len = size;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1); /* string */
        moil_call_put(call, check_slice(L, -1));
        lua_pop(L, 1);
    }
    if (call->request.failed) {
        return NULL;
    }
    argv = (char **)(void *)call->request.data; /* malloc's alignment */
    p = call->request.data + size;
    for (size_t i = 0; i < count; i++) {
        argv[i] = p;
        p += strlen(p) + 1;
    }
    argv[count] = NULL;
    return (const char *const *)argv;
}

static int core_spawn(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct vm_spawn spawn = {.timeout_s = luaL_checknumber(L, 3),
                             .max_output = (size_t)luaL_checkinteger(L, 4)};
    const char *const *argv;

    luaL_checktype(L, 1, LUA_TTABLE);
    /* The input and the folder stay on the stack of this function until the answer, so they need no
     * copy. */
    spawn.input = lua_isnil(L, 2) ? slice_of("", 0) : check_slice(L, 2);
    spawn.cwd = luaL_optstring(L, 5, NULL);
    argv = put_argv(L, call, lua_rawlen(L, 1));
    if (!argv) {
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    spawn.argv = argv;
    return finish(L, call, bind->host.spawn(bind->host.data, call, &spawn));
}

/* --- update_state(state, meta); connect(url) -------------------------------------------------- */

static int core_update_state(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct slice state = moil_call_put(call, check_slice(L, 1));
    size_t from = call->request.len;
    struct slice meta;
    struct json_sink to = {
        .out = &call->request, .max = moil_host_payload(&bind->host), .root = "meta"};

    if (!lua_isnoneornil(L, 2)) {
        moil_bind_encode(L, 2, &to);
    }
    meta = moil_call_place(from, call->request.len - from);
    check_memory(L, call);
    moil_call_settle(call, &state);
    moil_call_settle(call, &meta);
    return finish(L, call, bind->host.update_state(bind->host.data, call, state, meta));
}

static int core_connect(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call;
    struct slice url;

    if (bind->vm) {
        return moil_bind_raise(L, "BadArgument",
                               "moil.connect: a worker uses the Redis that it was started with");
    }
    call = moil_bind_begin(L, bind);
    url = put_last(call, check_slice(L, 1));
    check_memory(L, call);
    return finish(L, call, bind->host.connect(bind->host.data, call, url));
}

const luaL_Reg moil_bind_host_functions[] = {
    {"enqueue", core_enqueue},       {"wait", core_wait},
    {"inspect", core_inspect},       {"revoke", core_revoke},
    {"reschedule", core_reschedule}, {"forget", core_forget},
    {"delete", core_delete},         {"sleep", core_sleep},
    {"spawn", core_spawn},           {"update_state", core_update_state},
    {"connect", core_connect},       {NULL, NULL},
};
