/* Lua values to JSON text and back, without a tree in between (docs/architecture.md has the
 * measurement).
 *
 * Integers keep their 64 bits and stay apart from floats (4, 4.0); {} is [], a table made by
 * moil.object{} is {}; null is moil.null inside tables and nil as a positional argument; NUL bytes
 * survive. Called by the bindings and by runs. Knows nothing of jobs. */
#ifndef MOIL_VM_JSON_H
#define MOIL_VM_JSON_H

#include <stddef.h>

#include <lua.h>

#include "base/buffer.h"
#include "base/slice.h"

enum { MOIL_JSON_DEPTH = 128 }; /* levels of nesting, both ways */

/* Makes moil.null and the metatable of moil.object in the registry; once per state. [-0, +0, m] */
void moil_json_open(lua_State *L);
void moil_json_push_null(lua_State *L);        /* [-0, +1, -] */
void moil_json_push_object_meta(lua_State *L); /* [-0, +1, -] */

/* Where a value's text goes. */
struct json_sink {
    struct buffer *out; /* appended to */
    size_t max;         /* bytes that the text may have */
    const char *root;   /* what the value is called in `err`; unused for arguments */
    char err[400];      /* after MOIL_EINVAL */
};

/* Appends the value at idx as JSON text. 0, MOIL_ENOMEM, MOIL_ETOOLARGE as soon as the text passes
 * its bound (what is appended then is its beginning), or MOIL_EINVAL with a sentence in `err` that
 * names what cannot be JSON by its path from `root` ("result.items[3]: a function cannot be JSON").
 * Raises no Lua error. [-0, +0, -] */
int moil_json_encode(lua_State *L, int idx, struct json_sink *to);

/* The same for the elements 1..n of the table at idx, as a JSON array of positional arguments: nil
 * is null. */
int moil_json_encode_args(lua_State *L, int idx, lua_Integer n, struct json_sink *to);

/* Pushes the value of a JSON text. 0, or MOIL_EINVAL with a sentence in errstr, and nothing pushed.
 * [-0, +1, m] */
int moil_json_decode(lua_State *L, struct slice text, char *errstr, size_t errlen);

/* Pushes the elements of a JSON array one by one, null as nil. Their number, or MOIL_EINVAL. [-0,
 * +n, m] */
int moil_json_decode_args(lua_State *L, struct slice text, char *errstr, size_t errlen);

#endif
