/* Where Redis is: redis://[user[:password]@]host[:port][/db], unix:///path[?db=N], rediss://…,
 * embedded[:DIR].
 *
 * Pure parsing; used by conf/options, net/ and super/. */
#ifndef MOIL_CONF_URL_H
#define MOIL_CONF_URL_H

#include <stdbool.h>
#include <stddef.h>

enum url_kind { URL_TCP, URL_TLS, URL_UNIX, URL_EMBEDDED };

struct url {
    enum url_kind kind;
    char host[256];     /* TCP and TLS; a name, an IPv4 or a bare IPv6 address */
    char path[1024];    /* unix socket, or the folder of the embedded server */
    char user[256];     /* percent-decoded; empty: none */
    char password[512]; /* percent-decoded; empty: none; never logged */
    int port;           /* 1-65535 */
    int db;             /* 0-… */
};

/* 0, or MOIL_EINVAL with one line in errstr that says what is wrong and what is right, and never
 * shows the password. */
int moil_url_parse(const char *text, struct url *out, char *errstr, size_t errlen);

/* The URL as it may be shown: the password as "***". Always NUL-terminated. */
void moil_url_redact(const struct url *url, char *out, size_t len);

#endif
