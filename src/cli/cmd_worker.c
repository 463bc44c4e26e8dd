/* `moil worker [FILE|DIR]...`: the runtime of one node. */
#include <stddef.h>

#include "cli/command.h"
#include "cli/runtime.h"

enum exit_status moil_cmd_worker(const struct options *o)
{
    return moil_runtime_start(o, NULL, 0);
}
