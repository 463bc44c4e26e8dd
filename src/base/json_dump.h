/* jansson's json_dumps with moil's own memory (base/mem.h), as what jansson allocates is freed by
 * whatever json_set_alloc_funcs was given. */
#ifndef MOIL_BASE_JSON_DUMP_H
#define MOIL_BASE_JSON_DUMP_H

#include <jansson.h>

/* The value as JSON text, to be freed by moil_mem_free; flags as of json_dumps. NULL: out of
 * memory, or no value. */
char *moil_json_dump(const json_t *value, size_t flags);

#endif
