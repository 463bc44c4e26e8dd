/* dial.c: see dial.h. hiredis asks a loop for events by a table of functions; those of libev are
 * here, as the writing needs care: hiredis writes to sockets that the server may have closed. */
#include "net/dial.h"

#include <ev.h>
#include <fcntl.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/sigpipe.h"
#include "net/tls.h"

/* --- the socket on the loop ------------------------------------------------------------------- */

/* Of one connection; hiredis frees it by `cleanup`. */
struct events {
    struct ev_loop *loop;
    redisAsyncContext *ac;
    ev_io readable, writable;
    bool is_tls;
};

void moil_dial_write(struct redisAsyncContext *ac)
{
    struct sigpipe_guard g;
    if (ac->c.flags & REDIS_IN_CALLBACK) /* hiredis 1.x asserts that it is not; the loop writes */
        return;
    moil_sigpipe_hold(&g);
    redisAsyncHandleWrite(ac);
    moil_sigpipe_release(&g);
}

static void readable_cb(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    const struct events *e = w->data;
    struct sigpipe_guard g;
    bool may_write = e->is_tls; /* e may be gone afterwards */
    if (may_write)
        moil_sigpipe_hold(&g);
    redisAsyncHandleRead(e->ac);
    if (may_write)
        moil_sigpipe_release(&g);
}

static void writable_cb(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    moil_dial_write(((struct events *)w->data)->ac);
}

static void add_read(void *data)
{
    struct events *e = data;
    ev_io_start(e->loop, &e->readable);
}

static void del_read(void *data)
{
    struct events *e = data;
    ev_io_stop(e->loop, &e->readable);
}

static void add_write(void *data)
{
    struct events *e = data;
    ev_io_start(e->loop, &e->writable);
}

static void del_write(void *data)
{
    struct events *e = data;
    ev_io_stop(e->loop, &e->writable);
}

static void cleanup(void *data)
{
    del_read(data);
    del_write(data);
    moil_mem_free(data);
}

static bool attach(struct ev_loop *loop, redisAsyncContext *ac, bool is_tls)
{
    struct events *e = moil_mem_zalloc(1, sizeof *e);
    if (!e)
        return false;
    e->loop = loop;
    e->ac = ac;
    e->is_tls = is_tls;
    ev_io_init(&e->readable, readable_cb, ac->c.fd, EV_READ);
    ev_io_init(&e->writable, writable_cb, ac->c.fd, EV_WRITE);
    e->readable.data = e->writable.data = e;
    ac->ev.data = e;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    return true;
}

/* --- connecting ------------------------------------------------------------------------------- */

static redisAsyncContext *open_socket(const struct url *url, const char *address, char *why,
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

struct redisAsyncContext *moil_dial(struct ev_loop *loop, const struct url *url,
                                    const char *address, char *why, size_t len)
{
    redisAsyncContext *ac = open_socket(url, address, why, len);
    if (ac && !attach(loop, ac, url->kind == URL_TLS)) {
        redisAsyncFree(ac);
        ac = NULL;
        snprintf(why, len, "out of memory");
    }
    return ac;
}

void moil_dial_forget_unread(struct redisAsyncContext *ac)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(ac->c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}
