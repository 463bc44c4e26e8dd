/* `require "units"`: a table with one sub-table for each units_<name>.c. Knows none of them by
 * name. */
#include "units.h"

static struct units *first;

void units_register(struct units *u)
{
    u->next = first;
    first = u;
}

struct slice units_slice(lua_State *L, int arg)
{
    struct slice s = {NULL, 0};

    if (!lua_isnoneornil(L, arg)) {
        s.p = luaL_checklstring(L, arg, &s.n);
    }
    return s;
}

void units_push(lua_State *L, struct slice s)
{
    if (s.p) {
        lua_pushlstring(L, s.p, s.n);
    } else {
        lua_pushnil(L);
    }
}

__attribute__((visibility("default"))) int luaopen_units(lua_State *L);

int luaopen_units(lua_State *L)
{
    lua_newtable(L); /* units */
    for (const struct units *u = first; u; u = u->next) {
        lua_newtable(L); /* units area */
        luaL_setfuncs(L, u->functions, 0);
        lua_setfield(L, -2, u->name); /* units */
    }
    return 1;
}
