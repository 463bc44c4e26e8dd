/* Who holds the memory of a Lua state: an allocator that counts each block for the account that
 * made it, and asks before an account grows past its bound.
 *
 * Behind each block stand 4 bytes, its owner's tag, so that whoever frees it later (the collector,
 * in another job's time) credits the owner; where that is gone, nobody is credited. Behind and not
 * in front: malloc's alignment stays, and half of all sizes have the room to spare. Used by vm.c
 * and allowance.c; knows nothing of runs. */
#ifndef MOIL_VM_LEDGER_H
#define MOIL_VM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_NOBODY = 0 }; /* the account of what was made while no run was on the CPU */

/* No bound; sums of it and of what fits into memory do not overflow. */
#define LEDGER_UNBOUND ((int64_t)1 << 62)

/* What an account has: `left` alone changes with each block, so that there is one thing to look
 * at. */
struct account {
    int64_t left;   /* bytes until `full` is asked; with those that malloc adds */
    int64_t bound;  /* … of which it had so many at first */
    void *owner;    /* NULL: not in use */
    uint32_t tag;   /* place and generation, as behind its blocks */
    uint32_t spare; /* the next unused place */
};

enum {
    LEDGER_STEP = 16,            /* malloc's sizes grow by it */
    LEDGER_KEEP_MAX = 512,       /* bytes of a block that is kept for the next of its size … */
    LEDGER_KEEP_BYTES = 1 << 20, /* … and of all of them */
};

struct ledger {
    struct account *current; /* who pays for new blocks; never NULL */
    struct account *accounts;
    int64_t left, bound;        /* of all accounts together, closed ones too */
    uint32_t count, cap, spare; /* spare: the first unused place; LEDGER_NOBODY: none */
    void *kept[LEDGER_KEEP_MAX / LEDGER_STEP + 1]; /* freed blocks by size, each the next one's head
                                                    */
    int64_t kept_bytes;
    void *strings; /* the state's table of short strings, found by its first size */
    /* May the current account have `more` bytes, past its own bound or that of all? */
    bool (*full)(void *data, size_t more);
    void *data;
};

/* 0 or MOIL_ENOMEM. */
int moil_ledger_init(struct ledger *l, bool (*full)(void *data, size_t more), void *data);
void moil_ledger_fini(struct ledger *l); /* after lua_close */

/* A lua_Alloc; its data is the ledger. */
void *moil_ledger_alloc(void *data, void *p, size_t old, size_t size);

/* Gives back what is kept, and to the system what it can have. */
void moil_ledger_trim(struct ledger *l);

/* A new account, with nothing in it and no bound. 0 or MOIL_ENOMEM. */
int moil_ledger_open(struct ledger *l, void *owner, uint32_t *place);

/* What it holds becomes nobody's, and it begins anew, without a bound. */
void moil_ledger_reset(struct ledger *l, uint32_t place, void *owner);
void moil_ledger_close(struct ledger *l, uint32_t place);

/* Borrowed until the next moil_ledger_open. */
static inline struct account *moil_ledger_at(const struct ledger *l, uint32_t place)
{
    return &l->accounts[place];
}

/* Bytes that it holds, and that all do. */
static inline size_t moil_account_used(const struct account *a)
{
    return a->left < a->bound ? (size_t)(a->bound - a->left) : 0;
}

static inline size_t moil_ledger_used(const struct ledger *l)
{
    return (size_t)(l->bound - l->left);
}

/* Past so many bytes `full` is asked. */
static inline void moil_account_bound(struct account *a, int64_t bound)
{
    a->left += bound - a->bound;
    a->bound = bound;
}

static inline void moil_ledger_bound(struct ledger *l, int64_t bound)
{
    l->left += bound - l->bound;
    l->bound = bound;
}

/* From now on this account pays. */
static inline void moil_ledger_enter(struct ledger *l, uint32_t place)
{
    l->current = &l->accounts[place];
}

/* The owner of the account that holds most, LEDGER_NOBODY's aside; NULL: there is none. */
void *moil_ledger_largest(const struct ledger *l);

#endif
