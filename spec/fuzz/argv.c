/* Command lines, an argument a line, the command's bit first: every argument is one flag, one value
 * or one operand, and every value that is taken lies within its option's bounds. */
#include <stdlib.h>
#include <string.h>

#include "conf/argv.h"
#include "conf/value.h"
#include "fuzz.h"

enum { ARGS_MAX = 32 };

static void set_values(const struct argv_parsed *parsed)
{
    struct options o = {0};
    FUZZ_CHECK(moil_options_set_defaults(&o) == 0);
    for (size_t i = 0; i < parsed->flag_count; i++) {
        char why[256] = "";
        const struct argv_flag *flag = &parsed->flags[i];
        if (moil_option_set(&o, flag->row, flag->value, "--x", why, sizeof why) != 0)
            fuzz_check_line(why, sizeof why);
    }
    FUZZ_CHECK(o.workers <= 1024 && o.priority <= 9 && o.eta < 1e12);
    moil_options_fini(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static char program[] = "moil";
    char *argv[ARGS_MAX + 1] = {program}, why[512] = "";
    struct argv_parsed parsed;
    enum command command = (enum command)(1 << fuzz_byte(&in) % 11);
    int argc = 1;
    while (in.n > 0 && argc < ARGS_MAX)
        argv[argc++] = fuzz_text(&in, '\n', NULL);
    FUZZ_CHECK(moil_options_find_command(argc, argv) <= argc);
    if (moil_argv_parse(&parsed, command, argc, argv, why, sizeof why) == 0) {
        FUZZ_CHECK(parsed.flag_count + parsed.operand_count < (size_t)argc);
        set_values(&parsed);
    } else {
        fuzz_check_line(why, sizeof why);
    }
    moil_argv_fini(&parsed);
    for (int i = 1; i < argc; i++)
        free(argv[i]);
    return 0;
}
