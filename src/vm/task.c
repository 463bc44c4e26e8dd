/* The registered tasks: a hash from name to struct task, filled by core.register as files are
 * loaded. What lua/moil has checked already is not checked again. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "vm/state.h"

enum { MB = 1024 * 1024 }; /* the unit of memory_limit */

struct task_entry {
    struct task task; /* first: a task's address is its entry's */
    char *queue;
    char *where;
    char *name;
    UT_hash_handle hh;
};

static void free_entry(struct task_entry *entry)
{
    if (entry) {
        moil_mem_free(entry->name);
        moil_mem_free(entry->queue);
        moil_mem_free(entry->where);
        moil_mem_free(entry);
    }
}

static void free_table(struct task_entry **table)
{
    struct task_entry *entry = *table;

    HASH_CLEAR(hh, *table); /* the table; the entries stay linked */
    while (entry) {
        struct task_entry *next = entry->hh.next;

        free_entry(entry);
        entry = next;
    }
}

void moil_task_free_all(struct vm *vm)
{
    free_table(&vm->tasks);
    free_table(&vm->controls);
}

static struct task *find(struct task_entry *table, struct slice name)
{
    struct task_entry *entry = NULL;

    HASH_FIND(hh, table, name.p, name.n, entry);
    return entry ? &entry->task : NULL;
}

struct task *moil_vm_task(struct vm *vm, struct slice name)
{
    return find(vm->tasks, name);
}

struct task *moil_vm_control(struct vm *vm, struct slice name)
{
    return find(vm->controls, name);
}

/* The tasks of lua/moil/builtin.lua are in every worker: nobody needs to be told of them. */
static bool is_builtin(const struct task_entry *entry)
{
    return strncmp(entry->name, "moil.", 5) == 0;
}

static int by_name(const struct task_entry *a, const struct task_entry *b)
{
    return strcmp(a->name, b->name);
}

void moil_vm_each_task(struct vm *vm, bool (*fn)(void *data, struct task *task), void *data)
{
    struct task_entry *entry;
    struct task_entry *next;

    HASH_SORT(vm->tasks, by_name);
    HASH_ITER(hh, vm->tasks, entry, next) {
        if (!is_builtin(entry) && !fn(data, &entry->task)) {
            return;
        }
    }
}

/* --- reading the table that lua/moil/task.lua made -------------------------------------------- */

static bool read_bool(lua_State *L, int idx, const char *field)
{
    bool v;

    lua_getfield(L, idx, field); /* value */
    v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

/* false is "none" and becomes `none`; nil is "not said" and becomes `absent`. */
static double read_number(lua_State *L, int idx, const char *field, double absent, double none)
{
    double v = absent;

    switch (lua_getfield(L, idx, field)) { /* value */
    case LUA_TNUMBER:
        v = lua_tonumber(L, -1);
        break;
    case LUA_TBOOLEAN:
        v = none;
        break;
    }
    lua_pop(L, 1);
    return v;
}

static char *read_string(lua_State *L, int idx, const char *field)
{
    char *copy;

    lua_getfield(L, idx, field); /* value */
    copy = moil_mem_strdup(luaL_optstring(L, -1, ""));
    lua_pop(L, 1);
    return copy;
}

static void read_options(lua_State *L, int idx, struct task *task)
{
    task->bind = read_bool(L, idx, "needs_self");
    task->blocking = read_bool(L, idx, "blocking");
    task->ignore_result = read_bool(L, idx, "ignore_result");
    task->has_before = read_bool(L, idx, "before_start");
    task->has_success = read_bool(L, idx, "on_success") || read_bool(L, idx, "after_return");
    task->has_failure = read_bool(L, idx, "retry") || read_bool(L, idx, "on_failure") ||
                        read_bool(L, idx, "on_retry") || read_bool(L, idx, "after_return");
    task->time_limit_s = read_number(L, idx, "time_limit", 0, -1);
    task->soft_time_limit_s = read_number(L, idx, "soft_time_limit", 0, -1);
    task->result_ttl_s = read_number(L, idx, "result_ttl", -1, INFINITY);
    task->memory_limit = (int64_t)(read_number(L, idx, "memory_limit", 0, -1) * MB);
    task->max_deliveries = (int)read_number(L, idx, "max_deliveries", 0, 0);
}

/* Of both kinds; `what` begins the complaint. */
static int add(lua_State *L, struct task_entry **table, const char *what)
{
    struct vm *vm = moil_bind_of(L)->vm;
    struct task_entry *entry;
    struct task *known;
    struct slice name;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (vm->sealed || moil_thread_run(L)) {
        lua_pushfstring(L, "%s registered while files are loaded, not in a job", what);
        return moil_bind_raise(L, "BadArgument", lua_tostring(L, -1));
    }
    lua_getfield(L, 1, "name"); /* options fn name */
    name.p = luaL_checklstring(L, -1, &name.n);
    if ((known = find(*table, name))) {
        lua_pushstring(L, known->where); /* options fn name where */
        return 1;
    }
    entry = moil_mem_zalloc(1, sizeof *entry);
    if (!entry) {
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    entry->name = moil_mem_strdup(name.p);
    entry->queue = read_string(L, 1, "queue");
    entry->where = read_string(L, 1, "where");
    if (entry->name && entry->queue && entry->where) {
        entry->task.name = slice_of(entry->name, name.n);
        entry->task.queue = slice_str(entry->queue);
        entry->task.where = entry->where;
        read_options(L, 1, &entry->task);
        HASH_ADD_KEYPTR(hh, *table, entry->name, name.n, entry);
    }
    if (!entry->hh.tbl) {
        free_entry(entry);
        return moil_bind_raise(L, "OutOfMemory", "out of memory");
    }
    lua_settop(L, 2);
    entry->task.native = moil_native_of(L, 2);
    entry->task.fn_ref = luaL_ref(L, LUA_REGISTRYINDEX);    /* options */
    entry->task.table_ref = luaL_ref(L, LUA_REGISTRYINDEX); /* */
    return 0;
}

/* register(options, fn): options has name, queue, where, needs_self and the task's own options.
 * Returns nothing, or the file:line of the first registration when the name is taken. */
static int core_register(lua_State *L)
{
    return add(L, &moil_bind_of(L)->vm->tasks, "moil.task: tasks are");
}

/* register_control(options, fn): likewise a command; of the options time_limit and memory_limit
 * count. */
static int core_register_control(lua_State *L)
{
    return add(L, &moil_bind_of(L)->vm->controls, "moil.on_control: commands are");
}

const luaL_Reg moil_task_functions[] = {
    {"register", core_register},
    {"register_control", core_register_control},
    {NULL, NULL},
};
