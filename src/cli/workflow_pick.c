/* workflow_pick.c: see workflow_pick.h. */
#include "cli/workflow_pick.h"

#include <string.h>

#include "cli/workflow_state.h"

const char *moil_pick_state(const json_t *item)
{
    const json_t *steps = json_object_get(item, "steps");
    size_t count = json_array_size(steps);
    const json_t *last = count > 0 ? json_array_get(steps, count - 1) : item;
    const char *state = json_string_value(json_object_get(last, "state"));
    return state ? state : "UNKNOWN";
}

/* A member that failed; a step that is under way, or failed by itself. */
static bool is_special(const struct pick *p, const json_t *item)
{
    const struct state_look *look = moil_state_look(moil_pick_state(item));
    const char *code = json_string_value(json_object_get(json_object_get(item, "error"), "code"));
    if (!p->is_chain) {
        return look->has_failed;
    }
    return look->is_under_way || (look->has_failed && code && strcmp(code, "Revoked") != 0 &&
                                  strcmp(code, "DependencyFailed") != 0);
}

static bool is_shown(struct pick *p, const json_t *item)
{
    size_t count = json_array_size(p->list);
    if (count <= PICK_ALL || p->at < PICK_FIRST || (p->is_chain && p->at + 1 == count)) {
        return true;
    }
    if (p->special < PICK_SPECIAL && is_special(p, item)) {
        p->special++;
        return true;
    }
    return false;
}

static void leave_out(struct pick *p, const json_t *item)
{
    const char *state = moil_pick_state(item);
    p->left_out = p->left_out ? p->left_out : json_object();
    json_int_t n = json_integer_value(json_object_get(p->left_out, state));
    json_object_set_new(p->left_out, state, json_integer(n + 1));
    p->left_out_count++;
}

const json_t *moil_pick_next(struct pick *p)
{
    while (p->at < json_array_size(p->list)) {
        const json_t *item = json_array_get(p->list, p->at);
        bool shown = is_shown(p, item);
        p->at++;
        if (shown) {
            return item;
        }
        leave_out(p, item);
    }
    return NULL;
}

void moil_pick_forget(struct pick *p)
{
    json_decref(p->left_out);
    p->left_out = NULL;
    p->left_out_count = 0;
}

void moil_pick_fini(struct pick *p)
{
    moil_pick_forget(p);
}
