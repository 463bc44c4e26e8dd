/* The queues that a worker serves, and in which order it asks them. Pure but for the lot, which is
 * a parameter. */
#ifndef MOIL_WORKER_QUEUES_H
#define MOIL_WORKER_QUEUES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/job.h"

enum { MOIL_QUEUES_MAX = 64, MOIL_WEIGHT_MAX = 1000 };

struct queue_set {
    char *text; /* owned: what the names point into */
    size_t count;
    bool weighted; /* else strict: in the order given */
    struct slice names[MOIL_QUEUES_MAX];
    int weights[MOIL_QUEUES_MAX];
};

/* "high,default,low" or "high:5,low:1"; the two do not mix, names are unique. 0, MOIL_ENOMEM, or
 * MOIL_EINVAL with one line in errstr. */
int moil_queues_parse(struct queue_set *set, const char *spec, char *errstr, size_t errlen);
void moil_queues_fini(struct queue_set *set);

/* The names in the order for one fetch: strict as they stand, weighted a random permutation in
 * which each place is drawn with the weights of those left. `lot` is erand48's state. `out` has
 * room for set->count. */
void moil_queues_order(const struct queue_set *set, unsigned short lot[3], struct slice *out);

#endif
