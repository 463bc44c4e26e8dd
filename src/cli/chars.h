/* How much room UTF-8 text takes on a terminal: most characters one column, those of East Asia and
 * pictures two, accents that combine with the letter before none. */
#ifndef MOIL_CLI_CHARS_H
#define MOIL_CLI_CHARS_H

#include <stddef.h>

/* Columns. */
size_t moil_chars_count(const char *s, size_t len);

/* Bytes of the first characters that fit into so many columns. */
size_t moil_chars_bytes(const char *s, size_t len, size_t columns);

#endif
