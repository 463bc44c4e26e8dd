/* The growable byte buffer: growth, appending, formatting (JSON strings: json_string.c).
 *
 * Called by every layer. Knows nothing of what the bytes mean. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* Most records and log lines fit without a second allocation. */
enum { FIRST_CAP = 256 };

void moil_buffer_init(struct buffer *b)
{
    *b = (struct buffer){0};
}

void moil_buffer_fini(struct buffer *b)
{
    moil_mem_free(b->data);
    *b = (struct buffer){0};
}

void moil_buffer_clear(struct buffer *b)
{
    b->len = 0;
    b->failed = false;
}

static bool grow(struct buffer *b, size_t n)
{
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    char *data;

    if (n > SIZE_MAX / 2 - b->len) {
        return false;
    }
    while (cap < b->len + n) {
        cap *= 2;
    }
    data = moil_mem_realloc(b->data, cap);
    if (!data) {
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

char *moil_buffer_reserve(struct buffer *b, size_t n)
{
    if (b->failed) {
        return NULL;
    }
    if ((!b->data || n > b->cap - b->len) && !grow(b, n)) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->len;
}

void moil_buffer_add(struct buffer *b, const void *p, size_t n)
{
    char *to = moil_buffer_reserve(b, n);

    if (to && n > 0) {
        memcpy(to, p, n);
        b->len += n;
    }
}

void moil_buffer_add_slice(struct buffer *b, struct slice s)
{
    moil_buffer_add(b, s.p, s.n);
}

void moil_buffer_add_str(struct buffer *b, const char *s)
{
    moil_buffer_add(b, s, strlen(s));
}

void moil_buffer_add_char(struct buffer *b, char c)
{
    char *to = moil_buffer_reserve(b, 1);

    if (to) {
        *to = c;
        b->len++;
    }
}

size_t moil_format_int(char *out, int64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    char digits[20];
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    size_t at = sizeof digits;
    size_t len = 0;

    for (; u >= 100; u /= 100) { /* two at a time: half the divisions */
        at -= 2;
        memcpy(digits + at, pairs + 2 * (u % 100), 2);
    }
    if (u >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * u, 2);
    } else {
        digits[--at] = (char)('0' + u);
    }
    if (v < 0) {
        out[len++] = '-';
    }
    memcpy(out + len, digits + at, sizeof digits - at);
    return len + sizeof digits - at;
}

void moil_buffer_add_int(struct buffer *b, int64_t v)
{
    char *to = moil_buffer_reserve(b, 21);

    if (to) {
        b->len += moil_format_int(to, v);
    }
}

void moil_buffer_addv(struct buffer *b, const char *fmt, va_list ap)
{
    va_list again;
    char *to = moil_buffer_reserve(b, 1);
    size_t room;
    int n;

    if (!to) {
        return;
    }
    room = b->cap - b->len;
    va_copy(again, ap);
    n = vsnprintf(to, room, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < room) {
        b->len += (size_t)n;
    } else if ((to = moil_buffer_reserve(b, (size_t)n + 1))) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void moil_buffer_addf(struct buffer *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    moil_buffer_addv(b, fmt, ap);
    va_end(ap);
}

const char *moil_buffer_cstr(struct buffer *b)
{
    char *end = moil_buffer_reserve(b, 1);

    if (!end) {
        return "";
    }
    *end = '\0';
    return b->data;
}

char *moil_buffer_take(struct buffer *b, size_t *len)
{
    char *data;

    moil_buffer_cstr(b);
    if (b->failed) {
        return NULL;
    }
    data = b->data;
    if (len) {
        *len = b->len;
    }
    moil_buffer_init(b);
    return data;
}
