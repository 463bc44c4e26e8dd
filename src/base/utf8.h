/* Is it UTF-8? What becomes JSON text must be. Called by the JSON reader and writer, and by who
 * cuts texts. */
#ifndef MOIL_BASE_UTF8_H
#define MOIL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True for well-formed UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF. */
bool moil_utf8_is_valid(const char *p, size_t n);

/* Writes the code point (at most 0x10FFFF) and returns its length, 1 to 4. */
size_t moil_utf8_put(char *to, unsigned long c);

/* Leaves out what is no UTF-8: of a text that was cut, the piece of a character at the cut. */
void moil_utf8_mend(char *text);

#endif
