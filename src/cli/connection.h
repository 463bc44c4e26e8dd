/* A client made from the command's options. */
#ifndef MOIL_CLI_CONNECTION_H
#define MOIL_CLI_CONNECTION_H

#include "api/moil.h"
#include "cli/command.h"

/* STATUS_DONE, or complains. Close with moil_client_close. */
enum exit_status moil_connection_open(const struct options *o, moil_client **out);

/* Says why the client's last call failed with `status`; `id` is the job in question, or NULL. */
enum exit_status moil_connection_failed(const moil_client *client, int status, const char *id);

#endif
