/* A workflow as plain data: its jobs, and what ties them together (docs/protocol.md, "Workflows").
 * What vm/ reads from Lua and api/ from C, and queue/graph.c sends.
 *
 * Everything is borrowed, as in struct job. */
#ifndef MOIL_BASE_GRAPH_H
#define MOIL_BASE_GRAPH_H

#include <stddef.h>

#include "base/job.h"
#include "base/slice.h"

enum {
    MOIL_GRAPH_NODES_MAX = 100000, /* jobs of one workflow: some 60 MB here, twice that in Redis */
    MOIL_GRAPH_DEPS_MAX = 1000,    /* jobs outside of it that it waits for: they go in one script */
    MOIL_GRAPH_DEPENDENTS_MAX = 200, /* jobs of it that wait for those: likewise */
};

enum graph_aim {
    GRAPH_ACCEPT, /* a new workflow */
    GRAPH_STAGE,  /* laid ready: the job that it replaces ends with its token */
    GRAPH_EXTEND, /* more members for a group */
};

/* The ids of a group's members, in order: a range of the graph's `ids`. */
struct graph_members {
    struct slice group;
    size_t first, count;
    bool are_parts; /* of what is not in its list of members */
};

/* A link (mode, policy, id) on a job outside. */
struct graph_dep {
    struct slice id;
    struct slice link;
};

struct graph {
    enum graph_aim aim;
    struct slice id; /* of the first node, which is the workflow's; GRAPH_EXTEND: the group's */
    struct submission *nodes; /* dependents first, those that are ready last */
    size_t node_count;
    const struct slice *ids;
    const struct graph_members *members;
    size_t member_count; /* lists of members */
    const struct graph_dep *deps;
    size_t dep_count;
    const struct slice *lines; /* for people who look at it: ID KIND AFTER TASK */
    size_t line_count;
};

#endif
