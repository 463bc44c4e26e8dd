/* JSON text (RFC 8259) to Lua values, pushed as they are read. Strict: no comments, no trailing
 * commas, valid UTF-8 only; integers past 64 bits and floats past the range are refused; of equal
 * keys the last wins.
 *
 * Raises Lua's memory errors only, so it is called in protected mode; holds nothing that such an
 * error could leak. */
#include "vm/json.h"

#include <math.h>
#include <stdio.h>

#include <lauxlib.h>

#include "base/error.h"
#include "base/utf8.h"

struct decoder {
    lua_State *L;
    const char *start;
    const char *p;
    const char *end;
    const char *what; /* of a failure */
    int depth;
};

static bool decode_value(struct decoder *d);

static bool fail(struct decoder *d, const char *what)
{
    d->what = what;
    return false;
}

static void skip_space(struct decoder *d)
{
    while (d->p < d->end && (*d->p == ' ' || *d->p == '\n' || *d->p == '\r' || *d->p == '\t')) {
        d->p++;
    }
}

/* The next character after white space, or 0 at the end. */
static char peek(struct decoder *d)
{
    skip_space(d);
    return d->p < d->end ? *d->p : '\0';
}

static bool accept_char(struct decoder *d, char c)
{
    if (peek(d) != c || d->p == d->end) {
        return false;
    }
    d->p++;
    return true;
}

static bool is_digit(const struct decoder *d)
{
    return d->p < d->end && *d->p >= '0' && *d->p <= '9';
}

/* --- numbers ---------------------------------------------------------------------------------- */

static bool skip_digits(struct decoder *d)
{
    if (!is_digit(d)) {
        return false;
    }
    while (is_digit(d)) {
        d->p++;
    }
    return true;
}

/* Lua's own reading of it, which knows about locales. */
static bool push_float(struct decoder *d, const char *from)
{
    size_t n = (size_t)(d->p - from);
    char text[64];

    if (n < sizeof text) {
        memcpy(text, from, n);
        text[n] = '\0';
        if (lua_stringtonumber(d->L, text) == 0) { /* number */
            return fail(d, "a number that cannot be read");
        }
    } else {
        const char *copy = lua_pushlstring(d->L, from, n); /* text */

        if (lua_stringtonumber(d->L, copy) == 0) { /* text number */
            return fail(d, "a number that cannot be read");
        }
        lua_remove(d->L, -2); /* number */
    }
    return isinf(lua_tonumber(d->L, -1)) ? fail(d, "a number past the range of floats") : true;
}

static bool push_integer(struct decoder *d, const char *from)
{
    bool negative = *from == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t v = 0;

    for (const char *p = from + negative; p < d->p; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (v > (limit - digit) / 10) {
            return fail(d, "an integer past 64 bits");
        }
        v = v * 10 + digit;
    }
    lua_pushinteger(d->L, (lua_Integer)(negative ? -v : v)); /* number */
    return true;
}

static bool decode_number(struct decoder *d)
{
    const char *from = d->p;
    bool is_float = false;

    if (*d->p == '-') {
        d->p++;
    }
    if (d->p < d->end && *d->p == '0') {
        d->p++;
    } else if (!skip_digits(d)) {
        return fail(d, "what is not a value");
    }
    if (d->p < d->end && *d->p == '.') {
        is_float = true;
        d->p++;
        if (!skip_digits(d)) {
            return fail(d, "a number without digits after its point");
        }
    }
    if (d->p < d->end && (*d->p == 'e' || *d->p == 'E')) {
        is_float = true;
        d->p++;
        if (d->p < d->end && (*d->p == '+' || *d->p == '-')) {
            d->p++;
        }
        if (!skip_digits(d)) {
            return fail(d, "a number without digits in its exponent");
        }
    }
    return is_float ? push_float(d, from) : push_integer(d, from);
}

/* --- strings ---------------------------------------------------------------------------------- */

static bool read_hex4(const char *p, const char *end, unsigned long *out)
{
    unsigned long v = 0;

    if (end - p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i];

        if (c >= '0' && c <= '9') {
            v = v * 16 + (unsigned long)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            v = v * 16 + (unsigned long)((c | 0x20) - 'a' + 10);
        } else {
            return false;
        }
    }
    *out = v;
    return true;
}

/* The escape behind "\u" at *pp; its bytes go to `to`. How many, or 0 when it is wrong. */
static size_t unescape_unicode(const char **pp, const char *end, char *to)
{
    unsigned long c;
    unsigned long low;

    if (!read_hex4(*pp, end, &c) || (c >= 0xdc00 && c <= 0xdfff)) {
        return 0;
    }
    *pp += 4;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - *pp < 6 || (*pp)[0] != '\\' || (*pp)[1] != 'u' ||
            !read_hex4(*pp + 2, end, &low) || low < 0xdc00 || low > 0xdfff) {
            return 0;
        }
        *pp += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return moil_utf8_put(to, c);
}

/* The text from p to end with its escapes resolved, to `out`, which has as much room. How many
 * bytes, or -1 when an escape is wrong. */
static ptrdiff_t unescape(struct decoder *d, const char *p, const char *end, char *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((slash ? slash : end) - p);
        const char *simple;

        memcpy(out + n, p, run);
        n += run;
        p += run;
        if (p == end) {
            break;
        }
        p++;
        if (*p == 'u') {
            size_t len;

            p++;
            if ((len = unescape_unicode(&p, end, out + n)) == 0) {
                fail(d, "a wrong \\u escape");
                return -1;
            }
            n += len;
        } else if (*p && (simple = strchr(from, *p))) {
            out[n++] = to[simple - from];
            p++;
        } else {
            fail(d, "an unknown escape in a string");
            return -1;
        }
    }
    return (ptrdiff_t)n;
}

/* The buffer is closed also when it failed: a lua_settop over an open one may leave the stack's
 * top in freed memory in Lua 5.4.4. */
static bool push_unescaped(struct decoder *d, const char *p, const char *end)
{
    luaL_Buffer b;
    char *out = luaL_buffinitsize(d->L, &b, (size_t)(end - p)); /* (box) */
    ptrdiff_t n = unescape(d, p, end, out);

    luaL_pushresultsize(&b, n > 0 ? (size_t)n : 0); /* string */
    return n >= 0;
}

static bool decode_string(struct decoder *d)
{
    const char *from = ++d->p;
    const char *p = from;
    bool escaped = false;

    while (p < d->end && *p != '"') {
        if ((unsigned char)*p < 0x20) {
            d->p = p;
            return fail(d, "a control character in a string");
        }
        if (*p == '\\') {
            escaped = true;
            p++;
        }
        p++;
    }
    if (p >= d->end) {
        return fail(d, "a string without an end");
    }
    if (!moil_utf8_is_valid(from, (size_t)(p - from))) {
        return fail(d, "a string that is not valid UTF-8");
    }
    d->p = p + 1;
    if (escaped) {
        return push_unescaped(d, from, p);
    }
    lua_pushlstring(d->L, from, (size_t)(p - from)); /* string */
    return true;
}

/* --- arrays and objects ----------------------------------------------------------------------- */

static bool descend(struct decoder *d)
{
    d->p++;
    if (++d->depth > MOIL_JSON_DEPTH + 1) { /* the list of arguments is one of them */
        return fail(d, "more than 128 levels");
    }
    luaL_checkstack(d->L, 8, "JSON");
    return true;
}

static bool decode_array(struct decoder *d)
{
    lua_Integer n = 0;

    if (!descend(d)) {
        return false;
    }
    lua_createtable(d->L, 0, 0); /* array */
    if (!accept_char(d, ']')) {
        do {
            if (!decode_value(d)) { /* array value */
                return false;
            }
            lua_rawseti(d->L, -2, ++n); /* array */
        } while (accept_char(d, ','));
        if (!accept_char(d, ']')) {
            return fail(d, "an array without ',' or ']' behind a value");
        }
    }
    d->depth--;
    return true;
}

static bool decode_member(struct decoder *d)
{
    if (peek(d) != '"') {
        return fail(d, "an object without a name in quotes");
    }
    if (!decode_string(d)) { /* object key */
        return false;
    }
    if (!accept_char(d, ':')) {
        return fail(d, "an object without ':' behind a name");
    }
    if (!decode_value(d)) { /* object key value */
        return false;
    }
    lua_rawset(d->L, -3); /* object */
    return true;
}

static bool decode_object(struct decoder *d)
{
    if (!descend(d)) {
        return false;
    }
    lua_createtable(d->L, 0, 0); /* object */
    if (accept_char(d, '}')) {
        moil_json_push_object_meta(d->L); /* object meta */
        lua_setmetatable(d->L, -2);       /* object */
    } else {
        do {
            if (!decode_member(d)) {
                return false;
            }
        } while (accept_char(d, ','));
        if (!accept_char(d, '}')) {
            return fail(d, "an object without ',' or '}' behind a value");
        }
    }
    d->depth--;
    return true;
}

static bool accept_word(struct decoder *d, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(d->end - d->p) < n || memcmp(d->p, word, n) != 0) {
        return fail(d, "what is not a value");
    }
    d->p += n;
    return true;
}

static bool decode_value(struct decoder *d)
{
    switch (peek(d)) {
    case '"':
        return decode_string(d);
    case '[':
        return decode_array(d);
    case '{':
        return decode_object(d);
    case 't':
        lua_pushboolean(d->L, 1);
        return accept_word(d, "true");
    case 'f':
        lua_pushboolean(d->L, 0);
        return accept_word(d, "false");
    case 'n':
        moil_json_push_null(d->L);
        return accept_word(d, "null");
    case '\0':
        return fail(d, d->p == d->end ? "an early end" : "a NUL byte");
    default:
        return decode_number(d);
    }
}

/* --- the doors -------------------------------------------------------------------------------- */

static struct decoder decoder_of(lua_State *L, struct slice text)
{
    return (struct decoder){.L = L, .start = text.p, .p = text.p, .end = text.p + text.n};
}

static int give_up(struct decoder *d, int top, char *errstr, size_t errlen)
{
    lua_settop(d->L, top);
    snprintf(errstr, errlen, "invalid JSON at byte %zu: %s", (size_t)(d->p - d->start) + 1,
             d->what);
    return MOIL_EINVAL;
}

int moil_json_decode(lua_State *L, struct slice text, char *errstr, size_t errlen)
{
    struct decoder d = decoder_of(L, text.p ? text : slice_of("", 0));
    int top = lua_gettop(L);

    luaL_checkstack(L, 8, "JSON");
    if (!decode_value(&d)) { /* value */
        return give_up(&d, top, errstr, errlen);
    }
    if (peek(&d) != '\0' || d.p != d.end) {
        fail(&d, "more behind the value");
        return give_up(&d, top, errstr, errlen);
    }
    return 0;
}

static bool decode_arguments(struct decoder *d)
{
    lua_State *L = d->L;

    if (!accept_char(d, '[')) {
        return fail(d, "arguments that are not an array");
    }
    d->depth = 1;
    if (accept_char(d, ']')) {
        return true;
    }
    do {
        if (!lua_checkstack(L, 8)) {
            return fail(d, "too many arguments");
        }
        if (peek(d) == 'n') {
            lua_pushnil(L); /* … nil */
            if (!accept_word(d, "null")) {
                return false;
            }
        } else if (!decode_value(d)) { /* … value */
            return false;
        }
    } while (accept_char(d, ','));
    return accept_char(d, ']') ? true : fail(d, "an array without ',' or ']' behind a value");
}

int moil_json_decode_args(lua_State *L, struct slice text, char *errstr, size_t errlen)
{
    struct decoder d = decoder_of(L, text.p ? text : slice_of("", 0));
    int top = lua_gettop(L);

    if (!decode_arguments(&d)) {
        return give_up(&d, top, errstr, errlen);
    }
    if (peek(&d) != '\0' || d.p != d.end) {
        fail(&d, "more behind the value");
        return give_up(&d, top, errstr, errlen);
    }
    return lua_gettop(L) - top;
}
