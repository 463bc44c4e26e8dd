/* What bounds the memory of a run, and of a state as a whole (docs/architecture.md, "Memory
 * limits").
 *
 * Inside vm/; worker/ sees moil_run_limit_memory and moil_vm_victim in vm.h. The ledger counts;
 * here is decided what follows when a run has passed its limit: it yields, a collection goes on in
 * its turns of the CPU, and it ends if it still holds too much afterwards. What would take it far
 * past its limit at once is refused. */
#ifndef MOIL_VM_ALLOWANCE_H
#define MOIL_VM_ALLOWANCE_H

#include "vm/state.h"

/* The ledger's question; its data is the vm. */
bool moil_allowance_full(void *data, size_t more);

/* From now on the run pays for what is allocated; NULL: nobody does. */
void moil_allowance_enter(struct vm *vm, struct run *run);

/* A run that begins: no limit, and nothing held. */
void moil_allowance_begin(struct run *run);

/* Something was refused to it: it must end. */
static inline bool moil_allowance_is_spent(const struct run *run)
{
    return run->refused != 0;
}

/* The run has left the CPU for a collection, and gets it with its own next turns. */
void moil_allowance_collect_begin(struct run *run);

enum collection {
    COLLECTION_GOES_ON,
    COLLECTION_ENOUGH, /* it is within its limit again */
    COLLECTION_SHORT,  /* it is not */
};

/* A few milliseconds of collecting. */
enum collection moil_allowance_collect(struct run *run);

/* Its verdict is that it ran out of memory. <close> variables get a little more than it has. */
void moil_allowance_close(struct run *run);

/* What it held is released: retry policy and hooks have a small allowance of their own. */
void moil_allowance_conclude(struct run *run);

/* The run is over: what is left of it is nobody's. */
void moil_allowance_end(struct run *run);

/* Why it ended, as a message. */
void moil_allowance_describe(const struct run *run, char *out, size_t size);

#endif
