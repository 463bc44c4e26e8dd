/* job_copy.c: see job_copy.h. First it is measured, then copied, by the same walk. */
#include "api/job_copy.h"

#include <string.h>

#include "api/client.h"
#include "base/mem.h"

/* Where texts go; while they are measured only their sizes count. */
struct room {
    char *at; /* NULL: measuring */
    size_t size;
};

static void place(struct room *room, const char *from, const char **to)
{
    size_t size = from ? strlen(from) + 1 : 0;
    room->size += size;
    if (!room->at || !from)
        return;
    memcpy(room->at, from, size);
    *to = room->at;
    room->at += size;
}

static void place_texts(struct room *room, const moil_job *from, moil_job *to)
{
    place(room, from->task, &to->task);
    place(room, from->args, &to->args);
    place(room, from->kwargs, &to->kwargs);
    place(room, from->queue, &to->queue);
    place(room, from->id, &to->id);
    place(room, from->options, &to->options);
}

moil_job *moil_jobs_copy(const moil_job *jobs, size_t count)
{
    struct room room = {NULL, 0};
    moil_job ignored = {.task = NULL};
    const char *unused;
    size_t ends = 0; /* of the lists of ids, each with its NULL */
    for (size_t i = 0; i < count; i++) {
        size_t depends = moil_depends_count(&jobs[i]);
        place_texts(&room, &jobs[i], &ignored);
        for (size_t k = 0; k < depends; k++)
            place(&room, jobs[i].depends_on[k], &unused);
        ends += depends ? depends + 1 : 0;
    }
    moil_job *copy = moil_mem_alloc((count + 1) * sizeof *copy + ends * sizeof(char *) + room.size);
    if (!copy)
        return NULL;
    const char **list = (const char **)(copy + count);
    room.at = (char *)(list + ends);
    for (size_t i = 0; i < count; i++) {
        size_t depends = moil_depends_count(&jobs[i]);
        copy[i] = jobs[i];
        place_texts(&room, &jobs[i], &copy[i]);
        copy[i].depends_on = depends ? list : NULL;
        for (size_t k = 0; k < depends; k++)
            place(&room, jobs[i].depends_on[k], list++);
        if (depends)
            *list++ = NULL;
    }
    return copy;
}
