/* The config file: a Lua chunk that returns a table, evaluated in a small Lua state of its own.
 *
 * Used by conf/options.c alone. The chunk sees base, string, table and math without what reads
 * files or loads code; it has 1 s and 16 MB. Option keys come out as text, `routes` and
 * `task_defaults` as JSON. */
#ifndef MOIL_CONF_FILE_H
#define MOIL_CONF_FILE_H

#include <stddef.h>

#include "conf/table.h"

struct config_setting {
    const struct option_row *row;
    char *text; /* as it would stand behind the flag */
};

struct config_file {
    struct config_setting *settings;
    size_t count;
    char *json; /* {"routes": …, "task_defaults": …}; NULL: neither is there */
};

/* 0, MOIL_EINVAL, MOIL_ESYS or MOIL_ENOMEM with one line in errstr, "file:line: …" where Lua knows
 * the line. Free with moil_config_fini in any case. */
int moil_config_load(struct config_file *c, const char *path, char *errstr, size_t errlen);
void moil_config_fini(struct config_file *c);

#endif
