/* A server-side script as it is embedded at build time: prelude and body in one text, and its
 * SHA-1. */
#ifndef MOIL_NET_SCRIPT_H
#define MOIL_NET_SCRIPT_H

#include <stddef.h>

struct script {
    const char *name;
    const char *source;
    size_t len;
    char sha[41];
    unsigned index; /* position in the table; a link remembers by it which scripts it has sent */
};

enum { MOIL_SCRIPTS_MAX = 64 };

#endif
