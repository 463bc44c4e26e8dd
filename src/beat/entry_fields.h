/* The fields of an entry's JSON object: one row for each, with its reader. Used by entry.c alone,
 * which owns what comes before and after. */
#ifndef MOIL_BEAT_ENTRY_FIELDS_H
#define MOIL_BEAT_ENTRY_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "beat/entry.h"

enum { ENTRY_WHY_MAX = 400 };

struct entry_parse {
    struct zones *zones;
    struct entry *e;
    json_t *extra;           /* what travels with the job as it is */
    const char *timing;      /* the field that says when; NULL: none yet */
    char why[ENTRY_WHY_MAX]; /* more than the field's row says; "" */
};

struct entry_field {
    const char *name;
    /* False where the value is refused. */
    bool (*read)(struct entry_parse *p, const json_t *v);
    const char *wants;
};

/* In the order in which they are read: the time zone before what it is for. */
enum { ENTRY_FIELDS = 32 };
extern const struct entry_field moil_entry_fields[ENTRY_FIELDS];

extern const char moil_entry_name_wanted[]; /* "must be a name (…)" */

/* Both set *field and return false, with `why`, where they cannot. */
bool moil_entry_set_text(struct entry_parse *p, char **field, const char *text);
bool moil_entry_set_json(struct entry_parse *p, char **field, const json_t *v);

#endif
