#include "gateway/worker/record.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

#define BATCH_MAX 65536
#define FLUSH_MS 10

/* Escaped, an octet takes six at most; and so much for all that is ours. */
_Static_assert((CONFIG_USERID_MAX + 255 + 1024) * 6 + 2048 <= BATCH_MAX,
               "every line fits a batch");

/* ---- One line ---- */

/* Writes as long as there is room, then only marks that there was none. */
struct line {
    char *at;
    char *end;
    bool full;
    bool json;
    bool first;
};

static void
put_octets(struct line *line, const char *octets, size_t count)
{
    if ((size_t)(line->end - line->at) < count) {
        line->full = true;
        return;
    }
    memcpy(line->at, octets, count);
    line->at += count;
}

static void
put_octet(struct line *line, char octet)
{
    if (line->at == line->end)
        line->full = true;
    else
        *line->at++ = octet;
}

static void
put_text(struct line *line, const char *text)
{
    put_octets(line, text, strlen(text));
}

static void
put_number(struct line *line, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_octets(line, digits + at, sizeof(digits) - at);
}

/* Nothing but 0x20 to 0x7e gets through as it is, and a quote or backslash
   only behind a backslash: no octet from the wire can forge a line. */
static void
put_escaped(struct line *line, const char *octets, size_t count)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        unsigned char octet = (unsigned char)octets[i];
        if (octet >= 0x20 && octet <= 0x7e) {
            if (octet == '"' || octet == '\\')
                put_octet(line, '\\');
            put_octet(line, octets[i]);
            continue;
        }
        put_text(line, line->json ? "\\u00" : "\\x");
        put_octet(line, hex[octet >> 4]);
        put_octet(line, hex[octet & 15]);
    }
}

static void
put_key(struct line *line, const char *key)
{
    if (!line->first)
        put_octet(line, line->json ? ',' : ' ');
    line->first = false;
    if (line->json)
        put_octet(line, '"');
    put_text(line, key);
    if (line->json)
        put_octet(line, '"');
    put_octet(line, line->json ? ':' : '=');
}

static void
put_nothing(struct line *line)
{
    put_text(line, line->json ? "null" : "-");
}

/* A word of ours: quoted in JSON only. */
static void
put_word(struct line *line, const char *key, const char *word)
{
    put_key(line, key);
    if (word == NULL) {
        put_nothing(line);
        return;
    }
    if (line->json)
        put_octet(line, '"');
    put_text(line, word);
    if (line->json)
        put_octet(line, '"');
}

/* Octets of anybody's: always quoted. */
static void
put_string(struct line *line, const char *key, const char *octets, size_t count)
{
    put_key(line, key);
    if (octets == NULL) {
        put_nothing(line);
        return;
    }
    put_octet(line, '"');
    put_escaped(line, octets, count);
    put_octet(line, '"');
}

static void
put_count(struct line *line, const char *key, uint64_t count)
{
    put_key(line, key);
    put_number(line, count);
}

static void
put_endpoint(struct line *line, const char *key,
             const struct endpoint *endpoint)
{
    char text[ENDPOINT_TEXT_MAX];
    put_word(line, key,
             endpoint != NULL ? endpoint_format(endpoint, text) : NULL);
}

/* RFC 3339 in UTC, with milliseconds. */
static void
put_time(struct line *line, uint64_t wall_ms)
{
    char text[LOG_TIME_MAX];
    put_word(line, "time", log_time(wall_ms, text));
}

/* In JSON an object, in text ms.request=… and so on. */
static void
put_phases(struct line *line, const uint32_t ms[PHASE_COUNT])
{
    static const char *const json[PHASE_COUNT] = {"request", "resolve", "ident",
                                                  "connect", "relay"};
    static const char *const text[PHASE_COUNT] = {
        "ms.request", "ms.resolve", "ms.ident", "ms.connect", "ms.relay"};

    if (line->json) {
        put_key(line, "ms");
        put_text(line, "{");
        line->first = true;
    }
    for (int i = 0; i < PHASE_COUNT; i++)
        put_count(line, line->json ? json[i] : text[i], ms[i]);
    if (line->json)
        put_text(line, "}");
}

size_t
record_format(const struct record *record, enum config_log_format format,
              uint64_t wall_ms, char *text, size_t room)
{
    struct line line = {.at = text,
                        .end = text + room,
                        .json = format == CONFIG_LOG_JSON,
                        .first = true};

    if (line.json)
        put_text(&line, "{");
    put_time(&line, wall_ms);
    put_word(&line, "event", "session");
    put_count(&line, "id", record->id);
    put_count(&line, "worker", record->worker);
    put_string(&line, "listener", record->listener, strlen(record->listener));
    put_endpoint(&line, "client", &record->client);
    put_string(&line, "userid", record->userid, record->userid_len);
    put_word(&line, "command", record->command);
    put_endpoint(&line, "dest", record->dest);
    put_string(&line, "name", record->name, record->name_len);
    put_string(&line, "rule", record->rule,
               record->rule != NULL ? strlen(record->rule) : 0);
    put_string(&line, "ident", record->ident, record->ident_len);
    put_string(&line, "verdict", record->verdict, strlen(record->verdict));
    put_count(&line, "code", record->code);
    put_count(&line, "up", record->up);
    put_count(&line, "down", record->down);
    put_phases(&line, record->ms);
    put_word(&line, "ended_by", record->ended_by);
    put_word(&line, "end", record->end);
    put_text(&line, line.json ? "}\n" : "\n");
    return line.full ? 0 : (size_t)(line.at - text);
}

/* ---- The queue ---- */

/* The longest run of whole lines that is one batch. */
static size_t
batch_size(const struct record_log *log)
{
    if (log->filled <= BATCH_MAX)
        return log->filled;
    const char *last = memrchr(log->queue, '\n', BATCH_MAX);
    return (size_t)(last - log->queue) + 1;
}

/* What was counted as written will not arrive. */
static void
record_log_lose(struct record_log *log, size_t count)
{
    uint64_t lost = log_count_records(log->queue, count);

    segment_count(log->column, SEGMENT_COUNTER_records, -lost);
    segment_count(log->column, SEGMENT_COUNTER_dropped, lost);
}

/* One batch a call; the rest waits for the timer or for room. */
static void
record_log_send(struct record_log *log)
{
    size_t count = batch_size(log);
    if (count == 0)
        return;
    ssize_t sent = sys_send(log->watch.fd, log->queue, count);
    if (sent == -EAGAIN)
        return; /* an edge will come */
    if (sent < 0)
        record_log_lose(log, count);
    log->filled -= count;
    memmove(log->queue, log->queue + count, log->filled);
    if (log->filled > 0)
        loop_start_timer(log->loop, &log->flush, 0);
}

static void
record_log_flushed(struct timer *timer)
{
    record_log_send(container_of(timer, struct record_log, flush));
}

static void
record_log_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    record_log_send(container_of(watch, struct record_log, watch));
}

int
record_log_init(struct record_log *log, struct loop *loop,
                struct segment_column *column, const struct config *config,
                int fd)
{
    log->loop = loop;
    log->column = column;
    record_log_set(log, config);
    log->filled = 0;
    timer_init(&log->flush, record_log_flushed);
    return loop_watch(loop, &log->watch, fd, EPOLLOUT | EPOLLET,
                      record_log_ready);
}

void
record_log_set(struct record_log *log, const struct config *config)
{
    log->format = config->log.format;
    log->level = config->log.level;
}

void
record_log_fini(struct record_log *log)
{
    loop_cancel_timer(log->loop, &log->flush);
    size_t before;
    do {
        before = log->filled;
        record_log_send(log);
    } while (log->filled < before);
    record_log_lose(log, log->filled);
    loop_cancel_timer(log->loop, &log->flush);
    loop_unwatch(log->loop, &log->watch);
}

static void
record_log_added(struct record_log *log, size_t count)
{
    log->filled += count;
    if (!timer_running(&log->flush))
        loop_start_timer(log->loop, &log->flush, FLUSH_MS);
}

void
record_begin(const struct record_log *log, struct log_line *line,
             const char *event, enum log_level level)
{
    log_start(line, log->format == CONFIG_LOG_JSON, sys_wall_ms(), event,
              level);
}

bool
record_say(struct record_log *log, struct log_line *line)
{
    unsigned level = log_line_level(line->text, line->len, LOG_LEVEL_ERROR);

    log_end(line);
    if (level > (unsigned)log->level)
        return true;
    if (RECORD_QUEUE - log->filled < line->len)
        return false;
    memcpy(log->queue + log->filled, line->text, line->len);
    record_log_added(log, line->len);
    return true;
}

void
record_write(struct record_log *log, enum config_log_level level,
             const struct record *record)
{
    if (level > log->level)
        return;
    size_t count =
        record_format(record, log->format, sys_wall_ms(),
                      log->queue + log->filled, RECORD_QUEUE - log->filled);
    if (count == 0) {
        segment_count(log->column, SEGMENT_COUNTER_dropped, 1);
        return;
    }
    segment_count(log->column, SEGMENT_COUNTER_records, 1);
    record_log_added(log, count);
}
