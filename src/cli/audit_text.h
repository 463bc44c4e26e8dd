/* `moil inspect audit`: the books of each queue as a table, and what does not match. */
#ifndef MOIL_CLI_AUDIT_TEXT_H
#define MOIL_CLI_AUDIT_TEXT_H

#include "api/moil.h"
#include "cli/command.h"

/* STATUS_CHECK_FAILED where something differs, with a line on stderr for each difference. */
enum exit_status moil_audit_print(const struct options *o, moil_client *client);

#endif
