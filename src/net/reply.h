/* Reading what Redis answered, without naming hiredis above net/.
 *
 * A reply is borrowed: it is valid until the callback that was given it returns. */
#ifndef MOIL_NET_REPLY_H
#define MOIL_NET_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct reply;

enum reply_type { REPLY_NIL, REPLY_STRING, REPLY_INTEGER, REPLY_ARRAY, REPLY_ERROR };

enum reply_type moil_reply_type(const struct reply *r); /* status replies are strings */
struct slice moil_reply_slice(const struct reply *r);   /* bytes of a string or error; {NULL, 0} for
                                                           anything else */
int64_t moil_reply_integer(const struct reply *r); /* an integer, or a string of digits; 0 otherwise
                                                    */
size_t moil_reply_count(const struct reply *r);    /* elements of an array, else 0 */
const struct reply *moil_reply_at(const struct reply *r, size_t i); /* NULL past the end */

#endif
