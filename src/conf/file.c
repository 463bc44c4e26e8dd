/* Evaluating the config file. Owns the private lua_State, its bounds and the order of things: open,
 * run the chunk, hand its table to conf/plain.c, close. Knows no option by name.
 *
 * Everything that may raise runs inside one protected call, so that what is allocated meanwhile
 * hangs on struct config_file and is freed whatever happens. */
#include "conf/file.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/line.h"
#include "conf/plain.h"

enum {
    TIME_BOUND_US = 1000000,
    HOOK_INSTRUCTIONS = 10000, /* well under a millisecond */
    MEMORY_BOUND = 16 << 20,
};

struct evaluation {
    size_t memory;
    int64_t deadline_us;
    const char *path;
    struct config_file *out;
};

static void *bounded_alloc(void *data, void *p, size_t old_size, size_t new_size)
{
    struct evaluation *e = data;
    size_t held = p ? old_size : 0; /* for a new block Lua passes its type as old_size */
    if (new_size == 0) {
        free(p);
        e->memory -= held;
        return NULL;
    }
    if (new_size > held && e->memory - held + new_size > MEMORY_BOUND) {
        return NULL;
    }
    void *moved = realloc(p, new_size);
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
        luaL_error(lua, "%s:%d: the config file took more than %d s", ar->short_src,
                   ar->currentline, TIME_BOUND_US / 1000000);
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
    struct evaluation *e = evaluation_of(lua);
    open_libraries(lua);
    lua_sethook(lua, time_hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    if (luaL_loadfilex(lua, e->path, "t") != LUA_OK) { /* +1: the chunk or a message */
        return lua_error(lua);
    }
    lua_call(lua, 0, 1); /* -1, +1: the result */
    if (!lua_istable(lua, -1)) {
        return luaL_error(lua, "%s: it must return a table of options, and returned %s", e->path,
                          lua_isnil(lua, -1) ? "nothing" : luaL_typename(lua, -1));
    }
    moil_plain_read(lua, e->path, e->out);
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

static int check_readable(const char *path, char *errstr, size_t errlen)
{
    struct stat st;
    int reason = stat(path, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;

    if (reason) {
        snprintf(errstr, errlen, "cannot read the config file %s: %s", path, strerror(reason));
        return MOIL_ESYS;
    }
    return 0;
}

int moil_config_load(struct config_file *c, const char *path, char *errstr, size_t errlen)
{
    struct evaluation e = {
        .deadline_us = moil_clock_monotonic_us() + TIME_BOUND_US, .path = path, .out = c};
    *c = (struct config_file){0};
    int rc = check_readable(path, errstr, errlen);
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
        snprintf(errstr, errlen, "%s: the config file needs more than %d MB of memory", path,
                 MEMORY_BOUND >> 20);
        rc = MOIL_EINVAL;
        break;
    default:
        copy_message(lua, path, errstr, errlen);
        rc = MOIL_EINVAL;
    }
    lua_close(lua);
    return rc;
}

void moil_config_fini(struct config_file *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->settings[i].text);
    }
    free(c->settings);
    free(c->json);
    *c = (struct config_file){0};
}
