/* fault.c: see fault.h. */
#include "net/fault.h"

#include <string.h>

#include "base/error.h"
#include "net/link.h"

static const struct {
    const char *prefix;
    int err;
} faults[] = {
    {"NOSCRIPT", MOIL_ENOSCRIPT}, {"FENCED", MOIL_EFENCED},
    {"OOM", MOIL_EFULL},          {"READONLY", MOIL_EREADONLY},
    {"LOADING", MOIL_ELOADING},   {"MASTERDOWN", MOIL_ELOADING},
    {"BUSY ", MOIL_ELOADING},     {"TRYAGAIN", MOIL_ELOADING},
    {"NOAUTH", MOIL_EAUTH},       {"WRONGPASS", MOIL_EAUTH},
    {"NOPERM", MOIL_EAUTH},       {"ERR invalid password", MOIL_EAUTH},
    {"ERR AUTH", MOIL_EAUTH},     {"ERR Client sent AUTH", MOIL_EAUTH},
};

/* Redis 6.2 wraps what a script's command raised: "ERR Error running script …: @user_script:7: -OOM
 * command not allowed …". */
static const struct {
    const char *part;
    int err;
} wrapped[] = {
    {"OOM command not allowed", MOIL_EFULL},
    {"READONLY You can't write", MOIL_EREADONLY},
    {"-LOADING", MOIL_ELOADING},
    {"FENCED", MOIL_EFENCED},
};

int moil_fault_of(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        size_t n = strlen(faults[i].prefix);
        if (len >= n && memcmp(text, faults[i].prefix, n) == 0)
            return faults[i].err;
    }
    for (size_t i = 0; i < sizeof wrapped / sizeof wrapped[0]; i++)
        if (memmem(text, len, wrapped[i].part, strlen(wrapped[i].part)))
            return wrapped[i].err;
    return MOIL_EREPLY;
}

const char *moil_fault_advice(const char *text)
{
    if (strncmp(text, "NOAUTH", 6) == 0)
        return "it wants a password: redis://user:password@host";
    if (strncmp(text, "NOPERM", 6) == 0)
        return "this user may not run the commands moil needs (NOPERM): see docs/protocol.md for "
               "the list";
    return "it refused the user or password of the URL";
}

bool moil_link_is_transient(int err)
{
    return err == MOIL_EREDIS || err == MOIL_ETIMEOUT || err == MOIL_ELOADING ||
           err == MOIL_EREADONLY || err == MOIL_EFULL || err == MOIL_ENOSCRIPT;
}
