/* workflow_state.c: see workflow_state.h. */
#include "cli/workflow_state.h"

#include <string.h>

#include "cli/output.h"

static const struct state_look looks[] = {
    {"SUCCESS", "\033[32m", "#b7e4c0", .has_ended = true},
    {"FAILURE", "\033[31m", "#f5b5b0", .has_ended = true, .has_failed = true},
    {"REVOKED", "\033[35m", "#e2c4ec", .has_ended = true, .has_failed = true},
    {"UNKNOWN", "\033[2m", "#ffffff", .has_ended = true}, /* its result was not kept, or expired */
    {"RETRY", "\033[33m", "#fde3a7", .is_under_way = true},
    {"PENDING", "", "#eeeeee", .has_ended = false},
    {"SCHEDULED", "", "#eeeeee", .has_ended = false},
    {"DEFERRED", "\033[2m", "#ffffff", .has_ended = false},
    {"STARTED", "\033[36m", "#b9dcf5", .is_under_way = true},
};

enum { LOOKS = sizeof looks / sizeof *looks, STARTED = LOOKS - 1, ENDED = 4 };

const struct state_look *moil_state_look(const char *state)
{
    for (size_t i = 0; i < LOOKS; i++) {
        if (strcmp(looks[i].name, state) == 0) {
            return &looks[i];
        }
    }
    return &looks[STARTED];
}

static void add_count(struct buffer *out, const char *name, json_int_t n, bool *is_first)
{
    if (n <= 0) {
        return;
    }
    moil_buffer_addf(out, "%s%" JSON_INTEGER_FORMAT " ", *is_first ? "" : ", ", n);
    moil_output_clean(out, name, strlen(name));
    *is_first = false;
}

/* Those of the looks from `from` to before `to`. */
static void add_known(struct buffer *out, const json_t *states, size_t from, size_t to,
                      bool *is_first)
{
    for (size_t i = from; i < to; i++) {
        add_count(out, looks[i].name, json_integer_value(json_object_get(states, looks[i].name)),
                  is_first);
    }
}

void moil_state_add_counts(struct buffer *out, const json_t *states)
{
    bool is_first = true;
    const char *name;
    json_t *n;
    add_known(out, states, 0, ENDED, &is_first);
    add_known(out, states, STARTED, LOOKS, &is_first);
    json_object_foreach((json_t *)states, name, n)
    {
        if (strcmp(moil_state_look(name)->name, name) != 0) {
            add_count(out, name, json_integer_value(n), &is_first);
        }
    }
    add_known(out, states, ENDED, STARTED, &is_first);
}

json_int_t moil_state_count_ended(const json_t *states)
{
    json_int_t n = 0;
    for (size_t i = 0; i < LOOKS; i++) {
        if (looks[i].has_ended) {
            n += json_integer_value(json_object_get(states, looks[i].name));
        }
    }
    return n;
}
