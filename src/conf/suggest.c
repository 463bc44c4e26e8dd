/* Edit distance between short names. Owns the rule of what counts as near; knows nothing of options
 * or commands. */
#include "conf/suggest.h"

#include <string.h>

enum { NAME_MAX_COMPARED = 64 }; /* longer names are never typing errors of ours */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment distance: three rows of the usual table. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_MAX_COMPARED + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b_len; j++) {
        before[j] = 0;
        last[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = smallest(last[j] + 1, now[j - 1] + 1, replace);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < now[j]) {
                now[j] = before[j - 2] + 1;
            }
        }
        size_t *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b_len];
}

const char *moil_nearest_name(const char *wrong, const char *const *known, size_t count)
{
    size_t len = strlen(wrong);
    size_t limit = len / 3 > 2 ? len / 3 : 2;
    const char *best = NULL;

    if (len > NAME_MAX_COMPARED) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t known_len = strlen(known[i]);
        if (known_len > NAME_MAX_COMPARED) {
            continue;
        }
        size_t d = distance(wrong, len, known[i], known_len);
        if (d <= limit && d < len && d < known_len) {
            best = known[i];
            limit = d > 0 ? d - 1 : 0;
            if (d == 0) {
                break;
            }
        }
    }
    return best;
}
