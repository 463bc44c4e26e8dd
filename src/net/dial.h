/* Opening a socket to Redis: TCP, unix, TLS where hiredis has it. For net/link alone. */
#ifndef MOIL_NET_DIAL_H
#define MOIL_NET_DIAL_H

#include <stddef.h>

#include "conf/url.h"

struct ev_loop;
struct redisAsyncContext;

/* A context that connects without blocking, but for the resolver: a host name is looked up at each
 * attempt, and a slow name server stops the loop meanwhile, so prefer an address where that
 * matters, or NULL with the reason. The caller frees it with redisAsyncFree. */
struct redisAsyncContext *moil_dial(const struct url *url, char *why, size_t len);

/* Hands its socket's events to the loop. */
void moil_dial_attach(struct ev_loop *loop, struct redisAsyncContext *ac);

#endif
