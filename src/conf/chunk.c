/* chunk.c: see chunk.h. Owns the private lua_State, its bounds and the order of things: open, run
 * the chunk, hand its table on, close. */
#include "conf/chunk.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/line.h"
#include "base/mem.h"

enum {
    TIME_BOUND_US = 1000000,
    HOOK_INSTRUCTIONS = 10000, /* well under a millisecond */
};

struct evaluation {
    const struct chunk *chunk;
    size_t memory;
    int64_t deadline_us;
};

static void *bounded_alloc(void *data, void *p, size_t old_size, size_t new_size)
{
    struct evaluation *e = data;
    size_t held = p ? old_size : 0; /* for a new block Lua passes its type as old_size */
    if (new_size == 0) {
        moil_mem_free(p);
        e->memory -= held;
        return NULL;
    }
    if (new_size > held && e->memory - held + new_size > e->chunk->memory_max) {
        return NULL;
    }
    void *moved = moil_mem_realloc(p, new_size);
    if (moved) {
        e->memory += new_size - held;
    }
    return moved;
}

static struct evaluation *evaluation_of(lua_State *lua)
{
    void *data;
    lua_getallocf(lua, &data);
    return data;
}

static void time_hook(lua_State *lua, lua_Debug *ar)
{
    if (moil_clock_monotonic_us() > evaluation_of(lua)->deadline_us) {
        lua_getinfo(lua, "Sl", ar);
        luaL_error(lua, "%s:%d: the %s took more than %d s", ar->short_src, ar->currentline,
                   evaluation_of(lua)->chunk->what, TIME_BOUND_US / 1000000);
    }
}

/* The libraries, without what reads files, loads code, prints, catches the time bound (pcall) or
 * runs where it does not reach (finalizers). [-0, +0, m] */
static void open_libraries(lua_State *lua)
{
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},
        {LUA_STRLIBNAME, luaopen_string},
        {LUA_TABLIBNAME, luaopen_table},
        {LUA_MATHLIBNAME, luaopen_math},
    };
    static const char *const refused[] = {
        "collectgarbage", "dofile", "load",   "loadfile",     "pcall",
        "print",          "warn",   "xpcall", "getmetatable", "setmetatable",
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].func, 1); /* +1: the library */
        lua_pop(lua, 1);                                             /* -1 */
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        lua_pushnil(lua);               /* +1 */
        lua_setglobal(lua, refused[i]); /* -1 */
    }
}

/* Loads, runs and reads the file; raises one line on any failure. [-0, +?, e] */
static int evaluate(lua_State *lua)
{
    const struct chunk *c = evaluation_of(lua)->chunk;
    open_libraries(lua);
    lua_sethook(lua, time_hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    if (luaL_loadfilex(lua, c->path, "t") != LUA_OK) { /* +1: the chunk or a message */
        return lua_error(lua);
    }
    lua_call(lua, 0, 1); /* -1, +1: the result */
    if (!lua_istable(lua, -1)) {
        return luaL_error(lua, "%s: it must return a table of %s, and returned %s", c->path,
                          c->returns, lua_isnil(lua, -1) ? "nothing" : luaL_typename(lua, -1));
    }
    c->read(lua, c->path, c->data);
    return 0;
}

/* The message on the top of the stack as one line. */
static void copy_message(lua_State *lua, const char *path, char *errstr, size_t errlen)
{
    if (lua_type(lua, -1) == LUA_TSTRING) {
        const char *message = lua_tostring(lua, -1);
        bool names_file = strstr(message, path) || strncmp(message, "...", 3) == 0;
        snprintf(errstr, errlen, "%s%s%s", names_file ? "" : path, names_file ? "" : ": ", message);
    } else {
        snprintf(errstr, errlen, "%s: it raised %s", path, luaL_typename(lua, -1));
    }
    moil_line_clean(errstr);
}

static int check_readable(const struct chunk *c, char *errstr, size_t errlen)
{
    struct stat st;
    int reason = stat(c->path, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;

    if (reason) {
        snprintf(errstr, errlen, "cannot read the %s %s: %s", c->what, c->path, strerror(reason));
        return MOIL_ESYS;
    }
    return 0;
}

int moil_chunk_run(const struct chunk *c, char *errstr, size_t errlen)
{
    struct evaluation e = {.chunk = c, .deadline_us = moil_clock_monotonic_us() + TIME_BOUND_US};
    int rc = check_readable(c, errstr, errlen);
    if (rc < 0) {
        return rc;
    }
    lua_State *lua = lua_newstate(bounded_alloc, &e);
    if (!lua) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    lua_pushcfunction(lua, evaluate); /* +1; a light C function allocates nothing */
    switch (lua_pcall(lua, 0, 0, 0)) {
    case LUA_OK:
        break;
    case LUA_ERRMEM:
        snprintf(errstr, errlen, "%s: the %s needs more than %zu MB of memory", c->path, c->what,
                 c->memory_max >> 20);
        rc = MOIL_EINVAL;
        break;
    default:
        copy_message(lua, c->path, errstr, errlen);
        rc = MOIL_EINVAL;
    }
    lua_close(lua);
    return rc;
}
