/* dial.c: see dial.h. hiredis's own libev adapter is used; it is a header of static functions, so
 * it lives here alone. */
#include "net/dial.h"

#include <ev.h>
#include <fcntl.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpragmas"
#include <hiredis/adapters/libev.h>
#pragma GCC diagnostic pop

#include "net/tls.h"

struct redisAsyncContext *moil_dial(const struct url *url, const char *address, char *why,
                                    size_t len)
{
    redisAsyncContext *ac = NULL;
    switch (url->kind) {
    case URL_UNIX:
        ac = redisAsyncConnectUnix(url->path);
        break;
    case URL_TCP:
    case URL_TLS:
        ac = redisAsyncConnect(address, url->port);
        break;
    case URL_EMBEDDED:
        snprintf(why, len, "an embedded server is reached by its socket, not by its name");
        return NULL;
    }
    if (!ac) {
        snprintf(why, len, "out of memory");
        return NULL;
    }
    if (ac->err) {
        snprintf(why, len, "%s", ac->errstr);
        redisAsyncFree(ac);
        return NULL;
    }
    fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC); /* not for programs that a task starts; hiredis does not
                                             set it */
    if (url->kind != URL_UNIX)
        redisEnableKeepAlive(&ac->c);
    if (url->kind == URL_TLS && moil_tls_start(ac, url, why, len) != 0) {
        redisAsyncFree(ac);
        return NULL;
    }
    return ac;
}

void moil_dial_attach(struct ev_loop *loop, struct redisAsyncContext *ac)
{
    redisLibevAttach(loop, ac);
}
