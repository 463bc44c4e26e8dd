/* A host name to addresses without holding up the loop: getaddrinfo in a thread of its own, which
 * does nothing else and takes no signals. For net/link alone. Knows nothing of Redis.
 *
 * A name server may take seconds, or never answer: a look-up that nobody waits for any more goes on
 * by itself and frees what it has. */
#ifndef MOIL_NET_RESOLVE_H
#define MOIL_NET_RESOLVE_H

#include <stdbool.h>

struct ev_loop;
struct resolve;

enum { MOIL_ADDRESSES_MAX = 8, MOIL_ADDRESS_LEN = 64 };

struct addresses {
    unsigned count; /* 0: see why */
    char why[128];
    char text[MOIL_ADDRESSES_MAX][MOIL_ADDRESS_LEN]; /* all of IPv4, or all of IPv6 */
};

/* True for what is an address already and needs no look-up. */
bool moil_resolve_is_address(const char *host);

/* Called once, from the loop; the look-up is over then, and what it found is borrowed. */
typedef void resolve_cb(void *data, const struct addresses *found);

/* NULL when out of memory or descriptors. */
struct resolve *moil_resolve_start(struct ev_loop *loop, const char *host, resolve_cb *cb,
                                   void *data);

/* Nobody waits any more: the callback does not come. NULL is fine. */
void moil_resolve_abandon(struct resolve *r);

#endif
