/* src/vm's JSON for the specs, beside jansson as an independent oracle. */
#include <time.h>

#include <jansson.h>

#include "base/error.h"
#include "units.h"
#include "vm/json.h"

enum { MESSAGE_MAX = 1024 };

/* json() -> {null, object_meta}: opens it in this state */
static int unit_json(lua_State *L)
{
    moil_json_open(L);
    lua_newtable(L);
    moil_json_push_null(L);
    lua_setfield(L, -2, "null");
    moil_json_push_object_meta(L);
    lua_setfield(L, -2, "object_meta");
    return 1;
}

static int push_text(lua_State *L, int err, struct buffer *b, const char *errstr)
{
    if (err == 0) {
        lua_pushlstring(L, b->data, b->len);
        moil_buffer_fini(b);
        return 1;
    }
    moil_buffer_fini(b);
    lua_pushnil(L);
    lua_pushstring(L, errstr);
    return 2;
}

static int push_sink(lua_State *L, int err, struct json_sink *to)
{
    if (err == MOIL_ETOOLARGE) {
        snprintf(to->err, sizeof to->err, "too large: %zu", to->out->len);
    }
    return push_text(L, err, to->out, to->err);
}

/* encode(value, max) -> text | nil, message */
static int unit_encode(lua_State *L)
{
    struct buffer b;
    struct json_sink to = {.out = &b, .root = "value"};

    to.max = (size_t)luaL_optinteger(L, 2, LUA_MAXINTEGER);
    moil_buffer_init(&b);
    return push_sink(L, moil_json_encode(L, 1, &to), &to);
}

/* encode_args(list, n, max) -> text | nil, message */
static int unit_encode_args(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 2);
    struct buffer b;
    struct json_sink to = {.out = &b};

    to.max = (size_t)luaL_optinteger(L, 3, LUA_MAXINTEGER);
    moil_buffer_init(&b);
    return push_sink(L, moil_json_encode_args(L, 1, n, &to), &to);
}

/* decode(text) -> true, value | false, message */
static int unit_decode(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    int err = moil_json_decode(L, units_slice(L, 1), errstr, sizeof errstr);

    lua_pushboolean(L, err == 0);
    if (err != 0) {
        lua_pushstring(L, errstr);
    } else {
        lua_insert(L, -2);
    }
    return 2;
}

/* decode_args(text) -> count, values… | nil, message */
static int unit_decode_args(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    int n = moil_json_decode_args(L, units_slice(L, 1), errstr, sizeof errstr);

    if (n < 0) {
        lua_pushnil(L);
        lua_pushstring(L, errstr);
        return 2;
    }
    lua_pushinteger(L, n);
    lua_insert(L, -(n + 1));
    return n + 1;
}

/* The independent oracle: jansson. */
static json_t *oracle_load(struct slice text)
{
    return json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* oracle_equal(text, text) -> both are JSON and say the same; oracle_valid(text) */
static int unit_oracle_equal(lua_State *L)
{
    json_t *a = oracle_load(units_slice(L, 1));
    json_t *b = oracle_load(units_slice(L, 2));

    lua_pushboolean(L, a && b && json_equal(a, b));
    json_decref(a);
    json_decref(b);
    return 1;
}

static int unit_oracle_valid(lua_State *L)
{
    json_t *a = oracle_load(units_slice(L, 1));

    lua_pushboolean(L, a != NULL);
    json_decref(a);
    return 1;
}

/* bench_json(text, n) -> nanoseconds to read it here, and as a jansson tree */
static int unit_bench_json(lua_State *L)
{
    struct slice text = units_slice(L, 1);
    lua_Integer n = luaL_checkinteger(L, 2);
    char errstr[MESSAGE_MAX];
    clock_t t0 = clock();
    clock_t t1;

    for (lua_Integer i = 0; i < n; i++) {
        if (moil_json_decode(L, text, errstr, sizeof errstr) == 0) {
            lua_pop(L, 1);
        }
    }
    t1 = clock();
    for (lua_Integer i = 0; i < n; i++) {
        json_decref(oracle_load(text));
    }
    lua_pushnumber(L, (double)(t1 - t0) * 1e9 / CLOCKS_PER_SEC / (double)n);
    lua_pushnumber(L, (double)(clock() - t1) * 1e9 / CLOCKS_PER_SEC / (double)n);
    return 2;
}

static const luaL_Reg functions[] = {
    {"open", unit_json},
    {"encode", unit_encode},
    {"encode_args", unit_encode_args},
    {"decode", unit_decode},
    {"decode_args", unit_decode_args},
    {"oracle_equal", unit_oracle_equal},
    {"oracle_valid", unit_oracle_valid},
    {"bench", unit_bench_json},
    {NULL, NULL},
};
UNITS(json, functions)
