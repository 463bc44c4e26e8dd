/* moil's own Lua library as it is embedded at build time (build/gen/lualib.c, from lua/moil/).
 *
 * The vm's searcher finds "moil", "moil.retry", … here unless lua_dir says otherwise. */
#ifndef MOIL_VM_LUALIB_H
#define MOIL_VM_LUALIB_H

#include <stddef.h>

struct lualib_file {
    const char *name; /* of the module: "moil" is lua/moil/init.lua */
    const char *source;
    size_t len;
};

extern const struct lualib_file moil_lualib[]; /* ends with a NULL name */
extern const size_t moil_lualib_count;

#endif
