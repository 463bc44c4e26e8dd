/* src/vm for the specs: a vm, its tasks and runs, and `moil.core` as a plain program has it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "units_vm.h"
#include "vm/bind.h"

#define VM_META  "units.vm"
#define RUN_META "units.run"

enum { MESSAGE_MAX = 1024 };

/* --- the vm ----------------------------------------------------------------------------------- */

static struct slice field_slice(lua_State *L, int idx, const char *field)
{
    struct slice s = {0};

    if (lua_getfield(L, idx, field) == LUA_TSTRING) {
        s.p = lua_tolstring(L, -1, &s.n);
    }
    lua_pop(L, 1); /* the table keeps it */
    return s;
}

static lua_Number field_number(lua_State *L, int idx, const char *field)
{
    lua_Number v;

    lua_getfield(L, idx, field);
    v = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return v;
}

static lua_Integer field_int(lua_State *L, int idx, const char *field)
{
    return (lua_Integer)field_number(L, idx, field);
}

static struct test_vm *push_vm(lua_State *L)
{
    struct test_vm *vm = lua_newuserdatauv(L, sizeof *vm, 0);

    memset(vm, 0, sizeof *vm);
    vm->L = L;
    vm->allocs_left = -1;
    luaL_setmetatable(L, VM_META);
    lua_getfield(L, 1, "host");
    vm->host_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return vm;
}

/* The vm's snapshot of a string, which `field` of its options keeps alive. */
static void open_snapshot(lua_State *L, struct test_vm *vm, const char *field)
{
    struct slice bytes = field_slice(L, 1, field);

    if (bytes.p) {
        lua_getfield(L, 1, field);
        luaL_ref(L, LUA_REGISTRYINDEX);
        vm->snapshot = moil_snapshot_new(bytes);
        luaL_argcheck(L, vm->snapshot, 1, "no snapshot");
    }
}

/* new{host, lua_dir, config, max_payload, snapshot, record, time_limit, soft_time_limit} -> vm |
 * nil, message */
static int unit_new(lua_State *L)
{
    struct test_vm *vm;
    struct vm_options options = {0};
    struct vm_host host;
    char errstr[MESSAGE_MAX] = "";

    luaL_checktype(L, 1, LUA_TTABLE);
    vm = push_vm(L);
    options.lua_dir = field_slice(L, 1, "lua_dir").p;
    options.config_json = field_slice(L, 1, "config");
    open_snapshot(L, vm, "snapshot");
    options.snapshot = vm->snapshot;
    lua_getfield(L, 1, "record");
    options.record = lua_toboolean(L, -1) ? &vm->draft : NULL;
    lua_pop(L, 1);
    options.time_limit_s = field_number(L, 1, "time_limit");
    options.soft_time_limit_s = field_number(L, 1, "soft_time_limit");
    host = units_vm_host(vm, (size_t)field_int(L, 1, "max_payload"));
    vm->vm = moil_vm_new(&options, &host, errstr, sizeof errstr);
    if (!vm->vm) {
        lua_pushnil(L);
        lua_pushstring(L, errstr);
        return 2;
    }
    return 1;
}

/* core{host} -> the table of `moil.core` in this very state, as a plain program has it */
static int unit_core(lua_State *L)
{
    struct vm_host host;

    luaL_checktype(L, 1, LUA_TTABLE);
    host = units_vm_host(push_vm(L), (size_t)field_int(L, 1, "max_payload"));
    luaL_ref(L, LUA_REGISTRYINDEX); /* the host's data lives as long as the state */
    return moil_bind_open(L, &host);
}

static struct test_vm *check_vm(lua_State *L)
{
    struct test_vm *vm = luaL_checkudata(L, 1, VM_META);

    luaL_argcheck(L, vm->vm, 1, "closed");
    vm->L = L;
    return vm;
}

static int vm_close(lua_State *L)
{
    struct test_vm *vm = luaL_checkudata(L, 1, VM_META);

    vm->L = L;
    vm->allocs_left = -1;
    moil_vm_free(vm->vm);
    vm->vm = NULL;
    moil_snapshot_free(vm->snapshot);
    vm->snapshot = NULL;
    moil_buffer_fini(&vm->draft);
    return 0;
}

/* vm:draft() -> the bytes of a snapshot of what it has loaded */
static int vm_draft(lua_State *L)
{
    units_push(L, moil_buffer_slice(&check_vm(L)->draft));
    return 1;
}

/* entries(bytes) -> {{kind = 0…, name, value}, …}, or nil */
static int unit_entries(lua_State *L)
{
    struct snapshot *s = moil_snapshot_new(units_slice(L, 1));
    struct snapshot_entry entry;

    if (!s) {
        return 0;
    }
    lua_newtable(L);
    for (size_t at = 0; moil_snapshot_next(s, &at, &entry);) {
        lua_newtable(L);
        units_set_int(L, "kind", entry.kind);
        units_set_slice(L, "name", entry.name);
        units_set_slice(L, "value", entry.value);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    moil_snapshot_free(s);
    return 1;
}

/* vm:load_snapshot() -> true | nil, message */
static int vm_load_snapshot(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";

    if (moil_vm_load_snapshot(check_vm(L)->vm, errstr, sizeof errstr) != 0) {
        lua_pushnil(L);
        lua_pushstring(L, errstr);
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int vm_load(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";

    if (moil_vm_load(check_vm(L)->vm, luaL_checkstring(L, 2), errstr, sizeof errstr) != 0) {
        lua_pushnil(L);
        lua_pushstring(L, errstr);
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int vm_seal(lua_State *L)
{
    moil_vm_seal(check_vm(L)->vm);
    return 0;
}

static int vm_memory(lua_State *L)
{
    struct test_vm *vm = check_vm(L);

    lua_gc(vm->vm->L, LUA_GCCOLLECT);
    lua_pushinteger(L, (lua_Integer)moil_vm_memory(vm->vm));
    return 1;
}

/* vm:held() -> bytes that the ledger counts, after a full collection */
static int vm_held(lua_State *L)
{
    struct test_vm *vm = check_vm(L);

    lua_gc(vm->vm->L, LUA_GCCOLLECT);
    lua_pushinteger(L, (lua_Integer)moil_ledger_used(&vm->vm->ledger));
    return 1;
}

/* vm:limit_memory(bytes): of the whole state */
static int vm_limit_memory(lua_State *L)
{
    moil_vm_limit_memory(check_vm(L)->vm, (size_t)luaL_checkinteger(L, 2));
    return 0;
}

/* vm:victim() -> the id of the job that has to end, or nil */
static int vm_victim(lua_State *L)
{
    struct run *run = moil_vm_victim(check_vm(L)->vm);

    units_push(L, run ? run->job.id : (struct slice){0});
    return 1;
}

static bool add_task(void *data, struct task *task)
{
    lua_State *L = data;

    lua_newtable(L);
    units_set_slice(L, "name", task->name);
    units_set_slice(L, "queue", task->queue);
    units_set_slice(L, "where", slice_str(task->where));
    units_set_bool(L, "bind", task->bind);
    units_set_bool(L, "blocking", task->blocking);
    units_set_bool(L, "ignore_result", task->ignore_result);
    units_set_bool(L, "has_before", task->has_before);
    units_set_bool(L, "has_success", task->has_success);
    units_set_bool(L, "has_failure", task->has_failure);
    units_set_number(L, "time_limit", task->time_limit_s);
    units_set_number(L, "soft_time_limit", task->soft_time_limit_s);
    units_set_number(L, "result_ttl", task->result_ttl_s);
    units_set_int(L, "memory_limit", task->memory_limit);
    units_set_int(L, "max_deliveries", task->max_deliveries);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return true;
}

static int vm_tasks(lua_State *L)
{
    struct test_vm *vm = check_vm(L);

    lua_newtable(L);
    moil_vm_each_task(vm->vm, add_task, L);
    return 1;
}

static void *limited_alloc(void *data, void *p, size_t old_size, size_t size)
{
    struct test_vm *vm = data;

    if (size > 0 && (!p || size > old_size) && vm->allocs_left >= 0 && vm->allocs_left-- == 0) {
        vm->allocs_left = 0;
        return NULL;
    }
    return vm->alloc(vm->alloc_data, p, old_size, size);
}

/* vm:limit_allocs(n): after n more allocations each fails; nil: no bound */
static int vm_limit_allocs(lua_State *L)
{
    struct test_vm *vm = check_vm(L);

    if (!vm->alloc) {
        vm->alloc = lua_getallocf(vm->vm->L, &vm->alloc_data);
        lua_setallocf(vm->vm->L, limited_alloc, vm);
    }
    vm->allocs_left = luaL_optinteger(L, 2, -1);
    return 0;
}

/* --- runs ------------------------------------------------------------------------------------- */

/* The fields' bytes, copied behind each other: a run borrows them. */
static void copy_fields(lua_State *L, struct test_run *t)
{
    struct slice *const fields[] = {&t->job.id,   &t->job.task,   &t->job.queue,
                                    &t->job.args, &t->job.kwargs, &t->job.extra};
    static const char *const names[] = {"id", "task", "queue", "args", "kwargs", "extra"};
    static const char *const absent[] = {"job-1", "", "default", "[]", NULL, NULL};
    size_t total = 1;
    char *p;

    for (int i = 0; i < 6; i++) {
        *fields[i] = field_slice(L, 2, names[i]);
        *fields[i] = fields[i]->p ? *fields[i] : slice_str(absent[i]);
        total += fields[i]->n;
    }
    p = t->bytes = malloc(total);
    for (int i = 0; i < 6; i++) {
        if (fields[i]->p) {
            memcpy(p, fields[i]->p, fields[i]->n);
            fields[i]->p = p;
            p += fields[i]->n;
        }
    }
    t->job.retries = (uint32_t)field_int(L, 2, "retries");
    t->job.crashes = (uint32_t)field_int(L, 2, "crashes");
    t->job.losses = (uint32_t)field_int(L, 2, "losses");
}

/* vm:start{task, id, queue, args, kwargs, extra, retries, crashes, losses, memory} -> run | nil;
 * memory: its limit in bytes, else the task's */
static int vm_start(lua_State *L)
{
    struct test_vm *vm = check_vm(L);
    struct test_run *t = lua_newuserdatauv(L, sizeof *t, 1);
    struct task *task;

    memset(t, 0, sizeof *t);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, RUN_META);
    t->vm = vm;
    copy_fields(L, t);
    task = moil_vm_task(vm->vm, t->job.task);
    if (!task) {
        return luaL_error(L, "no such task");
    }
    t->run = moil_run_new(vm->vm, task, &t->job, slice_str("worker-1"), t);
    if (!t->run) {
        return 0;
    }
    moil_run_limit_memory(t->run, (size_t)field_int(L, 2, "memory"));
    return 1;
}

static struct test_run *check_run(lua_State *L)
{
    struct test_run *t = luaL_checkudata(L, 1, RUN_META);

    luaL_argcheck(L, t->run && t->vm->vm, 1, "freed");
    t->vm->L = L;
    return t;
}

static int push_outcome(lua_State *L, struct test_run *t, enum run_status status)
{
    static const char *const kinds[] = {"success", "failure", "retry", "reject", "ignore"};
    const struct run_outcome *o;

    while (status == RUN_SLICED && !t->vm->vm->victim) {
        status = moil_run_resume(t->run);
    }
    if (status == RUN_SLICED) {
        lua_pushliteral(L, "sliced");
        return 1;
    }
    if (status == RUN_WAITING) {
        lua_pushliteral(L, "waiting");
        return 1;
    }
    o = moil_run_outcome(t->run);
    lua_pushstring(L, kinds[o->kind]);
    units_push(L, o->value);
    lua_pushinteger(L, o->delay_ms);
    return 3;
}

/* run:resume() -> kind, value, delay_ms, "waiting", or "sliced": there is a victim */
static int run_resume(lua_State *L)
{
    struct test_run *t = check_run(L);

    return push_outcome(L, t, moil_run_resume(t->run));
}

/* run:exceed(): as resume, of a victim */
static int run_exceed(lua_State *L)
{
    struct test_run *t = check_run(L);

    return push_outcome(L, t, moil_run_exceed(t->run));
}

/* run:held() -> bytes on its account */
static int run_held(lua_State *L)
{
    struct test_run *t = check_run(L);

    lua_pushinteger(
        L, (lua_Integer)moil_account_used(moil_ledger_at(&t->vm->vm->ledger, t->run->account)));
    return 1;
}

/* run:answer(...): puts the answer there; the spec resumes afterwards */
static int run_answer(lua_State *L)
{
    struct test_run *t = check_run(L);

    for (int i = 2; i <= lua_gettop(L); i++) {
        units_vm_answer(L, i, t->call);
    }
    return 0;
}

static int run_fail(lua_State *L)
{
    moil_call_fail(check_run(L)->call, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
    return 0;
}

static int run_free(lua_State *L)
{
    struct test_run *t = luaL_checkudata(L, 1, RUN_META);

    if (t->run && t->vm->vm) {
        t->vm->L = L;
        moil_run_free(t->run);
    }
    t->run = NULL;
    free(t->bytes);
    t->bytes = NULL;
    return 0;
}

/* vm:bench(task, args, n) -> nanoseconds per job, from moil_run_new to moil_run_free */
static int vm_bench(lua_State *L)
{
    struct test_vm *vm = check_vm(L);
    struct job job = {.id = slice_str("bench"), .queue = slice_str("default")};
    lua_Integer n = luaL_checkinteger(L, 4);
    struct timespec from;
    struct timespec to;
    struct task *task;

    job.task = units_slice(L, 2);
    job.args = units_slice(L, 3);
    task = moil_vm_task(vm->vm, job.task);
    luaL_argcheck(L, task, 2, "no such task");
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (lua_Integer i = 0; i < n; i++) {
        struct run *run = moil_run_new(vm->vm, task, &job, slice_str("worker-1"), NULL);

        moil_run_resume(run);
        moil_run_free(run);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    lua_pushnumber(L,
                   ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
                       (double)n);
    return 1;
}

/* --- registration ----------------------------------------------------------------------------- */

static const luaL_Reg vm_methods[] = {
    {"draft", vm_draft},   {"load_snapshot", vm_load_snapshot},
    {"close", vm_close},   {"load", vm_load},
    {"seal", vm_seal},     {"memory", vm_memory},
    {"tasks", vm_tasks},   {"start", vm_start},
    {"bench", vm_bench},   {"limit_allocs", vm_limit_allocs},
    {"held", vm_held},     {"limit_memory", vm_limit_memory},
    {"victim", vm_victim}, {"__gc", vm_close},
    {NULL, NULL},
};

static const luaL_Reg run_methods[] = {
    {"resume", run_resume}, {"answer", run_answer}, {"fail", run_fail}, {"exceed", run_exceed},
    {"held", run_held},     {"free", run_free},     {"__gc", run_free}, {NULL, NULL},
};

static void make_meta(lua_State *L, const char *name, const luaL_Reg *methods)
{
    if (luaL_newmetatable(L, name)) {
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

/* setup(): makes the metatables; once per state */
static int unit_setup(lua_State *L)
{
    make_meta(L, VM_META, vm_methods);
    make_meta(L, RUN_META, run_methods);
    return 0;
}

static const luaL_Reg functions[] = {
    {"setup", unit_setup}, {"new", unit_new}, {"entries", unit_entries},
    {"core", unit_core},   {NULL, NULL},
};
UNITS(vm, functions)
