/* secrets.c: see secrets.h. Called by main.c before anything else looks at the arguments. */
#include "cli/secrets.h"

#include <stdlib.h>
#include <string.h>

/* The password of the URL in an argument, and its length; NULL when there is none. */
static char *find_password(char *arg, size_t *len)
{
    char *authority = strstr(arg, "://");
    if (!authority) {
        return NULL;
    }
    authority += 3;
    size_t n = strcspn(authority, "/?#");
    char *at = memrchr(authority, '@', n);
    char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (!colon) {
        return NULL;
    }
    *len = (size_t)(at - colon) - 1;
    return colon + 1;
}

void moil_hide_passwords(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t len;
        char *password = find_password(argv[i], &len);
        char *copy = password ? strdup(argv[i]) : NULL;
        if (copy) {
            memset(password, '*', len);
            argv[i] = copy;
        }
    }
}
