/* Parsing and showing of Redis URLs. Owns the rules of url.h and nothing else: no I/O, no
 * allocation, no knowledge of who connects. Called by conf/value for --redis, by api/ and super/.
 *
 * A message may quote a part of the URL only after the user and password were cut off: a URL that
 * cannot be split is described, never quoted. */
#include "conf/url.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/line.h"
#include "base/slice.h"

enum {
    URL_BYTES_MAX = 2048,
    REDIS_PORT = 6379,
    SOCKET_PATH_MAX = (int)sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_DIR  ".moil"

struct complaint {
    char *str;
    size_t len;
};

static int complain(struct complaint c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int complain(struct complaint c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (c.len > 0) {
        vsnprintf(c.str, c.len, fmt, args);
        moil_line_clean(c.str);
    }
    va_end(args);
    return MOIL_EINVAL;
}

/* --- characters ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_host_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
}

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The first byte of s that is one of `set`, or its end. */
static size_t span_until(struct slice s, const char *set)
{
    size_t i = 0;
    while (i < s.n && !strchr(set, s.p[i])) {
        i++;
    }
    return i;
}

static struct slice slice_from(struct slice s, size_t start)
{
    return slice_of(s.p + start, s.n - start);
}

/* Decodes %XX into out; false for a bad escape, an encoded NUL, or more than len - 1 bytes. */
static bool percent_decode(struct slice s, char *out, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= len) {
            return false;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

/* Decimal digits only, at most max; -1 otherwise. */
static int parse_int(struct slice s, int max)
{
    long long v = 0;
    if (s.n == 0 || s.n > 10) {
        return -1;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i])) {
            return -1;
        }
        v = v * 10 + (s.p[i] - '0');
    }
    return v <= max ? (int)v : -1;
}

/* --- the parts ------------------------------------------------------------------------------- */

static int parse_credentials(struct slice s, struct url *url, struct complaint c)
{
    size_t colon = span_until(s, ":");
    if (!percent_decode(slice_of(s.p, colon), url->user, sizeof url->user)) {
        return complain(c, "the user in the Redis URL is over %zu bytes or has a bad %%XX",
                        sizeof url->user - 1);
    }
    if (colon < s.n &&
        !percent_decode(slice_from(s, colon + 1), url->password, sizeof url->password)) {
        return complain(c,
                        "the password in the Redis URL is over %zu bytes or has a bad %%XX "
                        "(write %% itself as %%25)",
                        sizeof url->password - 1);
    }
    return 0;
}

/* [::1] or [fe80::1%eth0]: out gets what is between the brackets, *used how many bytes all took. */
static int parse_bracketed_host(struct slice s, struct url *url, size_t *used, struct complaint c)
{
    size_t close = span_until(s, "]");
    char address[INET6_ADDRSTRLEN + 1];
    struct in6_addr ignored;
    if (close == s.n) {
        return complain(c, "the IPv6 address in the Redis URL lacks its \"]\"");
    }
    if (!percent_decode(slice_of(s.p + 1, close - 1), url->host, sizeof url->host)) {
        return complain(c, "the IPv6 address in the Redis URL is too long or has a bad %%XX");
    }
    size_t n = strcspn(url->host, "%"); /* a zone follows it */
    if (n >= sizeof address) {
        return complain(c, "the host in the Redis URL is no IPv6 address");
    }
    memcpy(address, url->host, n);
    address[n] = '\0';
    if (inet_pton(AF_INET6, address, &ignored) != 1) {
        return complain(c, "the host in the Redis URL is no IPv6 address");
    }
    *used = close + 1;
    return 0;
}

static int parse_named_host(struct slice s, struct url *url, size_t *used, struct complaint c)
{
    size_t n = span_until(s, ":");
    if (n < s.n && span_until(slice_from(s, n + 1), ":") + n + 1 < s.n) {
        return complain(c, "an IPv6 address in a Redis URL needs brackets: redis://[::1]:%d",
                        REDIS_PORT);
    }
    if (n >= sizeof url->host) {
        return complain(c, "the host in the Redis URL is over %zu bytes", sizeof url->host - 1);
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_host_char(s.p[i])) {
            return complain(c, "the host in the Redis URL may have letters, digits, \".\", \"-\" "
                               "and \"_\" only");
        }
    }
    memcpy(url->host, s.p, n);
    url->host[n] = '\0';
    *used = n;
    return 0;
}

static int parse_host_port(struct slice s, struct url *url, struct complaint c)
{
    size_t used = 0;
    int rc = s.n > 0 && s.p[0] == '[' ? parse_bracketed_host(s, url, &used, c)
                                      : parse_named_host(s, url, &used, c);
    if (rc < 0) {
        return rc;
    }
    if (used == 0) {
        memcpy(url->host, DEFAULT_HOST, sizeof DEFAULT_HOST);
    }
    url->port = REDIS_PORT;
    s = slice_from(s, used);
    if (s.n == 0) {
        return 0;
    }
    url->port = s.p[0] == ':' ? parse_int(slice_from(s, 1), 65535) : -1;
    if (url->port < 1) {
        return complain(c,
                        "the port in the Redis URL must be a number from 1 to 65535, after a "
                        "\":\" (redis://host:%d)",
                        REDIS_PORT);
    }
    return 0;
}

static int parse_query(struct slice s, struct url *url, struct complaint c)
{
    while (s.n > 0) {
        size_t end = span_until(s, "&");
        size_t equals = span_until(slice_of(s.p, end), "=");
        if (equals != 2 || memcmp(s.p, "db", 2) != 0) {
            return complain(c, "a Redis URL takes one parameter, ?db=N");
        }
        url->db = equals < end ? parse_int(slice_of(s.p + 3, end - 3), INT_MAX) : -1;
        if (url->db < 0) {
            return complain(c, "?db= in the Redis URL must be a number from 0");
        }
        s = slice_from(s, end < s.n ? end + 1 : end);
    }
    return 0;
}

static int parse_tcp_path(struct slice s, struct url *url, struct complaint c)
{
    if (s.n <= 1) { /* nothing, or "/" */
        return 0;
    }
    url->db = parse_int(slice_from(s, 1), INT_MAX);
    if (url->db < 0) {
        return complain(c,
                        "what follows the host in a Redis URL is the number of a database: "
                        "redis://host:%d/0",
                        REDIS_PORT);
    }
    return 0;
}

static int parse_unix_path(struct slice s, struct url *url, struct complaint c)
{
    if (s.n <= 1) {
        return complain(c, "a unix:// URL needs the socket's path: unix:///run/redis/redis.sock");
    }
    if (!percent_decode(s, url->path, sizeof url->path)) {
        return complain(c, "the socket's path in the Redis URL is too long or has a bad %%XX");
    }
    if (strlen(url->path) > (size_t)SOCKET_PATH_MAX) {
        return complain(c,
                        "the socket's path in the Redis URL has %zu bytes; the system takes at "
                        "most %d",
                        strlen(url->path), SOCKET_PATH_MAX);
    }
    return 0;
}

/* What follows "://": [user[:password]@][host[:port]][/path][?query]. */
static int parse_hierarchy(struct slice s, struct url *url, struct complaint c)
{
    size_t authority_end = span_until(s, "/?#");
    struct slice authority = slice_of(s.p, authority_end);
    struct slice rest = slice_from(s, authority_end);
    const char *at = authority.n ? memrchr(authority.p, '@', authority.n) : NULL;

    if (!at && rest.n && memchr(rest.p, '@', rest.n) && url->kind != URL_UNIX) {
        return complain(c, "\"/\", \"?\", \"#\" and \"@\" in the password of a Redis URL are "
                           "written as %%2F, %%3F, %%23 and %%40");
    }
    if (at) {
        size_t n = (size_t)(at - authority.p);
        int rc = parse_credentials(slice_of(authority.p, n), url, c);
        if (rc < 0) {
            return rc;
        }
        authority = slice_from(authority, n + 1);
    }
    if (span_until(rest, "#") < rest.n) {
        return complain(c, "a Redis URL has no #fragment (in a password \"#\" is written as %%23)");
    }
    size_t query = span_until(rest, "?");
    struct slice path = slice_of(rest.p, query);
    if (url->kind == URL_UNIX && authority.n > 0) {
        return complain(c, "a unix:// URL has three slashes before the path: "
                           "unix:///run/redis/redis.sock");
    }
    int rc =
        url->kind == URL_UNIX ? parse_unix_path(path, url, c) : parse_host_port(authority, url, c);
    if (rc == 0 && url->kind != URL_UNIX) {
        rc = parse_tcp_path(path, url, c);
    }
    return rc < 0 || query == rest.n ? rc : parse_query(slice_from(rest, query + 1), url, c);
}

/* What follows "embedded": nothing, or ":DIR". */
static int parse_embedded(struct slice s, struct url *url, struct complaint c)
{
    struct slice dir = s.n > 0 ? slice_from(s, 1) : slice_str(DEFAULT_DIR);
    while (dir.n > 1 && dir.p[dir.n - 1] == '/') {
        dir.n--;
    }
    if (dir.n == 0 || (dir.n >= 2 && memcmp(dir.p, "//", 2) == 0)) {
        return complain(c, "the embedded Redis is written as embedded, or embedded:DIR");
    }
    if (dir.n >= sizeof url->path) {
        return complain(c, "the folder of the embedded Redis has over %zu bytes",
                        sizeof url->path - 1);
    }
    memcpy(url->path, dir.p, dir.n);
    url->path[dir.n] = '\0';
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

static const struct scheme {
    const char *prefix;
    enum url_kind kind;
} schemes[] = {
    {"redis://", URL_TCP},
    {"rediss://", URL_TLS},
    {"unix://", URL_UNIX},
    {"embedded", URL_EMBEDDED},
};

static const struct scheme *find_scheme(struct slice s)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].prefix);
        if (s.n < n || strncasecmp(s.p, schemes[i].prefix, n) != 0) {
            continue;
        }
        if (schemes[i].kind != URL_EMBEDDED || s.n == n || s.p[n] == ':') {
            return &schemes[i];
        }
    }
    return NULL;
}

int moil_url_parse(const char *text, struct url *out, char *errstr, size_t errlen)
{
    struct complaint c = {.str = errstr, .len = errlen};
    struct slice s = slice_str(text ? text : "");
    struct url url = {0};

    if (s.n > URL_BYTES_MAX) {
        return complain(c, "the Redis URL has over %d bytes", URL_BYTES_MAX);
    }
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return complain(c, "the Redis URL has a control character in it");
        }
    }
    const struct scheme *scheme = find_scheme(s);
    if (!scheme) {
        return complain(c, "a Redis URL is redis://[user[:password]@]host[:port][/db], "
                           "rediss://…, unix:///path[?db=N] or embedded[:DIR]");
    }
    url.kind = scheme->kind;
    s = slice_from(s, strlen(scheme->prefix));
    int rc = url.kind == URL_EMBEDDED ? parse_embedded(s, &url, c) : parse_hierarchy(s, &url, c);
    if (rc == 0) {
        *out = url;
    }
    return rc;
}

/* --- showing --------------------------------------------------------------------------------- */

struct writer {
    char *out;
    size_t len, used;
};

static void put(struct writer *w, const char *s)
{
    for (; *s && w->used + 1 < w->len; s++) {
        w->out[w->used++] = *s;
    }
}

static void put_int(struct writer *w, const char *before, int v)
{
    char text[16];
    snprintf(text, sizeof text, "%d", v);
    put(w, before);
    put(w, text);
}

/* As it stood in the URL: what is no plain character goes back to %XX. */
static void put_encoded(struct writer *w, const char *s, const char *also_plain)
{
    for (; *s; s++) {
        char text[4] = {*s, '\0'};
        if (!is_host_char(*s) && !strchr(also_plain, *s)) {
            snprintf(text, sizeof text, "%%%02X", (unsigned)(unsigned char)*s);
        }
        put(w, text);
    }
}

static void put_credentials(struct writer *w, const struct url *url)
{
    if (url->user[0] || url->password[0]) {
        put_encoded(w, url->user, "~");
        put(w, url->password[0] ? ":***@" : "@");
    }
}

static void put_address(struct writer *w, const struct url *url)
{
    bool ipv6 = strchr(url->host, ':') != NULL;
    put(w, ipv6 ? "[" : "");
    put_encoded(w, url->host, ":");
    put(w, ipv6 ? "]" : "");
    put_int(w, ":", url->port);
    put_int(w, "/", url->db);
}

void moil_url_redact(const struct url *url, char *out, size_t len)
{
    struct writer w = {out, len, 0};
    if (len == 0) {
        return;
    }
    put(&w, schemes[url->kind].prefix);
    switch (url->kind) {
    case URL_TCP:
    case URL_TLS:
        put_credentials(&w, url);
        put_address(&w, url);
        break;
    case URL_UNIX:
        put_credentials(&w, url);
        put_encoded(&w, url->path, "/~");
        if (url->db > 0) {
            put_int(&w, "?db=", url->db);
        }
        break;
    case URL_EMBEDDED:
        put(&w, ":");
        put(&w, url->path);
        break;
    }
    out[w.used] = '\0';
}
