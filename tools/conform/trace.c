#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#define OCTETS_SHOWN 48

static void __attribute__((format(printf, 2, 3)))
trace_put(struct trace *trace, const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof trace->text - trace->len;
    int count;

    va_start(arguments, format);
    count = vsnprintf(trace->text + trace->len, room, format, arguments);
    va_end(arguments);
    if (count > 0)
        trace->len += (size_t)count < room ? (size_t)count : room - 1;
}

void
trace_octets(struct trace *trace, const char *who, char way,
             const uint8_t *octets, size_t len)
{
    trace_put(trace, "%s %c", who, way);
    for (size_t i = 0; i < len && i < OCTETS_SHOWN; i++)
        trace_put(trace, " %02x", octets[i]);
    if (len > OCTETS_SHOWN)
        trace_put(trace, " ... (%zu octets)", len);
    trace_put(trace, "\n");
}

void
trace_word(struct trace *trace, const char *who, char way, const char *word)
{
    trace_put(trace, "%s %c %s\n", who, way, word);
}
