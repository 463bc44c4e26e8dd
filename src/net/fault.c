/* fault.c: see fault.h. */
#include "net/fault.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/link.h"

static const struct {
    const char *prefix;
    int err;
    bool of_server; /* see moil_fault_is_of_server */
} faults[] = {
    {"NOSCRIPT", MOIL_ENOSCRIPT, false},
    {"FENCED", MOIL_EFENCED, false},
    {"UNKNOWN ", MOIL_EUNKNOWN, false},
    /* an id that another job has */
    {"INUSE ", MOIL_EINVAL, false},
    {"OOM", MOIL_EFULL, false},
    {"READONLY", MOIL_EREADONLY, true},
    {"UNBLOCKED", MOIL_EREADONLY, true}, /* BLPOP, as the server becomes a replica */
    {"LOADING", MOIL_ELOADING, true},
    {"MASTERDOWN", MOIL_ELOADING, true},
    {"CLUSTERDOWN", MOIL_ELOADING, true},
    {"NOREPLICAS", MOIL_ELOADING, false},
    {"BUSY ", MOIL_ELOADING, false},
    {"TRYAGAIN", MOIL_ELOADING, false},
    {"NOAUTH", MOIL_EAUTH, false},
    {"WRONGPASS", MOIL_EAUTH, false},
    {"NOPERM", MOIL_EAUTH, false},
    {"ERR invalid password", MOIL_EAUTH, false},
    {"ERR AUTH", MOIL_EAUTH, false},
    {"ERR Client sent AUTH", MOIL_EAUTH, false},
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

enum { FAULTS = sizeof faults / sizeof faults[0] };

static size_t find(const char *text, size_t len)
{
    size_t i = 0;
    for (; i < FAULTS; i++) {
        size_t n = strlen(faults[i].prefix);
        if (len >= n && memcmp(text, faults[i].prefix, n) == 0)
            break;
    }
    return i;
}

bool moil_fault_is_of_server(const char *text, size_t len)
{
    size_t i = find(text, len);
    return i < FAULTS ? faults[i].of_server : moil_fault_of(text, len) == MOIL_EREADONLY;
}

int moil_fault_of(const char *text, size_t len)
{
    size_t at = find(text, len);
    if (at < FAULTS)
        return faults[at].err;
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

void moil_fault_explain(int err, struct slice text, char *out, size_t size)
{
    char why[160];
    snprintf(why, sizeof why, "%.*s", (int)(text.n > 150 ? 150 : text.n), text.p ? text.p : "");
    snprintf(out, size, "%s",
             err == MOIL_EAUTH       ? moil_fault_advice(why)
             : err == MOIL_EREADONLY ? "this is a read-only replica: give the URL of its primary"
                                     : why);
}

bool moil_link_is_transient(int err)
{
    return err == MOIL_EREDIS || err == MOIL_ETIMEOUT || err == MOIL_ELOADING ||
           err == MOIL_EREADONLY || err == MOIL_EFULL || err == MOIL_ENOSCRIPT;
}
