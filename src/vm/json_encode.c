/* Lua to JSON text, straight into a buffer. Raises nothing, so that it can run outside a protected
 * call: it reads tables raw, never converts a value in place, and asks for stack space instead of
 * assuming it.
 *
 * Where it stands is kept as a list of frames, from which the path in an error message is made. */
#include "vm/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/line.h"
#include "base/utf8.h"

static const char null_key;
static const char object_key;

struct frame {
    const void *table;
    const char *key; /* NULL: an array's element */
    size_t key_len;
    lua_Integer index;
};

struct encoder {
    lua_State *L;
    struct buffer *out;
    struct json_sink *to;
    size_t end;     /* of `out`, at most */
    bool unordered; /* an array had to start over: the next ones are looked through before */
    int depth;
    struct frame frames[MOIL_JSON_DEPTH];
};

static int encode_value(struct encoder *e, int idx);

/* --- what it shares with the decoder ---------------------------------------------------------- */

static int null_tostring(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

void moil_json_open(lua_State *L)
{
    lua_newuserdatauv(L, 0, 0);          /* null */
    lua_createtable(L, 0, 2);            /* null meta */
    lua_pushcfunction(L, null_tostring); /* null meta fn */
    lua_setfield(L, -2, "__tostring");   /* null meta */
    lua_pushliteral(L, "moil.null");     /* null meta name */
    lua_setfield(L, -2, "__name");       /* null meta */
    lua_setmetatable(L, -2);             /* null */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
    lua_createtable(L, 0, 1);          /* meta */
    lua_pushliteral(L, "moil.object"); /* meta name */
    lua_setfield(L, -2, "__name");     /* meta */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &object_key);
}

void moil_json_push_null(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
}

void moil_json_push_object_meta(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &object_key);
}

/* --- errors ----------------------------------------------------------------------------------- */

static bool is_word(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool letter = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') || p[i] == '_';

        if (!letter && (i == 0 || p[i] < '0' || p[i] > '9')) {
            return false;
        }
    }
    return n > 0;
}

static void add_step(const struct frame *f, struct buffer *path)
{
    if (!f->key) {
        moil_buffer_addf(path, "[%lld]", (long long)f->index);
    } else if (is_word(f->key, f->key_len)) {
        moil_buffer_add_char(path, '.');
        moil_buffer_add(path, f->key, f->key_len);
    } else {
        moil_buffer_add_char(path, '[');
        moil_buffer_add_json(path, slice_of(f->key, f->key_len));
        moil_buffer_add_char(path, ']');
    }
}

/* "<root><path>: <what>"; of a long path the two ends. */
static int fail(struct encoder *e, const char *what)
{
    enum { ENDS = 8 };
    struct buffer path;

    moil_buffer_init(&path);
    for (int i = 0; i < e->depth; i++) {
        if (e->depth > 2 * ENDS && i == ENDS) {
            moil_buffer_add_str(&path, "…");
            i = e->depth - ENDS;
        }
        add_step(&e->frames[i], &path);
    }
    snprintf(e->to->err, sizeof e->to->err, "%s%.300s: %s", e->to->root, moil_buffer_cstr(&path),
             what);
    moil_line_clean(e->to->err);
    moil_buffer_fini(&path);
    return MOIL_EINVAL;
}

static int fail_type(struct encoder *e, int idx, const char *as)
{
    char what[80];

    snprintf(what, sizeof what, "a %s cannot be %s", lua_typename(e->L, lua_type(e->L, idx)), as);
    return fail(e, what);
}

/* --- scalars ---------------------------------------------------------------------------------- */

static int encode_float(struct encoder *e, double v)
{
    char text[40];
    int n;

    if (isnan(v) || isinf(v)) {
        return fail(e, isnan(v) ? "NaN cannot be JSON" : "an infinite number cannot be JSON");
    }
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    for (int i = 0; i < n; i++) {
        if (text[i] == ',') { /* the host program's locale */
            text[i] = '.';
        }
    }
    moil_buffer_add(e->out, text, (size_t)n);
    if (strspn(text, "-0123456789") == (size_t)n) {
        moil_buffer_add_str(e->out, ".0");
    }
    return 0;
}

static bool is_full(const struct encoder *e)
{
    return e->out->len > e->end;
}

static int encode_string(struct encoder *e, int idx)
{
    size_t n;
    const char *p = lua_tolstring(e->L, idx, &n);

    if (is_full(e) || n > e->end - e->out->len) { /* looked at before it is copied */
        moil_buffer_add_json(e->out, slice_of(p, is_full(e) ? 0 : e->end - e->out->len));
        return MOIL_ETOOLARGE;
    }
    if (!moil_utf8_is_valid(p, n)) {
        return fail(e, "a string that is not valid UTF-8 cannot be JSON");
    }
    moil_buffer_add_json(e->out, slice_of(p, n));
    return 0;
}

static int encode_userdata(struct encoder *e, int idx)
{
    int same;

    moil_json_push_null(e->L);
    same = lua_rawequal(e->L, -1, idx);
    lua_pop(e->L, 1);
    if (!same) {
        return fail_type(e, idx, "JSON");
    }
    moil_buffer_add_str(e->out, "null");
    return 0;
}

/* --- tables ----------------------------------------------------------------------------------- */

static bool is_object(lua_State *L, int idx)
{
    int same;

    if (!lua_getmetatable(L, idx)) {
        return false;
    }
    moil_json_push_object_meta(L);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* From the first pair, which is on the stack. [-2, +0, -] */
static int encode_object(struct encoder *e, int idx)
{
    lua_State *L = e->L;
    struct frame *f = &e->frames[e->depth - 1];
    char comma = '{';

    do {
        int err;

        if (lua_type(L, -2) != LUA_TSTRING) {
            e->depth--;
            return lua_type(L, -2) == LUA_TNUMBER ? fail(e, "a table with both names and numbers "
                                                            "(or with gaps) as keys cannot be JSON")
                                                  : fail_type(e, -2, "a key in JSON");
        }
        moil_buffer_add_char(e->out, comma);
        comma = ',';
        f->key = lua_tolstring(L, -2, &f->key_len);
        if ((err = encode_string(e, lua_absindex(L, -2))) != 0) {
            return err;
        }
        moil_buffer_add_char(e->out, ':');
        if ((err = encode_value(e, lua_gettop(L))) != 0) {
            return err;
        }
        lua_pop(L, 1);
    } while (lua_next(L, idx));
    moil_buffer_add_char(e->out, '}');
    return 0;
}

/* True when the table's keys are 1..n and nothing else. */
static bool is_sequence(lua_State *L, int idx, lua_Integer *n)
{
    lua_Integer count = 0;
    lua_Integer max = 0;

    lua_pushnil(L); /* key */
    while (lua_next(L, idx)) {
        lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;

        lua_pop(L, 1); /* key */
        if (key < 1) {
            lua_pop(L, 1);
            return false;
        }
        count++;
        max = key > max ? key : max;
    }
    *n = max;
    return count == max;
}

/* The elements 1..n by their index, for what lua_next does not give in order. */
static int encode_elements(struct encoder *e, int idx, lua_Integer n)
{
    struct frame *f = &e->frames[e->depth - 1];

    f->key = NULL;
    moil_buffer_add_char(e->out, '[');
    for (lua_Integer i = 1; i <= n; i++) {
        int err;

        if (i > 1) {
            moil_buffer_add_char(e->out, ',');
        }
        f->index = i;
        lua_rawgeti(e->L, idx, i); /* element */
        if ((err = encode_value(e, lua_gettop(e->L))) != 0) {
            return err;
        }
        lua_pop(e->L, 1);
    }
    moil_buffer_add_char(e->out, ']');
    return 0;
}

/* From the first pair, which is on the stack. Most arrays come in order; the others start over.
 * [-2, +0, -] */
static int encode_array(struct encoder *e, int idx)
{
    lua_State *L = e->L;
    struct frame *f = &e->frames[e->depth - 1];
    size_t start = e->out->len;
    lua_Integer n = 0;

    f->key = NULL;
    do {
        int err;

        if (e->unordered || !lua_isinteger(L, -2) || lua_tointeger(L, -2) != n + 1) {
            lua_pop(L, 2);
            e->out->len = start;
            e->unordered = true;
            if (!is_sequence(L, idx, &n)) {
                e->depth--;
                return fail(
                    e, "a table with both names and numbers (or with gaps) as keys cannot be JSON");
            }
            return encode_elements(e, idx, n);
        }
        moil_buffer_add_char(e->out, n == 0 ? '[' : ',');
        f->index = ++n;
        if ((err = encode_value(e, lua_gettop(L))) != 0) {
            return err;
        }
        lua_pop(L, 1);
    } while (lua_next(L, idx));
    moil_buffer_add_char(e->out, ']');
    return 0;
}

static int encode_table(struct encoder *e, int idx)
{
    lua_State *L = e->L;
    const void *table = lua_topointer(L, idx);
    bool object;
    int err;

    for (int i = 0; i < e->depth; i++) {
        if (e->frames[i].table == table) {
            return fail(e, "a table that contains itself cannot be JSON");
        }
    }
    if (e->depth == MOIL_JSON_DEPTH) {
        return fail(e, "more than 128 levels of tables cannot be JSON");
    }
    object = is_object(L, idx);
    lua_pushnil(L); /* key */
    if (!lua_next(L, idx)) {
        moil_buffer_add_str(e->out, object ? "{}" : "[]");
        return 0;
    }
    e->frames[e->depth++] = (struct frame){.table = table};
    err = object || lua_type(L, -2) != LUA_TNUMBER ? encode_object(e, idx) : encode_array(e, idx);
    if (err == 0) {
        e->depth--;
    }
    return err;
}

static int encode_value(struct encoder *e, int idx)
{
    lua_State *L = e->L;

    if (!lua_checkstack(L, 8)) {
        return MOIL_ENOMEM;
    }
    if (is_full(e)) {
        return MOIL_ETOOLARGE;
    }
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        moil_buffer_add_str(e->out, "null");
        return 0;
    case LUA_TBOOLEAN:
        moil_buffer_add_str(e->out, lua_toboolean(L, idx) ? "true" : "false");
        return 0;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, idx)) {
            return encode_float(e, lua_tonumber(L, idx));
        }
        moil_buffer_add_int(e->out, lua_tointeger(L, idx));
        return 0;
    case LUA_TSTRING:
        return encode_string(e, idx);
    case LUA_TTABLE:
        return encode_table(e, idx);
    case LUA_TUSERDATA:
        return encode_userdata(e, idx);
    default:
        return fail_type(e, idx, "JSON");
    }
}

static void start(struct encoder *e, lua_State *L, struct json_sink *to)
{
    e->L = L;
    e->to = to;
    e->out = to->out;
    e->end = to->max < SIZE_MAX - to->out->len ? to->out->len + to->max : SIZE_MAX;
    e->unordered = false;
    e->depth = 0;
}

static int finish(const struct encoder *e, int err)
{
    if (err == 0 && e->out->failed) {
        return MOIL_ENOMEM;
    }
    return err == 0 && is_full(e) ? MOIL_ETOOLARGE : err;
}

int moil_json_encode(lua_State *L, int idx, struct json_sink *to)
{
    struct encoder e; /* 4 KB of frames that need no clearing */
    int top = lua_gettop(L);
    int err;

    start(&e, L, to);
    err = encode_value(&e, lua_absindex(L, idx));
    lua_settop(L, top);
    return finish(&e, err);
}

int moil_json_encode_args(lua_State *L, int idx, lua_Integer n, struct json_sink *to)
{
    struct encoder e;
    char root[32];
    int table = lua_absindex(L, idx);
    int top = lua_gettop(L);
    int err = 0;

    if (!lua_checkstack(L, 1)) {
        return MOIL_ENOMEM;
    }
    start(&e, L, to);
    to->root = root;
    moil_buffer_add_char(e.out, '[');
    for (lua_Integer i = 1; i <= n && err == 0; i++) {
        if (i > 1) {
            moil_buffer_add_char(e.out, ',');
        }
        snprintf(root, sizeof root, "argument %lld", (long long)i);
        lua_rawgeti(L, table, i); /* argument */
        err = encode_value(&e, top + 1);
        lua_settop(L, top);
    }
    moil_buffer_add_char(e.out, ']');
    to->root = NULL;
    return finish(&e, err);
}
