/* Where Redis is when nobody says: MOIL_REDIS, the embedded server's socket in .moil/, localhost.
 */
#ifndef MOIL_API_LOCATE_H
#define MOIL_API_LOCATE_H

#include <stddef.h>

#include "conf/url.h"

/* Parses text, or finds a default when it is NULL or empty. An embedded URL becomes that of its
 * socket, when `attach` is set. 0 or MOIL_EINVAL with one line in errstr. */
int moil_locate(const char *text, bool attach, struct url *out, char *errstr, size_t errlen);

/* The URL of the socket of the embedded server in a folder. 0 or MOIL_EINVAL with one line in
 * errstr. */
int moil_locate_embedded(const char *dir, struct url *out, char *errstr, size_t errlen);

#endif
