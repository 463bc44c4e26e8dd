/* Matching of task names against the `routes` of struct options' config_json. Pure. */
#include "conf/route.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* "*" matches any run of bytes. Goes back to the last star only: linear for one, quadratic at
 * worst. */
static bool matches(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

/* Whether pattern a goes before b: longer, and the first in the alphabet of equals. */
static bool is_closer(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = b ? strlen(b) : 0;
    return !b || a_len > b_len || (a_len == b_len && strcmp(a, b) < 0);
}

char *moil_route_find(const char *config_json, const char *task)
{
    json_t *config = config_json ? json_loads(config_json, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *routes = json_object_get(config, "routes");
    const json_t *queue = json_object_get(routes, task);
    const char *best = NULL, *pattern;
    json_t *v;
    if (!queue) {
        json_object_foreach(routes, pattern, v)
        {
            if (matches(pattern, task) && is_closer(pattern, best)) {
                best = pattern;
                queue = v;
            }
        }
    }
    char *copy = json_is_string(queue) ? moil_mem_strdup(json_string_value(queue)) : NULL;
    json_decref(config);
    return copy;
}
