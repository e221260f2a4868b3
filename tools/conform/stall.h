#ifndef CONFORM_STALL_H
#define CONFORM_STALL_H

#include "play.h"

/*
 * Some servers serve nobody else while they wait for an application server, a
 * name server or an identd. Cases that keep such a server waiting (STALL_* of
 * case.h) are played apart, so that other cases are not blamed for it.
 */

/* Tries them one after another: those that keep this server waiting. */
unsigned stall_find(const struct setting *setting);

/* Whether a CONNECT is answered within `wait` ms, granted or not. */
bool stall_is_over(const struct setting *setting, unsigned wait);

/* Prints a sentence for each stall of the set. */
void stall_say(unsigned stalls);

#endif
