/* From options to what the library's runtime takes. Used by worker, dev and check. */
#ifndef MOIL_CLI_RUNTIME_H
#define MOIL_CLI_RUNTIME_H

#include "api/moil.h"
#include "cli/command.h"

struct runtime {
    moil_runtime_options options;
    const struct options *said; /* borrowed */
    const char **paths;         /* ours; the strings are borrowed from the options */
    const char *redis;          /* for when it was not said; NULL: the library's default */
    int workers;                /* likewise; 0 */
};

/* STATUS_DONE, or complains of a path that cannot be read. Always free with moil_runtime_fini. */
enum exit_status moil_runtime_init(struct runtime *r, const struct options *o);
void moil_runtime_fini(struct runtime *r);

/* Opens the log and becomes the supervisor; `redis` and `workers` are for when it was not said. */
enum exit_status moil_runtime_start(const struct options *o, const char *redis, int workers);

#endif
