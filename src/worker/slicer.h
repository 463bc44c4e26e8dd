/* The timer that ends a job's turn: a signal every 5 ms while jobs are on the CPU, to the thread
 * that runs them, whose handler tells the vm (moil_vm_tick). One per process, as signals are. */
#ifndef MOIL_WORKER_SLICER_H
#define MOIL_WORKER_SLICER_H

struct page;
struct vm;

/* Jobs of this vm run now: starts the timer unless it runs. The page tells of a job that is to end.
 */
void moil_slicer_begin(struct vm *vm, const struct page *page);

/* Once per turn of the loop: stops the timer when no job has run for a while. */
void moil_slicer_turn(void);

/* The vm goes. */
void moil_slicer_end(void);

#endif
