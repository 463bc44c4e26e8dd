/* What becomes of a delivery: each function hands its verdict to the settler and frees the
 * delivery.
 *
 * C decides here what happens to the message; Lua has decided values and delays (vm's run_outcome).
 */
#ifndef MOIL_WORKER_VERDICT_H
#define MOIL_WORKER_VERDICT_H

#include "base/buffer.h"
#include "vm/vm.h"

struct delivery;

void moil_verdict_outcome(struct delivery *d, const struct run_outcome *outcome);
void moil_verdict_damaged(struct delivery *d);      /* buried with its bytes: BadMessage */
void moil_verdict_expired(struct delivery *d);      /* ends as REVOKED: Expired */
void moil_verdict_revoked(struct delivery *d);      /* before it started: ends as REVOKED */
void moil_verdict_unregistered(struct delivery *d); /* again for 60 s, then buried:
                                                       TaskNotRegistered */
void moil_verdict_requeue(struct delivery *d); /* back to the front of its queue, free of charge */

/* Appends a note for the `running` hash: state worker started_us \n meta. */
void moil_verdict_add_note(const struct delivery *d, struct slice state, struct slice meta,
                           struct buffer *out);

#endif
