/* The allocator: all memory that moil itself allocates comes from here, so that an embedding
 * program can put its own in place (moil.h, moil_set_allocator). Lua states use it too; jansson,
 * hiredis and libev have hooks of their own, which are the program's to set.
 *
 * Called by every layer but cli/. Knows nothing. */
#ifndef MOIL_BASE_MEM_H
#define MOIL_BASE_MEM_H

#include <stddef.h>

/* As realloc, and with size 0 as free: then the answer is not looked at. NULL: out of memory, and
 * p is as it was. Thread-safe where the program uses moil in several threads. */
typedef void *moil_mem_fn(void *data, void *p, size_t size);

/* NULL brings libc's back. Before anything else of moil is called, as what one allocated the other
 * cannot free. */
void moil_mem_set(moil_mem_fn *fn, void *data);

/* As malloc, calloc, realloc, free, strdup and strndup: NULL when out of memory. */
void *moil_mem_alloc(size_t size);
void *moil_mem_zalloc(size_t count, size_t size);
void *moil_mem_realloc(void *p, size_t size);
void moil_mem_free(void *p);
char *moil_mem_strdup(const char *s);
char *moil_mem_strndup(const char *s, size_t n);

#endif
