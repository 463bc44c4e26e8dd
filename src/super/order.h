/* What the agent asks of its supervisor, as people asked it by way of Redis (worker/control.h): the
 * other pipe beside the words (child.h). One line an order, in one write of less than PIPE_BUF
 * bytes:
 *
 *     REQUEST quiet|resume|reload|stop|kill\n    (kill: a cold shutdown)
 *     REQUEST grow|shrink NUMBER\n
 *
 * Each is answered by one word to whatever agent is there by then; that of a reload comes when its
 * check has failed or the new generation serves. What is done is what the signals do (phase.h).
 * Called by super.c, and by generation.c for the answers. */
#ifndef MOIL_SUPER_ORDER_H
#define MOIL_SUPER_ORDER_H

#include <stddef.h>

enum {
    ORDER_REQUEST_MAX = 64, /* bytes of a request's id */
    ORDER_LINE_MAX = 128,
    ORDER_RELOADS_MAX = 16, /* that wait at a time; they share what they wait for */
};

/* Who waits for a reload. */
struct order_reload {
    char request[ORDER_REQUEST_MAX + 1];
    int generation; /* that it will make; 0: the next one to be checked */
};

struct orders {
    char text[4096]; /* lines that have come … */
    size_t len;
    struct order_reload reloads[ORDER_RELOADS_MAX];
    size_t reload_count;
};

struct super;

/* Reads and carries out what has come. */
void moil_orders_read(struct super *s);

/* The check of this generation began; it serves; or it never will: `why` is one line. */
void moil_orders_reload_begins(struct super *s, int generation);
void moil_orders_reloaded(struct super *s, int generation);
void moil_orders_reload_failed(struct super *s, int generation, const char *why);

/* The node stops: nobody who waits is kept waiting. */
void moil_orders_end(struct super *s);

#endif
