/* Config files as the tables that they return, of any values under the options' own names. */
#include <jansson.h>
#include <lauxlib.h>
#include <stdlib.h>

#include "conf/plain.h"
#include "conf/value.h"
#include "fuzz.h"

static struct input in;
static struct config_file config;

static const char *pick_key(uint8_t n)
{
    if (n < 64)
        return n % 2 ? "routes" : "task_defaults";
    return moil_option_at(n % moil_option_count())->key;
}

static int read_table(lua_State *L)
{
    lua_newtable(L); /* table */
    while (in.n > 0) {
        const char *key = pick_key(fuzz_byte(&in));
        fuzz_push_value(L, &in, 4);               /* table value */
        lua_setfield(L, -2, key ? key : "redis"); /* table */
    }
    moil_plain_read(L, "moil.lua", &config);
    return 0;
}

static void set_all(void)
{
    struct options o = {0};
    char why[512] = "";
    FUZZ_CHECK(moil_options_set_defaults(&o) == 0);
    for (size_t i = 0; i < config.count; i++)
        if (moil_option_set(&o, config.settings[i].row, config.settings[i].text, "moil.lua: key",
                            why, sizeof why) != 0)
            fuzz_check_line(why, sizeof why);
    moil_options_fini(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = luaL_newstate();
    in = (struct input){data, size};
    config = (struct config_file){0};
    lua_pushcfunction(L, read_table);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
        set_all();
        json_t *json = config.json ? json_loads(config.json, JSON_ALLOW_NUL, NULL) : json_object();
        FUZZ_CHECK(json_is_object(json));
        json_decref(json);
    } else {
        FUZZ_CHECK(lua_type(L, -1) == LUA_TSTRING);
    }
    lua_close(L);
    moil_config_fini(&config);
    return 0;
}
