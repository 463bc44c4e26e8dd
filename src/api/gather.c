/* gather.c: the results of a group as one list, as the job gets them that takes them (moil.h,
 * "replay"); a worker reads them in its own way (worker/gatherer.h), by the same script. */
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "worker/gatherer.h"

enum { PAGE = 250 };

struct level {
    int64_t from;
    bool begun; /* a result stands before the next one */
    char id[MOIL_NAME_MAX + 1];
};

/* A stack of groups under way, the outermost first. */
struct gather {
    struct moil_client *client;
    struct buffer text;
    size_t depth;
    struct level levels[MOIL_GATHERER_DEPTH];
};

static int push(struct gather *g, struct slice id)
{
    if (g->depth == MOIL_GATHERER_DEPTH)
        return moil_client_fail(g->client, MOIL_STATUS_TOO_LARGE,
                                "the results of groups nested deeper than %d levels",
                                (int)MOIL_GATHERER_DEPTH);
    struct level *l = &g->levels[g->depth++];
    *l = (struct level){.from = 0};
    snprintf(l->id, sizeof l->id, "%.*s", (int)id.n, id.p);
    moil_buffer_add_char(&g->text, '[');
    return 0;
}

static void separate(struct gather *g, struct level *l)
{
    if (l->begun)
        moil_buffer_add_char(&g->text, ',');
    l->begun = true;
}

static int check_size(struct gather *g)
{
    size_t max = g->client->max_payload * MOIL_GATHERER_TIMES;
    if (g->text.failed)
        return moil_client_fail(g->client, MOIL_STATUS_NOMEM, "out of memory");
    if (g->text.len > max)
        return moil_client_fail(g->client, MOIL_STATUS_TOO_LARGE,
                                "the results of the group have more than the %zu bytes that a job "
                                "can be given",
                                max);
    return 0;
}

/* A page as lua/redis/gather.lua gives it for "j". */
static int take_page(void *data, const struct reply *page)
{
    struct gather *g = data;
    struct level *l = &g->levels[g->depth - 1];
    struct slice values = moil_reply_slice(moil_reply_at(page, 3));
    struct slice group = moil_reply_slice(moil_reply_at(page, 4));
    int64_t total = moil_reply_integer(moil_reply_at(page, 0)), before = l->from;
    if (moil_reply_type(page) == REPLY_NIL && g->depth == 1)
        return moil_client_fail(g->client, MOIL_STATUS_UNKNOWN,
                                "the group %s, whose results it gets, is not known any more",
                                l->id);
    if (values.n) {
        separate(g, l);
        moil_buffer_add_slice(&g->text, values);
    }
    l->from += moil_reply_integer(moil_reply_at(page, 2));
    if (group.n) {
        separate(g, l);
        int status = push(g, group);
        return status ? status : check_size(g);
    }
    if (l->from >= total || l->from == before) {
        moil_buffer_add_char(&g->text, ']');
        g->depth--;
    }
    return check_size(g);
}

int moil_gather(moil_client *c, const char *group, char **json)
{
    struct gather g = {.client = c};
    moil_client_begin(c, c->deadline_s);
    if (!group || !moil_name_is_valid(slice_str(group)))
        return moil_client_fail(c, MOIL_STATUS_INVALID,
                                "an id is 1 to 200 printable characters without space");
    moil_buffer_init(&g.text);
    int status = push(&g, slice_str(group));
    while (!status && g.depth) {
        struct level *l = &g.levels[g.depth - 1];
        status = moil_client_gather(c, slice_str(l->id), l->from, PAGE, "j", take_page, &g);
    }
    if (!status && !(*json = moil_buffer_take(&g.text, NULL)))
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    moil_buffer_fini(&g.text);
    return status;
}
