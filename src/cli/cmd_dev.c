/* `moil dev [FILE|DIR]...`: the runtime with defaults for development. */
#include "cli/command.h"
#include "cli/runtime.h"

enum exit_status moil_cmd_dev(const struct options *o)
{
    return moil_runtime_start(o, "embedded", 1);
}
