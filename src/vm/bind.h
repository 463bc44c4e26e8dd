/* `moil.core`: the C functions under lua/moil/. The same table serves a worker's state and a plain
 * Lua program; what it needs of the world goes through vm/host.h.
 *
 * In a plain program (api/lua_module.c) no run exists and the host must answer every call with
 * VM_READY. */
#ifndef MOIL_VM_BIND_H
#define MOIL_VM_BIND_H

#include <lua.h>

#include "vm/host.h"

/* Pushes the table of functions, and returns 1. The host is copied; its `data` must outlive the
 * state. [-0, +1, m] */
int moil_bind_open(lua_State *L, const struct vm_host *host);

#endif
