/* utf8.c: see utf8.h. Pure. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Length of the sequence at p, which begins with a byte above 0x7f; 0 when it is malformed. */
static size_t sequence_len(const unsigned char *p, size_t n)
{
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    unsigned long c;

    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len) {
        return 0;
    }
    c = p[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3fU);
    }
    if ((len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)) ||
        (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    return len;
}

bool moil_utf8_is_valid(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    while (i < n) {
        uint64_t eight;

        if (n - i >= sizeof eight) {
            memcpy(&eight, p + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        if (p[i] < 0x80) {
            i++;
        } else {
            size_t len = sequence_len(p + i, n - i);

            if (len == 0) {
                return false;
            }
            i += len;
        }
    }
    return true;
}

void moil_utf8_mend(char *text)
{
    char *to = text;
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        const unsigned char *p = (const unsigned char *)text + i;
        size_t len = *p < 0x80 ? 1 : sequence_len(p, n - i);
        memmove(to, p, len);
        to += len;
        i += len ? len : 1;
    }
    *to = '\0';
}

size_t moil_utf8_put(char *to, unsigned long c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
