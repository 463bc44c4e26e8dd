/* How a spec reaches a C function that no program exposes: a file units_<name>.c binds it, and
 * `require("spec.support").units.<name>` has it.
 *
 *     static int unit_parse(lua_State *L) { … }
 *     static const luaL_Reg functions[] = {{"parse", unit_parse}, {NULL, NULL}};
 *     UNITS(url, functions)
 */
#ifndef MOIL_SPEC_UNITS_H
#define MOIL_SPEC_UNITS_H

#include <lauxlib.h>
#include <lua.h>

#include "base/slice.h"

struct units {
    const char *name;
    const luaL_Reg *functions;
    struct units *next;
};

void units_register(struct units *u);

#define UNITS(area, functions)                                     \
    static struct units area##_units = {#area, functions, NULL};   \
    __attribute__((constructor)) static void area##_register(void) \
    {                                                              \
        units_register(&area##_units);                             \
    }

/* A string argument as a slice; nil and none are the absent slice. */
struct slice units_slice(lua_State *L, int arg);

/* Pushes the bytes, or nil for the absent slice. */
void units_push(lua_State *L, struct slice s);

#endif
