/* Looks at every job of a namespace, a page at a time and while it runs, for those that are not in
 * exactly one place. A part of the client; audit.c calls it. */
#ifndef MOIL_API_SURVEY_H
#define MOIL_API_SURVEY_H

#include "api/client.h"

/* Appends to `differences` one JSON string for each job that is not in order, each followed by a
 * comma, and adds to *count. 0, or a status. Takes memory for the ids of all waiting jobs. */
int moil_survey(struct moil_client *c, struct buffer *differences, int *count);

#endif
