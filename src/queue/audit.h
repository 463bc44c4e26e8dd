/* What audit.lua answers, judged: per queue, what was enqueued beside where it is now, and the
 * namespace's counts beside its structures (docs/protocol.md, "Counters").
 *
 * Pure: reply in, JSON text out. Used by api/audit.c. */
#ifndef MOIL_QUEUE_AUDIT_H
#define MOIL_QUEUE_AUDIT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "net/reply.h"

/* Appends the members of a JSON object, without its braces: "queues", "delayed", "dead",
 * "in_flight", "fenced"; and to `differences` one JSON string for each thing that does not match,
 * each followed by a comma.
 * *legible: no key is of a wrong type. Returns how many those are, or MOIL_EBADMSG where the reply
 * is no such thing. */
int moil_audit_describe(const struct reply *reply, struct buffer *out, struct buffer *differences,
                        bool *legible);

#endif
