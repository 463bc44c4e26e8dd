/* The allocator of worker_probe.c's `checked`: blocks that tell who writes past them, and how many
 * are left. */
#ifndef SPEC_SUPPORT_CHECKED_ALLOCATOR_H
#define SPEC_SUPPORT_CHECKED_ALLOCATOR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As tight as can be: each block ends with a mark, and begins with one and its size. What is freed
 * that was never allocated, or written to past its end, ends the program. */
enum { MARK_BYTES = 16 };
static const char mark[MARK_BYTES] = "moil-probe-mark";
static long blocks;

struct head {
    size_t size;
    char mark[MARK_BYTES];
};

static void check(const struct head *head)
{
    if (memcmp(head->mark, mark, MARK_BYTES) != 0 ||
        memcmp((const char *)(head + 1) + head->size, mark, MARK_BYTES) != 0) {
        fputs("a block is broken, or was never allocated here\n", stderr);
        abort();
    }
}

static void *allocate(void *data, void *p, size_t size)
{
    struct head *head = p ? (struct head *)p - 1 : NULL;
    (void)data;
    if (head)
        check(head);
    if (size == 0) {
        blocks -= head != NULL;
        if (head)
            memset(head, 0xdd, sizeof *head + head->size + MARK_BYTES);
        free(head);
        return NULL;
    }
    struct head *next = malloc(sizeof *next + size + MARK_BYTES);
    if (!next)
        return NULL;
    next->size = size;
    memcpy(next->mark, mark, MARK_BYTES);
    memcpy((char *)(next + 1) + size, mark, MARK_BYTES);
    blocks += !head;
    if (head) {
        memcpy(next + 1, head + 1, head->size < size ? head->size : size);
        memset(head, 0xdd, sizeof *head + head->size + MARK_BYTES);
        free(head);
    }
    return next + 1;
}

#endif
