/* Runs Lua source in a bare state, linked with the Lua library that moil is linked with: what a
 * job's cost on the CPU is held against.
 *
 *   bare SOURCE        prints what the chunk returns, a number */
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>

#include "support/meter.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_die("usage: bare SOURCE");
    lua_State *L = luaL_newstate();
    if (!L)
        bench_die("bare: out of memory");
    luaL_openlibs(L);
    if (luaL_loadstring(L, argv[1]) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
        bench_die("bare: %s", lua_tostring(L, -1));
    printf("%.6f\n", lua_tonumber(L, -1));
    lua_close(L);
    return 0;
}
