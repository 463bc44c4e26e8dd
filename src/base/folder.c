/* folder.c: see folder.h. */
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add(struct folder *f, const char *name)
{
    if ((f->count & (f->count - 1)) == 0) { /* full at each power of two */
        size_t room = f->count ? f->count * 2 : 1;
        char **names = moil_mem_realloc(f->names, room * sizeof *names);
        if (!names)
            return false;
        f->names = names;
    }
    f->names[f->count] = moil_mem_strdup(name);
    return f->names[f->count++] != NULL;
}

int moil_folder_list(const char *path, struct folder *out)
{
    struct folder f = {NULL, 0};
    int err = 0;
    *out = f;
    DIR *dir = opendir(path);
    if (!dir)
        return MOIL_ESYS;
    const struct dirent *entry;
    while (!err && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && !add(&f, entry->d_name))
            err = MOIL_ENOMEM;
    closedir(dir);
    if (err) {
        moil_folder_fini(&f);
        return err;
    }
    if (f.count > 1)
        qsort(f.names, f.count, sizeof *f.names, by_bytes);
    *out = f;
    return 0;
}

void moil_folder_fini(struct folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        moil_mem_free(f->names[i]);
    moil_mem_free(f->names);
    *f = (struct folder){NULL, 0};
}
