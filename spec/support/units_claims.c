/* Binds worker/claims.h for its spec. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "units.h"
#include "worker/claims.h"

static struct claims *the_claims(lua_State *L)
{
    return lua_touserdata(L, 1);
}

/* new() -> claims */
static int unit_new(lua_State *L)
{
    struct claims *c = lua_newuserdatauv(L, sizeof *c, 0);
    memset(c, 0, sizeof *c);
    moil_claims_begin(c);
    return 1;
}

static int unit_begin(lua_State *L)
{
    moil_claims_begin(the_claims(L));
    return 0;
}

/* add(claims, id) -> serial, 0 when full */
static int unit_add(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)moil_claims_add(the_claims(L), units_slice(L, 2)));
    return 1;
}

static int unit_take(lua_State *L)
{
    lua_pushboolean(L, moil_claims_take(the_claims(L), (uint64_t)luaL_checkinteger(L, 2)));
    return 1;
}

static int unit_is_reserved(lua_State *L)
{
    lua_pushboolean(L, moil_claims_is_reserved(the_claims(L), (uint64_t)luaL_checkinteger(L, 2)));
    return 1;
}

/* review(claims) -> undecided, left */
static int unit_review(lua_State *L)
{
    struct claims_review review = moil_claims_review(the_claims(L));
    lua_pushboolean(L, review.undecided);
    lua_pushboolean(L, review.left);
    return 2;
}

static int unit_give_up(lua_State *L)
{
    moil_claims_give_up(the_claims(L));
    return 0;
}

/* front(claims, from) -> serial or nil */
static int unit_front(lua_State *L)
{
    uint64_t serial = moil_claims_front(the_claims(L), (uint64_t)luaL_optinteger(L, 2, 0));
    if (serial)
        lua_pushinteger(L, (lua_Integer)serial);
    else
        lua_pushnil(L);
    return 1;
}

/* seize(claims, serial) -> id or nil */
static int unit_seize(lua_State *L)
{
    char id[MOIL_NAME_MAX + 1];
    bool ours = moil_claims_seize(the_claims(L), (uint64_t)luaL_checkinteger(L, 2), id);
    units_push(L, ours ? slice_str(id) : slice_of(NULL, 0));
    return 1;
}

/* decide(claims, serial, "returned" | "unsure" | "left") */
static int unit_decide(lua_State *L)
{
    static const char *const names[] = {"returned", "unsure", "left", NULL};
    static const enum claim claims[] = {CLAIM_RETURNED, CLAIM_UNSURE, CLAIM_LEFT};
    moil_claims_decide(the_claims(L), (uint64_t)luaL_checkinteger(L, 2),
                       claims[luaL_checkoption(L, 3, NULL, names)]);
    return 0;
}

/* --- both at once ----------------------------------------------------------------------------- */

struct arena {
    struct claims claims;
    _Atomic int over;
    unsigned char taken[1 << 20];  /* by job: how often the worker had it … */
    unsigned char seized[1 << 20]; /* … and the agent */
    unsigned char torn;
};

static _Noreturn void seize_for_ever(struct arena *a, long jobs)
{
    char id[MOIL_NAME_MAX + 1], *end;
    while (!atomic_load(&a->over)) {
        uint64_t from = 0, serial;
        for (int n = 0; n < 40 && (serial = moil_claims_front(&a->claims, from)) != 0; n++) {
            from = serial + 1;
            if (!moil_claims_seize(&a->claims, serial, id))
                continue;
            long job = strtol(id, &end, 10);
            if (*end || job < 0 || job >= jobs || strlen(id) != (size_t)(10 + job % 150))
                a->torn = 1;
            else
                a->seized[job]++;
            moil_claims_decide(&a->claims, serial, CLAIM_RETURNED);
        }
        if (rand() % 4)
            usleep(20);
    }
    _exit(0);
}

static void work(struct arena *a, long jobs)
{
    struct {
        uint64_t serial;
        long job;
    } held[100];
    long next = 0;
    int count = 0;
    char id[MOIL_NAME_MAX + 1];
    while (next < jobs || count > 0) {
        while (next < jobs && count < 100) {
            int n = snprintf(id, sizeof id, "%0*ld", (int)(10 + next % 150), next);
            uint64_t serial = moil_claims_add(&a->claims, slice_of(id, (size_t)n));
            if (!serial)
                break;
            held[count].serial = serial;
            held[count++].job = next++;
        }
        for (int i = rand() % (count + 1); i > 0; i--) {
            if (moil_claims_take(&a->claims, held[0].serial))
                a->taken[held[0].job]++;
            memmove(held, held + 1, (size_t)--count * sizeof held[0]);
        }
        moil_claims_review(&a->claims);
    }
}

/* race(jobs) -> taken, seized, and how many had not exactly one owner: a worker and an agent in two
 * processes */
static int unit_race(lua_State *L)
{
    long jobs = (long)luaL_checkinteger(L, 1), taken = 0, seized = 0, wrong = 0;
    luaL_argcheck(L, jobs <= 1 << 20, 1, "too many");
    struct arena *a =
        mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    luaL_argcheck(L, a != MAP_FAILED, 1, "no memory");
    moil_claims_begin(&a->claims);
    pid_t pid = fork();
    if (pid == 0)
        seize_for_ever(a, jobs);
    work(a, jobs);
    atomic_store(&a->over, 1);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    for (long i = 0; i < jobs; i++) {
        taken += a->taken[i];
        seized += a->seized[i];
        wrong += a->taken[i] + a->seized[i] != 1;
    }
    wrong += a->torn;
    munmap(a, sizeof *a);
    lua_pushinteger(L, taken);
    lua_pushinteger(L, seized);
    lua_pushinteger(L, wrong);
    return 3;
}

static const luaL_Reg functions[] = {
    {"new", unit_new},
    {"begin", unit_begin},
    {"add", unit_add},
    {"take", unit_take},
    {"is_reserved", unit_is_reserved},
    {"review", unit_review},
    {"give_up", unit_give_up},
    {"front", unit_front},
    {"seize", unit_seize},
    {"decide", unit_decide},
    {"race", unit_race},
    {NULL, NULL},
};
UNITS(claims, functions)
