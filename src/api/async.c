/* async.c: opening and closing a client on the host's loop, and what all its requests share
 * (moil.h, "client on the host's loop"). The calls themselves stand beside the blocking ones. A
 * part of the client (client.h). */
#include <stddef.h>
#include <stdio.h>

#include "api/client.h"
#include "base/mem.h"

_Static_assert(offsetof(struct moil_async, client) == 0, "freeing the one frees the other");

int moil_async_open(moil_async **out, struct ev_loop *loop, const moil_client_options *options,
                    char *errstr, size_t errlen)
{
    char ignored[1];
    if (!errstr || errlen == 0) {
        errstr = ignored;
        errlen = sizeof ignored;
    }
    if (!loop) {
        snprintf(errstr, errlen, "a client needs a loop: ev_default_loop() or ev_loop_new()");
        return MOIL_STATUS_INVALID;
    }
    struct moil_async *a = moil_mem_zalloc(1, sizeof *a);
    if (!a) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_STATUS_NOMEM;
    }
    int status = moil_client_init(&a->client, loop, options, errstr, errlen);
    if (status) {
        moil_async_close(a);
        return status;
    }
    moil_link_start(a->client.link);
    *out = a;
    return 0;
}

void moil_async_close(moil_async *client)
{
    if (!client)
        return;
    struct moil_client *c = &client->client;
    moil_client_enter(c);
    c->closing = true;
    moil_requests_cancel(c);
    moil_client_leave(c);
}

const char *moil_async_error(const moil_async *client)
{
    return client->client.errstr;
}

int moil_async_status(const moil_async *client)
{
    return client->client.status;
}

void moil_async_cancel(moil_request *request)
{
    if (request)
        moil_request_cancel(request);
}
