/* Lua to JSON: any value gives JSON that jansson reads and that decodes to the same, or one line.
 */
#include <jansson.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fuzz.h"
#include "vm/json.h"

static json_t *load(const struct buffer *text)
{
    return json_loadb(text->data, text->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void check_way_back(lua_State *L, struct buffer *text)
{
    struct buffer again;
    char why[512] = "";
    json_t *v = load(text);
    moil_buffer_init(&again);
    FUZZ_CHECK(moil_json_decode(L, moil_buffer_slice(text), why, sizeof why) == 0);
    struct json_sink to = {.out = &again, .max = SIZE_MAX, .root = "value"};
    FUZZ_CHECK(moil_json_encode(L, -1, &to) == 0);
    bool nul = memmem(again.data, again.len, "\\u0000", 6); /* jansson refuses it in names */
    json_t *w = load(&again);
    FUZZ_CHECK(nul || (v && w && json_equal(v, w)));
    json_decref(v);
    json_decref(w);
    moil_buffer_fini(&again);
}

/* Any, but the same for the same input. */
static size_t size_of_bound(const struct input *in)
{
    return in->n % 97;
}

static int check(lua_State *L)
{
    struct input *in = lua_touserdata(L, 1);
    struct buffer text, part;
    struct json_sink to = {.out = &text, .max = SIZE_MAX, .root = "value"};
    struct json_sink cut = {.out = &part, .max = size_of_bound(in), .root = "value"};
    moil_buffer_init(&text);
    moil_buffer_init(&part);
    fuzz_push_value(L, in, 8); /* in value */
    int err = moil_json_encode(L, -1, &to);
    int cut_err = moil_json_encode(L, -1, &cut);
    FUZZ_CHECK(lua_gettop(L) == 2);
    if (err)
        fuzz_check_line(to.err, sizeof to.err);
    else
        check_way_back(L, &text);
    FUZZ_CHECK(err || (cut_err == MOIL_ETOOLARGE) == (text.len > cut.max));
    FUZZ_CHECK(part.len <= cut.max + 8 * cut.max + 64); /* escapes, and one number */
    moil_buffer_fini(&part);
    moil_buffer_fini(&text);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;
    if (!L)
        moil_json_open(L = luaL_newstate());
    struct input in = {data, size};
    lua_pushcfunction(L, check);
    lua_pushlightuserdata(L, &in);
    FUZZ_CHECK(lua_pcall(L, 1, 0, 0) == LUA_OK);
    return 0;
}
