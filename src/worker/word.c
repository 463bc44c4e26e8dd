/* word.c: see word.h. */
#include "worker/word.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static bool is_way_to_die(const char *how)
{
    static const char *const ways[] = {"signal", "exit", "limit", "stop"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(how, ways[i]) == 0)
            return true;
    return false;
}

static int parse_answer(const char *line, struct word *out)
{
    struct word w = {.kind = WORD_ANSWER};
    int at = 0;
    char how[8];
    if (sscanf(line, "answer %36s %7s %n", w.request, how, &at) != 2 || at == 0)
        return MOIL_EBADMSG;
    w.is_ok = strcmp(how, "ok") == 0;
    w.text = line + at;
    *out = w;
    return 0;
}

int moil_word_parse(const char *line, struct word *out)
{
    struct word w = {.kind = WORD_GENERATION, .text = ""};
    if (strncmp(line, "answer ", 7) == 0)
        return parse_answer(line, out);
    if (strcmp(line, "report") == 0) {
        w.kind = WORD_REPORT;
        *out = w;
        return 0;
    }
    char rest;
    if (sscanf(line, "generation %9d%c", &w.generation, &rest) == 1 && w.generation > 0) {
        *out = w;
        return 0;
    }
    w.generation = 0;
    w.kind = WORD_DEAD;
    if (sscanf(line, "dead %4d %36s %7s %4d %10d %200s", &w.slot, w.incarnation, w.how, &w.number,
               &w.deliveries_max, w.on_cpu) != 6 ||
        !is_way_to_die(w.how) || w.slot < 0 || w.number < 0 || w.number > 255 ||
        w.deliveries_max < 0)
        return MOIL_EBADMSG;
    *out = w;
    return 0;
}
