/* A command's argument vector, built once per batch and reused: strings are borrowed until the
 * command has been sent (net/link copies them), integers are formatted into the builder's own room.
 */
#ifndef MOIL_NET_ARGS_H
#define MOIL_NET_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct args {
    const char **argv;
    size_t *lens;
    size_t count;
    size_t cap;
    struct digits *blocks; /* where formatted integers live; never moves */
    bool failed;           /* out of memory: the call that gets it answers MOIL_ENOMEM */
};

void moil_args_init(struct args *a);
void moil_args_fini(struct args *a);
void moil_args_clear(struct args *a); /* keeps the memory */

void moil_args_add(struct args *a, const char *p, size_t n);
void moil_args_str(struct args *a, const char *s);
void moil_args_slice(struct args *a, struct slice s);
void moil_args_int(struct args *a, int64_t v);
void moil_args_set_int(struct args *a, size_t i, int64_t v); /* overwrites argument i: a count known
                                                                later */

#endif
