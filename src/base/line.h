/* A message for people is one line, whatever it quotes. Called by who makes messages out of what
 * came from outside. */
#ifndef MOIL_BASE_LINE_H
#define MOIL_BASE_LINE_H

/* Each control character (a newline, an escape of the terminal) becomes a space. */
void moil_line_clean(char *line);

#endif
