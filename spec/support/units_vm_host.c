/* The host of a vm under test: asks the spec. */
#include "units_vm.h"

void units_set_slice(lua_State *L, const char *field, struct slice s)
{
    units_push(L, s);
    lua_setfield(L, -2, field);
}

void units_set_int(lua_State *L, const char *field, lua_Integer v)
{
    lua_pushinteger(L, v);
    lua_setfield(L, -2, field);
}

void units_set_number(lua_State *L, const char *field, lua_Number v)
{
    lua_pushnumber(L, v);
    lua_setfield(L, -2, field);
}

void units_set_bool(lua_State *L, const char *field, bool v)
{
    lua_pushboolean(L, v);
    lua_setfield(L, -2, field);
}

void units_vm_answer(lua_State *L, int idx, struct vm_call *call)
{
    size_t n;
    const char *p;

    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        moil_call_add_bool(call, lua_toboolean(L, idx));
        break;
    case LUA_TNUMBER:
        moil_call_add_int(call, lua_tointeger(L, idx));
        break;
    case LUA_TSTRING:
        p = lua_tolstring(L, idx, &n);
        moil_call_add_string(call, slice_of(p, n));
        break;
    default:
        moil_call_add_nil(call);
    }
}

static void add_answers(lua_State *L, int idx, struct vm_call *call)
{
    lua_Integer n;

    if (lua_getfield(L, idx, "fail") == LUA_TTABLE) {
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        moil_call_fail(call, lua_tostring(L, -2), lua_tostring(L, -1));
        return;
    }
    lua_getfield(L, idx, "n");
    n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : (lua_Integer)lua_rawlen(L, idx);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, idx, i);
        units_vm_answer(L, lua_gettop(L), call);
        lua_pop(L, 1);
    }
}

/* The question is on the top of the spec's stack. */
static enum vm_answer ask(struct test_vm *vm, struct vm_call *call, const char *name)
{
    lua_State *L = vm->L;
    int question = lua_gettop(L);
    struct run *run = moil_call_run(call);
    enum vm_answer answer = VM_READY;

    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->host_ref);
    lua_getfield(L, -1, name);
    lua_pushvalue(L, question);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        moil_call_fail(call, "SpecHost", lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    } else if (lua_istable(L, -1)) {
        add_answers(L, lua_gettop(L), call);
    } else {
        ((struct test_run *)moil_run_owner(run))->call = call;
        answer = VM_WAIT;
    }
    lua_settop(L, question - 1);
    return answer;
}

static void push_submission(lua_State *L, const struct submission *sub)
{
    lua_newtable(L);
    units_set_slice(L, "id", sub->job.id);
    units_set_slice(L, "task", sub->job.task);
    units_set_slice(L, "queue", sub->job.queue);
    units_set_slice(L, "args", sub->job.args);
    units_set_slice(L, "kwargs", sub->job.kwargs);
    units_set_slice(L, "extra", sub->job.extra);
    units_set_int(L, "priority", sub->job.priority);
    units_set_bool(L, "at_front", sub->at_front);
    units_set_bool(L, "delayed", sub->delayed);
    units_set_bool(L, "due_is_relative", sub->due_is_relative);
    units_set_int(L, "due_ms", sub->due_ms);
}

static enum vm_answer host_enqueue(void *data, struct vm_call *call, struct submission *subs,
                                   size_t count)
{
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    for (size_t i = 0; i < count; i++) {
        push_submission(vm->L, &subs[i]);
        lua_rawseti(vm->L, -2, (lua_Integer)i + 1);
    }
    return ask(vm, call, "enqueue");
}

static enum vm_answer host_wait(void *data, struct vm_call *call, const struct vm_wait *wait)
{
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    units_set_slice(vm->L, "id", wait->id);
    units_set_number(vm->L, "timeout", wait->timeout_s);
    units_set_bool(vm->L, "progress", wait->progress);
    units_set_slice(vm->L, "seen", wait->seen);
    return ask(vm, call, "wait");
}

static enum vm_answer host_query(void *data, struct vm_call *call, const struct vm_question *q)
{
    static const char *const names[] = {"inspect", "revoke", "reschedule", "forget", "delete"};
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    units_set_slice(vm->L, "id", q->id);
    units_set_bool(vm->L, "terminate", q->terminate);
    if (q->query == VM_RESCHEDULE) {
        units_set_number(vm->L, "countdown", q->countdown);
        units_set_number(vm->L, "eta", q->eta);
    }
    return ask(vm, call, names[q->query]);
}

static enum vm_answer host_sleep(void *data, struct vm_call *call, double seconds)
{
    struct test_vm *vm = data;

    lua_pushnumber(vm->L, seconds);
    return ask(vm, call, "sleep");
}

static enum vm_answer host_control(void *data, struct vm_call *call, const struct vm_control *c)
{
    static const char *const verbs[] = {"ask", "hear", "limit", "limits"};
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    units_set_slice(vm->L, "verb", slice_str(verbs[c->verb]));
    units_set_int(vm->L, "count", (lua_Integer)c->count);
    return ask(vm, call, "control");
}

static enum vm_answer host_beat(void *data, struct vm_call *call, const struct vm_beat *beat)
{
    static const char *const verbs[] = {"put", "remove", "pause", "list", "history", "next"};
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    units_set_slice(vm->L, "verb", slice_str(verbs[beat->verb]));
    units_set_slice(vm->L, "name", beat->name);
    units_set_slice(vm->L, "text", beat->text);
    units_set_slice(vm->L, "expect", beat->expect);
    units_set_bool(vm->L, "flag", beat->flag);
    units_set_number(vm->L, "from", beat->from_s);
    units_set_int(vm->L, "limit", (lua_Integer)beat->limit);
    return ask(vm, call, "beat");
}

static enum vm_answer host_spawn(void *data, struct vm_call *call, const struct vm_spawn *spawn)
{
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    for (lua_Integer i = 0; spawn->argv[i]; i++) {
        lua_pushstring(vm->L, spawn->argv[i]);
        lua_rawseti(vm->L, -2, i + 1);
    }
    units_set_slice(vm->L, "input", spawn->input);
    units_set_number(vm->L, "timeout", spawn->timeout_s);
    units_set_int(vm->L, "max_output", (lua_Integer)spawn->max_output);
    units_set_slice(vm->L, "cwd", slice_str(spawn->cwd));
    return ask(vm, call, "spawn");
}

static enum vm_answer host_update_state(void *data, struct vm_call *call, struct slice state,
                                        struct slice meta)
{
    struct test_vm *vm = data;

    lua_newtable(vm->L);
    units_set_slice(vm->L, "state", state);
    units_set_slice(vm->L, "meta", meta);
    return ask(vm, call, "update_state");
}

static enum vm_answer host_connect(void *data, struct vm_call *call, struct slice url)
{
    struct test_vm *vm = data;

    units_push(vm->L, url);
    return ask(vm, call, "connect");
}

struct vm_host units_vm_host(struct test_vm *vm, size_t max_payload)
{
    return (struct vm_host){
        .data = vm,
        .max_payload = max_payload,
        .enqueue = host_enqueue,
        .wait = host_wait,
        .query = host_query,
        .sleep = host_sleep,
        .beat = host_beat,
        .control = host_control,
        .spawn = host_spawn,
        .update_state = host_update_state,
        .connect = host_connect,
    };
}
