/* Characters of UTF-8 text, where a column of the terminal counts one each. */
#ifndef MOIL_CLI_CHARS_H
#define MOIL_CLI_CHARS_H

#include <stddef.h>

size_t moil_chars_count(const char *s, size_t len);

/* Bytes of the first `chars` characters. */
size_t moil_chars_bytes(const char *s, size_t len, size_t chars);

#endif
