#ifndef SCENARIO_FORM_H
#define SCENARIO_FORM_H

#include <stdbool.h>

/*
 * The form of a statement: its words; %w stands for one word, %r for the rest
 * of the line.
 */
#define FORM_ARGS_MAX 4

/* Whether `text` has that form; what stands for %w and %r is copied to `args`,
   in order, and is the caller's also where it has not. */
bool form_match(const char *form, const char *text, char *args[FORM_ARGS_MAX]);

void form_free(char *args[FORM_ARGS_MAX]);

#endif
