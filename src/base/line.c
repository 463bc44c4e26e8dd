/* line.c: see line.h. */
#include "base/line.h"

void moil_line_clean(char *line)
{
    for (unsigned char *p = (unsigned char *)line; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
}
