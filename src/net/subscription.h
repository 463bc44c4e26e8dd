/* What is published on a channel, on a link that does nothing else from then on. Used by
 * api/events.c. */
#ifndef MOIL_NET_SUBSCRIPTION_H
#define MOIL_NET_SUBSCRIPTION_H

#include "net/link.h"

/* On a link that is up. 0, or MOIL_EREDIS or MOIL_ENOMEM: then cb is not called. cb: with 0 and a
 * number, once the subscription holds; with 0 and a text for each message, borrowed for the call;
 * at last with MOIL_EREDIS and NULL, when the link has gone: the next one is to be subscribed
 * anew. */
int moil_link_subscribe(struct link *l, struct slice channel, link_call_cb *cb, void *data);

#endif
