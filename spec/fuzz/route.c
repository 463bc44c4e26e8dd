/* Routes: the queue that is found is one of those that the configuration names. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "conf/route.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char *task = fuzz_text(&in, '\n', NULL), *config = fuzz_text(&in, '\0', NULL);
    char *queue = moil_route_find(config, task);
    if (queue) {
        json_t *all = json_loads(config, JSON_ALLOW_NUL, NULL), *v;
        json_t *routes = json_object_get(all, "routes");
        const char *pattern;
        bool named = false;
        json_object_foreach(routes, pattern, v)
        {
            const char *name = json_string_value(v);
            named = named || (name && strcmp(name, queue) == 0);
        }
        FUZZ_CHECK(named);
        const json_t *exact = json_object_get(routes, task);
        FUZZ_CHECK(!exact || strcmp(json_string_value(exact), queue) == 0);
        json_decref(all);
    }
    free(queue);
    free(config);
    free(task);
    return 0;
}
