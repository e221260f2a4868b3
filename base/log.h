#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/line.h"

/*
 * One line of a log (base/line.h). The first fields are always time, event and
 * level:
 *
 *   time=2026-11-23T20:31:00.123Z event=ready level=notice workers=2
 *   {"time":"2026-11-23T20:31:00.123Z","event":"ready","level":"notice",...
 *
 * A line that would be longer than LOG_LINE_MAX loses the end of its values,
 * never its form.
 */

/* In the order of severity. */
enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};

/* NULL behind the last. */
extern const char *const log_level_names[LOG_LEVEL_COUNT + 1];

#define LOG_LINE_MAX 2048

struct log_line {
    struct line line; /* of `text` */
    enum log_level level;
    size_t len; /* once it has ended */
    char text[LOG_LINE_MAX];
};

/* wall_ms: milliseconds since 1970. */
void log_start(struct log_line *line, bool json, uint64_t wall_ms,
               const char *event, enum log_level level);
void log_text(struct log_line *line, const char *key, const char *value);
void log_octets(struct log_line *line, const char *key, const char *value,
                size_t len);
void log_number(struct log_line *line, const char *key, uint64_t value);
/* How a process ended: pid, and signal or status, from waitpid's status. */
void log_ending(struct log_line *line, pid_t pid, int status);
/* Ends the line with a newline; nothing may be added after it. */
void log_end(struct log_line *line);

/* "2026-11-23T20:31:00.123Z" and NUL. */
#define LOG_TIME_MAX 25
char *log_time(uint64_t wall_ms, char text[LOG_TIME_MAX]);

/*
 * How many of the lines in `text` are records, one a session ("event" is
 * "session", in either format); dropped lines are counted in records.
 */
size_t log_count_records(const char *text, size_t len);

/* The level a line was started with, or `otherwise`: records have none. */
enum log_level log_line_level(const char *text, size_t len,
                              enum log_level otherwise);

#endif
