/* word.c: see word.h. */
#include "worker/word.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

static bool is_way_to_die(const char *how)
{
    static const char *const ways[] = {"signal", "exit", "limit", "stop"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(how, ways[i]) == 0)
            return true;
    return false;
}

int moil_word_parse(const char *line, struct word *out)
{
    struct word w = {0};
    char rest;
    if (sscanf(line, "generation %9d%c", &w.generation, &rest) == 1 && w.generation > 0) {
        *out = w;
        return 0;
    }
    w.generation = 0;
    if (sscanf(line, "dead %4d %36s %7s %4d %10d %200s", &w.slot, w.incarnation, w.how, &w.number,
               &w.deliveries_max, w.on_cpu) != 6 ||
        !is_way_to_die(w.how) || w.slot < 0 || w.number < 0 || w.number > 255 ||
        w.deliveries_max < 0)
        return MOIL_EBADMSG;
    *out = w;
    return 0;
}
