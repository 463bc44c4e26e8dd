/* depend.c: jobs that wait for others. A part of the client (client.h). Each is a workflow of its
 * own, of one job. */
#include "api/depend.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

size_t moil_depends_count(const moil_job *job)
{
    size_t count = 0;
    while (job->depends_on && job->depends_on[count])
        count++;
    return count;
}

int moil_depends_check(const moil_job *job, char *why, size_t len)
{
    size_t count = moil_depends_count(job);
    int wrong = job->on_failure < MOIL_ON_FAILURE_FAIL || job->on_failure > MOIL_ON_FAILURE_ALLOW;
    if (wrong)
        snprintf(why, len, "on_failure must be MOIL_ON_FAILURE_FAIL, _REVOKE or _ALLOW");
    else if (count > MOIL_GRAPH_DEPS_MAX)
        snprintf(why, len, "depends_on: %zu ids, at most %d are taken", count, MOIL_GRAPH_DEPS_MAX);
    if (wrong || count > MOIL_GRAPH_DEPS_MAX)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!moil_name_is_valid(slice_str(job->depends_on[i]))) {
            snprintf(why, len, "depends_on: ids are 1 to 200 printable characters without space");
            return 0;
        }
    }
    return 1;
}

/* Its link on each of those, to release it; and on it one for each, that lets its result go. */
static int add_links(const moil_job *job, struct submission *sub, struct graph_dep *deps,
                     struct buffer *text)
{
    static const char *const links[] = {"nF", "nR", "nA"};
    moil_buffer_add_str(text, links[job->on_failure]);
    moil_buffer_add_slice(text, sub->job.id);
    size_t link_len = text->len;
    for (size_t i = 0; i < sub->open; i++) {
        moil_buffer_add_str(text, "k-");
        moil_buffer_add_str(text, job->depends_on[i]);
        moil_buffer_add_char(text, ' ');
    }
    if (text->failed)
        return MOIL_STATUS_NOMEM;
    for (size_t i = 0; i < sub->open; i++)
        deps[i] = (struct graph_dep){slice_str(job->depends_on[i]), slice_of(text->data, link_len)};
    sub->links = slice_of(text->data + link_len, text->len - link_len);
    return 0;
}

int moil_dependent_open(struct dependent *d, struct moil_request *r, const moil_job *job,
                        struct submission *sub)
{
    size_t count = moil_depends_count(job);
    char why[200] = "out of memory";
    moil_buffer_init(&d->text);
    d->deps = moil_mem_alloc((count ? count : 1) * sizeof *d->deps);
    sub->open = (uint32_t)count;
    int status = d->deps ? add_links(job, sub, d->deps, &d->text) : MOIL_STATUS_NOMEM;
    d->sub = sub;
    d->graph = (struct graph){.aim = GRAPH_ACCEPT,
                              .id = sub->job.id,
                              .nodes = sub,
                              .node_count = 1,
                              .deps = d->deps,
                              .dep_count = count};
    if (!status)
        status = moil_graph_way_open(&d->way, &d->graph, why, sizeof why);
    if (!status)
        return 0;
    moil_dependent_close(d);
    return moil_request_fail(r, status, "%s", why);
}

void moil_dependent_done(struct dependent *d)
{
    d->sub->acked = true;
    d->sub->created = d->way.call.created;
}

void moil_dependent_close(struct dependent *d)
{
    moil_graph_way_close(&d->way);
    moil_buffer_fini(&d->text);
    moil_mem_free(d->deps);
    *d = (struct dependent){.deps = NULL};
}
