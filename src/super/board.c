/* board.c: see board.h. Pages that nobody has touched cost nothing. */
#include "super/board.h"

#include <assert.h>
#include <sys/mman.h>

enum {
    MEMORY_PAGE = 4096,
    PAGE_STRIDE = (sizeof(struct page) + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE,
};

struct board {
    _Atomic int slots;
    struct plan plan;
    _Atomic unsigned turn; /* of the report: odd while it is being written */
    int generation;
    size_t report_len;
    _Alignas(MEMORY_PAGE) char pages[SUPER_SLOTS_MAX][PAGE_STRIDE];
    char report[SUPER_RESULT_MAX];
};

struct board *moil_board_new(void)
{
    void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void moil_board_free(struct board *b)
{
    if (b)
        munmap(b, sizeof *b);
}

int moil_board_slots(const struct board *b)
{
    return atomic_load(&b->slots);
}

void moil_board_use_slot(struct board *b, int slot)
{
    if (slot >= atomic_load(&b->slots))
        atomic_store(&b->slots, slot + 1);
}

struct page *moil_board_page(struct board *b, int slot)
{
    assert(slot >= 0 && slot < SUPER_SLOTS_MAX);
    return (struct page *)(void *)b->pages[slot];
}

struct plan *moil_board_plan(struct board *b)
{
    return &b->plan;
}

void moil_board_publish(struct board *b, struct slice report, int generation)
{
    assert(report.n <= SUPER_RESULT_MAX);
    atomic_fetch_add(&b->turn, 1);
    if (report.n)
        memcpy(b->report, report.p, report.n);
    b->report_len = report.n;
    b->generation = generation;
    atomic_fetch_add(&b->turn, 1);
}

bool moil_board_read(struct board *b, struct buffer *out, int *generation)
{
    unsigned turn = atomic_load(&b->turn);
    int found = b->generation;
    if (turn % 2 == 1 || found == *generation)
        return false;
    size_t len = b->report_len;
    moil_buffer_clear(out);
    moil_buffer_add(out, b->report, len <= SUPER_RESULT_MAX ? len : 0);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&b->turn) != turn)
        return false;
    *generation = found;
    return true;
}
