/* Evaluating a file of ours that is Lua (the config file, a beat file) in a small Lua state of its
 * own: the chunk sees base, string, table and math without what reads files or loads code, has 1 s
 * and a bound on its memory, and returns a table. Text only. Used by file.c and beat_file.c. */
#ifndef MOIL_CONF_CHUNK_H
#define MOIL_CONF_CHUNK_H

#include <lua.h>
#include <stddef.h>

struct chunk {
    const char *path;
    const char *what;    /* "config file", for messages */
    const char *returns; /* "options": what its table is of */
    size_t memory_max;   /* bytes */
    /* Reads the table on the top of the stack; raises one line that names the file for what it does
     * not like. Runs in a protected call: what it allocates must hang on `data` or on the stack.
     * [-0, +0, e] */
    void (*read)(lua_State *lua, const char *path, void *data);
    void *data;
};

/* 0, MOIL_EINVAL, MOIL_ESYS (no such file) or MOIL_ENOMEM with one line in errstr, "file:line: …"
 * where Lua knows the line. */
int moil_chunk_run(const struct chunk *c, char *errstr, size_t errlen);

#endif
