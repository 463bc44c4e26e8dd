/* server.c: see server.h. libmicrohttpd in its external epoll mode: its epoll descriptor is one
 * watcher of our loop, its next deadline a timer. */
#include "http/server.h"

#include <stdio.h>

#include "base/error.h"

#ifdef MOIL_HTTP

#include <ev.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/library.h"

enum {
    HEAD_MAX = 16 * 1024, /* and what libmicrohttpd itself keeps of a connection */
    CONNECTION_US = 10 * 1000000,
    LOOK_S = 1, /* for those that are past it */
    STATUS_OK = 200,
    STATUS_NO_METHOD = 405,
    STATUS_CLOSING = 503,
};

struct connection {
    struct connection *prev, *next; /* the oldest first */
    int fd;                         /* libmicrohttpd's */
    int64_t since_us;               /* monotonic */
};

struct http_server {
    const struct http_library *lib;
    struct MHD_Daemon *daemon;
    struct ev_loop *loop;
    http_handler *fn;
    void *data;
    struct connection *connections;
    struct MHD_Connection *waiting[HTTP_CONNECTIONS_MAX]; /* suspended: they come later */
    int waiting_count;
    bool closing;
    bool left; /* a connection has gone since the last run began */
    ev_io io;
    ev_timer due;  /* libmicrohttpd's next deadline */
    ev_timer look; /* at slow connections, while there are any */
};

/* --- answering -------------------------------------------------------------------------------- */

static enum MHD_Result send_answer(const struct http_server *s, struct MHD_Connection *connection,
                                   const struct http_answer *answer)
{
    struct slice body = moil_buffer_slice(&answer->body);
    if (answer->body.failed)
        return MHD_NO;
    struct MHD_Response *response =
        s->lib->new_response(body.n, answer->body.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    s->lib->add_header(response, "Content-Type", answer->type);
    s->lib->add_header(response, "Cache-Control", "no-store");
    s->lib->add_header(response, "Connection", "close");
    if (answer->status == STATUS_NO_METHOD)
        s->lib->add_header(response, "Allow", "GET, HEAD");
    enum MHD_Result result = s->lib->queue(connection, (unsigned)answer->status, response);
    s->lib->free_response(response);
    return result;
}

static bool may_wait(const struct http_server *s)
{
    return !s->closing && s->waiting_count < HTTP_CONNECTIONS_MAX;
}

static enum MHD_Result request_cb(void *data, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **own)
{
    (void)version, (void)upload, (void)upload_size, (void)own;
    struct http_server *s = data;
    struct http_answer answer = {.status = STATUS_OK, .type = "text/plain; charset=utf-8"};
    enum http_verdict verdict = HTTP_ANSWERED;
    moil_buffer_init(&answer.body);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        answer.status = STATUS_NO_METHOD;
        moil_buffer_add_str(&answer.body, "only GET and HEAD are answered here\n");
    } else {
        verdict = s->fn(s->data, path, &answer);
    }
    enum MHD_Result result = MHD_YES;
    if (verdict == HTTP_LATER && may_wait(s)) {
        s->lib->suspend(connection);
        s->waiting[s->waiting_count++] = connection;
    } else {
        if (verdict == HTTP_LATER)
            answer.status = STATUS_CLOSING;
        result = send_answer(s, connection, &answer);
    }
    moil_buffer_fini(&answer.body);
    return result;
}

/* --- connections ------------------------------------------------------------------------------ */

static void began(struct http_server *s, struct MHD_Connection *connection, void **own)
{
    const union MHD_ConnectionInfo *info =
        s->lib->connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *c = info ? moil_mem_zalloc(1, sizeof *c) : NULL;
    *own = c;
    if (!c)
        return;
    c->fd = info->connect_fd;
    c->since_us = moil_clock_monotonic_us();
    DL_APPEND(s->connections, c);
    if (!ev_is_active(&s->look))
        ev_timer_again(s->loop, &s->look);
}

static void connection_cb(void *data, struct MHD_Connection *connection, void **own,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = data;
    struct connection *c = *own;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        began(s, connection, own);
    } else if (c) {
        DL_DELETE(s->connections, c);
        moil_mem_free(c);
        *own = NULL;
        s->left = true;
    }
}

/* Those that send or read slowly: libmicrohttpd's own limit is on silence alone. */
static void look_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct http_server *s = timer->data;
    int64_t before_us = moil_clock_monotonic_us() - CONNECTION_US;
    for (struct connection *c = s->connections; c && c->since_us < before_us; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    if (!s->connections)
        ev_timer_stop(loop, timer);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Where there was no room, libmicrohttpd listens again at the beginning of a run, but asks for none
 * when a connection goes. */
static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    s->left = false;
    s->lib->run(s->daemon);
    ev_timer_stop(s->loop, &s->due);
    if (s->left || s->lib->get_timeout(s->daemon, &ms) == MHD_YES) {
        ev_timer_set(&s->due, (double)ms / 1000, 0);
        ev_timer_start(s->loop, &s->due);
    }
}

static void io_cb(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    run(watcher->data);
}

static void due_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)events;
    run(timer->data);
}

void moil_http_go_on(struct http_server *s)
{
    if (s->waiting_count == 0)
        return;
    for (int i = 0; i < s->waiting_count; i++)
        s->lib->resume(s->waiting[i]);
    s->waiting_count = 0;
    ev_feed_event(s->loop, &s->io, EV_READ);
}

/* --- life ------------------------------------------------------------------------------------- */

static int start(struct http_server *s, int listener)
{
    int fd = dup(listener); /* libmicrohttpd closes its own */
    if (fd < 0)
        return MOIL_ESYS;
    s->daemon = s->lib->start(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_cb,
                              s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                              (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                              (size_t)HEAD_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                              (unsigned)(CONNECTION_US / 1000000), MHD_OPTION_NOTIFY_CONNECTION,
                              connection_cb, s, MHD_OPTION_END);
    if (!s->daemon) {
        close(fd);
        return MOIL_ESYS;
    }
    const union MHD_DaemonInfo *info = s->lib->daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return MOIL_ESYS;
    ev_io_init(&s->io, io_cb, info->epoll_fd, EV_READ);
    s->io.data = s;
    ev_io_start(s->loop, &s->io);
    return 0;
}

int moil_http_new(struct http_server **out, struct ev_loop *loop, int listener, http_handler *fn,
                  void *data, char *errstr, size_t errlen)
{
    const struct http_library *lib = moil_http_library(errstr, errlen);
    if (!lib)
        return MOIL_EINVAL;
    struct http_server *s = moil_mem_zalloc(1, sizeof *s);
    if (!s) {
        snprintf(errstr, errlen, "out of memory");
        return MOIL_ENOMEM;
    }
    s->lib = lib;
    s->loop = loop;
    s->fn = fn;
    s->data = data;
    ev_timer_init(&s->due, due_cb, 0, 0);
    ev_timer_init(&s->look, look_cb, 0, LOOK_S);
    s->due.data = s->look.data = s;
    int err = start(s, listener);
    if (err) {
        snprintf(errstr, errlen, "libmicrohttpd cannot serve HTTP");
        moil_http_free(s);
        return err;
    }
    run(s);
    *out = s;
    return 0;
}

void moil_http_free(struct http_server *s)
{
    if (!s)
        return;
    s->closing = true;
    ev_timer_stop(s->loop, &s->due);
    if (s->daemon) { /* which must have nobody suspended then */
        moil_http_go_on(s);
        s->lib->run(s->daemon);
        ev_io_stop(s->loop, &s->io);
        s->lib->stop(s->daemon);
    }
    ev_timer_stop(s->loop, &s->look);
    moil_mem_free(s);
}

#else

int moil_http_new(struct http_server **out, struct ev_loop *loop, int listener, http_handler *fn,
                  void *data, char *errstr, size_t errlen)
{
    (void)out, (void)loop, (void)listener, (void)fn, (void)data;
    snprintf(errstr, errlen,
             "this build has no HTTP server (libmicrohttpd-dev was not there): start without "
             "--http");
    return MOIL_EINVAL;
}

void moil_http_free(struct http_server *s)
{
    (void)s;
}

void moil_http_go_on(struct http_server *s)
{
    (void)s;
}

#endif
