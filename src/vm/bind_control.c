/* The functions of `moil.core` for commands to nodes: each asks the host for one script, with
 * texts. moil/control.lua makes them what users see. */
#include "vm/state.h"

/* verb(text…) -> texts */
static int ask(lua_State *L, enum vm_control_verb verb)
{
    struct bind *bind = moil_bind_of(L);
    struct vm_call *call = moil_bind_begin(L, bind);
    struct vm_control c = {.verb = verb};
    int n = lua_gettop(L);

    luaL_argcheck(L, n <= VM_CONTROL_ARGS_MAX, n, "too many");
    for (int i = 1; i <= n; i++) {
        struct slice s;

        s.p = luaL_checklstring(L, i, &s.n);
        c.args[c.count++] = moil_call_put(call, s);
    }
    if (call->request.failed) {
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    for (size_t i = 0; i < c.count; i++) {
        moil_call_settle(call, &c.args[i]);
    }
    return moil_bind_finish(L, call, bind->host.control(bind->host.data, call, &c),
                            moil_bind_answers);
}

static int core_control_ask(lua_State *L)
{
    return ask(L, VM_CONTROL_ASK);
}

static int core_control_hear(lua_State *L)
{
    return ask(L, VM_CONTROL_HEAR);
}

static int core_control_limit(lua_State *L)
{
    return ask(L, VM_CONTROL_LIMIT);
}

static int core_control_limits(lua_State *L)
{
    return ask(L, VM_CONTROL_LIMITS);
}

const luaL_Reg moil_bind_control_functions[] = {
    {"control_ask", core_control_ask},
    {"control_hear", core_control_hear},
    {"control_limit", core_control_limit},
    {"control_limits", core_control_limits},
    {NULL, NULL},
};
