#include "gateway/line_level.h"

#include <string.h>

#include "gateway/worker/verdict.h"

/* What stands behind `mark`; NULL: nothing. With a quote in it the mark is
   never part of a value, since a quote there stands behind a backslash. */
static const char *
line_behind(const char *line, size_t len, const char *mark)
{
    const char *at = memmem(line, len, mark, strlen(mark));

    return at == NULL ? NULL : at + strlen(mark);
}

static bool
line_goes_on(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(end - at) > len && memcmp(at, word, len) == 0 &&
           at[len] == '"';
}

static enum log_level
line_level_named(const char *at, const char *end)
{
    for (int level = 0; level < LOG_LEVEL_COUNT; level++)
        if (line_goes_on(at, end, log_level_names[level]))
            return (enum log_level)level;
    return LOG_LEVEL_INFO;
}

static enum log_level
line_level_of_verdict(const char *at, const char *end)
{
    const char *idle = "stopped\" code=0 ";

    if ((size_t)(end - at) > strlen(idle) &&
        memcmp(at, idle, strlen(idle)) == 0)
        return LOG_LEVEL_INFO; /* as in session_level */
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (line_goes_on(at, end, verdict_rows[i].name))
            return (enum log_level)verdict_rows[i].level;
    return LOG_LEVEL_INFO;
}

enum log_level
line_level(const char *line, size_t len)
{
    enum log_level level = log_line_level(line, len, LOG_LEVEL_COUNT);
    const char *at;

    if (level != LOG_LEVEL_COUNT)
        return level;
    at = line_behind(line, len, ",\"level\":\"");
    if (at != NULL)
        return line_level_named(at, line + len);
    at = line_behind(line, len, " verdict=\"");
    return at != NULL ? line_level_of_verdict(at, line + len) : LOG_LEVEL_INFO;
}
