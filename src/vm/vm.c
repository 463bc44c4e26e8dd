/* The worker's lua_State: made, filled with moil's library, loaded with tasks, sealed. Every entry
 * from C is a protected call; jobs go through run.c. */
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <lualib.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "vm/allowance.h"
#include "vm/bind.h"
#include "vm/limits.h"
#include "vm/state.h"

/* Only reached by an error outside of any protected call: a bug of ours. Lua aborts when this
 * returns. */
static int panic(lua_State *L)
{
    log_error("Lua panic: %s", lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                              : "an error value that is no string");
    return 0;
}

/* As the stock one: off until "@on". What finalizers raise comes here, a piece at a time. */
static void warn(void *data, const char *message, int to_be_continued)
{
    struct vm *vm = data;

    if (vm->warning_len == 0 && !to_be_continued && message[0] == '@') {
        vm->warns = strcmp(message, "@on") == 0 || (vm->warns && strcmp(message, "@off") != 0);
        return;
    }
    if (vm->warning_len < sizeof vm->warning) {
        int n = snprintf(vm->warning + vm->warning_len, sizeof vm->warning - vm->warning_len, "%s",
                         message);

        vm->warning_len += n > 0 ? (size_t)n : 0;
    }
    if (!to_be_continued) {
        if (vm->warns) {
            log_warning("Lua warning: %s", vm->warning);
        }
        vm->warning_len = 0;
    }
}

/* hold(bytes) -> bytes held, and whether a bound was reached; from now on the state may hold so
 * many, 0: no bound. Replays ask it (lua/moil/testing/runner.lua). */
static int core_hold(lua_State *L)
{
    struct vm *vm = lua_touserdata(L, lua_upvalueindex(1));
    lua_Integer bytes = luaL_checkinteger(L, 1);

    lua_pushinteger(L, (lua_Integer)moil_ledger_used(&vm->ledger)); /* used */
    lua_pushboolean(L, vm->starved || vm->refused != 0);            /* used starved */
    vm->starved = false;
    vm->refused = 0;
    moil_vm_limit_memory(vm, bytes > 0 ? (size_t)bytes : 0);
    return 2;
}

/* (vm) -> nothing */
static int open_state(lua_State *L)
{
    struct vm *vm = lua_touserdata(L, 1);

    luaL_openlibs(L);
    moil_load_open(L, vm);
    if (!vm->alone) {
        moil_rails_open(L);
        moil_coroutine_open(L);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* vm loaded */
    moil_bind_open(L, &vm->host);                             /* vm loaded core */
    if (vm->alone) {
        lua_pushlightuserdata(L, vm);      /* vm loaded core vm */
        lua_pushcclosure(L, core_hold, 1); /* vm loaded core fn */
        lua_setfield(L, -2, "hold");       /* vm loaded core */
    } else {
        moil_bind_attach(L, vm); /* vm loaded core */
    }
    lua_setfield(L, -2, "moil.core"); /* vm loaded */
    if (vm->alone) {
        return 0;
    }
    lua_getglobal(L, "require");                         /* vm loaded require */
    lua_pushliteral(L, "moil.job");                      /* vm loaded require name */
    lua_call(L, 1, 1);                                   /* vm loaded job */
    lua_getfield(L, -1, "conclude");                     /* vm loaded job conclude */
    vm->conclude_ref = luaL_ref(L, LUA_REGISTRYINDEX);   /* vm loaded job */
    lua_getfield(L, -1, "end_native");                   /* vm loaded job fn */
    vm->end_native_ref = luaL_ref(L, LUA_REGISTRYINDEX); /* vm loaded job */
    lua_getfield(L, -1, "self_meta");                    /* vm loaded job meta */
    vm->self_meta_ref = luaL_ref(L, LUA_REGISTRYINDEX);  /* vm loaded job */
    return 0;
}

/* True when the text begins with "file:line:". */
static bool has_place(const char *text)
{
    const char *colon = strchr(text, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

    return digits > 0 && colon[1 + digits] == ':';
}

/* Lua's longer messages have several lines; ours have one. */
static void join_lines(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        bool blank = *p == '\n' || *p == '\t' || *p == ' ';

        if (!blank) {
            *to++ = *p;
        } else if (to > text && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    *to = '\0';
}

/* Message handler of set-up: whatever was raised becomes one line that begins with the place, where
 * there is one. */
static int place_error(lua_State *L)
{
    lua_Debug ar;

    if (lua_istable(L, 1)) {
        lua_getfield(L, 1, "where");   /* error where */
        lua_getfield(L, 1, "message"); /* error where message */
        if (lua_type(L, -1) == LUA_TSTRING) {
            if (lua_type(L, -2) == LUA_TSTRING) {
                lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), lua_tostring(L, -1)); /* error
                                                                                           where
                                                                                           message
                                                                                           text */
                return 1;
            }
            lua_replace(L, 1); /* message where */
        }
    }
    luaL_tolstring(L, 1, NULL); /* … text */
    if (has_place(lua_tostring(L, -1))) {
        return 1;
    }
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline,
                            lua_tostring(L, -1)); /* … text text */
            break;
        }
    }
    return 1;
}

/* Calls fn(arg) protected; 0, or MOIL_EINVAL or MOIL_ENOMEM with the error's line in errstr. */
static int call_protected(lua_State *L, lua_CFunction fn, void *arg, const char *text, char *errstr,
                          size_t errlen)
{
    int top = lua_gettop(L);
    int err;

    lua_pushcfunction(L, place_error);                 /* handler */
    lua_pushcfunction(L, fn);                          /* handler fn */
    lua_pushlightuserdata(L, arg);                     /* handler fn arg */
    lua_pushlightuserdata(L, (void *)(uintptr_t)text); /* handler fn arg text */
    err = lua_pcall(L, 2, 0, top + 1);
    if (err != LUA_OK) {
        const char *message =
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that cannot be shown";

        snprintf(errstr, errlen, "%s", message);
        join_lines(errstr);
        err = err == LUA_ERRMEM ? MOIL_ENOMEM : MOIL_EINVAL;
    }
    lua_settop(L, top);
    return err;
}

static bool copy_options(struct vm *vm, const struct vm_options *options)
{
    struct slice config = options->config_json;

    if (options->lua_dir && !(vm->lua_dir = moil_mem_strdup(options->lua_dir))) {
        return false;
    }
    return config.n == 0 || (vm->config_json = moil_mem_strndup(config.p, config.n)) != NULL;
}

struct vm *moil_vm_new(const struct vm_options *options, const struct vm_host *host, char *errstr,
                       size_t errlen)
{
    struct vm *vm = moil_mem_zalloc(1, sizeof *vm);

    if (!vm || moil_ledger_init(&vm->ledger, moil_allowance_full, vm) != 0 ||
        !copy_options(vm, options) || !(vm->L = lua_newstate(moil_ledger_alloc, &vm->ledger))) {
        snprintf(errstr, errlen, "out of memory");
        moil_vm_free(vm);
        errno = ENOMEM;
        return NULL;
    }
    vm->host = *host;
    vm->snapshot = options->snapshot;
    vm->record = options->record;
    vm->alone = options->alone;
    vm->loading = options->loading;
    vm->time_limit_s = options->time_limit_s;
    vm->soft_time_limit_s = options->soft_time_limit_s;
    vm->max_memory_mb = options->max_memory_mb;
    vm->natives = options->natives;
    vm->native_count = options->native_count;
    vm->limits = options->limits;
    lua_atpanic(vm->L, panic);
    lua_setwarnf(vm->L, warn, vm);
    moil_thread_set_run(vm->L, NULL); /* new threads begin with a copy of this */
    int err = call_protected(vm->L, open_state, vm, NULL, errstr, errlen);
    if (err) {
        moil_vm_free(vm);
        errno = err == MOIL_ENOMEM ? ENOMEM : EINVAL;
        return NULL;
    }
    return vm;
}

void moil_vm_free(struct vm *vm)
{
    if (!vm) {
        return;
    }
    if (vm->L) {
        lua_close(vm->L);
    }
    moil_run_free_idle(vm);
    moil_ledger_fini(&vm->ledger);
    moil_task_free_all(vm);
    moil_mem_free(vm->lua_dir);
    moil_mem_free(vm->config_json);
    moil_mem_free(vm);
}

/* (vm, path) -> nothing */
static int load_path(lua_State *L)
{
    lua_pushstring(L, lua_touserdata(L, 2)); /* vm text path */
    lua_replace(L, 1);
    lua_settop(L, 1); /* path */
    return moil_load_path(L);
}

int moil_vm_load(struct vm *vm, const char *path, char *errstr, size_t errlen)
{
    int err;

    moil_limits_load_begin(vm);
    err = call_protected(vm->L, load_path, vm, path, errstr, errlen);
    moil_limits_load_end(vm);
    return err;
}

/* (vm) -> nothing */
static int load_snapshot(lua_State *L)
{
    lua_settop(L, 0);
    return moil_load_snapshot(L);
}

int moil_vm_load_snapshot(struct vm *vm, char *errstr, size_t errlen)
{
    return call_protected(vm->L, load_snapshot, vm, NULL, errstr, errlen);
}

/* (vm) -> nothing */
static int add_natives(lua_State *L)
{
    lua_getglobal(L, "require");             /* vm require */
    lua_pushvalue(L, -1);                    /* vm require require */
    lua_pushliteral(L, "moil");              /* vm require require name */
    lua_call(L, 1, 0);                       /* vm require */
    lua_pushliteral(L, "moil.task");         /* vm require name */
    lua_call(L, 1, 1);                       /* vm task */
    lua_getfield(L, -1, "register_natives"); /* vm task fn */
    lua_call(L, 0, 0);                       /* vm task */
    return 0;
}

int moil_vm_add_natives(struct vm *vm, char *errstr, size_t errlen)
{
    return vm->native_count == 0 ? 0 : call_protected(vm->L, add_natives, vm, NULL, errstr, errlen);
}

struct module_call {
    const char *module;
    struct slice text;
    struct buffer *out;
};

/* (call) -> nothing */
static int call_module(lua_State *L)
{
    struct module_call *call = lua_touserdata(L, 1);
    struct slice answer;

    lua_getglobal(L, "require");                    /* … require */
    lua_pushstring(L, call->module);                /* … require name */
    lua_call(L, 1, 1);                              /* … fn */
    lua_pushlstring(L, call->text.p, call->text.n); /* … fn text */
    lua_call(L, 1, 1);                              /* … answer */
    answer.p = luaL_checklstring(L, -1, &answer.n);
    moil_buffer_add_slice(call->out, answer);
    return 0;
}

int moil_vm_call(struct vm *vm, const char *module, struct slice text, struct buffer *out,
                 char *errstr, size_t errlen)
{
    struct module_call call = {module, text, out};

    return call_protected(vm->L, call_module, &call, NULL, errstr, errlen);
}

/* () -> nothing */
static int seal(lua_State *L)
{
    moil_rails_seal(L);
    return 0;
}

void moil_vm_seal(struct vm *vm)
{
    char err[200];

    vm->sealed = true;
    if (call_protected(vm->L, seal, NULL, NULL, err, sizeof err) != 0) {
        log_warning("globals are not sealed: %s", err);
    }
}

size_t moil_vm_memory(const struct vm *vm)
{
    return (size_t)lua_gc(vm->L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(vm->L, LUA_GCCOUNTB);
}

struct run *moil_vm_victim(struct vm *vm)
{
    struct run *run = vm->victim;

    vm->victim = NULL;
    return run;
}
