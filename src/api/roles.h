/* What the processes of a runtime do, one function per role; runtime.c hands them to the
 * supervisor.
 *
 *   check_role.c   loads everything once, and says what is there
 *   worker_role.c  a worker on the default loop, with its signals
 *   agent_role.c   the agent on the default loop, with its signals */
#ifndef MOIL_API_ROLES_H
#define MOIL_API_ROLES_H

#include "api/moil.h"
#include "base/buffer.h"
#include "conf/url.h"
#include "super/super.h"

enum {
    MOIL_CONCURRENCY_DEFAULT = 16,
    MOIL_EXIT_USAGE = 2,
    MOIL_EXIT_NO_REDIS = 3,
    MOIL_EXIT_CHECK = 6,
};

/* Of the whole runtime, made before the first fork; the children only read it. */
struct runtime {
    moil_runtime_options options; /* defaults filled in */
    struct url url;               /* of the server, or of the embedded one's socket in a child */
    char node[256];               /* its name */
    char node_id[300];            /* the name, and what tells this run from others under it */
};

/* Loads the tasks as a worker would and appends {"tasks": […], "queues": […]}. 0, or a negative
 * code with one line in errstr. */
int moil_check_load(const struct runtime *r, struct buffer *json, char *errstr, size_t errlen);

/* Each returns the child's exit status. */
int moil_check_role(struct child_context *context);
int moil_worker_role(struct child_context *context);
int moil_agent_role(struct child_context *context);

#endif
