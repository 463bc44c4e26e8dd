/* Binds base/ for its specs: buffer, numbers, names, errors, clocks, ids and the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/job.h"
#include "base/log.h"
#include "units.h"

/* What a buffer holds, then frees it. [-0, +1, m] */
static int give(lua_State *L, struct buffer *b)
{
    if (b->failed) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, moil_buffer_cstr(b), b->len);
    }
    moil_buffer_fini(b);
    return 1;
}

/* json(string) -> its JSON literal */
static int unit_json(lua_State *L)
{
    struct buffer b;

    moil_buffer_init(&b);
    moil_buffer_add_json(&b, units_slice(L, 1));
    return give(L, &b);
}

/* concat(value, …): strings by add, integers by add_int */
static int unit_concat(lua_State *L)
{
    struct buffer b;

    moil_buffer_init(&b);
    for (int i = 1; i <= lua_gettop(L); i++) {
        if (lua_isinteger(L, i)) {
            moil_buffer_add_int(&b, lua_tointeger(L, i));
        } else {
            moil_buffer_add_slice(&b, units_slice(L, i));
        }
    }
    return give(L, &b);
}

/* format(string, integer) by addf */
static int unit_format(lua_State *L)
{
    struct buffer b;

    moil_buffer_init(&b);
    moil_buffer_addf(&b, "%s=%lld", luaL_checkstring(L, 1), (long long)luaL_checkinteger(L, 2));
    return give(L, &b);
}

/* take(string): through moil_buffer_take; then whether the buffer is empty and reusable */
static int unit_take(lua_State *L)
{
    struct buffer b;
    size_t len = 0;
    char *bytes;

    moil_buffer_init(&b);
    moil_buffer_add_slice(&b, units_slice(L, 1));
    bytes = moil_buffer_take(&b, &len);
    lua_pushlstring(L, bytes, len);
    lua_pushboolean(L, bytes[len] == '\0' && b.len == 0 && !b.data);
    free(bytes);
    moil_buffer_add_str(&b, "again");
    give(L, &b);
    return 3;
}

/* huge(): what a buffer says after a request that no memory can meet -> failed, cstr, failed after
 * clear */
static int unit_huge(lua_State *L)
{
    struct buffer b;

    moil_buffer_init(&b);
    moil_buffer_add_str(&b, "before");
    lua_pushboolean(L, !moil_buffer_reserve(&b, SIZE_MAX / 2) && b.failed);
    moil_buffer_add_str(&b, "after");
    lua_pushstring(L, moil_buffer_cstr(&b));
    moil_buffer_clear(&b);
    lua_pushboolean(L, b.failed);
    moil_buffer_fini(&b);
    return 3;
}

static int unit_strerror(lua_State *L)
{
    lua_pushstring(L, moil_strerror((int)luaL_checkinteger(L, 1)));
    lua_pushstring(L, moil_error_code((int)luaL_checkinteger(L, 1)));
    return 2;
}

static int unit_state(lua_State *L)
{
    lua_pushstring(L, moil_job_state_name((enum job_state)luaL_checkinteger(L, 1)));
    return 1;
}

static int unit_is_builtin_state(lua_State *L)
{
    lua_pushboolean(L, moil_job_state_is_builtin(units_slice(L, 1)));
    return 1;
}

static int unit_is_name(lua_State *L)
{
    lua_pushboolean(L, moil_name_is_valid(units_slice(L, 1)));
    return 1;
}

static int unit_id(lua_State *L)
{
    char id[MOIL_ID_LEN + 1];

    moil_id_new(id);
    lua_pushstring(L, id);
    return 1;
}

/* clocks() -> wall, monotonic, stamp, in microseconds */
static int unit_clocks(lua_State *L)
{
    lua_pushinteger(L, moil_clock_wall_us());
    lua_pushinteger(L, moil_clock_monotonic_us());
    lua_pushinteger(L, moil_clock_stamp_us());
    return 3;
}

static int64_t fixed_us(void *data)
{
    return *(int64_t *)data;
}

/* clock_set(wall, monotonic) -> what clocks() gives with clocks of the program's that stand
 * still, nil for the system's */
static int unit_clock_set(lua_State *L)
{
    int64_t wall = luaL_optinteger(L, 1, 0), monotonic = luaL_optinteger(L, 2, 0);
    int64_t (*fn)(void *) = fixed_us;

    /* Both take the same data, so each is set alone. */
    moil_clock_set(&(struct clock_source){lua_isnil(L, 1) ? NULL : fn, NULL, &wall});
    lua_pushinteger(L, moil_clock_wall_us());
    moil_clock_set(&(struct clock_source){NULL, lua_isnil(L, 2) ? NULL : fn, &monotonic});
    lua_pushinteger(L, moil_clock_monotonic_us());
    moil_clock_set(NULL);
    return 2;
}

static int unit_hash(lua_State *L)
{
    struct slice s = units_slice(L, 1);

    lua_pushinteger(L, moil_hash(s.p, s.n));
    return 1;
}

/* --- the log: one per process, so the spec opens it on a file of its own
 * --------------------------------- */

/* log_open(path, level, "text" | "json") -> error code */
static int unit_log_open(lua_State *L)
{
    static char path[256]; /* the log borrows it */
    struct log_options options = {.path = path, .level = LOG_INFO};

    snprintf(path, sizeof path, "%s", luaL_checkstring(L, 1));
    options.format = slice_is(units_slice(L, 3), "json") ? LOG_JSON : LOG_TEXT;
    if (moil_log_level_parse(luaL_checkstring(L, 2), &options.level) < 0) {
        return luaL_argerror(L, 2, "no such level");
    }
    lua_pushinteger(L, moil_log_open(&options));
    return 1;
}

static int unit_log_reopen(lua_State *L)
{
    lua_pushinteger(L, moil_log_reopen());
    return 1;
}

static int unit_log_role(lua_State *L)
{
    moil_log_set_role(luaL_optstring(L, 1, NULL));
    return 0;
}

/* log(level, message): also shows that errno survives */
static int unit_log(lua_State *L)
{
    enum log_level level = LOG_INFO;

    if (moil_log_level_parse(luaL_checkstring(L, 1), &level) < 0) {
        return luaL_argerror(L, 1, "no such level");
    }
    errno = EXDEV;
    moil_log(level, "%s", luaL_checkstring(L, 2));
    lua_pushboolean(L, errno == EXDEV);
    return 1;
}

/* log_job(id, task, message, fields) at info */
static int unit_log_job(lua_State *L)
{
    moil_log_job(LOG_INFO, units_slice(L, 1), units_slice(L, 2), units_slice(L, 3),
                 units_slice(L, 4));
    return 0;
}

struct caught {
    char text[256];
    enum log_level level;
};

static void catch_line(void *data, enum log_level level, const char *line, size_t len)
{
    struct caught *c = data;

    c->level = level;
    snprintf(c->text, sizeof c->text, "%.*s", (int)len, line);
}

/* log_to_sink(message) -> the line, its level */
static int unit_log_to_sink(lua_State *L)
{
    struct caught c = {.level = LOG_DEBUG};

    moil_log_set_sink(catch_line, &c);
    moil_log(LOG_ERROR, "%s", luaL_checkstring(L, 1));
    moil_log_set_sink(NULL, NULL);
    lua_pushstring(L, c.text);
    lua_pushinteger(L, c.level);
    return 2;
}

static const luaL_Reg functions[] = {
    {"json", unit_json},
    {"concat", unit_concat},
    {"format", unit_format},
    {"take", unit_take},
    {"huge", unit_huge},
    {"strerror", unit_strerror},
    {"state", unit_state},
    {"is_builtin_state", unit_is_builtin_state},
    {"is_name", unit_is_name},
    {"id", unit_id},
    {"clocks", unit_clocks},
    {"clock_set", unit_clock_set},
    {"hash", unit_hash},
    {"log_open", unit_log_open},
    {"log_reopen", unit_log_reopen},
    {"log_role", unit_log_role},
    {"log", unit_log},
    {"log_job", unit_log_job},
    {"log_to_sink", unit_log_to_sink},
    {NULL, NULL},
};

UNITS(base, functions)
