/* One option's value: from text to its field, with the range and the sentence that says it. */
#ifndef MOIL_CONF_VALUE_H
#define MOIL_CONF_VALUE_H

#include "conf/table.h"

/* Stores text in the row's field of *o. `where` names the source in messages: "--workers",
 * "MOIL_WORKERS", "moil.lua: workers". 0, MOIL_EINVAL or MOIL_ENOMEM with one line in errstr. */
int moil_option_set(struct options *o, const struct option_row *row, const char *text,
                    const char *where, char *errstr, size_t errlen);

/* Gives every field its default, or the value that means "not said". 0 or MOIL_ENOMEM. */
int moil_options_set_defaults(struct options *o);

/* True when a row's field says the same in both. */
bool moil_option_is_same(const struct options *a, const struct options *b,
                         const struct option_row *row);

/* Frees the strings that the table's rows own. */
void moil_options_free_values(struct options *o);

#endif
