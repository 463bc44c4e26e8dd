/* reply.c: reading hiredis replies. The only caller of this file's cast is net/; see reply.h. */
#include "net/reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static const redisReply *raw(const struct reply *r)
{
    return (const redisReply *)r;
}

enum reply_type moil_reply_type(const struct reply *r)
{
    switch (raw(r)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REPLY_STRING;
    case REDIS_REPLY_INTEGER:
        return REPLY_INTEGER;
    case REDIS_REPLY_ARRAY:
        return REPLY_ARRAY;
    case REDIS_REPLY_ERROR:
        return REPLY_ERROR;
    default: /* hiredis 1.x knows RESP3 types; RESP2, which we speak, has only nil left */
        return REPLY_NIL;
    }
}

struct slice moil_reply_slice(const struct reply *r)
{
    if (!r)
        return slice_of(NULL, 0);
    const redisReply *h = raw(r);
    bool has_bytes = h->type == REDIS_REPLY_STRING || h->type == REDIS_REPLY_STATUS ||
                     h->type == REDIS_REPLY_ERROR;
    return has_bytes ? slice_of(h->str, (size_t)h->len) : slice_of(NULL, 0);
}

int64_t moil_reply_integer(const struct reply *r)
{
    if (!r)
        return 0;
    const redisReply *h = raw(r);
    if (h->type == REDIS_REPLY_INTEGER)
        return h->integer;
    return h->type == REDIS_REPLY_STRING ? strtoll(h->str, NULL, 10) : 0;
}

size_t moil_reply_count(const struct reply *r)
{
    return r && raw(r)->type == REDIS_REPLY_ARRAY ? raw(r)->elements : 0;
}

const struct reply *moil_reply_at(const struct reply *r, size_t i)
{
    return i < moil_reply_count(r) ? (const struct reply *)raw(r)->element[i] : NULL;
}
