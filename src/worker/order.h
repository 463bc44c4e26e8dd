/* What a worker does besides jobs when it is told to: commands of moil.on_control, and time limits
 * that were set at run time. A part of the worker (worker.h).
 *
 * A command runs as a job does, as a delivery that no queue knows, with limits of its own; its
 * value, or its error, is the answer. */
#ifndef MOIL_WORKER_ORDER_H
#define MOIL_WORKER_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/reply.h"
#include "worker/answers.h"

enum {
    ORDERS_MAX = 16,                 /* at a time; more are refused */
    ORDER_MEMORY = 64 * 1024 * 1024, /* bytes that one may hold, where jobs have no limit */
    ORDER_ANSWER_MAX = 64 * 1024,    /* bytes of its value */
};

struct worker;
struct delivery;
struct run_outcome;

struct orders {
    struct worker *worker;
    struct answers answers;
    struct delivery *running; /* commands that run (utlist) */
    unsigned count;           /* of these, and of those that are claimed */
    uint32_t heard;           /* of the messages that the page counts as `asked` */
    uint64_t limits;          /* the version of the time limits that the tasks have */
    bool asking;              /* time_limits.lua is under way */
};

void moil_orders_init(struct orders *os, struct worker *w);
/* After the worker's link was freed. */
void moil_orders_fini(struct orders *os);

/* The link is up. */
void moil_orders_resume(struct orders *os);

/* Once per turn of the loop: asks for the time limits where the agent says that there are others.
 */
void moil_orders_turn(struct orders *os);

/* A message is on its way to the inbox that does not come by a wait. */
bool moil_orders_await_message(const struct orders *os);

/* "REQUEST WORKER COMMAND\nARGS", without the C of the inbox. */
void moil_orders_take(struct orders *os, struct slice message);

/* The inbox had nothing for a while: what was announced is lost. */
void moil_orders_heard_nothing(struct orders *os);

/* The time limits as join.lua or time_limits.lua answer. */
void moil_orders_set_limits(struct orders *os, const struct reply *limits);

/* The delivery of a command has ended; frees it. */
void moil_order_ended(struct delivery *d, const struct run_outcome *outcome);

#endif
