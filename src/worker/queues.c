/* queues.c: see queues.h. */
#include "worker/queues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/line.h"
#include "base/mem.h"

/* "name" or "name:weight"; queue names may hold colons, so only digits after the last one are a
 * weight. */
static int parse_weight(char *entry)
{
    char *colon = strrchr(entry, ':');
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return 0;
    *colon = '\0';
    return strlen(colon + 1) > 4 ? MOIL_WEIGHT_MAX + 1 : atoi(colon + 1);
}

static int add(struct queue_set *set, char *entry, char *errstr, size_t errlen)
{
    bool has_colon = strchr(entry, ':') != NULL;
    int weight = parse_weight(entry);
    struct slice name = slice_str(entry);
    if (!moil_name_is_valid(name)) {
        snprintf(errstr, errlen,
                 "queues: \"%.60s\" is no queue name: 1 to %d printable characters without space",
                 entry, MOIL_NAME_MAX);
        return MOIL_EINVAL;
    }
    if (has_colon && weight > MOIL_WEIGHT_MAX) {
        snprintf(errstr, errlen, "queues: the weight of %.60s must be 1 to %d", entry,
                 MOIL_WEIGHT_MAX);
        return MOIL_EINVAL;
    }
    if (set->count > 0 && (weight > 0) != set->weighted) {
        snprintf(errstr, errlen,
                 "queues: either all or none have a weight (name:weight), but %.60s differs",
                 entry);
        return MOIL_EINVAL;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (slice_eq(set->names[i], name)) {
            snprintf(errstr, errlen, "queues: %.60s is named twice", entry);
            return MOIL_EINVAL;
        }
    }
    if (set->count == MOIL_QUEUES_MAX) {
        snprintf(errstr, errlen, "queues: at most %d for one worker", MOIL_QUEUES_MAX);
        return MOIL_EINVAL;
    }
    set->weighted = weight > 0;
    set->weights[set->count] = weight;
    set->names[set->count++] = name;
    return 0;
}

int moil_queues_parse(struct queue_set *set, const char *spec, char *errstr, size_t errlen)
{
    *set = (struct queue_set){.text = moil_mem_strdup(spec)};
    if (!set->text)
        return MOIL_ENOMEM;
    int err = 0;
    char *rest = set->text, *entry;
    while (!err && (entry = strsep(&rest, ",")))
        err = add(set, entry, errstr, errlen);
    if (err) {
        moil_line_clean(errstr);
        moil_queues_fini(set);
    }
    return err;
}

void moil_queues_fini(struct queue_set *set)
{
    moil_mem_free(set->text);
    *set = (struct queue_set){0};
}

void moil_queues_order(const struct queue_set *set, unsigned short lot[3], struct slice *out)
{
    memcpy(out, set->names, set->count * sizeof *out);
    if (!set->weighted)
        return;
    int weights[MOIL_QUEUES_MAX];
    int total = 0;
    for (size_t i = 0; i < set->count; i++)
        total += weights[i] = set->weights[i];
    for (size_t i = 0; i + 1 < set->count; i++) {
        double at = erand48(lot) * total;
        size_t k = i;
        while (k + 1 < set->count && at >= weights[k])
            at -= weights[k++];
        total -= weights[k];
        struct slice name = out[k];
        int weight = weights[k];
        out[k] = out[i];
        weights[k] = weights[i];
        out[i] = name;
        weights[i] = weight;
    }
}
