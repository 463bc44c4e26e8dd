/* Which queue a task's jobs go to, by the `routes` of the config file. */
#ifndef MOIL_CONF_ROUTE_H
#define MOIL_CONF_ROUTE_H

/* The queue, to be freed; NULL when no route fits (or memory is out). A pattern is a task's name in
 * which "*" stands for any run of bytes; a full name goes before a pattern, a longer pattern before
 * a shorter. */
char *moil_route_find(const char *config_json, const char *task);

#endif
