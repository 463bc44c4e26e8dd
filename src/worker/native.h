/* Tasks in C (moil.h, "tasks in C"): the set of them, and a run of one, which the host (host.c)
 * begins, and which the program that embeds moil ends, at once or later from a callback.
 *
 * The structs are those behind the public handles; api/tasks.c puts the public functions around
 * this. A run is what an operation (operation.h) waits for; it ends by moil_native_end, or is
 * cancelled with the operation. The job goes on in a turn of the loop of its own, as whoever ends a
 * run may do so from another job's function. */
#ifndef MOIL_WORKER_NATIVE_H
#define MOIL_WORKER_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "vm/host.h"
#include "vm/vm.h"

struct moil_run;

typedef void native_fn(struct moil_run *run, void *data);

struct native_task {
    char *name;
    char *options; /* JSON; NULL: none */
    native_fn *fn;
    void *data;
};

struct moil_tasks {
    struct native_task **list;    /* each stays where it is */
    struct vm_native_task *shown; /* the same for the vm */
    size_t count;
    _Atomic bool in_use; /* a worker was given it: it does not change any more */
};

struct operation;
struct worker;

struct moil_run {
    struct operation *operation; /* NULL: it has ended, or is being cancelled */
    struct worker *worker;
    native_fn *on_cancel; /* NULL: nobody minds */
    void *cancel_data;
    bool starting; /* its function has not returned */
    uint32_t retries;
    struct slice id, task, queue, args, kwargs; /* in text, each with a NUL behind it */
    char text[];
};

/* For the host table: begins a run; ask->task is a struct native_task. */
enum vm_answer moil_host_native(void *data, struct vm_call *call, const struct vm_native *ask);

struct native_end {
    const char *kind; /* NULL: it has succeeded, with the JSON text in message */
    const char *code;
    struct slice message;
    int64_t delay_ms; /* of a retry; < 0: the policy says */
};

/* The run is over and gone; within its own function it is there until that returns. MOIL_ESTATE: it
 * has ended already. */
int moil_native_end(struct moil_run *run, const struct native_end *end);

/* A note of progress; state and meta are checked. 0, MOIL_ENOMEM, MOIL_EREDIS or MOIL_ESTATE. */
int moil_native_note(const struct moil_run *run, struct slice state, struct slice meta);

struct ev_loop *moil_native_loop(const struct moil_run *run);

/* Bytes that a result, or a note's meta, may have. */
size_t moil_native_payload(const struct moil_run *run);

#endif
