/* Error lines of the program, and the exit codes that go with them. */
#include "cli/complaint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/moil.h"
#include "base/line.h"
#include "base/utf8.h"

enum { LINE_MAX_BYTES = 2048 };

static void complain(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

static void complain(const char *fmt, va_list args)
{
    char line[LINE_MAX_BYTES];
    vsnprintf(line, sizeof line, fmt, args);
    moil_line_clean(line);
    moil_utf8_mend(line); /* it may have been cut */
    fprintf(stderr, "moil: %s\n", line);
}

void moil_complain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
}

enum exit_status moil_complain_usage(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
    return STATUS_USAGE;
}

enum exit_status moil_exit_status(int status)
{
    switch (status) {
    case MOIL_STATUS_OK:
        return STATUS_DONE;
    case MOIL_STATUS_INVALID:
    case MOIL_STATUS_TOO_LARGE:
        return STATUS_USAGE;
    case MOIL_STATUS_TIMEOUT:
        return STATUS_TIMED_OUT;
    case MOIL_STATUS_UNKNOWN:
        return STATUS_UNKNOWN;
    case MOIL_STATUS_NOMEM:
    case MOIL_STATUS_BAD_RECORD:
    case MOIL_STATUS_STATE:
        return STATUS_JOB_FAILED;
    default: /* no Redis, or one that refuses: read-only, full, wants a password, … */
        return STATUS_NO_REDIS;
    }
}

enum exit_status moil_check_operands(const struct options *o, size_t min, size_t max,
                                     const char *what)
{
    if (o->operand_count < min) {
        return moil_complain_usage("%s is missing (--help shows the usage)", what);
    }
    if (o->operand_count > max) {
        return moil_complain_usage("\"%s\" is one argument too many (--help shows the usage)",
                                   o->operands[max]);
    }
    return STATUS_DONE;
}
