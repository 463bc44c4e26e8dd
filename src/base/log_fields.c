/* Fields of a job's log line as text: walks the top level of a JSON object and copies values as
 * they stand.
 *
 * Called by log.c alone. The text was made by moil's own encoder; anything else is still kept on
 * one line. */
#include "base/log_fields.h"

void moil_log_add_plain(struct buffer *b, struct slice text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c >= 0x20 && c != 0x7f) {
            continue;
        }
        moil_buffer_add(b, text.p + from, i - from);
        from = i + 1;
        if (c == '\n') {
            moil_buffer_add_str(b, "\\n");
        } else if (c == '\t') {
            moil_buffer_add_char(b, ' ');
        } else {
            moil_buffer_addf(b, "\\x%02x", (unsigned)c);
        }
    }
    if (from < text.n) {
        moil_buffer_add(b, text.p + from, text.n - from);
    }
}

static size_t skip_space(struct slice s, size_t i)
{
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r')) {
        i++;
    }
    return i;
}

/* Past the string literal that starts at i, or s.n when it has no end. */
static size_t skip_string(struct slice s, size_t i)
{
    for (i++; i < s.n && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\') {
            i++;
        }
    }
    return i < s.n ? i + 1 : s.n;
}

/* Past the value that starts at i: up to the comma or bracket that ends it. */
static size_t skip_value(struct slice s, size_t i)
{
    int depth = 0;

    while (i < s.n) {
        char c = s.p[i];

        if (c == '"') {
            i = skip_string(s, i);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}')) {
            break;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        i++;
    }
    return i;
}

/* A string literal that reads the same, and as one word, without its quotes. */
static bool is_bare_word(struct slice literal)
{
    if (literal.n < 3 || literal.p[0] != '"') {
        return false;
    }
    for (size_t i = 1; i + 1 < literal.n; i++) {
        unsigned char c = (unsigned char)literal.p[i];

        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static void add_literal(struct buffer *b, struct slice literal)
{
    while (literal.n > 0 && (literal.p[literal.n - 1] == ' ' || literal.p[literal.n - 1] == '\n')) {
        literal.n--;
    }
    if (is_bare_word(literal)) {
        literal = slice_of(literal.p + 1, literal.n - 2);
    }
    moil_log_add_plain(b, literal);
}

void moil_log_add_fields(struct buffer *b, struct slice object)
{
    size_t i = skip_space(object, 0);

    if (i == object.n || object.p[i] != '{') {
        moil_buffer_add_str(b, " fields=");
        add_literal(b, object);
        return;
    }
    for (i = skip_space(object, i + 1); i < object.n && object.p[i] == '"';
         i = skip_space(object, i + 1)) {
        size_t key_end = skip_string(object, i);
        size_t value = skip_space(object, key_end);
        size_t value_end;

        value = skip_space(object, value < object.n ? value + 1 : value); /* past the colon */
        value_end = skip_value(object, value);
        moil_buffer_add_char(b, ' ');
        add_literal(b, slice_of(object.p + i, key_end - i));
        moil_buffer_add_char(b, '=');
        add_literal(b, slice_of(object.p + value, value_end - value));
        i = value_end;
    }
}
