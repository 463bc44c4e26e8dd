/* Walking JSON text without decoding it, so that numbers are shown digit by digit as they came.
 *
 * For text that the library answers, which is valid; on other text it stays within bounds and
 * stops. */
#ifndef MOIL_CLI_JSON_TEXT_H
#define MOIL_CLI_JSON_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

struct json_cursor {
    const char *p, *end;
};

/* Enters an object or array; false for any other text. */
bool moil_json_enter(struct json_cursor *c, struct slice text);

/* The next member or element; false at the end. The key is what stands between the quotes; absent
 * in arrays. */
bool moil_json_next(struct json_cursor *c, struct slice *key, struct slice *value);

/* A member of an object; absent when it is not there. */
struct slice moil_json_member(struct slice object, const char *key);

/* A JSON string decoded, as by moil_output_clean; other JSON as it is. */
void moil_json_add_clean(struct buffer *out, struct slice value);

/* Appends the text without the white space between its tokens, and with escapes for the characters
 * that terminals obey: one line that means the same. */
void moil_json_add_compact(struct buffer *out, struct slice text);

#endif
