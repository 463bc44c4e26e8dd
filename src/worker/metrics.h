/* Text for Prometheus (its text format, version 0.0.4): how families and samples are written, and
 * the page of a node's own counts. Used by endpoint.c and stock.c; pure but for /proc. */
#ifndef MOIL_WORKER_METRICS_H
#define MOIL_WORKER_METRICS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

struct agent;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Its HELP and TYPE; all its samples follow at once. */
void moil_metrics_family(struct buffer *out, const char *name, enum metric_type type,
                         const char *help);

/* label: NULL for none. Its value may hold anything. */
void moil_metrics_sample(struct buffer *out, const char *name, const char *label,
                         struct slice label_value, double value);

/* All that the node itself knows. */
void moil_metrics_write(struct agent *a, bool redis_is_up, struct buffer *out);

#endif
