/* ledger.c: see ledger.h. */
#include "vm/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

/* 131,072 places: more than the jobs that a worker can hold (100,000 running, 10,000 suspended). A
 * place is used again at once; that a stray block meets its owner's tag again, 32,768 owners later,
 * costs that one a few bytes. */
enum { PLACE_BITS = 17, PLACES = 1 << PLACE_BITS, ACCOUNTS_FIRST = 64 };

/* Lua's MINSTRTABSIZE: the table of all short strings begins so, and nothing before it does. It
 * stays nobody's, so that no job pays for all when its string happens to make it grow. */
#define STRINGS_FIRST (128 * sizeof(void *))

enum { LARGE_PAGE = 2 << 20, LARGE_BLOCK = 8 << 20 };

typedef uint32_t tag_type;

/* What malloc takes for it: glibc has 8 bytes of its own and steps of 16. */
static inline size_t cost_of(size_t size)
{
    size_t cost = (size + sizeof(tag_type) + 8 + 15) & ~(size_t)15;
    return cost < 32 ? 32 : cost;
}

static inline void put_tag(void *p, size_t size, tag_type tag)
{
    memcpy((char *)p + size, &tag, sizeof tag); /* it may stand at any address */
}

static inline tag_type get_tag(const void *p, size_t size)
{
    tag_type tag;
    memcpy(&tag, (const char *)p + size, sizeof tag);
    return tag;
}

/* NULL: its owner is gone. */
static inline struct account *account_of(const struct ledger *l, tag_type tag)
{
    struct account *a = &l->accounts[tag & (PLACES - 1)];
    return a->tag == tag ? a : NULL;
}

static inline void credit(struct account *a, size_t bytes)
{
    if (a)
        a->used -= bytes < a->used ? bytes : a->used;
}

static inline bool may_have(struct ledger *l, size_t more)
{
    bool fits = l->current->used + more <= l->current->bound && l->total + more <= l->bound;
    return fits || l->full(l->data, more);
}

/* A table of 256 MB takes 140 ms to fill page by page, in one C call, and 30 with large pages. */
static void prefer_large_pages(void *p, size_t size)
{
    uintptr_t first = ((uintptr_t)p + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)p + size) & ~(uintptr_t)(LARGE_PAGE - 1);
    if (size >= LARGE_BLOCK && end > first)
        madvise((void *)first, end - first, MADV_HUGEPAGE);
}

static void *allocate(struct ledger *l, size_t size)
{
    size_t cost = cost_of(size);
    void *p = may_have(l, cost) ? malloc(size + sizeof(tag_type)) : NULL;
    if (!p)
        return NULL;
    if (!l->strings && size == STRINGS_FIRST)
        l->strings = p;
    prefer_large_pages(p, size);
    put_tag(p, size, l->current->tag);
    l->current->used += cost;
    l->total += cost;
    return p;
}

/* A block that grows becomes the current account's own; one that shrinks stays whose it is. Lua
 * counts on it that shrinking does not fail. */
static void *resize(struct ledger *l, void *p, size_t old, size_t size)
{
    tag_type tag = get_tag(p, old);
    struct account *owner = account_of(l, tag);
    bool is_shared = p == l->strings;
    struct account *payer = size > old && !is_shared ? l->current : owner;
    size_t was = cost_of(old), now = cost_of(size);
    if (size > old && !is_shared && !may_have(l, owner == payer ? now - was : now))
        return NULL;
    void *q = realloc(p, size + sizeof(tag_type));
    if (!q && size > old)
        return NULL;
    q = q ? q : p;
    l->strings = is_shared ? q : l->strings;
    if (size > old)
        prefer_large_pages(q, size);
    put_tag(q, size, payer ? payer->tag : tag);
    credit(owner, was);
    if (payer)
        payer->used += now;
    l->total += now - was;
    return q;
}

void *moil_ledger_alloc(void *data, void *p, size_t old, size_t size)
{
    struct ledger *l = data;
    if (!p)
        return size ? allocate(l, size) : NULL;
    if (size)
        return resize(l, p, old, size);
    credit(account_of(l, get_tag(p, old)), cost_of(old));
    l->total -= cost_of(old);
    free(p);
    return NULL;
}

/* --- accounts --------------------------------------------------------------------------------- */

static int grow(struct ledger *l)
{
    uint32_t cap = l->cap ? l->cap * 2 : ACCOUNTS_FIRST;
    size_t current = l->accounts ? (size_t)(l->current - l->accounts) : LEDGER_NOBODY;
    struct account *accounts =
        l->cap < PLACES ? realloc(l->accounts, cap * sizeof *accounts) : NULL;
    if (!accounts)
        return MOIL_ENOMEM;
    memset(accounts + l->cap, 0, (cap - l->cap) * sizeof *accounts);
    l->accounts = accounts;
    l->cap = cap;
    l->current = &accounts[current];
    return 0;
}

int moil_ledger_init(struct ledger *l, bool (*full)(void *data, size_t more), void *data)
{
    *l = (struct ledger){.full = full, .data = data, .bound = SIZE_MAX};
    int err = grow(l);
    if (err)
        return err;
    l->accounts[LEDGER_NOBODY].bound = SIZE_MAX;
    l->count = 1;
    return 0;
}

void moil_ledger_fini(struct ledger *l)
{
    free(l->accounts);
    *l = (struct ledger){0};
}

int moil_ledger_open(struct ledger *l, void *owner, uint32_t *place)
{
    uint32_t at = l->spare;
    if (at != LEDGER_NOBODY) {
        l->spare = l->accounts[at].spare;
    } else {
        int err = l->count == l->cap ? grow(l) : 0;
        if (err)
            return err;
        at = l->count++;
        l->accounts[at].tag = at;
    }
    moil_ledger_reset(l, at, owner);
    *place = at;
    return 0;
}

void moil_ledger_reset(struct ledger *l, uint32_t place, void *owner)
{
    struct account *a = &l->accounts[place];
    a->tag += PLACES;
    a->used = 0;
    a->bound = SIZE_MAX;
    a->owner = owner;
}

void moil_ledger_close(struct ledger *l, uint32_t place)
{
    moil_ledger_reset(l, place, NULL);
    l->accounts[place].spare = l->spare;
    l->spare = place;
}

void *moil_ledger_largest(const struct ledger *l)
{
    const struct account *largest = NULL;
    for (uint32_t i = 1; i < l->count; i++) {
        const struct account *a = &l->accounts[i];
        if (a->owner && (!largest || a->used > largest->used))
            largest = a;
    }
    return largest ? largest->owner : NULL;
}
