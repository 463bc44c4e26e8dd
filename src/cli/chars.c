/* chars.c: see chars.h. It only tells where characters begin; what is no UTF-8 counts somehow. */
#include "cli/chars.h"

#include <stdbool.h>

static bool starts_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t moil_chars_count(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += starts_char(s[i]);
    }
    return n;
}

size_t moil_chars_bytes(const char *s, size_t len, size_t chars)
{
    size_t i = 0;
    while (i < len && (chars > 0 || !starts_char(s[i]))) {
        chars -= starts_char(s[i]);
        i++;
    }
    return i;
}
