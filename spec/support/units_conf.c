/* src/conf for the specs: URLs, name suggestions, instants, routes, the loading of options. */
#include <stdlib.h>
#include <string.h>

#include "conf/address.h"
#include "conf/instant.h"
#include "conf/options.h"
#include "conf/route.h"
#include "conf/suggest.h"
#include "conf/table.h"
#include "conf/url.h"
#include "units.h"

enum { ARGS_MAX = 64, MESSAGE_MAX = 512 };

static int push_failure(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

static void set_int(lua_State *L, const char *key, lua_Integer v)
{
    lua_pushinteger(L, v);
    lua_setfield(L, -2, key);
}

static void set_string(lua_State *L, const char *key, const char *v)
{
    lua_pushstring(L, v);
    lua_setfield(L, -2, key);
}

/* url_parse(text) -> {kind, host, …, shown} | nil, message */
static int unit_url_parse(lua_State *L)
{
    static const char *const kinds[] = {"tcp", "tls", "unix", "embedded"};
    char errstr[MESSAGE_MAX] = "", shown[MESSAGE_MAX * 4];
    struct url url;

    if (moil_url_parse(luaL_checkstring(L, 1), &url, errstr, sizeof errstr) < 0) {
        return push_failure(L, errstr);
    }
    moil_url_redact(&url, shown, sizeof shown);
    lua_newtable(L);
    set_string(L, "kind", kinds[url.kind]);
    set_string(L, "host", url.host);
    set_string(L, "path", url.path);
    set_string(L, "user", url.user);
    set_string(L, "password", url.password);
    set_string(L, "shown", shown);
    set_int(L, "port", url.port);
    set_int(L, "db", url.db);
    return 1;
}

/* address(text) -> host, port | nil */
static int unit_address(lua_State *L)
{
    struct address address;

    if (moil_address_parse(luaL_checkstring(L, 1), &address) < 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushstring(L, address.host);
    lua_pushstring(L, address.port);
    return 2;
}

/* url_redact(text, len) -> the shown form in a buffer of len bytes */
static int unit_url_redact(lua_State *L)
{
    char errstr[MESSAGE_MAX], shown[MESSAGE_MAX];
    struct url url;
    lua_Integer len = luaL_checkinteger(L, 2);

    luaL_argcheck(L, len > 0 && len <= MESSAGE_MAX, 2, "out of range");
    if (moil_url_parse(luaL_checkstring(L, 1), &url, errstr, sizeof errstr) < 0) {
        return push_failure(L, errstr);
    }
    moil_url_redact(&url, shown, (size_t)len);
    lua_pushstring(L, shown);
    return 1;
}

static size_t read_strings(lua_State *L, int arg, const char **out)
{
    size_t n = lua_rawlen(L, arg);

    luaL_argcheck(L, n < ARGS_MAX, arg, "too many");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        out[i] = luaL_checkstring(L, -1); /* the table keeps it */
        lua_pop(L, 1);
    }
    return n;
}

/* nearest(wrong, {known, …}) -> name | nil */
static int unit_nearest(lua_State *L)
{
    const char *known[ARGS_MAX];
    size_t count = read_strings(L, 2, known);

    lua_pushstring(L, moil_nearest_name(luaL_checkstring(L, 1), known, count));
    return 1;
}

/* instant(text) -> seconds since the epoch | nil */
static int unit_instant(lua_State *L)
{
    double v;

    if (moil_instant_parse(luaL_checkstring(L, 1), &v) < 0) {
        return 0;
    }
    lua_pushnumber(L, v);
    return 1;
}

static void push_field(lua_State *L, const struct options *o, const struct option_row *row)
{
    const void *field = (const char *)o + row->offset;

    switch (row->type) {
    case OPTION_BOOL:
    case OPTION_HELP:
        lua_pushboolean(L, *(const bool *)field);
        break;
    case OPTION_INT:
        lua_pushinteger(L, *(const long *)field);
        break;
    case OPTION_SECONDS:
    case OPTION_INSTANT:
    case OPTION_WHEN:
        lua_pushnumber(L, *(const double *)field);
        break;
    case OPTION_CHOICE:
        lua_pushstring(L, row->choices[*(const int *)field]);
        break;
    case OPTION_STRING:
    case OPTION_NAME:
    case OPTION_NAMESPACE:
    case OPTION_URL:
    case OPTION_ADDRESS:
    case OPTION_QUEUES:
    case OPTION_IDS:
        lua_pushstring(L, *(char *const *)field);
        break;
    }
}

static void push_options(lua_State *L, const struct options *o, enum command command)
{
    lua_newtable(L);
    for (size_t i = 0; i < moil_option_count(); i++) {
        if (moil_option_at(i)->commands & command) {
            push_field(L, o, moil_option_at(i));
            lua_setfield(L, -2, moil_option_at(i)->name);
        }
    }
    set_string(L, "config_json", o->config_json);
    lua_newtable(L);
    for (size_t i = 0; i < o->operand_count; i++) {
        lua_pushstring(L, o->operands[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "operands");
}

static enum command find_command(lua_State *L, int arg)
{
    const char *name = luaL_checkstring(L, arg);

    for (unsigned bit = 1; bit < CMD_ALL; bit <<= 1) {
        if (strcmp(moil_command_name((enum command)bit), name) == 0) {
            return (enum command)bit;
        }
    }
    luaL_argerror(L, arg, "no command");
    return CMD_ALL;
}

static void clear_environment(void)
{
    for (size_t i = 0; i < moil_option_count(); i++) {
        if (moil_option_at(i)->env) {
            unsetenv(moil_option_at(i)->env);
        }
    }
}

/* Exactly these variables of ours: {MOIL_X = "…"} */
static void set_environment(lua_State *L, int arg)
{
    clear_environment();
    if (!lua_istable(L, arg)) {
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        setenv(luaL_checkstring(L, -2), luaL_checkstring(L, -1), 1);
        lua_pop(L, 1);
    }
}

/* load(command, {arg, …}, [{VARIABLE = value, …}]) -> options | nil, message */
static int unit_load(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    const char *args[ARGS_MAX + 1] = {"moil"};
    enum command command = find_command(L, 1);
    size_t count = read_strings(L, 2, args + 1);
    struct options o;

    set_environment(L, 3);
    int rc = moil_options_load(&o, command, (int)count + 1, (char **)args, errstr, sizeof errstr);
    clear_environment();
    if (rc < 0) {
        moil_options_fini(&o);
        return push_failure(L, errstr);
    }
    push_options(L, &o, command);
    moil_options_fini(&o);
    return 1;
}

/* find_command({arg, …}) -> index of the command in argv, from 1 (behind the program's name) */
static int unit_find_command(lua_State *L)
{
    const char *args[ARGS_MAX + 1] = {"moil"};
    size_t count = read_strings(L, 1, args + 1);

    lua_pushinteger(L, moil_options_find_command((int)count + 1, (char **)args));
    return 1;
}

/* route(config_json or nil, task) -> queue | nil */
static int unit_route(lua_State *L)
{
    char *queue = moil_route_find(luaL_optstring(L, 1, NULL), luaL_checkstring(L, 2));

    lua_pushstring(L, queue);
    free(queue);
    return 1;
}

static const luaL_Reg functions[] = {
    {"url_parse", unit_url_parse},
    {"url_redact", unit_url_redact},
    {"nearest", unit_nearest},
    {"instant", unit_instant},
    {"load", unit_load},
    {"find_command", unit_find_command},
    {"route", unit_route},
    {"address", unit_address},
    {NULL, NULL},
};

UNITS(conf, functions)
