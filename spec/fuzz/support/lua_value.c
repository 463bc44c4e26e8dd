/* Lua values out of any bytes: what a script could hand over, functions and cycles included. See
 * fuzz.h. */
#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "../fuzz.h"

enum { STRING_MAX = 32, PAIRS_MAX = 16 };

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static void push_integer(lua_State *L, struct input *in)
{
    uint64_t v = 0;
    for (int n = fuzz_byte(in) % 9; n > 0; n--)
        v = v << 8 | fuzz_byte(in);
    lua_pushinteger(L, (lua_Integer)v);
}

static void push_float(lua_State *L, struct input *in)
{
    static const double odd[] = {0.0, -0.0, 0.1, 1e308, 5e-324, 9007199254740993.0};
    uint8_t kind = fuzz_byte(in);
    if (kind < sizeof odd / sizeof odd[0])
        lua_pushnumber(L, odd[kind]);
    else if (kind < 10)
        lua_pushnumber(L, kind % 2 ? NAN : -INFINITY);
    else
        lua_pushnumber(L, fuzz_byte(in) / 8.0 * pow(10, kind - 128));
}

static void push_string(lua_State *L, struct input *in)
{
    size_t n = fuzz_byte(in) % STRING_MAX;
    if (n > in->n)
        n = in->n;
    lua_pushlstring(L, n ? (const char *)in->p : "", n);
    if (n)
        in->p += n;
    in->n -= n;
}

static void push_table(lua_State *L, struct input *in, int depth)
{
    int list = fuzz_byte(in) % 2;
    lua_newtable(L); /* table */
    for (int i = 1, n = fuzz_byte(in) % PAIRS_MAX; i <= n && in->n > 0; i++) {
        if (list)
            lua_pushinteger(L, i); /* table key */
        else
            fuzz_push_value(L, in, 0); /* table key */
        if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && isnan(lua_tonumber(L, -1)))) {
            lua_pop(L, 1); /* table */
            continue;
        }
        if (fuzz_byte(in) == 0xff)
            lua_pushvalue(L, -2); /* table key table */
        else
            fuzz_push_value(L, in, depth - 1); /* table key value */
        lua_rawset(L, -3);                     /* table */
    }
}

void fuzz_push_value(lua_State *L, struct input *in, int depth)
{
    luaL_checkstack(L, 8, "fuzz");
    switch (fuzz_byte(in) % (depth > 0 ? 9 : 6)) {
    case 0:
        lua_pushboolean(L, fuzz_byte(in) % 2);
        return;
    case 1:
        push_integer(L, in);
        return;
    case 2:
        push_float(L, in);
        return;
    case 3:
    case 4:
        push_string(L, in);
        return;
    case 5:
        if (fuzz_byte(in) % 4)
            lua_pushnil(L);
        else
            lua_pushcfunction(L, nothing);
        return;
    default:
        push_table(L, in, depth);
        return;
    }
}
