/* address.c: see address.h. */
#include "conf/address.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"

enum { PORT_MAX = 65535, PORT_DIGITS = 5 };

static bool port_is_valid(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n <= PORT_DIGITS && strspn(text, "0123456789") == n && atoi(text) <= PORT_MAX;
}

static bool host_is_valid(struct slice host, bool bracketed)
{
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (bracketed ? !isxdigit(c) && c != ':' && c != '.' && c != '%' && !isalnum(c)
                      : !isalnum(c) && c != '.' && c != '-' && c != '_')
            return false;
    }
    return true;
}

int moil_address_parse(const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    struct slice host = slice_of(text, colon ? (size_t)(colon - text) : 0);
    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed)
        host = slice_of(host.p + 1, host.n - 2);
    if (!port_is_valid(port) || host.n >= sizeof out->host || !host_is_valid(host, bracketed))
        return MOIL_EINVAL;
    snprintf(out->port, sizeof out->port, "%d", atoi(port));
    if (host.n)
        snprintf(out->host, sizeof out->host, "%.*s", (int)host.n, host.p);
    else
        snprintf(out->host, sizeof out->host, "%s", MOIL_ADDRESS_LOOPBACK);
    return 0;
}
