/* What an error reply of Redis means to us: its text to a MOIL_E… code. Pure. */
#ifndef MOIL_NET_FAULT_H
#define MOIL_NET_FAULT_H

#include <stddef.h>

/* The code for an error reply's text; MOIL_EREPLY when it has none of its own. */
int moil_fault_of(const char *text, size_t len);

/* What to do about a refused log-in. The text must be one that moil_fault_of calls MOIL_EAUTH. */
const char *moil_fault_advice(const char *text);

#endif
