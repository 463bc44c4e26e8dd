/* The supervisor's words to the agent. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "worker/word.h"

static void check_death(const char *line, const struct word *word)
{
    FUZZ_CHECK(strncmp(line, "dead", 4) == 0);
    FUZZ_CHECK(word->incarnation[0] && word->on_cpu[0]);
    FUZZ_CHECK(!strcmp(word->how, "signal") || !strcmp(word->how, "exit") ||
               !strcmp(word->how, "limit") || !strcmp(word->how, "stop"));
    FUZZ_CHECK(strlen(word->on_cpu) <= MOIL_NAME_MAX && strstr(line, word->on_cpu));
    FUZZ_CHECK(word->slot >= 0 && word->number >= 0 && word->number < 256);
}

static void check_word(const char *line, const struct word *word)
{
    switch (word->kind) {
    case WORD_DEAD:
        check_death(line, word);
        break;
    case WORD_GENERATION:
        FUZZ_CHECK(word->generation > 0 && strncmp(line, "generation", 10) == 0);
        break;
    case WORD_ANSWER:
        FUZZ_CHECK(strncmp(line, "answer ", 7) == 0 && word->request[0]);
        FUZZ_CHECK(word->text >= line && word->text <= line + strlen(line));
        break;
    case WORD_REPORT:
        FUZZ_CHECK(strcmp(line, "report") == 0);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char *line = fuzz_text(&in, '\n', NULL);
    struct word word;
    fuzz_mark(&word, sizeof word);
    if (moil_word_parse(line, &word) != 0)
        fuzz_check_marked(&word, sizeof word);
    else
        check_word(line, &word);
    free(line);
    return 0;
}
