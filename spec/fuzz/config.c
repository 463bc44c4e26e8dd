/* Config files as Lua text: each ends in settings or in one line that names the file. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/file.h"
#include "conf/value.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        FUZZ_CHECK((fd = memfd_create("config", 0)) >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    struct config_file config;
    char why[512] = "";
    if (moil_config_load(&config, path, why, sizeof why) != 0) {
        fuzz_check_line(why, sizeof why);
        FUZZ_CHECK(strstr(why, path) || strncmp(why, "...", 3) == 0);
    }
    for (size_t i = 0; i < config.count; i++)
        FUZZ_CHECK(config.settings[i].row && config.settings[i].text);
    moil_config_fini(&config);
    return 0;
}
