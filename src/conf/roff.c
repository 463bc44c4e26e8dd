/* roff.c: escaping text for man pages (roff.h). Owns which characters roff would take for its own.
 */
#include "conf/roff.h"

#include <string.h>

/* What a character is written as; NULL: as itself. */
static const char *escape_of(char c)
{
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    case '"':
        return "\\(dq";
    default:
        return NULL;
    }
}

/* The character of UTF-8 at p, which has n bytes; returns how many it takes. */
static size_t decode(const char *p, size_t n, unsigned *out)
{
    unsigned char first = (unsigned char)p[0];
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    unsigned c = len == 1 ? first : first & (0x7fU >> len);
    if (len > n) {
        *out = first;
        return 1;
    }
    for (size_t i = 1; i < len; i++) {
        c = c << 6 | ((unsigned char)p[i] & 0x3fU);
    }
    *out = c;
    return len;
}

static size_t add_char(struct buffer *out, const char *p, size_t n)
{
    unsigned c;
    const char *escape = escape_of(*p);
    if (escape) {
        moil_buffer_add_str(out, escape);
        return 1;
    }
    if ((unsigned char)*p < 0x80) {
        moil_buffer_add_char(out, *p);
        return 1;
    }
    size_t len = decode(p, n, &c);
    moil_buffer_addf(out, "\\[u%04X]", c);
    return len;
}

void moil_roff_add(struct buffer *out, struct slice s)
{
    bool bold = false, line_start = true;
    size_t i = 0;
    while (i < s.n) {
        if (s.p[i] == '`') {
            bold = !bold;
            moil_buffer_add_str(out, bold ? "\\fB" : "\\fR");
            i++;
        } else {
            /* A line that begins so would be a request. */
            moil_buffer_add_str(out, line_start && s.p[i] == '.' ? "\\&" : "");
            line_start = s.p[i] == '\n';
            i += add_char(out, s.p + i, s.n - i);
        }
    }
}

void moil_roff_add_str(struct buffer *out, const char *s)
{
    moil_roff_add(out, slice_str(s));
}

static void add_in_font(struct buffer *out, char font, const char *s)
{
    size_t n = strlen(s);
    moil_buffer_addf(out, "\\f%c", font);
    for (size_t i = 0; i < n;) {
        i += add_char(out, s + i, n - i);
    }
    moil_buffer_add_str(out, "\\fR");
}

void moil_roff_add_bold(struct buffer *out, const char *s)
{
    add_in_font(out, 'B', s);
}

void moil_roff_add_italic(struct buffer *out, const char *s)
{
    add_in_font(out, 'I', s);
}

/* --- paragraphs --------------------------------------------------------------------------------
 */

static bool is_example(const char *line)
{
    return strncmp(line, "  ", 2) == 0;
}

/* How many bytes of text belong together: lines of one kind up to a blank one (or, of an example,
 * up to text), without the last newline. */
static size_t block_len(const char *text)
{
    const char *p = text;
    bool example = is_example(text);
    for (;;) {
        const char *end = strchr(p, '\n');
        if (!end) {
            return (size_t)(p - text) + strlen(p);
        }
        const char *next = end + 1;
        if (*next == '\0' || *next == '\n' || is_example(next) != example) {
            return (size_t)(end - text);
        }
        p = next;
    }
}

static void add_example(struct buffer *out, struct slice block)
{
    size_t at = 0;
    moil_buffer_add_str(out, ".RS 4\n.nf\n");
    while (at < block.n) {
        const char *end = memchr(block.p + at, '\n', block.n - at);
        size_t len = end ? (size_t)(end - block.p) - at : block.n - at;
        size_t indent = len < 2 ? len : 2;
        moil_roff_add(out, slice_of(block.p + at + indent, len - indent));
        moil_buffer_add_char(out, '\n');
        at += len + 1;
    }
    moil_buffer_add_str(out, ".fi\n.RE\n");
}

void moil_roff_add_paragraphs(struct buffer *out, const char *text)
{
    bool first = true;
    while (*text) {
        size_t len = block_len(text);
        moil_buffer_add_str(out, first ? "" : ".PP\n");
        first = false;
        if (is_example(text)) {
            add_example(out, slice_of(text, len));
        } else {
            moil_roff_add(out, slice_of(text, len));
            moil_buffer_add_char(out, '\n');
        }
        text += len;
        text += strspn(text, "\n");
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

enum { LINE_MAX_BYTES = 80 };

/* Where a line of n bytes is broken: the last blank that fits, else the first; n: nowhere. What
 * follows must be no request. */
static size_t break_at(const char *line, size_t n)
{
    size_t at = n;
    for (size_t i = 1; i + 1 < n && (i <= LINE_MAX_BYTES || at == n); i++) {
        if (line[i] == ' ' && line[i - 1] != ' ' && !strchr(" .'", line[i + 1]))
            at = i;
    }
    return at;
}

static void add_folded(struct buffer *out, const char *line, size_t n)
{
    while (n > LINE_MAX_BYTES) {
        size_t at = break_at(line, n);
        if (at == n)
            break;
        moil_buffer_add(out, line, at);
        moil_buffer_add_char(out, '\n');
        line += at + 1;
        n -= at + 1;
    }
    moil_buffer_add(out, line, n);
    moil_buffer_add_char(out, '\n');
}

void moil_roff_fold(struct buffer *out, struct slice page)
{
    bool filled = true, tag = false;
    for (size_t at = 0; at < page.n;) {
        const char *line = page.p + at, *end = memchr(line, '\n', page.n - at);
        size_t n = end ? (size_t)(end - line) : page.n - at;
        if (n > 2 && memcmp(line, ".nf", 3) == 0)
            filled = false;
        else if (n > 2 && memcmp(line, ".fi", 3) == 0)
            filled = true;
        if (filled && !tag && line[0] != '.') {
            add_folded(out, line, n);
        } else {
            moil_buffer_add(out, line, n);
            moil_buffer_add_char(out, '\n');
        }
        tag = n > 2 && memcmp(line, ".TP", 3) == 0;
        at += n + 1;
    }
}
