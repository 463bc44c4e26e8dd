/* file.c: see file.h. Knows no option by name: plain.c reads the table. What is allocated meanwhile
 * hangs on struct config_file and is freed whatever happens. */
#include "conf/file.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/chunk.h"
#include "conf/plain.h"

enum { MEMORY_MAX = 16 << 20 };

static void read_table(lua_State *lua, const char *path, void *data)
{
    moil_plain_read(lua, path, data);
}

int moil_config_load(struct config_file *c, const char *path, char *errstr, size_t errlen)
{
    *c = (struct config_file){0};
    return moil_chunk_run(&(struct chunk){.path = path,
                                          .what = "config file",
                                          .returns = "options",
                                          .memory_max = MEMORY_MAX,
                                          .read = read_table,
                                          .data = c},
                          errstr, errlen);
}

void moil_config_fini(struct config_file *c)
{
    for (size_t i = 0; i < c->count; i++) {
        moil_mem_free(c->settings[i].text);
    }
    moil_mem_free(c->settings);
    moil_mem_free(c->json);
    *c = (struct config_file){0};
}
