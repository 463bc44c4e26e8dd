/* Lua to JSON: any value gives JSON that jansson reads and that decodes to the same, or one line.
 */
#include <jansson.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

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
    FUZZ_CHECK(moil_json_encode(L, -1, "value", &again, why, sizeof why) == 0);
    bool nul = memmem(again.data, again.len, "\\u0000", 6); /* jansson refuses it in names */
    json_t *w = load(&again);
    FUZZ_CHECK(nul || (v && w && json_equal(v, w)));
    json_decref(v);
    json_decref(w);
    moil_buffer_fini(&again);
}

static int check(lua_State *L)
{
    struct input *in = lua_touserdata(L, 1);
    struct buffer text;
    char why[512] = "";
    moil_buffer_init(&text);
    fuzz_push_value(L, in, 8); /* in value */
    int err = moil_json_encode(L, -1, "value", &text, why, sizeof why);
    FUZZ_CHECK(lua_gettop(L) == 2);
    if (err)
        fuzz_check_line(why, sizeof why);
    else
        check_way_back(L, &text);
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
