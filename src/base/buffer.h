/* A growable byte buffer. The caller owns the struct, the buffer its bytes.
 *
 * An allocation failure is remembered (`failed`) and makes later appends do nothing, so that a
 * sequence of appends needs one check at its end. */
#ifndef MOIL_BASE_BUFFER_H
#define MOIL_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buffer {
    char *data; /* not NUL-terminated, except by moil_buffer_cstr */
    size_t len;
    size_t cap;
    bool failed;
};

void moil_buffer_init(struct buffer *b);
void moil_buffer_fini(struct buffer *b);
void moil_buffer_clear(struct buffer *b); /* keeps the memory */

/* Room for n more bytes; returns where they go, or NULL. The caller then adds to `len`. */
char *moil_buffer_reserve(struct buffer *b, size_t n);
void moil_buffer_add(struct buffer *b, const void *p, size_t n);
void moil_buffer_add_slice(struct buffer *b, struct slice s);
void moil_buffer_add_str(struct buffer *b, const char *s);
void moil_buffer_add_char(struct buffer *b, char c);
void moil_buffer_add_int(struct buffer *b, int64_t v);
void moil_buffer_addf(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void moil_buffer_addv(struct buffer *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* A JSON string literal with its quotes; bytes that are not UTF-8 become U+FFFD. */
void moil_buffer_add_json(struct buffer *b, struct slice s);

/* The bytes with a NUL behind them (not counted in len); "" when empty or failed. */
const char *moil_buffer_cstr(struct buffer *b);

/* Hands the bytes, NUL-terminated, to the caller, who frees them; NULL when failed. The buffer is
 * empty afterwards. */
char *moil_buffer_take(struct buffer *b, size_t *len);

static inline struct slice moil_buffer_slice(const struct buffer *b)
{
    return (struct slice){b->data, b->len};
}

/* Decimal digits of v into out (room for 21 bytes, no NUL); returns how many. */
size_t moil_format_int(char *out, int64_t v);

#endif
