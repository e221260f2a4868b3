#ifndef SCENARIO_HEAP_H
#define SCENARIO_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The worker's allocations, told from the player's own: those made between
 * heap_watch(true) and heap_watch(false), outside the simulated kernel. They
 * can be made to fail, and what is not freed is known.
 */

/* Starts anew: forgets counts and what is live. `fail_at`: this one and
   then every `fail_every`th behind it fail (0: none, only that one). */
void heap_start(unsigned fail_at, unsigned fail_every);

/* No more failures; heap_count says from now on what it says now. */
void heap_heal(void);

void heap_watch(bool watch);
/* The simulated kernel's own memory is nobody's failure. */
bool heap_suspend(void);
void heap_resume(bool was);

/* Allocations seen, and those that are not freed. */
unsigned heap_count(void);
size_t heap_live(void);

#endif
