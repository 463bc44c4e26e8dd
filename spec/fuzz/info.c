/* Redis's INFO: each warning is one line. */
#include <stdlib.h>

#include "fuzz.h"
#include "worker/redis_check.h"

static void warned(void *data, enum redis_fault fault, const char *line)
{
    (void)data;
    (void)fault;
    fuzz_check_line(line, 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice info = fuzz_bytes(data, size);
    moil_redis_warn(info, warned, NULL);
    free((void *)info.p);
    return 0;
}
