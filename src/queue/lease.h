/* The node's lease: how long its agent may be silent, and how often it speaks. A node is watched
 * by the others, each with its own lease; one that needs a longer one, as its agent shares a loop
 * with who knows what, has it at the end of its id: NAME/RUN:SECONDS. */
#ifndef MOIL_QUEUE_LEASE_H
#define MOIL_QUEUE_LEASE_H

#include "base/slice.h"

enum {
    MOIL_LEASE_MS = 15000, /* where nobody says otherwise */
    MOIL_LEASE_BEATS = 3,  /* heartbeats in a lease: two may get lost */
    MOIL_LEASE_MAX_S = 86400,
};

/* Seconds that the id of a node asks for; 0: it asks for none. */
int moil_lease_of(struct slice node);

#endif
