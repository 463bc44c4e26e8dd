/* Replies of Redis made from Lua values and back, for the units of queue/ and net/. */
#ifndef MOIL_SPEC_UNITS_REPLY_H
#define MOIL_SPEC_UNITS_REPLY_H

#include <lua.h>

#include "net/reply.h"

/* From the value at idx: a string, an integer, a list, {err = text}; anything else is nil. */
struct reply *units_reply_new(lua_State *L, int idx); /* [-0, +0, e] */
void units_reply_free(struct reply *r);

/* The reverse; nil inside a list is false. */
void units_reply_push(lua_State *L, const struct reply *r); /* [-0, +1, m] */

#endif
