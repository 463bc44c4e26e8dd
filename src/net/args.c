/* args.c: see args.h. Integers live in fixed blocks, so that growing never moves a pointer in argv.
 */
#include "net/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"

enum { DIGITS_PER_INT = 21, INTS_PER_BLOCK = 64 };

struct digits {
    struct digits *next;
    size_t used;
    char room[INTS_PER_BLOCK][DIGITS_PER_INT];
};

void moil_args_init(struct args *a)
{
    *a = (struct args){0};
}

void moil_args_fini(struct args *a)
{
    for (struct digits *d = a->blocks, *next; d; d = next) {
        next = d->next;
        moil_mem_free(d);
    }
    moil_mem_free(a->argv);
    moil_mem_free(a->lens);
    *a = (struct args){0};
}

void moil_args_clear(struct args *a)
{
    a->count = 0;
    a->failed = false;
    for (struct digits *d = a->blocks; d; d = d->next)
        d->used = 0;
}

static bool grow(struct args *a)
{
    size_t cap = a->cap ? a->cap * 2 : 32;
    const char **argv = moil_mem_realloc(a->argv, cap * sizeof *argv);
    if (argv)
        a->argv = argv;
    size_t *lens = moil_mem_realloc(a->lens, cap * sizeof *lens);
    if (lens)
        a->lens = lens;
    if (!argv || !lens) {
        a->failed = true;
        return false;
    }
    a->cap = cap;
    return true;
}

void moil_args_add(struct args *a, const char *p, size_t n)
{
    if (a->failed || (a->count == a->cap && !grow(a)))
        return;
    a->argv[a->count] = p ? p : "";
    a->lens[a->count++] = n;
}

void moil_args_str(struct args *a, const char *s)
{
    moil_args_add(a, s, strlen(s));
}

void moil_args_slice(struct args *a, struct slice s)
{
    moil_args_add(a, s.p, s.n);
}

/* Room for one integer's digits, or NULL. */
static char *digits_room(struct args *a)
{
    struct digits *d = a->blocks;
    while (d && d->used == INTS_PER_BLOCK)
        d = d->next;
    if (!d) {
        d = moil_mem_alloc(sizeof *d);
        if (!d) {
            a->failed = true;
            return NULL;
        }
        d->used = 0;
        d->next = a->blocks;
        a->blocks = d;
    }
    return d->room[d->used++];
}

void moil_args_int(struct args *a, int64_t v)
{
    char *room = digits_room(a);
    if (room)
        moil_args_add(a, room, moil_format_int(room, v));
}

void moil_args_set_int(struct args *a, size_t i, int64_t v)
{
    char *room = digits_room(a);
    if (!room || i >= a->count)
        return;
    a->lens[i] = moil_format_int(room, v);
    a->argv[i] = room;
}
