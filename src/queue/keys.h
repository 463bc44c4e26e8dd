/* Every key of a namespace, in one place (docs/protocol.md lists them with their types).
 *
 * All share the hash tag "{namespace}", so that one script may touch any of them on a Cluster.
 * Scripts get the prefix as their only KEY and derive the rest; C needs only the keys that it
 * blocks on. */
#ifndef MOIL_QUEUE_KEYS_H
#define MOIL_QUEUE_KEYS_H

#include "base/buffer.h"
#include "base/slice.h"

enum { MOIL_NAMESPACE_MAX = 64 };

struct keys {
    char prefix[MOIL_NAMESPACE_MAX + 4]; /* "{moil}:" */
    size_t prefix_len;
};

/* 0, or MOIL_EINVAL: 1 to 64 bytes of printable ASCII without space, '{' and '}'. */
int moil_keys_init(struct keys *k, const char *ns);

static inline struct slice moil_keys_prefix(const struct keys *k)
{
    return slice_of(k->prefix, k->prefix_len);
}

void moil_keys_wake(const struct keys *k, struct slice queue, struct buffer *out);  /* list: at most
                                                                                       one token */
void moil_keys_inbox(const struct keys *k, struct slice owner, struct buffer *out); /* list:
                                                                                       messages to a
                                                                                       caller */
void moil_keys_control(const struct keys *k, struct slice node, struct buffer *out); /* list: what
                                                                                        people ask
                                                                                        of it */
void moil_keys_tick(const struct keys *k, struct buffer *out); /* list: "a job became the earliest"
                                                                */

#endif
