/* A workflow drawn as a tree of lines. */
#ifndef MOIL_CLI_WORKFLOW_TEXT_H
#define MOIL_CLI_WORKFLOW_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* Prints what moil_inspect_workflow answered to stdout. `width`: of the terminal; 0: there is none.
 * 0, or MOIL_ENOMEM. */
int moil_workflow_text_print(const json_t *workflow, size_t width);

#endif
