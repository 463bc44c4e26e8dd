/* lookup.c: finding rows of the option table (table.h). */
#include <string.h>

#include "conf/suggest.h"
#include "conf/table.h"

enum { OPTIONS_MAX = 128 };

size_t moil_option_count(void)
{
    return moil_node_option_count + moil_client_option_count;
}

const struct option_row *moil_option_at(size_t i)
{
    return i < moil_node_option_count ? &moil_node_options[i]
                                      : &moil_client_options[i - moil_node_option_count];
}

const struct option_row *moil_option_by_name(struct slice name, unsigned commands)
{
    for (size_t i = 0; i < moil_option_count() && i < OPTIONS_MAX; i++) {
        const struct option_row *row = moil_option_at(i);
        if ((row->commands & commands) && slice_is(name, row->name)) {
            return row;
        }
    }
    return NULL;
}

const struct option_row *moil_option_by_flag(char flag, unsigned commands)
{
    for (size_t i = 0; i < moil_option_count() && i < OPTIONS_MAX; i++) {
        const struct option_row *row = moil_option_at(i);
        if ((row->commands & commands) && row->flag != 0 && row->flag == flag) {
            return row;
        }
    }
    return NULL;
}

const struct option_row *moil_option_by_key(const char *key)
{
    for (size_t i = 0; i < moil_option_count() && i < OPTIONS_MAX; i++) {
        const struct option_row *row = moil_option_at(i);
        if (row->key && strcmp(row->key, key) == 0) {
            return row;
        }
    }
    return NULL;
}

const char *moil_option_nearest(const char *wrong, unsigned commands)
{
    const char *names[OPTIONS_MAX] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < moil_option_count() && i < OPTIONS_MAX; i++) {
        if (moil_option_at(i)->commands & commands) {
            names[count++] = moil_option_at(i)->name;
        }
    }
    return moil_nearest_name(wrong, names, count);
}

const char *moil_option_nearest_key(const char *wrong)
{
    const char *keys[OPTIONS_MAX + 2];
    size_t count = 0;
    for (size_t i = 0; i < moil_option_count() && i < OPTIONS_MAX; i++) {
        if (moil_option_at(i)->key) {
            keys[count++] = moil_option_at(i)->key;
        }
    }
    keys[count++] = "routes";
    keys[count++] = "task_defaults";
    return moil_nearest_name(wrong, keys, count);
}
