/* units_reply.c: see units_reply.h. The only unit that knows hiredis. */
#include "units_reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

static redisReply *text_reply(lua_State *L, int idx, int type)
{
    redisReply *r = calloc(1, sizeof *r);
    size_t n;
    const char *s = lua_tolstring(L, idx, &n);

    r->type = type;
    r->str = malloc(n + 1);
    memcpy(r->str, s, n);
    r->str[n] = '\0';
    r->len = n;
    return r;
}

static redisReply *list_reply(lua_State *L, int idx)
{
    redisReply *r = calloc(1, sizeof *r);

    r->type = REDIS_REPLY_ARRAY;
    r->elements = lua_rawlen(L, idx);
    r->element = calloc(r->elements ? r->elements : 1, sizeof *r->element);
    for (size_t i = 0; i < r->elements; i++) {
        lua_geti(L, idx, (lua_Integer)i + 1); /* element */
        r->element[i] = (redisReply *)units_reply_new(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return r;
}

struct reply *units_reply_new(lua_State *L, int idx)
{
    redisReply *r;

    if (lua_isinteger(L, idx)) {
        r = calloc(1, sizeof *r);
        r->type = REDIS_REPLY_INTEGER;
        r->integer = lua_tointeger(L, idx);
    } else if (lua_isstring(L, idx)) {
        r = text_reply(L, idx, REDIS_REPLY_STRING);
    } else if (lua_istable(L, idx) && lua_getfield(L, idx, "err") == LUA_TSTRING) { /* text */
        r = text_reply(L, lua_gettop(L), REDIS_REPLY_ERROR);
        lua_pop(L, 1);
    } else if (lua_istable(L, idx)) { /* nil, of the field */
        lua_pop(L, 1);
        r = list_reply(L, idx);
    } else {
        r = calloc(1, sizeof *r);
        r->type = REDIS_REPLY_NIL;
    }
    return (struct reply *)r;
}

void units_reply_free(struct reply *r)
{
    freeReplyObject(r);
}

void units_reply_push(lua_State *L, const struct reply *r)
{
    switch (moil_reply_type(r)) {
    case REPLY_NIL:
        lua_pushboolean(L, 0);
        break;
    case REPLY_INTEGER:
        lua_pushinteger(L, moil_reply_integer(r));
        break;
    case REPLY_STRING:
        units_push(L, moil_reply_slice(r));
        break;
    case REPLY_ERROR:
        lua_newtable(L); /* error */
        units_push(L, moil_reply_slice(r));
        lua_setfield(L, -2, "err");
        break;
    case REPLY_ARRAY:
        lua_newtable(L); /* list */
        for (size_t i = 0; i < moil_reply_count(r); i++) {
            units_reply_push(L, moil_reply_at(r, i)); /* list element */
            lua_seti(L, -2, (lua_Integer)i + 1);      /* list */
        }
        break;
    }
}
