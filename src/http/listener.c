/* listener.c: see listener.h. */
#include "http/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "conf/address.h"

enum { BACKLOG = 64 };

/* -1 with errno set. */
static int listen_at(const struct addrinfo *a)
{
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void name_of(int fd, char *at, size_t at_len)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    char host[128] = "?", port[8] = "?";
    if (getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        getnameinfo((struct sockaddr *)&a, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(at, at_len, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int moil_http_listen(const char *address, char *at, size_t at_len, char *errstr, size_t errlen)
{
    struct address where;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (moil_address_parse(address, &where) != 0) {
        snprintf(errstr, errlen,
                 "http \"%.80s\" is no address: HOST:PORT, [IPv6]:PORT, or :PORT for this machine "
                 "alone",
                 address);
        return MOIL_EINVAL;
    }
    int rc = getaddrinfo(where.host, where.port, &hints, &found);
    if (rc != 0) {
        snprintf(errstr, errlen, "cannot serve HTTP at %.80s: %s", address,
                 rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return MOIL_EINVAL;
    }
    int fd = -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = listen_at(a);
    int saved = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        snprintf(errstr, errlen, "cannot serve HTTP at %.80s: %s%s", address, strerror(saved),
                 saved == EADDRINUSE ? " (another node's? give each a port of its own)" : "");
        return MOIL_ESYS;
    }
    name_of(fd, at, at_len);
    return fd;
}
