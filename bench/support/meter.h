/* What the benchmark's programs measure with: a plain connection to the private Redis that
 * bench/run started (its socket is in $BENCH_SOCKET), readings of its counters, and the CPU time of
 * process trees.
 *
 * A failure here ends the program with a sentence: a benchmark has nothing to salvage. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_PREFIX "{moil}:" /* of the default namespace's keys (docs/protocol.md) */

struct meter {
    redisContext *redis;
};

/* Counters at one moment; differences of two are what is reported. */
struct reading {
    int64_t at_us;       /* monotonic */
    double redis_cpu_us; /* user and system time of redis-server */
    double commands;     /* executed, calls inside of scripts included */
    double scripts;      /* EVALSHA executed */
};

void bench_meter_open(struct meter *m);
void bench_meter_close(struct meter *m);

/* One command, printf-like as in hiredis. The caller frees the reply; it is never NULL and never an
 * error. */
redisReply *bench_meter_call(struct meter *m, const char *fmt, ...);
int64_t bench_meter_integer(struct meter *m, const char *fmt, ...); /* the same, for an integer
                                                                       reply */

struct reading bench_meter_read(struct meter *m);

/* Jobs of the queue `default` that wait or are in flight. */
int64_t bench_meter_left(struct meter *m);

/* CPU time of a process and its descendants, in µs (to 10 ms), without those that have ended. */
double bench_tree_cpu_us(pid_t root);

/* Ends the program: 1, with the sentence on stderr. */
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A whole number of an argument, 1 or more; anything else ends the program. */
int64_t bench_number(const char *text);

/* The value below which `percent` of them lie; sorts them. */
double bench_percentile(double *values, size_t count, int percent);

#endif
