#include "gateway/worker/record.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

#define BATCH_MAX 65536
/* A batch leaves with a line that comes so long after its first. */
#define FLUSH_MS 10
/* If no such line comes, it leaves so long after its first. On a busy worker
   this timer is then never due before the kernel's next tick; waiting with one
   that is costs about 1 us each time (bench/method.md). */
#define FLUSH_LATEST_MS 20

/* What a quoted value takes in a record: a client can fill no disk with six
   octets of the log for each of its own. */
#define RECORD_VALUE_MAX 128

static inline void
record_put_octets(struct line *line, const char *key, const char *octets,
                  size_t count)
{
    line_cut(line, key, octets, count, RECORD_VALUE_MAX);
}

static inline void
record_put_string(struct line *line, const char *key, const char *string)
{
    record_put_octets(line, key, string, string != NULL ? strlen(string) : 0);
}

/* In text, where there is room, without a copy. */
static inline void
record_put_endpoint(struct line *line, const char *key,
                    const struct endpoint *endpoint)
{
    char text[ENDPOINT_TEXT_MAX];

    if (endpoint == NULL)
        line_word(line, key, NULL);
    else if (line->json ||
             !line_is_roomy(line, strlen(key), ENDPOINT_TEXT_MAX))
        line_word(line, key, endpoint_format(endpoint, text));
    else
        line->at =
            endpoint_write(endpoint, line_put_key(line, key, strlen(key)));
}

/* An object in JSON; in text the keys begin with its name and a dot. */
static void
record_put_phases(struct line *line, const char *key,
                  const struct record *record)
{
    if (line->json) {
        line_object(line, key);
#define X(symbol, name) line_number(line, name, record->ms[PHASE_##symbol]);
        PHASES(X)
#undef X
        line_object_end(line);
    } else {
#define X(symbol, name)                                                        \
    line_number(line, "ms." name, record->ms[PHASE_##symbol]);
        PHASES(X)
#undef X
    }
}

size_t
record_format(const struct record *record, enum config_log_format format,
              char *text, size_t room)
{
    struct line line;
    char time[LOG_TIME_MAX];

    line_start(&line, text, room, format == CONFIG_LOG_JSON);
    line_word(&line, "time", log_time(record->wall_ms, time));
    line_word(&line, "event", record->begins ? "session_start" : "session");
    line_number(&line, "id", record->id);
    line_number(&line, "worker", record->worker);
    record_put_string(&line, "listener", record->listener);
    record_put_endpoint(&line, "client", &record->client);
    record_put_octets(&line, "userid", record->userid, record->userid_len);
    line_word(&line, "command", record->command);
    record_put_endpoint(&line, "dest", record->dest);
    record_put_octets(&line, "name", record->name, record->name_len);
    record_put_string(&line, "rule", record->rule);
    record_put_octets(&line, "ident", record->ident, record->ident_len);
    line_string(&line, "verdict", record->verdict);
    line_number(&line, "code", record->code);
    if (!record->begins) {
        line_number(&line, "up", record->up);
        line_number(&line, "down", record->down);
    }
    record_put_phases(&line, "ms", record);
    if (!record->begins) {
        line_word(&line, "ended_by", record->ended_by);
        line_word(&line, "end", record->end);
    }
    line_word(&line, "version", record->version);
    record_put_endpoint(&line, "proxy", record->proxy);
    line_word(&line, "tls", record->tls);
    const struct span *name = record->certificate;
    record_put_octets(&line, "certificate", name != NULL ? name->at : NULL,
                      name != NULL ? name->len : 0);
    record_put_string(&line, "via", record->via);
    if (!record->begins)
        record_put_string(&line, "hint", record->hint);
    record_put_endpoint(&line, "local", record->local);
    record_put_endpoint(&line, "peer", record->peer);
    if (line.json) { /* for programs: the client in two parts, the level */
        char client[ADDR_TEXT_MAX];
        line_word(&line, "client_ip", addr_format(record->client.addr, client));
        line_number(&line, "client_port", record->client.port);
        line_word(&line, "level", log_level_names[record->level]);
    }
    return line_end(&line);
}

/* The longest run of whole lines that is one batch. */
static size_t
record_batch_size(const struct record_log *log)
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

static void
record_log_wait(struct record_log *log, bool waits)
{
    if (log->waits != waits)
        loop_rewatch(log->loop, &log->watch,
                     waits ? EPOLLOUT | EPOLLET : EPOLLET);
    log->waits = waits;
}

/* One batch a call; the rest waits for the timer or for room. Whether one has
   left the queue. */
static bool
record_log_send(struct record_log *log)
{
    size_t count = record_batch_size(log);
    if (count == 0)
        return false;
    ssize_t sent = sys_send(log->watch.fd, log->queue, count);
    if (sent == -EAGAIN) {
        record_log_wait(log, true);
        return false;
    }
    if (sent < 0)
        record_log_lose(log, count);
    log->filled -= count;
    memmove(log->queue, log->queue + count, log->filled);
    log->sent(log);
    if (log->filled > 0)
        loop_start_timer(log->loop, &log->flush, 0);
    return true;
}

static void
record_log_flushed(struct timer *timer)
{
    record_log_send(container_of(timer, struct record_log, flush));
}

static void
record_log_ready(struct watch *watch, uint32_t events)
{
    struct record_log *log = container_of(watch, struct record_log, watch);

    (void)events;
    record_log_wait(log, false);
    record_log_send(log);
}

int
record_log_init(struct record_log *log, struct loop *loop,
                struct segment_column *column, const struct config *config,
                int fd, record_sent_fn *sent)
{
    log->loop = loop;
    log->column = column;
    record_log_set(log, config);
    log->sent = sent;
    log->waits = false;
    log->filled = 0;
    timer_init(&log->flush, record_log_flushed);
    return loop_watch(loop, &log->watch, fd, EPOLLET, record_log_ready);
}

void
record_log_set(struct record_log *log, const struct config *config)
{
    log->format = config->log.format;
    log->level = config->log.level;
}

void
record_log_flush(struct record_log *log)
{
    while (record_log_send(log))
        ;
}

void
record_log_fini(struct record_log *log)
{
    record_log_lose(log, log->filled);
    loop_cancel_timer(log->loop, &log->flush);
    loop_unwatch(log->loop, &log->watch);
}

static void
record_log_added(struct record_log *log, size_t count)
{
    uint64_t now_ms = loop_now_ms(log->loop);

    log->filled += count;
    if (!timer_running(&log->flush)) {
        log->since_ms = now_ms;
        loop_start_timer(log->loop, &log->flush, FLUSH_LATEST_MS);
    } else if (now_ms >= log->since_ms + FLUSH_MS) {
        log->since_ms = now_ms;
        loop_start_timer(log->loop, &log->flush, 0);
    }
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
    if (line->level <= log->level)
        return record_answer(log, line);
    log_end(line);
    return true;
}

bool
record_answer(struct record_log *log, struct log_line *line)
{
    log_end(line);
    if (RECORD_QUEUE - log->filled < line->len)
        return false;
    memcpy(log->queue + log->filled, line->text, line->len);
    record_log_added(log, line->len);
    return true;
}

bool
record_write(struct record_log *log, const struct record *record,
             enum log_level most)
{
    if (record->level > most)
        return true;
    size_t count = record_format(record, log->format, log->queue + log->filled,
                                 RECORD_QUEUE - log->filled);
    if (count == 0)
        return false;
    if (!record->begins)
        segment_count(log->column, SEGMENT_COUNTER_records, 1);
    record_log_added(log, count);
    return true;
}
