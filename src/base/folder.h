/* What a folder holds. Called by vm/. */
#ifndef MOIL_BASE_FOLDER_H
#define MOIL_BASE_FOLDER_H

#include <stddef.h>

struct folder {
    char **names; /* in the order of their bytes, whatever the locale */
    size_t count;
};

/* The names in a folder but hidden ones (and so without . and ..). 0; MOIL_ESYS, with errno, or
 * MOIL_ENOMEM, both with an empty list. Freed by moil_folder_fini. */
int moil_folder_list(const char *path, struct folder *out);
void moil_folder_fini(struct folder *f);

#endif
