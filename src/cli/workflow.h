/* `moil inspect workflow ID`. */
#ifndef MOIL_CLI_WORKFLOW_H
#define MOIL_CLI_WORKFLOW_H

#include "api/moil.h"
#include "cli/command.h"

/* Asks for the workflow of the command's second operand and prints it: a tree, with --dot a graph,
 * with --json one object a node. */
enum exit_status moil_workflow_print(const struct options *o, moil_client *client);

#endif
