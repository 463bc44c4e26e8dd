/* Opens the socket that a server listens on. Blocking, as it may look up a name: called before
 * anything else runs. Used by api/. */
#ifndef MOIL_HTTP_LISTENER_H
#define MOIL_HTTP_LISTENER_H

#include <stddef.h>

/* A listening, non-blocking descriptor, closed by exec; `at` gets "127.0.0.1:9100", with the port
 * that it got. Or a negative code with one line in errstr: MOIL_EINVAL for an address that is none,
 * MOIL_ESYS where it cannot be had. */
int moil_http_listen(const char *address, char *at, size_t at_len, char *errstr, size_t errlen);

#endif
