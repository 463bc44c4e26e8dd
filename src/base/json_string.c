/* Writing JSON string literals into a buffer: escapes, and what is not UTF-8 replaced.
 *
 * Called for log lines and for every envelope field that is written as JSON, so plain ASCII is
 * copied in runs. */
#include "base/buffer.h"

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* True when none of 8 bytes is a control character, '"', '\\' or above 0x7f. */
static bool is_plain8(const char *p)
{
    uint64_t w;
    uint64_t quote;
    uint64_t slash;

    memcpy(&w, p, sizeof w);
    quote = w ^ EACH_BYTE('"');
    slash = w ^ EACH_BYTE('\\');
    /* A byte below n borrows from its top bit; those above 0x7f have it set already. A borrow can
     * only raise a false alarm in the byte above one that is truly special, and then the answer is
     * right anyway. */
    return (((w - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (slash - EACH_BYTE(1)) | w) &
            EACH_BYTE(0x80)) == 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;

    while (i + 8 <= n && is_plain8(p + i)) {
        i += 8;
    }
    while (i < n && is_plain((unsigned char)p[i])) {
        i++;
    }
    return i;
}

/* Length of the UTF-8 sequence that starts at p (a byte above 0x7f), or 0 when it is not
 * well-formed. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    /* Bounds of the second byte: no overlong forms, no surrogates, nothing past U+10FFFF. */
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t len;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (n < len || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

static void add_escape(struct buffer *b, unsigned char c)
{
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";

    if (c == '"' || c == '\\') {
        moil_buffer_add(b, (char[]){'\\', (char)c}, 2);
    } else if (letters[c]) {
        moil_buffer_add(b, (char[]){'\\', letters[c]}, 2);
    } else {
        moil_buffer_add(b, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
}

void moil_buffer_add_json(struct buffer *b, struct slice s)
{
    size_t i = 0;

    moil_buffer_add_char(b, '"');
    while (i < s.n) {
        size_t run = plain_run(s.p + i, s.n - i);

        moil_buffer_add(b, s.p + i, run);
        i += run;
        if (i == s.n) {
            break;
        }
        if ((unsigned char)s.p[i] < 0x80) {
            add_escape(b, (unsigned char)s.p[i++]);
            continue;
        }
        run = utf8_sequence((const unsigned char *)s.p + i, s.n - i);
        if (run > 0) {
            moil_buffer_add(b, s.p + i, run);
            i += run;
        } else {
            moil_buffer_add_str(b, "\xef\xbf\xbd");
            i++;
        }
    }
    moil_buffer_add_char(b, '"');
}
