/* "Did you mean …": the known name nearest to a wrong one. Pure; used by conf/ and cli/. */
#ifndef MOIL_CONF_SUGGEST_H
#define MOIL_CONF_SUGGEST_H

#include <stddef.h>

/* The known name nearest to a wrong one (edits: insert, delete, replace, swap of neighbours; at
 * most a third of its length, at least 2, fewer than its length), or NULL. It is one of `known`. */
const char *moil_nearest_name(const char *wrong, const char *const *known, size_t count);

#endif
