#include "gateway/monitor/lost_sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/monitor/handover.h"

/* Until the log queue is asked again whether it has room. */
#define LOST_SESSIONS_MS 5

/* Of one worker, or those that another binary has not written. */
struct lost_block {
    struct list link;
    size_t count, at; /* the first `at` are written */
    struct handed_session sessions[];
};

/* --- lines --------------------------------------------------------------- */

static void
lost_sessions_write(struct sink *sink, const struct handed_session *session)
{
    char text[ENDPOINT_TEXT_MAX], since[LOG_TIME_MAX];
    struct log_line line;
    sink_begin(sink, &line, "session_lost", LOG_LEVEL_NOTICE);
    log_number(&line, "worker", session->worker);
    log_number(&line, "id", session->id);
    log_text(&line, "client", endpoint_format(&session->client, text));
    if (session->dest.port != 0)
        log_text(&line, "dest", endpoint_format(&session->dest, text));
    log_text(&line, "since", log_time(session->since_ms, since));
    sink_say(sink, &line);
}

static void
lost_sessions_drop_block(struct lost_sessions *lost, struct lost_block *block)
{
    lost->count -= block->count;
    list_remove(&block->link);
    free(block);
}

/* False: it waits for room. Where lines do not flow, the rest is left out: the
   other half of the queue is for lines that say more. */
static bool
lost_sessions_write_block(struct lost_sessions *lost, struct lost_block *block)
{
    while (block->at < block->count && sink_has_room(lost->sink))
        lost_sessions_write(lost->sink, &block->sessions[block->at++]);
    if (block->at < block->count && sink_is_busy(lost->sink))
        return false;
    lost_sessions_drop_block(lost, block);
    return true;
}

static void
lost_sessions_on_more(struct timer *timer)
{
    struct lost_sessions *lost =
        container_of(timer, struct lost_sessions, more);
    list_each_safe (at, after, &lost->blocks) {
        struct lost_block *block = container_of(at, struct lost_block, link);
        if (lost_sessions_write_block(lost, block))
            continue;
        loop_start_timer(lost->loop, &lost->more, LOST_SESSIONS_MS);
        return;
    }
}

bool
lost_sessions_wait(const struct lost_sessions *lost)
{
    return !list_empty(&lost->blocks);
}

void
lost_sessions_drop(struct lost_sessions *lost)
{
    loop_cancel_timer(lost->loop, &lost->more);
    list_each_safe (at, after, &lost->blocks)
        lost_sessions_drop_block(lost,
                                 container_of(at, struct lost_block, link));
}

/* --- another binary ------------------------------------------------------- */

int
lost_sessions_hand_over(const struct lost_sessions *lost,
                        struct archive_blob *blob)
{
    size_t one = sizeof(struct handed_session);
    blob->octets = malloc(lost->count * one + 1);
    if (blob->octets == NULL)
        return -ENOMEM;
    list_each_safe (at, after, &lost->blocks) {
        const struct lost_block *block =
            container_of(at, struct lost_block, link);
        size_t len = (block->count - block->at) * one;
        memcpy(blob->octets + blob->len, &block->sessions[block->at], len);
        blob->len += len;
    }
    return 0;
}

static void
lost_sessions_add(struct lost_sessions *lost, struct lost_block *block)
{
    block->at = 0;
    list_init(&block->link);
    list_append(&lost->blocks, &block->link);
    lost->count += block->count;
    loop_start_timer(lost->loop, &lost->more, 0);
}

void
lost_sessions_adopt(struct lost_sessions *lost, const struct archive_blob *blob)
{
    struct lost_block *block =
        blob->len > 0 ? malloc(sizeof(*block) + blob->len) : NULL;
    if (block == NULL)
        return;
    memcpy(block->sessions, blob->octets, blob->len);
    block->count = blob->len / sizeof(block->sessions[0]);
    lost_sessions_add(lost, block);
}

/* --- what the segment says ------------------------------------------------ */

static size_t
lost_sessions_count(const struct segment_session *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < SEGMENT_SESSIONS; i++)
        count += atomic_load(&entries[i].id) != 0;
    return count;
}

/* A time that cannot be true is replaced by the present. */
static uint64_t
lost_sessions_since_ms(uint64_t began_us, uint64_t started_ms)
{
    uint64_t now_us = sys_now_us(), now_ms = sys_wall_ms();
    if (began_us > now_us || (now_us - began_us) / 1000 > now_ms)
        return now_ms;
    uint64_t since_ms = now_ms - (now_us - began_us) / 1000;
    return since_ms + 1000 < started_ms ? now_ms : since_ms;
}

void
lost_sessions_take(struct lost_sessions *lost, struct segment *segment,
                   unsigned slot, uint64_t started_ms)
{
    struct segment_session *entries = segment->sessions[slot];
    struct lost_block *block = NULL;
    size_t count = lost_sessions_count(entries);
    if (count > 0 && lost->count + count <= HANDOVER_SESSIONS_MAX)
        block = malloc(sizeof(*block) + count * sizeof(block->sessions[0]));
    if (block != NULL)
        block->count = 0;
    for (size_t i = 0; i < SEGMENT_SESSIONS; i++) {
        struct segment_session *entry = &entries[i];
        uint64_t id = atomic_load(&entry->id);
        if (id == 0)
            continue;
        if (block != NULL && block->count < count)
            block->sessions[block->count++] = (struct handed_session){
                .id = id - 1,
                .worker = slot,
                .since_ms = lost_sessions_since_ms(entry->began_us, started_ms),
                .client = entry->client,
                .dest = entry->dest,
            };
        atomic_store(&entry->id, 0);
    }
    if (block != NULL)
        lost_sessions_add(lost, block);
}

/* --- its life ------------------------------------------------------------ */

void
lost_sessions_init(struct lost_sessions *lost, struct loop *loop,
                   struct sink *sink)
{
    *lost = (struct lost_sessions){.loop = loop, .sink = sink};
    list_init(&lost->blocks);
    timer_init(&lost->more, lost_sessions_on_more);
}
