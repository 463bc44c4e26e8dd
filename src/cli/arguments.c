/* Words to JSON. What is JSON goes on byte for byte: 4.0 stays 4.0, and no digit is lost. */
#include "cli/arguments.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { FLAGS = JSON_ALLOW_NUL | JSON_DECODE_ANY, SHOWN_MAX = 40 };

/* 0 when the word is in the buffer. */
static int add_word(struct buffer *out, const char *word, size_t number, char *errstr,
                    size_t errlen)
{
    json_error_t error;
    json_t *v = json_loads(word, FLAGS, &error);
    if (v) {
        json_decref(v);
        moil_buffer_add_str(out, word);
        return 0;
    }
    if (json_error_code(&error) == json_error_numeric_overflow) {
        snprintf(errstr, errlen,
                 "argument %zu: %.*s has a number that does not fit (write '\"…\"' to send it as a "
                 "string)",
                 number, SHOWN_MAX, word);
        return MOIL_EINVAL;
    }
    v = json_string(word);
    if (!v) {
        snprintf(errstr, errlen, "argument %zu is not UTF-8", number);
        return MOIL_EINVAL;
    }
    json_decref(v);
    moil_buffer_add_json(out, slice_str(word));
    return 0;
}

int moil_arguments_add(struct buffer *out, const char *const *words, size_t count, char *errstr,
                       size_t errlen)
{
    moil_buffer_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            moil_buffer_add_char(out, ',');
        }
        int rc = add_word(out, words[i], i + 1, errstr, errlen);
        if (rc < 0) {
            return rc;
        }
    }
    moil_buffer_add_char(out, ']');
    return 0;
}

int moil_arguments_check(const char *text, size_t len, char kind, char *errstr, size_t errlen)
{
    json_error_t error;
    const char *noun = kind == '[' ? "array" : "object";
    json_t *v = json_loadb(text, len, FLAGS, &error);
    if (!v) {
        snprintf(errstr, errlen, "not a JSON %s: %s", noun, error.text);
        return MOIL_EINVAL;
    }
    bool right = kind == '[' ? json_is_array(v) : json_is_object(v);
    json_decref(v);
    if (!right) {
        snprintf(errstr, errlen, "not a JSON %s, but other JSON", noun);
        return MOIL_EINVAL;
    }
    return 0;
}
