/* Deaths: what follows from the end of a child, by who it was and how it ended. Called by super.c.
 */
#ifndef MOIL_SUPER_DEATH_H
#define MOIL_SUPER_DEATH_H

#include "super/phase.h"

/* Waits for all children that have ended. What a crashed one leaves in its process group is killed.
 */
void moil_death_reap(struct super *s);

#endif
