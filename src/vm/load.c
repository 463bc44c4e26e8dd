/* Loading of Lua text: task files and folders, `require`, and moil's own library (embedded, or from
 * lua_dir).
 *
 * One cache by real path serves all, so that a file that is both in the folder and required runs
 * once. Where texts come from, disk or a snapshot, is source.c's business. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/folder.h"
#include "vm/lualib.h"
#include "vm/source.h"
#include "vm/state.h"

static const char cache_key;   /* real path -> the file's value, or `loading` */
static const char loading_key; /* the value of a file whose chunk runs now */

/* --- one file --------------------------------------------------------------------------------- */

/* Pushes the cached value of a real path and returns true when it was loaded before. [-0, +0|1, e]
 */
static bool push_cached(lua_State *L, const char *real)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key); /* cache */
    if (lua_getfield(L, -1, real) == LUA_TNIL) {   /* cache value */
        lua_pop(L, 2);
        return false;
    }
    lua_remove(L, -2); /* value */
    if (lua_touserdata(L, -1) == &loading_key) {
        luaL_error(
            L,
            "%s requires itself (by way of the files that it requires), or failed to load before",
            real);
    }
    return true;
}

static void set_cached(lua_State *L, const char *real)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key); /* value cache */
    lua_insert(L, -2);                             /* cache value */
    lua_setfield(L, -2, real);                     /* cache */
    lua_pop(L, 1);
}

/* Says which file is loaded now, and keeps which one was, unless that is NULL. */
static void tell_loading(struct vm *vm, const char *path, char *before)
{
    if (!vm->loading) {
        return;
    }
    if (before) {
        memcpy(before, vm->loading, MOIL_LOADING_MAX);
    }
    snprintf(vm->loading, MOIL_LOADING_MAX, "%s", path);
}

/* Pushes the value of a file, running it at the first time. `name` (may be NULL) is given to the
 * chunk. [-0, +1, e] */
static void push_file(lua_State *L, const char *path, const char *name)
{
    struct vm *vm = moil_source_vm(L);
    char real[PATH_MAX];
    char outer[MOIL_LOADING_MAX]; /* the file that requires this one */

    moil_source_real(L, vm, path, real);
    if (push_cached(L, real)) { /* value */
        return;
    }
    tell_loading(vm, path, outer);
    moil_source_load(L, vm, path);                  /* chunk */
    lua_pushlightuserdata(L, (void *)&loading_key); /* chunk loading */
    set_cached(L, real);                            /* chunk */
    lua_pushstring(L, name ? name : path);          /* chunk name */
    lua_pushstring(L, path);                        /* chunk name path */
    lua_call(L, 2, 1);                              /* value */
    tell_loading(vm, outer, NULL);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1); /* true */
    }
    lua_pushvalue(L, -1); /* value value */
    set_cached(L, real);  /* value */
}

/* --- folders ---------------------------------------------------------------------------------- */

/* Lets files of a folder require each other. [-0, +0, m] */
static void add_to_path(lua_State *L, const char *dir)
{
    lua_getglobal(L, "package"); /* package */
    lua_getfield(L, -1, "path"); /* package path */
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", dir, dir, lua_tostring(L, -1)); /* package path
                                                                                       path */
    lua_setfield(L, -3, "path"); /* package path */
    lua_pop(L, 2);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s);
    size_t m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static int folder_gc(lua_State *L)
{
    moil_folder_fini(lua_touserdata(L, 1));
    return 0;
}

/* Pushes the folder's entries; they go with the userdata. [-0, +1, e] */
static const struct folder *push_folder(lua_State *L, const char *dir)
{
    struct folder *f = lua_newuserdatauv(L, sizeof *f, 0); /* folder */

    *f = (struct folder){NULL, 0};
    lua_createtable(L, 0, 1);        /* folder meta */
    lua_pushcfunction(L, folder_gc); /* folder meta fn */
    lua_setfield(L, -2, "__gc");     /* folder meta */
    lua_setmetatable(L, -2);         /* folder */
    int err = moil_folder_list(dir, f);
    if (err) {
        luaL_error(L, "%s: %s", dir, err == MOIL_ESYS ? strerror(errno) : moil_strerror(err));
    }
    return f;
}

/* Loads a file for itself, not for another. [-0, +0, e] */
static void load_file(lua_State *L, const char *path)
{
    moil_source_note(moil_source_vm(L), SNAPSHOT_LOAD, path, "");
    push_file(L, path, NULL); /* value */
    lua_pop(L, 1);
}

/* Loads all *.lua of a folder; how many there are. [-0, +0, e] */
static int load_folder(lua_State *L, const char *dir, int depth)
{
    const struct folder *f;
    int files = 0;

    if (depth > 32) {
        return luaL_error(L, "%s: more than 32 folders deep (a link to its own parent?)", dir);
    }
    luaL_checkstack(L, 8, "folders");
    f = push_folder(L, dir); /* folder */
    for (size_t i = 0; i < f->count; i++) {
        const char *path = lua_pushfstring(L, "%s/%s", dir, f->names[i]); /* folder path */
        struct stat st;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            files += load_folder(L, path, depth + 1);
        } else if (ends_with(path, ".lua")) {
            load_file(L, path);
            files++;
        }
        lua_pop(L, 1); /* folder */
    }
    lua_pop(L, 1);
    return files;
}

/* The path without a slash at its end; "." for a file without one. [-0, +1, m] */
static const char *push_folder_of(lua_State *L, const char *path, bool is_folder)
{
    const char *end = path + strlen(path);

    if (!is_folder) {
        while (end > path && end[-1] != '/') {
            end--;
        }
    }
    while (end > path + 1 && end[-1] == '/') {
        end--;
    }
    return end == path ? lua_pushliteral(L, ".") : lua_pushlstring(L, path, (size_t)(end - path));
}

int moil_load_path(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *dir;
    struct stat st;

    if (stat(path, &st) != 0) {
        return luaL_error(L, "%s: %s", path, strerror(errno));
    }
    dir = push_folder_of(L, path, S_ISDIR(st.st_mode)); /* path dir */
    moil_source_note(moil_source_vm(L), SNAPSHOT_ROOT, path, dir);
    add_to_path(L, dir);
    if (!S_ISDIR(st.st_mode)) {
        load_file(L, path);
    } else if (load_folder(L, dir, 0) == 0) {
        return luaL_error(L, "%s: no *.lua file in this folder", path);
    }
    return 0;
}

int moil_load_snapshot(lua_State *L)
{
    const struct vm *vm = moil_source_vm(L);
    struct snapshot_entry entry;

    for (size_t at = 0; moil_snapshot_next(vm->snapshot, &at, &entry);) {
        if (entry.kind == SNAPSHOT_ROOT) {
            add_to_path(L, entry.value.p);
        } else if (entry.kind == SNAPSHOT_LOAD) {
            load_file(L, entry.name.p);
        }
    }
    return 0;
}

/* --- require ---------------------------------------------------------------------------------- */

/* (name, path) -> the file's value */
static int loader(lua_State *L)
{
    push_file(L, luaL_checkstring(L, 2), luaL_checkstring(L, 1)); /* … value */
    return 1;
}

/* (name) -> loader, path; or a message. Stands where the stock searcher for Lua files stood. What
 * is in the snapshot goes before all that is on disk, wherever in the path it stands. */
static int search_file(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    if (moil_source_push_place(L, moil_source_vm(L), name)) { /* name found */
        lua_pushcfunction(L, loader);                         /* name found loader */
        lua_insert(L, 2);                                     /* name loader found */
        return 2;
    }
    lua_getglobal(L, "package");       /* name package */
    lua_getfield(L, -1, "searchpath"); /* name package fn */
    lua_pushvalue(L, 1);               /* name package fn name */
    lua_getfield(L, 2, "path");        /* name package fn name path */
    lua_call(L, 2, 2);                 /* name package found message */
    if (lua_isnil(L, 3)) {
        return 1;
    }
    lua_pushcfunction(L, loader); /* name package found message loader */
    lua_pushvalue(L, 3);          /* name package found message loader found */
    return 2;
}

static int load_from_dir(lua_State *L, const char *name, const char *lua_dir)
{
    luaL_gsub(L, name, ".", "/"); /* name relative */
    lua_pushfstring(L, "%s/%s%s.lua", lua_dir, lua_tostring(L, -1),
                    strcmp(name, "moil") == 0 ? "/init" : "");
    moil_source_load(L, moil_source_vm(L), lua_tostring(L, -1)); /* name relative path chunk */
    lua_insert(L, -2);                                           /* name relative chunk path */
    return 2;
}

/* (name) -> chunk, place: moil's own modules, before all others */
static int search_library(lua_State *L)
{
    const struct vm *vm = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);

    if (strcmp(name, "moil") != 0 && strncmp(name, "moil.", 5) != 0) {
        lua_pushliteral(L, "not a module of moil");
        return 1;
    }
    if (vm->lua_dir) {
        return load_from_dir(L, name, vm->lua_dir);
    }
    for (size_t i = 0; i < moil_lualib_count; i++) {
        const struct lualib_file *file = &moil_lualib[i];

        if (strcmp(file->name, name) == 0) {
            lua_pushfstring(L, "=moil/%s.lua", name[4] ? name + 5 : "init"); /* name chunkname */
            if (luaL_loadbufferx(L, file->source, file->len, lua_tostring(L, -1), "t") != LUA_OK) {
                return lua_error(L);
            }
            lua_pushliteral(L, "embedded"); /* name chunkname chunk place */
            return 2;
        }
    }
    lua_pushfstring(L, "no embedded module '%s'", name);
    return 1;
}

/* --- load, loadfile, dofile: text only -------------------------------------------------------- */

/* The stock function is the upvalue; `arg` is where its mode stands. */
static int call_with_text_mode(lua_State *L, int arg)
{
    if (lua_gettop(L) < arg) {
        lua_settop(L, arg);
    }
    lua_pushliteral(L, "t"); /* arguments… mode */
    lua_replace(L, arg);     /* arguments… */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1); /* fn arguments… */
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int text_load(lua_State *L)
{
    return call_with_text_mode(L, 3);
}

/* While the tasks are loaded, what is read by loadfile and dofile is a part of the snapshot, too; a
 * job that reads a file wants what is there now. */
static bool is_in_snapshot(const struct vm *vm, const char *path)
{
    struct slice text;

    return path && !vm->sealed && (vm->record || moil_source_find(vm, path, &text));
}

/* (path [, mode [, env]]) -> chunk; or nil, message */
static int text_loadfile(lua_State *L)
{
    if (!is_in_snapshot(moil_source_vm(L), luaL_optstring(L, 1, NULL))) {
        return call_with_text_mode(L, 2);
    }
    lua_pushcfunction(L, moil_source_chunk); /* path … fn */
    lua_pushvalue(L, 1);                     /* path … fn path */
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {   /* path … message */
        lua_pushnil(L);                      /* path … message nil */
        lua_insert(L, -2);                   /* path … nil message */
        return 2;
    }
    if (lua_gettop(L) > 3) { /* path mode env … chunk */
        lua_pushvalue(L, 3);
        if (!lua_setupvalue(L, -2, 1)) {
            lua_pop(L, 1);
        }
    }
    return 1;
}

static int dofile_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return lua_gettop(L) - (int)ctx;
}

static int text_dofile(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    if (is_in_snapshot(moil_source_vm(L), path)) {
        moil_source_load(L, moil_source_vm(L), path); /* path chunk */
    } else if (luaL_loadfilex(L, path, "t") != LUA_OK) {
        return lua_error(L);
    }
    lua_callk(L, 0, LUA_MULTRET, 1, dofile_done); /* path values… */
    return dofile_done(L, LUA_OK, 1);
}

static void wrap_global(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_getglobal(L, name);     /* stock */
    lua_pushcclosure(L, fn, 1); /* fn */
    lua_setglobal(L, name);
}

void moil_load_open(lua_State *L, struct vm *vm)
{
    lua_createtable(L, 0, 0); /* cache */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
    moil_source_open(L, vm);
    lua_getglobal(L, "package");       /* package */
    lua_getfield(L, -1, "searchers");  /* package searchers */
    lua_pushcfunction(L, search_file); /* package searchers fn */
    lua_rawseti(L, -2, 2);             /* package searchers */
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 1; i--) {
        lua_rawgeti(L, -1, i);     /* package searchers fn */
        lua_rawseti(L, -2, i + 1); /* package searchers */
    }
    lua_pushlightuserdata(L, vm);           /* package searchers vm */
    lua_pushcclosure(L, search_library, 1); /* package searchers fn */
    lua_rawseti(L, -2, 1);                  /* package searchers */
    lua_pop(L, 2);
    wrap_global(L, "load", text_load);
    wrap_global(L, "loadfile", text_loadfile);
    lua_pushcfunction(L, text_dofile); /* fn */
    lua_setglobal(L, "dofile");
}
