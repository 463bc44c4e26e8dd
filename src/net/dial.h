/* Opening a socket to Redis: TCP, unix, TLS where hiredis has it. For net/link alone. */
#ifndef MOIL_NET_DIAL_H
#define MOIL_NET_DIAL_H

#include <stddef.h>

#include "conf/url.h"

struct ev_loop;
struct redisAsyncContext;

/* A context that connects without blocking, or NULL with the reason. The caller frees it with
 * redisAsyncFree. address: of the url's host, as a number; unused for a unix socket. */
struct redisAsyncContext *moil_dial(const struct url *url, const char *address, char *why,
                                    size_t len);

/* Hands its socket's events to the loop. */
void moil_dial_attach(struct ev_loop *loop, struct redisAsyncContext *ac);

#endif
