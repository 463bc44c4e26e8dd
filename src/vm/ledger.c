/* ledger.c: see ledger.h. */
#include "vm/ledger.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/mem.h"

/* 131,072 places: more than the jobs that a worker can hold (100,000 running, 10,000 suspended). A
 * place is used again at once; that a stray block meets its owner's tag again, 32,768 owners later,
 * costs that one a few bytes. */
enum { PLACE_BITS = 17, PLACES = 1 << PLACE_BITS, ACCOUNTS_FIRST = 64 };

typedef uint32_t tag_type;

/* Lua's MINSTRTABSIZE: the table of all short strings begins so, and nothing before it does. It
 * stays nobody's where a small job's string happens to make it grow. */
#define STRINGS_FIRST (128 * sizeof(void *))

enum { LARGE_PAGE = 2 << 20, LARGE_BLOCK = 8 << 20 };

enum { MALLOC_HEAD = 8 }; /* of glibc, before each block */

/* Address sanitizer is to see each block's end. */
#ifdef __SANITIZE_ADDRESS__
#define KEEP_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_BYTES 0
#endif
#endif
#ifndef KEEP_BYTES
#define KEEP_BYTES LEDGER_KEEP_BYTES
#endif

#define UNLIKELY(x) __builtin_expect((x), 0)

/* What malloc takes for it: glibc has 8 bytes of its own and steps of 16. */
static inline int64_t cost_of(size_t size)
{
    size_t cost =
        (size + sizeof(tag_type) + MALLOC_HEAD + LEDGER_STEP - 1) & ~(size_t)(LEDGER_STEP - 1);
    return (int64_t)(cost < 32 ? 32 : cost);
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

static inline void take(struct ledger *l, int64_t bytes)
{
    l->current->left -= bytes;
    l->left -= bytes;
}

/* The current account has taken more than it may, or all have. */
static __attribute__((noinline)) bool ask(struct ledger *l, int64_t bytes)
{
    take(l, -bytes);
    if (!l->full(l->data, (size_t)bytes))
        return false;
    take(l, bytes);
    return true;
}

/* The current account takes so many bytes, if it may. */
static inline bool pay(struct ledger *l, int64_t bytes)
{
    take(l, bytes);
    return !UNLIKELY((l->current->left | l->left) < 0) || ask(l, bytes);
}

static inline void credit(struct ledger *l, tag_type tag, int64_t bytes)
{
    struct account *a = &l->accounts[tag & (PLACES - 1)];
    if (a->tag == tag) /* else its owner is gone */
        a->left += bytes;
    l->left += bytes;
}

/* A table of 256 MB takes 140 ms to fill page by page, in one C call, and 30 with large pages. */
static void prefer_large_pages(void *p, size_t size)
{
    uintptr_t first = ((uintptr_t)p + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)p + size) & ~(uintptr_t)(LARGE_PAGE - 1);
    if (size >= LARGE_BLOCK && end > first)
        madvise((void *)first, end - first, MADV_HUGEPAGE);
}

/* The collector frees blocks by the thousand and jobs ask for as many of the same sizes: a list for
 * each size saves a job on the CPU 5 to 10 % of its time, as malloc's own is seven blocks long. */
static inline void *take_kept(struct ledger *l, int64_t cost)
{
    void *p = cost <= LEDGER_KEEP_MAX ? l->kept[cost / LEDGER_STEP] : NULL;
    if (p) {
        memcpy(&l->kept[cost / LEDGER_STEP], p, sizeof(void *));
        l->kept_bytes -= cost;
    }
    return p;
}

static inline void keep_or_free(struct ledger *l, void *p, int64_t cost)
{
    if (cost > LEDGER_KEEP_MAX || l->kept_bytes >= KEEP_BYTES) {
        moil_mem_free(p);
        return;
    }
    memcpy(p, &l->kept[cost / LEDGER_STEP], sizeof(void *));
    l->kept[cost / LEDGER_STEP] = p;
    l->kept_bytes += cost;
}

static void free_kept(struct ledger *l)
{
    for (size_t i = 0; i < sizeof l->kept / sizeof *l->kept; i++) {
        for (void *p = l->kept[i], *next; p; p = next) {
            memcpy(&next, p, sizeof(void *));
            moil_mem_free(p);
        }
        l->kept[i] = NULL;
    }
    l->kept_bytes = 0;
}

void moil_ledger_trim(struct ledger *l)
{
    free_kept(l);
    malloc_trim(0);
}

/* Bytes to ask for: whole steps, as a block that is kept serves the next of any size that costs the
 * same; glibc would give as many, a program's own allocator need not. */
static inline size_t room_of(size_t size)
{
    return KEEP_BYTES > 0 ? (size_t)cost_of(size) - MALLOC_HEAD : size + sizeof(tag_type);
}

static void *allocate(struct ledger *l, size_t size)
{
    int64_t cost = cost_of(size);
    if (!pay(l, cost))
        return NULL;
    void *p = take_kept(l, cost);
    if (!p)
        p = moil_mem_alloc(room_of(size));
    if (!p) {
        take(l, -cost);
        return NULL;
    }
    put_tag(p, size, l->current->tag);
    if (UNLIKELY(size >= STRINGS_FIRST)) {
        prefer_large_pages(p, size);
        if (size == STRINGS_FIRST && !l->strings)
            l->strings = p;
    }
    return p;
}

/* A block that shrinks stays whose it is. Lua counts on it that shrinking does not fail. */
static void *shrink(struct ledger *l, void *p, size_t old, size_t size)
{
    tag_type tag = get_tag(p, old);
    void *q = moil_mem_realloc(p, room_of(size));
    q = q ? q : p;
    put_tag(q, size, tag);
    credit(l, tag, cost_of(old) - cost_of(size));
    return q;
}

/* A block that grows becomes the current account's own. */
static void *grow_block(struct ledger *l, void *p, size_t old, size_t size)
{
    tag_type tag = get_tag(p, old);
    int64_t was = cost_of(old), now = cost_of(size);
    bool same = tag == l->current->tag;
    if (!pay(l, same ? now - was : now))
        return NULL;
    void *q = moil_mem_realloc(p, room_of(size));
    if (!q) {
        take(l, same ? was - now : -now);
        return NULL;
    }
    if (!same)
        credit(l, tag, was);
    prefer_large_pages(q, size);
    put_tag(q, size, l->current->tag);
    return q;
}

/* Who holds more than half of all memory is taken to hold the strings, too. */
static bool holds_most(const struct ledger *l)
{
    return moil_account_used(l->current) > moil_ledger_used(l) / 2;
}

static void *resize_strings(struct ledger *l, void *p, size_t old, size_t size)
{
    struct account *current = l->current;
    if (!holds_most(l))
        l->current = &l->accounts[LEDGER_NOBODY];
    void *q = size > old ? grow_block(l, p, old, size) : shrink(l, p, old, size);
    l->current = current;
    l->strings = q ? q : p;
    return q;
}

void *moil_ledger_alloc(void *data, void *p, size_t old, size_t size)
{
    struct ledger *l = data;
    if (!p)
        return size ? allocate(l, size) : NULL;
    if (size == 0) {
        credit(l, get_tag(p, old), cost_of(old));
        keep_or_free(l, p, cost_of(old));
        return NULL;
    }
    if (p == l->strings)
        return resize_strings(l, p, old, size);
    return size > old ? grow_block(l, p, old, size) : shrink(l, p, old, size);
}

/* --- accounts --------------------------------------------------------------------------------- */

static int grow(struct ledger *l)
{
    uint32_t cap = l->cap ? l->cap * 2 : ACCOUNTS_FIRST;
    size_t current = l->accounts ? (size_t)(l->current - l->accounts) : LEDGER_NOBODY;
    struct account *accounts =
        l->cap < PLACES ? moil_mem_realloc(l->accounts, cap * sizeof *accounts) : NULL;
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
    *l = (struct ledger){
        .full = full, .data = data, .left = LEDGER_UNBOUND, .bound = LEDGER_UNBOUND};
    int err = grow(l);
    if (err)
        return err;
    l->accounts[LEDGER_NOBODY].left = l->accounts[LEDGER_NOBODY].bound = LEDGER_UNBOUND;
    l->count = 1;
    return 0;
}

void moil_ledger_fini(struct ledger *l)
{
    free_kept(l);
    moil_mem_free(l->accounts);
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
    a->left = a->bound = LEDGER_UNBOUND;
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
        if (a->owner && (!largest || moil_account_used(a) > moil_account_used(largest)))
            largest = a;
    }
    return largest ? largest->owner : NULL;
}
