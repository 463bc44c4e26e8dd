/* What an error reply of Redis means to us: its text to a MOIL_E… code. Pure. */
#ifndef MOIL_NET_FAULT_H
#define MOIL_NET_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The code for an error reply's text; MOIL_EREPLY when it has none of its own. */
int moil_fault_of(const char *text, size_t len);

/* True when the connection should be made anew: this server takes no writes now (a replica, one
 * that loads its data, a cluster without its slots), but its name may lead to another one
 * meanwhile. */
bool moil_fault_is_of_server(const char *text, size_t len);

/* One line for people: the text, or where we know it what to do about it. */
void moil_fault_explain(int err, struct slice text, char *out, size_t size);

/* What to do about a refused log-in. The text must be one that moil_fault_of calls MOIL_EAUTH. */
const char *moil_fault_advice(const char *text);

#endif
