/* TLS for rediss:// URLs, where the build found hiredis_ssl (hiredis 1.0 and later). For net/dial
 * alone.
 *
 * The library is loaded at the first use: a worker on a plain URL does not carry OpenSSL's pages.
 */
#ifndef MOIL_NET_TLS_H
#define MOIL_NET_TLS_H

#include <stddef.h>

#include "conf/url.h"

struct redisAsyncContext;

/* 0, or MOIL_EINVAL with the reason: no TLS in this build, or its set-up failed. The server's
 * certificate is checked against the system's authorities. */
int moil_tls_start(struct redisAsyncContext *ac, const struct url *url, char *why, size_t len);

#endif
