/* JSON to Lua: what is understood means the same to jansson, and is the same after a way back. */
#include <jansson.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vm/json.h"

static json_t *load(struct slice text)
{
    return json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static int check(lua_State *L)
{
    const struct slice *text = lua_touserdata(L, 1);
    char why[256] = "";
    lua_settop(L, 0);
    if (moil_json_decode(L, *text, why, sizeof why) != 0) {
        FUZZ_CHECK(lua_gettop(L) == 0);
        fuzz_check_line(why, sizeof why);
        return 0;
    }
    struct buffer again;
    moil_buffer_init(&again);
    FUZZ_CHECK(lua_gettop(L) == 1);
    struct json_sink to = {.out = &again, .max = SIZE_MAX, .root = "value"};
    int err = moil_json_encode(L, 1, &to);
    FUZZ_CHECK(lua_gettop(L) == 1);
    if (err != 0) { /* one level more is read than written: the list of arguments */
        fuzz_check_line(to.err, sizeof to.err);
    } else {
        json_t *before = load(*text), *after = load(moil_buffer_slice(&again));
        bool nul = memmem(again.data, again.len, "\\u0000", 6); /* jansson refuses it in names */
        FUZZ_CHECK(nul || (after && (!before || json_equal(before, after))));
        json_decref(before);
        json_decref(after);
    }
    moil_buffer_fini(&again);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;
    if (!L)
        moil_json_open(L = luaL_newstate());
    struct slice text = fuzz_bytes(data, size);
    lua_pushcfunction(L, check);
    lua_pushlightuserdata(L, &text);
    FUZZ_CHECK(lua_pcall(L, 1, 0, 0) == LUA_OK);
    free((void *)text.p);
    return 0;
}
