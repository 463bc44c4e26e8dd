/* The table of error codes: sentence and user-visible name of each.
 *
 * Called by every layer that reports an error. Knows nothing of where an error came from. */
#include "base/error.h"

static const struct {
    const char *code;
    const char *text;
} errors[] = {
    [-MOIL_OK] = {"Ok", "no error"},
    [-MOIL_ENOMEM] = {"OutOfMemory", "out of memory"},
    [-MOIL_EINVAL] = {"BadArgument", "a wrong argument"},
    [-MOIL_ETOOLARGE] = {"TooLarge", "larger than allowed"},
    [-MOIL_EREDIS] = {"RedisUnavailable", "no connection to Redis"},
    [-MOIL_EREPLY] = {"RedisError", "Redis answered with an error"},
    [-MOIL_ETIMEOUT] = {"Timeout", "the deadline passed"},
    [-MOIL_EUNKNOWN] = {"UnknownJob", "no such job: never enqueued, or its result has expired"},
    [-MOIL_EBADMSG] = {"BadMessage", "a record that is damaged or not moil's"},
    [-MOIL_EFENCED] = {"WorkerLost", "this worker is no longer registered"},
    [-MOIL_EFULL] = {"RedisUnavailable", "Redis is out of memory (maxmemory)"},
    [-MOIL_EREADONLY] = {"RedisUnavailable", "Redis is a read-only replica"},
    [-MOIL_EAUTH] = {"RedisUnavailable", "Redis refused the user or password"},
    [-MOIL_ELOADING] = {"RedisUnavailable", "Redis is loading its data"},
    [-MOIL_ENOSCRIPT] = {"RedisError", "Redis has lost the script"},
    [-MOIL_ESYS] = {"SystemError", "a system call failed"},
    [-MOIL_ESTATE] = {"BadState", "not possible in the present state"},
    [-MOIL_ECANCELLED] = {"Cancelled", "cancelled by the program"},
};

enum { ERROR_COUNT = sizeof errors / sizeof errors[0] };

const char *moil_strerror(int err)
{
    return err <= 0 && err > -ERROR_COUNT ? errors[-err].text : "unknown error";
}

const char *moil_error_code(int err)
{
    return err <= 0 && err > -ERROR_COUNT ? errors[-err].code : "Unknown";
}
