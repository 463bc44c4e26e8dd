/* What the fuzz targets share. Each spec/fuzz/NAME.c is one target of `make fuzz`: it feeds one
 * decoder with any bytes and checks what must hold whatever they are. spec/fuzz/seeds/NAME has the
 * inputs it begins with, and those that once broke something. */
#ifndef MOIL_SPEC_FUZZ_H
#define MOIL_SPEC_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "base/slice.h"

/* libFuzzer's door. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property: where it does not hold the program ends, and libFuzzer keeps the input. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_broken(const char *file, int line, const char *condition);

/* The input as it is eaten from its front. */
struct input {
    const uint8_t *p;
    size_t n;
};

uint8_t fuzz_byte(struct input *in); /* 0 at the end */

/* The bytes up to the first `end`, which is eaten too, or up to the input's end. A copy with a NUL
 * behind it and not a byte more, so that reading past it is caught; free it. */
char *fuzz_text(struct input *in, char end, size_t *len);

/* What a decoder that takes bytes is given: a copy without a NUL. Free slice.p. */
struct slice fuzz_bytes(const uint8_t *data, size_t size);

/* An out-parameter that must stay as it is: filled with one byte, and found so. */
void fuzz_mark(void *p, size_t size);
void fuzz_check_marked(const void *p, size_t size);

/* An error for people: one line that says something, within its buffer. */
void fuzz_check_line(const char *line, size_t size);

/* Pushes any Lua value that the input describes, nested at most `depth` levels. [-0, +1, m] */
void fuzz_push_value(lua_State *L, struct input *in, int depth);

#endif
