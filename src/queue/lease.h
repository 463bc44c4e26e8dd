/* The node's lease: how long its agent may be silent, and how often it speaks. Nodes may have
 * different ones: each is judged by those that watch it, so all should have about the same. */
#ifndef MOIL_QUEUE_LEASE_H
#define MOIL_QUEUE_LEASE_H

enum {
    MOIL_LEASE_MS = 15000, /* where nobody says otherwise */
    MOIL_LEASE_BEATS = 3,  /* heartbeats in a lease: two may get lost */
};

#endif
