/* One asynchronous connection to Redis on a libev loop: handshake, reconnect, deadlines, scripts.
 *
 * Everything that talks to Redis goes through here. It knows no queue: commands go in, replies come
 * out, in order. hiredis 0.14 to 1.x; the deadlines are our own ev_timers. Not thread-safe: one
 * link, one loop. */
#ifndef MOIL_NET_LINK_H
#define MOIL_NET_LINK_H

#include <stdbool.h>

#include "conf/url.h"
#include "net/args.h"
#include "net/reply.h"
#include "net/script.h"

struct ev_loop;
struct redisAsyncContext;
struct link;

enum link_state {
    LINK_DOWN,       /* waits for its next attempt */
    LINK_CONNECTING, /* socket, AUTH, SELECT, PING under way */
    LINK_UP,
    LINK_STOPPED, /* moil_link_stop was called, or never started */
};

/* Called once per command: with err 0 and the reply; with a negative code and the error reply; or
 * with a negative code and NULL when the link broke, or its deadline passed, before the reply came.
 */
typedef void link_call_cb(void *data, int err, const struct reply *reply);

/* Both may be NULL. on_down comes after all callbacks of that connection have been called. Neither
 * may free the link. */
struct link_hooks {
    void (*on_up)(void *data);
    void (*on_down)(void *data, int err); /* also after a failed attempt to connect */
    void *data;
    const char *name; /* of the connection, for the log, which is told when it breaks and comes
                         back; NULL: say nothing. Borrowed */
};

/* NULL when out of memory. The loop is borrowed and must outlive the link; the url is copied. */
struct link *moil_link_new(struct ev_loop *loop, const struct url *url,
                           const struct link_hooks *hooks);
/* Outstanding callbacks are called with MOIL_EREDIS first. Not from inside a callback or hook of
 * this link. NULL is fine. */
void moil_link_free(struct link *l); /* outstanding callbacks are called with MOIL_EREDIS first */

/* Connects, and keeps reconnecting with a growing delay (50 ms to 2 s, with jitter). */
void moil_link_start(struct link *l);
void moil_link_stop(struct link *l);

enum link_state moil_link_state(const struct link *l);

/* The last error in one line for people, without secrets: "cannot connect to …: Connection
 * refused". Never NULL. */
const char *moil_link_error(const struct link *l);
int moil_link_error_code(const struct link *l); /* its MOIL_E… code; 0 while up */

/* Sends one command. Returns 0, or MOIL_EREDIS when the link is not up, MOIL_ENOMEM: then cb is not
 * called. timeout_ms: the reply's deadline, counted from now; when it passes, the link is taken
 * down, as replies come in order. */
int moil_link_call(struct link *l, const struct args *a, int timeout_ms, link_call_cb *cb,
                   void *data);

/* Sends EVALSHA with one key; `rest` holds the ARGV. The script's text goes first where this
 * connection has not sent it yet. MOIL_ENOSCRIPT in the callback means that the cache was flushed:
 * call again, the text will go first. */
int moil_link_eval(struct link *l, const struct script *s, struct slice key,
                   const struct args *rest, int timeout_ms, link_call_cb *cb, void *data);

/* Writes what was sent so far to the socket now, instead of at the loop's next look at it: saves a
 * turn of the loop and its system calls. From inside a callback it leaves that to the loop. */
void moil_link_flush(struct link *l);

/* Commands sent whose reply has not come yet. */
unsigned moil_link_outstanding(const struct link *l);

/* For subscription.c: the context of a link that is up, else NULL. */
struct redisAsyncContext *moil_link_context(struct link *l);

/* True for the errors that trying again later may cure: no link, loading, read-only, full, flushed
 * scripts. */
bool moil_link_is_transient(int err);

#endif
