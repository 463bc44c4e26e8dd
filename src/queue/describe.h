/* Replies of the reading scripts as JSON for people and programs (the shapes are CONTRACT's
 * `--json`).
 *
 * Pure: reply in, JSON text out. Used by api/client and worker/host. Arguments and results are
 * spliced in as the JSON text that they are. */
#ifndef MOIL_QUEUE_DESCRIBE_H
#define MOIL_QUEUE_DESCRIBE_H

#include "base/buffer.h"
#include "net/args.h"
#include "net/reply.h"

/* One job, from inspect.lua's reply. 0, or MOIL_EBADMSG when the reply is no such thing; a damaged
 * record is shown as
 * {"id", "damaged": true}. */
int moil_describe_job(struct slice id, const struct reply *inspected, struct buffer *out);

/* Which jobs of a listing are wanted; an absent slice: any. */
struct listing_choice {
    struct slice task, queue, state;
    size_t skip, limit; /* leave out so many of them, then take so many; both count down */
};

/* The chosen jobs (choice NULL: all) of one page of list.lua or dead.lua, as objects with commas
 * between them and after what is there but a '[', without the brackets; returns how many jobs the
 * page had. Behind those it has the position of the next one, if there may be one. */
enum listing { LISTING_INFLIGHT, LISTING_DELAYED, LISTING_DEAD, LISTING_PENDING, LISTING_DEFERRED };
size_t moil_describe_list(enum listing kind, const struct reply *page,
                          struct listing_choice *choice, struct buffer *out);

/* An array of {"queue", "pending", "delayed", "deferred", "in_flight", "dead", "paused",
 * "oldest_at", "enqueued", "ended"} from queues.lua, with the totals of the namespace as a last
 * object {"delayed", "deferred", "dead", "in_flight"}. */
void moil_describe_queues(const struct reply *queues, struct buffer *out);

/* An array of nodes from nodes.lua: each node's report with "node", "age" (seconds since its
 * heartbeat) and "alive". */
void moil_describe_nodes(const struct reply *nodes, struct buffer *out);

/* Adds to reschedule.lua's arguments what stands behind the id: eta in seconds since the epoch, or,
 * where that is 0, countdown in seconds from Redis's now. */
void moil_reschedule_args(struct args *a, double countdown_s, double eta_s);

/* Adds to revoke.lua's arguments what stands behind the id. */
void moil_revoke_args(struct args *a, double ttl_s, bool terminate);

#endif
