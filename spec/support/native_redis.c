/* A blocking Redis connection for raw commands: binary-safe arguments in, nested replies out.
 *
 * Replies: string, integer, table; nil is nil at the top and false inside a table; an error is nil,
 * message at the top and {err = message} inside. */
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "native.h"

#define METATABLE "native.redis"

enum { ARGS_MAX = 8192 };

static redisContext **check_box(lua_State *L)
{
    return luaL_checkudata(L, 1, METATABLE);
}

static redisContext *check_open(lua_State *L)
{
    redisContext **box = check_box(L);

    luaL_argcheck(L, *box, 1, "the connection is closed");
    return *box;
}

static struct timeval seconds(lua_Number s)
{
    return (struct timeval){.tv_sec = (time_t)s,
                            .tv_usec = (suseconds_t)((s - (lua_Number)(time_t)s) * 1e6)};
}

/* redis_connect(timeout, path) or redis_connect(timeout, host, port) -> connection | nil, message
 */
static int native_redis_connect(lua_State *L)
{
    struct timeval timeout = seconds(luaL_checknumber(L, 1));
    const char *where = luaL_checkstring(L, 2);
    int port = (int)luaL_optinteger(L, 3, 0);
    redisContext **box = lua_newuserdatauv(L, sizeof *box, 0); /* … box */

    *box = NULL;
    luaL_setmetatable(L, METATABLE);
    *box = port ? redisConnectWithTimeout(where, port, timeout)
                : redisConnectUnixWithTimeout(where, timeout);
    if (!*box || (*box)->err || redisSetTimeout(*box, timeout) != REDIS_OK) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", where, *box ? (*box)->errstr : "out of memory");
        return 2;
    }
    return 1;
}

static void push_reply(lua_State *L, const redisReply *r) /* [-0, +1, m] */
{
    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        lua_pushinteger(L, r->integer);
        break;
    case REDIS_REPLY_NIL:
        lua_pushboolean(L, 0);
        break;
    case REDIS_REPLY_ERROR:
        lua_createtable(L, 0, 1);           /* error */
        lua_pushlstring(L, r->str, r->len); /* error message */
        lua_setfield(L, -2, "err");         /* error */
        break;
    case REDIS_REPLY_ARRAY:
        luaL_checkstack(L, 4, "reply");
        lua_createtable(L, (int)r->elements, 0); /* array */
        for (size_t i = 0; i < r->elements; i++) {
            push_reply(L, r->element[i]);        /* array element */
            lua_seti(L, -2, (lua_Integer)i + 1); /* array */
        }
        break;
    default:
        lua_pushlstring(L, r->str, r->len);
    }
}

/* The next reply as the results of a call. */
static int answer(lua_State *L, redisContext *c) /* [-0, +1 or 2, m] */
{
    void *got = NULL;
    redisReply *r;

    if (redisGetReply(c, &got) != REDIS_OK) {
        lua_pushnil(L);
        lua_pushfstring(L, "connection lost: %s", c->errstr);
        return 2;
    }
    r = got;
    if (r->type == REDIS_REPLY_ERROR) {
        lua_pushnil(L);
        lua_pushlstring(L, r->str, r->len);
        freeReplyObject(r);
        return 2;
    }
    if (r->type == REDIS_REPLY_NIL) {
        lua_pushnil(L);
    } else {
        push_reply(L, r);
    }
    freeReplyObject(r);
    return 1;
}

/* Sends the arguments from stack position `from` on, without waiting. */
static void append(lua_State *L, redisContext *c, int from)
{
    int count = lua_gettop(L) - from + 1;
    const char **argv;
    size_t *lens;

    luaL_argcheck(L, count > 0 && count <= ARGS_MAX, from, "no command, or too many arguments");
    argv = lua_newuserdatauv(L, (size_t)count * sizeof *argv, 0); /* … argv */
    lens = lua_newuserdatauv(L, (size_t)count * sizeof *lens, 0); /* … argv lens */
    for (int i = 0; i < count; i++) {
        argv[i] = luaL_checklstring(L, from + i, &lens[i]);
    }
    redisAppendCommandArgv(c, count, argv, lens);
    lua_pop(L, 2);
}

/* connection:call(command, …) -> reply | nil, message */
static int connection_call(lua_State *L)
{
    redisContext *c = check_open(L);

    append(L, c, 2);
    return answer(L, c);
}

/* connection:send(command, …), then connection:receive() -> reply | nil, message: for pipelines and
 * blocking commands */
static int connection_send(lua_State *L)
{
    redisContext *c = check_open(L);
    int done = 0;

    append(L, c, 2);
    while (!done && redisBufferWrite(c, &done) == REDIS_OK) {}
    return 0;
}

static int connection_receive(lua_State *L)
{
    return answer(L, check_open(L));
}

/* connection:timeout(seconds) for each later reply */
static int connection_timeout(lua_State *L)
{
    redisContext *c = check_open(L);

    redisSetTimeout(c, seconds(luaL_checknumber(L, 2)));
    return 0;
}

static int connection_close(lua_State *L)
{
    redisContext **box = check_box(L);

    if (*box) {
        redisFree(*box);
        *box = NULL;
    }
    return 0;
}

static const luaL_Reg methods[] = {
    {"call", connection_call},
    {"send", connection_send},
    {"receive", connection_receive},
    {"timeout", connection_timeout},
    {"close", connection_close},
    {"__gc", connection_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {{"redis_connect", native_redis_connect}, {NULL, NULL}};

void native_open_redis(lua_State *L)
{
    if (luaL_newmetatable(L, METATABLE)) { /* native metatable */
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);           /* native metatable metatable */
        lua_setfield(L, -2, "__index"); /* native metatable */
    }
    lua_pop(L, 1); /* native */
    luaL_setfuncs(L, functions, 0);
}
