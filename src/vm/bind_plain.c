/* The functions of `moil.core` that ask nobody: JSON, ids, clocks, the log, errors. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/id.h"
#include "base/log.h"
#include "vm/json.h"
#include "vm/state.h"

enum {
    SCRATCH_KEPT = 1024 * 1024, /* bytes that stay allocated after one large text */
    FIELDS_MAX = 8 * 1024,      /* bytes of a log line's fields as JSON … */
    FIELDS_SHOWN = 2 * 1024,    /* … and of their beginning, where they have more */
};

static struct buffer *clear_scratch(struct bind *bind)
{
    if (bind->scratch.failed || bind->scratch.cap > SCRATCH_KEPT) {
        moil_buffer_fini(&bind->scratch);
        moil_buffer_init(&bind->scratch);
    }
    moil_buffer_clear(&bind->scratch);
    return &bind->scratch;
}

/* encode(value, root) -> text, or nil and what cannot be JSON */
static int core_encode(lua_State *L)
{
    struct bind *bind = moil_bind_of(L);
    const struct run *run = moil_bind_run(L, bind);
    struct json_sink to = {.out = clear_scratch(bind), .max = SIZE_MAX};
    int code;

    to.root = luaL_optstring(L, 2, "value");
    luaL_checkany(L, 1);
    if (run && run->memory_limit) { /* no text beyond that could be held */
        to.max = run->memory_limit;
    }
    code = moil_json_encode(L, 1, &to);
    if (code != 0) {
        lua_pushnil(L);                                                               /* nil */
        lua_pushstring(L, code == MOIL_EINVAL ? to.err : moil_strerror(MOIL_ENOMEM)); /* nil
                                                                                         message */
        return 2;
    }
    lua_pushlstring(L, to.out->data, to.out->len); /* text */
    return 1;
}

/* decode(text) -> value; or nil, message (then the value cannot be nil: null is moil.null) */
static int core_decode(lua_State *L)
{
    struct slice text;
    char err[200];

    text.p = luaL_checklstring(L, 1, &text.n);
    if (moil_json_decode(L, text, err, sizeof err) != 0) { /* value */
        lua_pushnil(L);                                    /* nil */
        lua_pushstring(L, err);                            /* nil message */
        return 2;
    }
    return 1;
}

/* uuid() -> a random id */
static int core_uuid(lua_State *L)
{
    char id[MOIL_ID_LEN + 1];

    moil_id_new(id);
    lua_pushlstring(L, id, MOIL_ID_LEN); /* id */
    return 1;
}

/* now() -> seconds of the clock that never steps back */
static int core_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)moil_clock_monotonic_us() / 1e6);
    return 1;
}

/* time() -> seconds since the epoch */
static int core_time(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)moil_clock_wall_us() / 1e6);
    return 1;
}

static const char *const level_names[] = {"debug", "info", "warning", "error", NULL};

/* In the place of fields that cannot be logged: one whose text says why, or how they begin. */
static void replace_fields(struct buffer *fields, const char *name, struct slice text,
                           const char *mark)
{
    struct buffer b;

    moil_buffer_init(&b);
    moil_buffer_add_slice(&b, text);
    moil_buffer_add_str(&b, mark);
    moil_buffer_clear(fields);
    moil_buffer_addf(fields, "{\"%s\":", name);
    moil_buffer_add_json(fields, moil_buffer_slice(&b));
    moil_buffer_add_char(fields, '}');
    moil_buffer_fini(&b);
}

/* The fields at idx as a JSON object in the sink, or nothing: a list says nothing by name. */
static void encode_fields(lua_State *L, int idx, struct json_sink *to)
{
    int code = moil_json_encode(L, idx, to);
    struct slice text = moil_buffer_slice(to->out);

    if (code == MOIL_ETOOLARGE) {
        text.n = text.n < FIELDS_SHOWN ? text.n : FIELDS_SHOWN;
        while (text.n > 0 && ((unsigned char)text.p[text.n - 1] & 0x80)) { /* not in a character */
            text.n--;
        }
        replace_fields(to->out, "cut", text, "…");
    } else if (code != 0) {
        replace_fields(to->out, "fields",
                       slice_str(code == MOIL_EINVAL ? to->err : moil_strerror(code)), "");
    } else if (text.n > 0 && text.p[0] != '{') {
        moil_buffer_clear(to->out);
    }
}

/* log(level, message, fields): never fails: fields that cannot be JSON are told instead of logged
 */
static int core_log(lua_State *L)
{
    const struct run *run = moil_bind_run(L, moil_bind_of(L));
    enum log_level level = (enum log_level)luaL_checkoption(L, 1, NULL, level_names);
    struct json_sink to = {.max = FIELDS_MAX, .root = "fields"};
    struct slice message;

    if (!moil_log_enabled(level)) {
        return 0;
    }
    message = moil_bind_push_message(L, 2); /* message */
    to.out = clear_scratch(moil_bind_of(L));
    if (lua_istable(L, 3)) {
        encode_fields(L, 3, &to);
    }
    moil_log_job(level, run ? run->job.id : (struct slice){0},
                 run ? run->job.task : (struct slice){0}, message, moil_buffer_slice(to.out));
    return 0;
}

/* raise(code, message): an error table with the user's file:line */
static int core_raise(lua_State *L)
{
    return moil_bind_raise(L, luaL_checkstring(L, 1), luaL_checkstring(L, 2));
}

/* where() -> "file:line" of the user's code that called moil */
static int core_where(lua_State *L)
{
    moil_bind_push_where(L, moil_bind_of(L)); /* where */
    return 1;
}

/* is_name(s) -> may it name a task, a queue, a state, a job? is_builtin_state(s) */
static int core_is_name(lua_State *L)
{
    struct slice s = {0};

    if (lua_type(L, 1) == LUA_TSTRING) {
        s.p = lua_tolstring(L, 1, &s.n);
    }
    lua_pushboolean(L, moil_name_is_valid(s));
    return 1;
}

static int core_is_builtin_state(lua_State *L)
{
    struct slice s;

    s.p = luaL_checklstring(L, 1, &s.n);
    lua_pushboolean(L, moil_job_state_is_builtin(s));
    return 1;
}

/* The names in the folder, each with its NUL, hidden ones left out. False: it is no folder. */
static bool read_folder(const char *path, struct buffer *names)
{
    struct folder f;

    if (moil_folder_list(path, &f) != 0) {
        return false;
    }
    for (size_t i = 0; i < f.count; i++) {
        moil_buffer_add(names, f.names[i], strlen(f.names[i]) + 1);
    }
    moil_folder_fini(&f);
    return !names->failed;
}

/* folder(path) -> the names in it, in order; nil where it is none */
static int core_folder(lua_State *L)
{
    struct buffer *names = clear_scratch(moil_bind_of(L));
    int count = 0;

    if (!read_folder(luaL_checkstring(L, 1), names)) {
        lua_pushnil(L); /* nil */
        return 1;
    }
    lua_createtable(L, 0, 0); /* list */
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1) {
        lua_pushstring(L, names->data + at); /* list name */
        lua_rawseti(L, -2, ++count);         /* list */
    }
    return 1;
}

const luaL_Reg moil_bind_plain_functions[] = {
    {"encode", core_encode},   {"decode", core_decode},
    {"uuid", core_uuid},       {"now", core_now},
    {"time", core_time},       {"log", core_log},
    {"raise", core_raise},     {"where", core_where},
    {"is_name", core_is_name}, {"is_builtin_state", core_is_builtin_state},
    {"folder", core_folder},   {NULL, NULL},
};
