/* Error codes of the whole project: 0 is success, a negative MOIL_E… is a failure.
 *
 * Called by every layer. The public header repeats the values (a compile-time check in api/ holds
 * the two together). Knows no Redis and no Lua: net/ maps error replies to these codes. */
#ifndef MOIL_BASE_ERROR_H
#define MOIL_BASE_ERROR_H

#include <stddef.h>

enum {
    MOIL_OK = 0,
    MOIL_ENOMEM = -1,      /* out of memory in this process */
    MOIL_EINVAL = -2,      /* BadArgument: the caller's input is wrong */
    MOIL_ETOOLARGE = -3,   /* TooLarge: over a documented bound */
    MOIL_EREDIS = -4,      /* RedisUnavailable: no link, or it broke before the reply */
    MOIL_EREPLY = -5,      /* Redis answered with an error that has no code of its own */
    MOIL_ETIMEOUT = -6,    /* Timeout: a deadline passed */
    MOIL_EUNKNOWN = -7,    /* UnknownJob: no record under that id */
    MOIL_EBADMSG = -8,     /* BadMessage: a record that is damaged or not ours */
    MOIL_EFENCED = -9,     /* this incarnation is no longer registered */
    MOIL_EFULL = -10,      /* Redis is over maxmemory (-OOM) */
    MOIL_EREADONLY = -11,  /* Redis is a replica */
    MOIL_EAUTH = -12,      /* Redis wants a (different) password, or forbids the command */
    MOIL_ELOADING = -13,   /* Redis loads its data set */
    MOIL_ENOSCRIPT = -14,  /* the script cache was flushed: send the script again */
    MOIL_ESYS = -15,       /* a system call failed; errno tells */
    MOIL_ESTATE = -16,     /* the call does not fit the object's state */
    MOIL_ECANCELLED = -17, /* its caller no longer wants it, or has closed what it ran on */
};

/* A short English sentence for a code; never NULL. */
const char *moil_strerror(int err);

/* The name that users see as an error's `code`: "RedisUnavailable", …; never NULL. */
const char *moil_error_code(int err);

#endif
