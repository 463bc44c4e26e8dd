/* claims.c: see claims.h.
 *
 * The id is copied before the word is claimed, and may be torn by then: but who writes another one
 * there has changed the word first, and then the claim fails. */
#include "worker/claims.h"

#include <string.h>

#include "base/clock.h"

enum { CLAIM_BITS = 3, ADVANCE_EVERY = 32 /* jobs: the agent steps over those that are over */ };

static uint64_t word_of(uint64_t serial, enum claim claim)
{
    return serial << CLAIM_BITS | claim;
}

static _Atomic uint64_t *word_at(struct claims *c, uint64_t serial)
{
    return &c->ring[serial % MOIL_CLAIMS_MAX].word;
}

/* CLAIM_TAKEN also where the place belongs to another serial. */
static enum claim claim_of(const struct claims *c, uint64_t serial)
{
    uint64_t word =
        atomic_load_explicit(&c->ring[serial % MOIL_CLAIMS_MAX].word, memory_order_acquire);
    return word >> CLAIM_BITS == serial ? (enum claim)(word & ((1 << CLAIM_BITS) - 1))
                                        : CLAIM_TAKEN;
}

static bool change(struct claims *c, uint64_t serial, enum claim from, enum claim to)
{
    uint64_t word = word_of(serial, from);
    return atomic_compare_exchange_strong_explicit(word_at(c, serial), &word, word_of(serial, to),
                                                   memory_order_acq_rel, memory_order_acquire);
}

static uint64_t load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

/* --- the worker's ----------------------------------------------------------------------------- */

/* Serials begin at the clock's microseconds: at 3 µs a job they never catch up with it, so that a
 * later worker on this page begins past them all. */
void moil_claims_begin(struct claims *c)
{
    uint64_t now_us = (uint64_t)moil_clock_monotonic_us(), tail = load(&c->tail);
    uint64_t first = now_us > tail ? now_us : tail + 1;
    atomic_store(&c->head, first); /* head above tail: nothing is there */
    atomic_store(&c->tail, first);
    atomic_fetch_add(&c->seizures, 1); /* what was seized is none of its business: it looks */
}

static uint64_t count(const struct claims *c, uint64_t tail)
{
    return tail - atomic_load_explicit(&c->head, memory_order_relaxed);
}

static void advance(struct claims *c)
{
    uint64_t head = atomic_load_explicit(&c->head, memory_order_relaxed),
             tail = atomic_load_explicit(&c->tail, memory_order_relaxed);
    while (head < tail && claim_of(c, head) == CLAIM_TAKEN)
        head++;
    atomic_store_explicit(&c->head, head, memory_order_release);
}

uint64_t moil_claims_add(struct claims *c, struct slice id)
{
    uint64_t serial = atomic_load_explicit(&c->tail, memory_order_relaxed);
    if (count(c, serial) >= MOIL_CLAIMS_MAX)
        advance(c);
    if (count(c, serial) >= MOIL_CLAIMS_MAX || id.n > MOIL_NAME_MAX)
        return 0;
    char *to = c->ring[serial % MOIL_CLAIMS_MAX].id;
    memcpy(to, id.p, id.n);
    if (id.n < MOIL_NAME_MAX)
        to[id.n] = '\0';
    atomic_store_explicit(word_at(c, serial), word_of(serial, CLAIM_RESERVED),
                          memory_order_release);
    atomic_store_explicit(&c->tail, serial + 1, memory_order_release);
    return serial;
}

bool moil_claims_take(struct claims *c, uint64_t serial)
{
    if (serial == 0)
        return true;
    if (!change(c, serial, CLAIM_RESERVED, CLAIM_TAKEN))
        return false;
    if (serial % ADVANCE_EVERY == 0)
        advance(c);
    return true;
}

bool moil_claims_is_reserved(const struct claims *c, uint64_t serial)
{
    return serial == 0 || claim_of(c, serial) == CLAIM_RESERVED;
}

struct claims_review moil_claims_review(struct claims *c)
{
    struct claims_review review = {false, false};
    uint64_t tail = load(&c->tail);
    for (uint64_t serial = load(&c->head); serial < tail; serial++) {
        switch (claim_of(c, serial)) {
        case CLAIM_RESERVED:
        case CLAIM_TAKEN:
            break;
        case CLAIM_SEIZED:
            review.undecided = true;
            break;
        case CLAIM_RETURNED:
            change(c, serial, CLAIM_RETURNED, CLAIM_TAKEN);
            break;
        case CLAIM_UNSURE: /* the agent may seize it again at this moment */
            if (change(c, serial, CLAIM_UNSURE, CLAIM_TAKEN))
                review.left = true;
            else
                review.undecided = true;
            break;
        case CLAIM_LEFT:
            change(c, serial, CLAIM_LEFT, CLAIM_TAKEN);
            review.left = true;
            break;
        }
    }
    advance(c);
    return review;
}

void moil_claims_give_up(struct claims *c)
{
    uint64_t tail = load(&c->tail);
    for (uint64_t serial = load(&c->head); serial < tail; serial++)
        change(c, serial, CLAIM_SEIZED, CLAIM_UNSURE);
    atomic_fetch_add(&c->seizures, 1);
}

/* --- the agent's ------------------------------------------------------------------------------ */

uint64_t moil_claims_front(const struct claims *c, uint64_t from)
{
    uint64_t head = load(&c->head), tail = load(&c->tail);
    if (tail - head > MOIL_CLAIMS_MAX) /* it changes, or holds nothing */
        return 0;
    for (uint64_t serial = from > head ? from : head; serial < tail; serial++) {
        enum claim claim = claim_of(c, serial);
        if (claim == CLAIM_RESERVED || claim == CLAIM_UNSURE)
            return serial;
    }
    return 0;
}

bool moil_claims_seize(struct claims *c, uint64_t serial, char id[MOIL_NAME_MAX + 1])
{
    enum claim claim = claim_of(c, serial);
    if (claim != CLAIM_RESERVED && claim != CLAIM_UNSURE)
        return false;
    memcpy(id, c->ring[serial % MOIL_CLAIMS_MAX].id, MOIL_NAME_MAX);
    id[MOIL_NAME_MAX] = '\0';
    if (!change(c, serial, claim, CLAIM_SEIZED))
        return false;
    atomic_fetch_add(&c->seizures, 1);
    return true;
}

void moil_claims_decide(struct claims *c, uint64_t serial, enum claim claim)
{
    change(c, serial, CLAIM_SEIZED, claim);
    atomic_fetch_add(&c->seizures, 1);
}
