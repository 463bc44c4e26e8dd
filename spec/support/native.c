/* `require "native"`: processes, descriptors, clocks and raw Redis commands for the specs.
 *
 * Loaded by spec/support/init.lua, which wraps it. Knows nothing of moil. */
#include "native.h"

#include <errno.h>
#include <string.h>

int native_fail(lua_State *L, const char *what)
{
    int err = errno;

    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, strerror(err));
    lua_pushinteger(L, err);
    return 3;
}

__attribute__((visibility("default"))) int luaopen_native(lua_State *L);

int luaopen_native(lua_State *L)
{
    lua_newtable(L); /* native */
    native_open_process(L);
    native_open_system(L);
    native_open_redis(L);
    native_open_terminal(L);
    return 1;
}
