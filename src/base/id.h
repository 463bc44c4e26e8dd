/* Ids: random UUIDs (version 4, libuuid). */
#ifndef MOIL_BASE_ID_H
#define MOIL_BASE_ID_H

enum { MOIL_ID_LEN = 36 };

/* Writes 36 lower-case characters and a NUL. */
void moil_id_new(char out[MOIL_ID_LEN + 1]);

#endif
