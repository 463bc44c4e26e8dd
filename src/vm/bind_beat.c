/* The functions of `moil.core` for beat entries: each asks the host, which answers with JSON text.
 * moil/beat.lua makes them what users see. */
#include "vm/state.h"

static struct slice opt_slice(lua_State *L, int arg)
{
    struct slice s = {.p = ""};

    if (!lua_isnoneornil(L, arg)) {
        s.p = luaL_checklstring(L, arg, &s.n);
    }
    return s;
}

/* An entry with those fields, as JSON. */
static void put_text(lua_State *L, int arg, const struct bind *bind, struct vm_call *call,
                     struct slice *text)
{
    size_t from = call->request.len;
    struct json_sink to = {
        .out = &call->request, .max = moil_host_payload(&bind->host), .root = "entry"};

    if (!lua_istable(L, arg)) {
        *text = moil_call_put(call, opt_slice(L, arg));
        return;
    }
    moil_bind_encode(L, arg, &to);
    *text = moil_call_place(from, call->request.len - from);
}

/* verb(name, entry or text, expect, flag, from, limit) -> JSON text */
static int ask(lua_State *L, enum vm_beat_verb verb)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct vm_beat beat = {.verb = verb, .flag = lua_toboolean(L, 4)};

    beat.from_s = luaL_optnumber(L, 5, -1);
    beat.limit = luaL_optinteger(L, 6, 0);
    beat.name = moil_call_put(call, opt_slice(L, 1));
    put_text(L, 2, bind, call, &beat.text);
    beat.expect = moil_call_put(call, opt_slice(L, 3));
    if (call->request.failed) {
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    moil_call_settle(call, &beat.name);
    moil_call_settle(call, &beat.text);
    moil_call_settle(call, &beat.expect);
    return moil_bind_finish(L, call, bind->host.beat(bind->host.data, call, &beat),
                            moil_bind_answers);
}

static int core_beat_put(lua_State *L)
{
    return ask(L, VM_BEAT_PUT);
}

static int core_beat_remove(lua_State *L)
{
    return ask(L, VM_BEAT_REMOVE);
}

static int core_beat_pause(lua_State *L)
{
    return ask(L, VM_BEAT_PAUSE);
}

static int core_beat_list(lua_State *L)
{
    return ask(L, VM_BEAT_LIST);
}

static int core_beat_history(lua_State *L)
{
    return ask(L, VM_BEAT_HISTORY);
}

static int core_beat_next(lua_State *L)
{
    return ask(L, VM_BEAT_NEXT);
}

const luaL_Reg moil_bind_beat_functions[] = {
    {"beat_put", core_beat_put},
    {"beat_remove", core_beat_remove},
    {"beat_pause", core_beat_pause},
    {"beat_list", core_beat_list},
    {"beat_history", core_beat_history},
    {"beat_next", core_beat_next},
    {NULL, NULL},
};
