/* The node's lease: how long its agent may be silent, and how often it speaks. */
#ifndef MOIL_QUEUE_LEASE_H
#define MOIL_QUEUE_LEASE_H

enum {
    MOIL_LEASE_MS = 15000,
    MOIL_HEARTBEAT_MS = 5000, /* two may get lost */
};

#endif
