/* A snapshot: what one generation of workers loads, as bytes that outlive the files on disk
 * (ARCHITECTURE 6). The check child writes it while it loads, into a memfd; each worker of the
 * generation, also one that is started later, maps it and loads from it.
 *
 *   data      name -> bytes       what is no source: the options, later the beat schedule
 *   root      path -> folder      a path as it was given, and the folder that `require` searches
 *   load      path -> ""          a file to load, in this order
 *   path      path -> real path   how a file was named when it was opened
 *   source    real path -> text
 *
 * Text only, never bytecode. Called by vm/source.c and vm/load.c, and by api/ for the data; knows
 * no Lua. Bounds: MOIL_SNAPSHOT_MAX in all, MOIL_SOURCE_MAX a file. */
#ifndef MOIL_VM_SNAPSHOT_H
#define MOIL_VM_SNAPSHOT_H

#include <stdbool.h>

#include "base/buffer.h"

enum snapshot_kind {
    SNAPSHOT_DATA,
    SNAPSHOT_ROOT,
    SNAPSHOT_LOAD,
    SNAPSHOT_PATH,
    SNAPSHOT_SOURCE,
    SNAPSHOT_KINDS
};

enum { MOIL_SNAPSHOT_MAX = 64 << 20, MOIL_SOURCE_MAX = 16 << 20 };

struct snapshot;

struct snapshot_entry {
    enum snapshot_kind kind;
    struct slice name;  /* a NUL stands behind it */
    struct slice value; /* likewise, and it begins at a multiple of 8 */
};

/* --- writing ---------------------------------------------------------------------------------- */

/* Appends an entry to a draft, which begins as an empty buffer. Of several with the same kind and
 * name the first one counts. */
void moil_snapshot_add(struct buffer *draft, enum snapshot_kind kind, struct slice name,
                       struct slice value);

/* Writes a draft to the start of a file. 0, or MOIL_ENOMEM, MOIL_ETOOLARGE or MOIL_ESYS. */
int moil_snapshot_write(const struct buffer *draft, int fd);

/* --- reading ---------------------------------------------------------------------------------- */

/* Borrows the bytes of a draft. NULL when out of memory, or when they are no snapshot. */
struct snapshot *moil_snapshot_new(struct slice bytes);

/* Maps a file, which may be closed afterwards. NULL, with errno or 0 for bytes that are none. */
struct snapshot *moil_snapshot_map(int fd);
void moil_snapshot_free(struct snapshot *s); /* NULL is fine */

/* The value under a name; false when there is none. Borrowed from the snapshot. */
bool moil_snapshot_find(const struct snapshot *s, enum snapshot_kind kind, struct slice name,
                        struct slice *value);

/* The entries in the order of their writing: *at begins as 0; false after the last. */
bool moil_snapshot_next(const struct snapshot *s, size_t *at, struct snapshot_entry *entry);

#endif
