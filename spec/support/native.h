/* The parts of the `native` module: what specs need of the system and plain Lua has not. Only the
 * specs use it. */
#ifndef MOIL_SPEC_NATIVE_H
#define MOIL_SPEC_NATIVE_H

#include <lauxlib.h>
#include <lua.h>

void native_open_process(lua_State *L); /* adds its functions to the table on top */
void native_open_system(lua_State *L);
void native_open_redis(lua_State *L);
void native_open_terminal(lua_State *L);

/* nil, message, errno: the usual answer of a system call that failed. */
int native_fail(lua_State *L, const char *what);

#endif
