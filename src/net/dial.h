/* Opening a socket to Redis: TCP, unix, TLS where hiredis has it. For net/link alone. */
#ifndef MOIL_NET_DIAL_H
#define MOIL_NET_DIAL_H

#include <stddef.h>

#include "conf/url.h"

struct ev_loop;
struct redisAsyncContext;

/* A context that connects without blocking, its socket's events on the loop, or NULL with the
 * reason. The caller frees it with redisAsyncFree. address: of the url's host, as a number; unused
 * for a unix socket. Writing makes no SIGPIPE when the server has closed its end. */
struct redisAsyncContext *moil_dial(struct ev_loop *loop, const struct url *url,
                                    const char *address, char *why, size_t len);

/* Writes what is there to write, now; likewise without SIGPIPE. The context may be gone after. */
void moil_dial_write(struct redisAsyncContext *ac);

/* What the server has not read yet it shall not run any more: a fetch whose reply nobody awaits.
 * The connection is to be closed next. */
void moil_dial_forget_unread(struct redisAsyncContext *ac);

#endif
