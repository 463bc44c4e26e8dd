/* mem.c: see mem.h. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static moil_mem_fn *hook; /* NULL: libc's */
static void *hook_data;

void moil_mem_set(moil_mem_fn *fn, void *data)
{
    hook = fn;
    hook_data = data;
}

void *moil_mem_alloc(size_t size)
{
    return hook ? hook(hook_data, NULL, size ? size : 1) : malloc(size);
}

void *moil_mem_zalloc(size_t count, size_t size)
{
    if (!hook)
        return calloc(count, size);
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *p = moil_mem_alloc(count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

void *moil_mem_realloc(void *p, size_t size)
{
    return hook ? hook(hook_data, p, size ? size : 1) : realloc(p, size);
}

void moil_mem_free(void *p)
{
    if (!hook)
        free(p);
    else if (p)
        hook(hook_data, p, 0);
}

char *moil_mem_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = moil_mem_alloc(len + 1);
    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *moil_mem_strdup(const char *s)
{
    return moil_mem_strndup(s, strlen(s));
}
