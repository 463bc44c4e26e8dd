/* A workflow as a graph for Graphviz. */
#ifndef MOIL_CLI_WORKFLOW_DOT_H
#define MOIL_CLI_WORKFLOW_DOT_H

#include <jansson.h>

/* Prints what moil_inspect_workflow answered to stdout, in the language of `dot`. 0, or
 * MOIL_ENOMEM. */
int moil_workflow_dot_print(const json_t *workflow);

#endif
