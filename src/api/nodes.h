/* What the nodes' reports say, read for inspect.c: JSON text in, as nodes.lua's answer is
 * described. Pure functions: 0 or a MOIL_STATUS_…, BAD_RECORD where a report is damaged. */
#ifndef MOIL_API_NODES_H
#define MOIL_API_NODES_H

#include "base/buffer.h"
#include "base/slice.h"

/* [{"task", "nodes": […]}] of the tasks that live nodes serve, and "time_limit" and
 * "soft_time_limit", where those are set at run time: seconds, or false for none. The text is those
 * limits, {"TASK": "LIMIT SOFT"} as time_limits.lua has them, and is written anew. */
int moil_nodes_list_tasks(struct slice nodes, struct buffer *text);

/* The queues in order of their names, each with how many workers serve it; the totals also with
 * what is pending. The text is taken, and written anew. */
int moil_nodes_add_workers(struct slice reports, struct buffer *text);

/* 1 when a live worker serves the queue (or, NULL, any), 0 when none does. */
int moil_nodes_serve(struct slice nodes, const char *queue);

#endif
