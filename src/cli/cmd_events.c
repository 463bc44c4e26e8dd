/* `moil events`. */
#include "cli/command.h"

enum exit_status moil_cmd_events(const struct options *o)
{
    (void)o;
    return STATUS_DONE;
}
