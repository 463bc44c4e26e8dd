/* The worker's answers to its Lua side: vm/host.h on the worker's loop. */
#ifndef MOIL_WORKER_HOST_H
#define MOIL_WORKER_HOST_H

#include "vm/host.h"

struct worker;
struct delivery;

/* The table for a worker's vm. */
struct vm_host moil_host_of(struct worker *w);

/* host_graph.c's part of it. */
enum vm_answer moil_host_submit_graph(void *data, struct vm_call *call, const struct graph *graph);
enum vm_answer moil_host_page(void *data, struct vm_call *call, const struct vm_page *page);

/* The table for the check child: whatever needs Redis or a job fails with a clear error. */
struct vm_host moil_host_of_check(void);

/* host_beat.c: the table's `beat`. */
enum vm_answer moil_host_beat(void *data, struct vm_call *call, const struct vm_beat *ask);

/* host_control.c: the table's `control`. */
enum vm_answer moil_host_control(void *data, struct vm_call *call, const struct vm_control *ask);

/* The delivery goes: what it waits for is given up. */
void moil_host_abandon(struct delivery *d);

#endif
