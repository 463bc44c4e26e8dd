/* subscription.c: see subscription.h. hiredis calls back for each message, and once without a reply
 * when the connection ends. */
#include "net/subscription.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "base/error.h"
#include "base/mem.h"

struct subscription {
    link_call_cb *cb;
    void *data;
};

enum { PUSH_PARTS = 3 }; /* kind, channel, and the message or how many channels there are */

static void pushed(redisAsyncContext *ac, void *r, void *data)
{
    (void)ac;
    struct subscription *s = data;
    const redisReply *reply = r;
    if (!reply) {
        s->cb(s->data, MOIL_EREDIS, NULL);
        moil_mem_free(s);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == PUSH_PARTS) {
        s->cb(s->data, 0, (const struct reply *)reply->element[PUSH_PARTS - 1]);
    }
}

int moil_link_subscribe(struct link *l, struct slice channel, link_call_cb *cb, void *data)
{
    redisAsyncContext *ac = moil_link_context(l);
    struct subscription *s = ac ? moil_mem_alloc(sizeof *s) : NULL;
    const char *argv[] = {"SUBSCRIBE", channel.p};
    const size_t lens[] = {9, channel.n};
    if (!s)
        return ac ? MOIL_ENOMEM : MOIL_EREDIS;
    *s = (struct subscription){cb, data};
    if (redisAsyncCommandArgv(ac, pushed, s, 2, argv, lens) == REDIS_OK)
        return 0;
    moil_mem_free(s);
    return MOIL_EREDIS;
}
