/* lease.c: see lease.h. */
#include "queue/lease.h"

#include <string.h>

int moil_lease_of(struct slice node)
{
    const char *slash = node.n ? memrchr(node.p, '/', node.n) : NULL;
    const char *end = node.p + node.n;
    const char *p = slash ? memchr(slash, ':', (size_t)(end - slash)) : NULL;
    int seconds = 0;
    if (!p)
        return 0;
    for (p++; p < end; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        seconds = seconds * 10 + (*p - '0');
        if (seconds > MOIL_LEASE_MAX_S)
            return MOIL_LEASE_MAX_S;
    }
    return seconds;
}
