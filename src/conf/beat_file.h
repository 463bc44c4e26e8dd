/* A beat file: a Lua chunk that returns { timezone = …, schedule = { [name] = { … }, … } }, as JSON
 * text of the same shape. Evaluated like the config file (chunk.h).
 *
 * What stands in an entry is beat/'s business: here it is plain data. Called by api/. */
#ifndef MOIL_CONF_BEAT_FILE_H
#define MOIL_CONF_BEAT_FILE_H

#include <stddef.h>

/* *json (to be freed) gets the text, its keys sorted: the same file gives the same text. 0,
 * MOIL_EINVAL, MOIL_ESYS (no such file) or MOIL_ENOMEM with one line in errstr that names the file
 * and the line, or the entry and the field. */
int moil_beat_file_load(const char *path, char **json, char *errstr, size_t errlen);

#endif
