/* Eating the input, and the checks that many targets make. See fuzz.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"

enum { MARK = 0x5a };

_Noreturn void fuzz_broken(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

uint8_t fuzz_byte(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

char *fuzz_text(struct input *in, char end, size_t *len)
{
    const uint8_t *stop = in->n ? memchr(in->p, end, in->n) : NULL;
    size_t n = stop ? (size_t)(stop - in->p) : in->n, eaten = stop ? n + 1 : n;
    char *text = malloc(n + 1);
    FUZZ_CHECK(text);
    if (n)
        memcpy(text, in->p, n);
    text[n] = '\0';
    if (len)
        *len = n;
    if (eaten)
        in->p += eaten;
    in->n -= eaten;
    return text;
}

struct slice fuzz_bytes(const uint8_t *data, size_t size)
{
    char *p = malloc(size ? size : 1);
    FUZZ_CHECK(p);
    if (size)
        memcpy(p, data, size);
    return slice_of(p, size);
}

void fuzz_mark(void *p, size_t size)
{
    memset(p, MARK, size);
}

void fuzz_check_marked(const void *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        FUZZ_CHECK(((const unsigned char *)p)[i] == MARK);
}

void fuzz_check_line(const char *line, size_t size)
{
    size_t n = strnlen(line, size);
    FUZZ_CHECK(n > 0 && n < size);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
}
