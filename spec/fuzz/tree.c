/* Workflows as trees: whatever Redis holds of one, it has an order, and what is told of it is JSON.
 *
 * Words end with \x1f, pages with an empty word: that of the lines, then one for each group that is
 * there. */
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/error.h"
#include "fuzz.h"
#include "queue/tree.h"

enum { WORDS_MAX = 64 };

struct page {
    redisReply reply, parts[WORDS_MAX], *elements[WORDS_MAX];
};

/* The next words as a reply that begins with so many numbers; false: there are none. */
static bool read_page(struct input *in, struct page *p, size_t numbers)
{
    size_t count = 0, len = 1;
    for (; count < numbers; count++)
        p->parts[count] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = 1};
    while (in->n > 0 && count < WORDS_MAX && len > 0) {
        p->parts[count] = (redisReply){.type = REDIS_REPLY_STRING};
        p->parts[count].str = fuzz_text(in, '\x1f', &len);
        p->parts[count].len = len;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        p->elements[i] = &p->parts[i];
    p->reply = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = p->elements};
    return count > numbers;
}

static void free_page(struct page *p)
{
    for (size_t i = 0; i < p->reply.elements; i++)
        free(p->parts[i].str);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct page page;
    struct tree t;
    size_t total;
    moil_tree_init(&t);
    read_page(&in, &page, 1);
    moil_tree_take_lines(&t, (const struct reply *)&page.reply, &total);
    free_page(&page);
    for (struct tree_node *n = t.nodes; n; n = n->hh.next) {
        if (n->is_group && read_page(&in, &page, 2)) {
            moil_tree_take_members(&t, n, (const struct reply *)&page.reply, &total);
            moil_tree_set_error(n, n->state);
            free_page(&page);
        }
    }
    struct slice wid = t.nodes ? t.nodes->id : slice_str("none");
    moil_tree_order(&t, wid);
    char *text = moil_tree_json(&t, wid);
    json_t *v = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    FUZZ_CHECK(v);
    json_decref(v);
    free(text);
    moil_tree_fini(&t);
    return 0;
}
