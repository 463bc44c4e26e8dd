/* From the config file's table to plain data. Used by conf/file.c, inside its protected call. */
#ifndef MOIL_CONF_PLAIN_H
#define MOIL_CONF_PLAIN_H

#include <lua.h>

#include "conf/file.h"

/* Fills *out from the table on the top of the stack; raises one line that names the file and the
 * key.
 * [-0, +0, e] */
void moil_plain_read(lua_State *lua, const char *path, struct config_file *out);

#endif
