#include "tests/scenario/form.h"

#include <stdlib.h>
#include <string.h>

static bool
next_word(const char **at, const char **word, size_t *len)
{
    *word = *at;
    *len = strcspn(*at, " ");
    *at += *len;
    if (**at == ' ')
        (*at)++;
    return *len > 0;
}

bool
form_match(const char *form, const char *text, char *args[FORM_ARGS_MAX])
{
    const char *want, *got;
    size_t want_len, got_len;
    int count = 0;

    while (next_word(&form, &want, &want_len)) {
        if (strncmp(want, "%r", 2) == 0) {
            args[count++] = strdup(text);
            return *text != '\0';
        }
        if (!next_word(&text, &got, &got_len))
            return false;
        if (strncmp(want, "%w", 2) == 0)
            args[count++] = strndup(got, got_len);
        else if (want_len != got_len || memcmp(want, got, got_len) != 0)
            return false;
    }
    return *text == '\0';
}

void
form_free(char *args[FORM_ARGS_MAX])
{
    for (int i = 0; i < FORM_ARGS_MAX; i++) {
        free(args[i]);
        args[i] = NULL;
    }
}
