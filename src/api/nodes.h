/* What the nodes' reports say, read for inspect.c: JSON text in, as nodes.lua's answer is
 * described. Pure functions: 0 or a MOIL_STATUS_…, BAD_RECORD where a report is damaged. */
#ifndef MOIL_API_NODES_H
#define MOIL_API_NODES_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends [{"task", "nodes": […]}] of the tasks that live nodes serve. */
int moil_nodes_list_tasks(struct slice nodes, struct buffer *out);

/* The queues in order of their names, each with how many workers serve it; the totals also with
 * what is pending. The text is taken, and written anew. */
int moil_nodes_add_workers(struct slice reports, struct buffer *text);

/* 1 when a live worker serves the queue (or, NULL, any), 0 when none does. */
int moil_nodes_serve(struct slice nodes, const char *queue);

#endif
