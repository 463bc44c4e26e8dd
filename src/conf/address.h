/* Where a server of ours listens: HOST:PORT, [IPv6]:PORT, or :PORT and PORT for this machine alone.
 *
 * Pure parsing; used by conf/value for --http, and by http/ to listen there. */
#ifndef MOIL_CONF_ADDRESS_H
#define MOIL_CONF_ADDRESS_H

#include <stddef.h>

#define MOIL_ADDRESS_LOOPBACK "127.0.0.1"

struct address {
    char host[256]; /* a name, an IPv4 or a bare IPv6 address; never empty */
    char port[6];   /* "0" … "65535"; "0": any that is free */
};

/* 0, or MOIL_EINVAL, and *out is as it was. */
int moil_address_parse(const char *text, struct address *out);

#endif
