/* chars.c: see chars.h. A table of ranges and not wcwidth, which knows only what the locale does,
 * and moil sets none. What is no UTF-8 counts one column a byte. */
#include "cli/chars.h"

#include <stdint.h>

struct range {
    uint32_t first, last;
};

/* Characters that take no room. */
static const struct range nothing[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},   {0x064b, 0x065f},
    {0x0900, 0x0902}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},   {0x20d0, 0x20ff},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};

/* Characters of two columns (Unicode's East Asian Width: W and F). */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x26a1, 0x26a1},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26d4, 0x26d4},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x2753, 0x2757},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},
    {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x16fe0, 0x18cff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004},
    {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320},
    {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca},
    {0x1f3e0, 0x1f3f0}, {0x1f400, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f550, 0x1f567},
    {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec},
    {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f9ff}, {0x1fa70, 0x1faff},
    {0x20000, 0x3fffd},
};

static int is_in(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count && ranges[i].first <= c; i++) {
        if (c <= ranges[i].last) {
            return 1;
        }
    }
    return 0;
}

/* The length of the character at s by its first byte, as far as it is there; 1 for what is none. */
static size_t length_of(const char *s, size_t len)
{
    unsigned char c = (unsigned char)s[0];
    size_t want = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 1;
    for (size_t i = 1; i < want; i++) {
        if (i >= len || ((unsigned char)s[i] & 0xc0) != 0x80) {
            return 1;
        }
    }
    return want;
}

static uint32_t decode(const char *s, size_t len)
{
    uint32_t c = (unsigned char)s[0];
    if (len > 1) {
        c &= 0xffU >> (len + 1);
    }
    for (size_t i = 1; i < len; i++) {
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    }
    return c;
}

/* Columns of one character. */
static size_t width_of(uint32_t c)
{
    if (c < 0x300) {
        return 1;
    }
    if (is_in(nothing, sizeof nothing / sizeof *nothing, c)) {
        return 0;
    }
    return is_in(wide, sizeof wide / sizeof *wide, c) ? 2 : 1;
}

size_t moil_chars_count(const char *s, size_t len)
{
    size_t columns = 0;
    for (size_t i = 0, n; i < len; i += n) {
        n = length_of(s + i, len - i);
        columns += width_of(decode(s + i, n));
    }
    return columns;
}

size_t moil_chars_bytes(const char *s, size_t len, size_t columns)
{
    size_t i = 0, used = 0;
    while (i < len) {
        size_t n = length_of(s + i, len - i);
        used += width_of(decode(s + i, n));
        if (used > columns) {
            break;
        }
        i += n;
    }
    return i;
}
