#include "gateway/worker/stream_tls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/sys.h"

struct stream_tls {
    struct stream raw;    /* registered; owns the descriptor */
    struct stream *upper; /* that points here */
    stream_fn *serve;
    struct stream_tls_pool *pool; /* borrowed */
    struct list queued;           /* in pool->ready or one of pool->turns */
    uint64_t source;
    struct tls *tls;              /* owned; NULL: closed */
    struct tls_outcome outcome;   /* of the handshake */
    uint64_t since_us;
    bool done : 1; /* the handshake */
    bool failed : 1;
    bool wants_signer : 1;
    bool read_wants_write : 1;
    bool write_wants_read : 1;
    bool finishing : 1; /* close_notify waits for room */
};

static void
stream_tls_note(struct stream_tls *tls, unsigned flags)
{
    tls->upper->watch.notes |= flags;
}

static void
stream_tls_forget(struct stream_tls *tls, unsigned flags)
{
    tls->upper->watch.notes &= ~(uint32_t)flags;
}

/* What an event of the connection's means to the application's octets. */
static void
stream_tls_pass_event(struct stream_tls *tls)
{
    const struct stream *raw = &tls->raw;

    if (stream_is(raw, STREAM_READABLE))
        stream_tls_note(tls, STREAM_READABLE | STREAM_FRESH |
                                 (tls->write_wants_read ? STREAM_WRITABLE : 0));
    if (stream_is(raw, STREAM_WRITABLE))
        stream_tls_note(tls, STREAM_WRITABLE |
                                 (tls->read_wants_write ? STREAM_READABLE : 0));
    if (stream_is(raw, STREAM_ENDING))
        stream_tls_note(tls, STREAM_ENDING);
    if (stream_is(raw, STREAM_BROKEN))
        stream_tls_note(tls, STREAM_BROKEN | STREAM_READABLE);
}

static void
stream_tls_queue(struct stream_tls *tls)
{
    if (!list_empty(&tls->queued))
        return;
    list_append(&tls->pool->ready, &tls->queued);
    loop_defer(tls->pool->loop, &tls->pool->run);
}

/* A source that has many of them delays another by one. */
static void
stream_tls_await_turn(struct stream_tls *tls)
{
    struct stream_tls_turn *turn =
        &tls->pool->turns[tls->source % STREAM_TLS_TURNS];

    list_append(&turn->streams, &tls->queued);
    if (list_empty(&turn->link))
        list_append(&tls->pool->waiting, &turn->link);
}

/* A handshake that has held what pool->waiting waits for holds it no more. The
   streams of a turn may all have been closed. */
static void
stream_tls_pool_wake_next(struct stream_tls_pool *pool)
{
    while (!list_empty(&pool->waiting)) {
        struct stream_tls_turn *turn =
            container_of(pool->waiting.next, struct stream_tls_turn, link);
        list_remove(&turn->link);
        if (list_empty(&turn->streams))
            continue;
        struct stream_tls *next =
            container_of(turn->streams.next, struct stream_tls, queued);
        list_remove(&next->queued);
        if (!list_empty(&turn->streams))
            list_append(&pool->waiting, &turn->link);
        stream_tls_queue(next);
        return;
    }
}

static void
stream_tls_ready(struct watch *watch, uint32_t events)
{
    struct stream *raw = stream_event(watch, events);
    struct stream_tls *tls = container_of(raw, struct stream_tls, raw);

    if (!tls->done && !tls->failed) {
        list_remove(&tls->queued);
        stream_tls_queue(tls);
        return;
    }
    stream_tls_pass_event(tls);
    if (tls->finishing)
        stream_tls_finish(tls->upper);
    tls->serve(&tls->upper->watch, events);
}

static void
stream_tls_signed(void *with)
{
    stream_tls_queue(with);
}

static void
stream_tls_pool_run(struct task *task)
{
    struct stream_tls_pool *pool =
        container_of(task, struct stream_tls_pool, run);

    for (int step = 0; step < STREAM_TLS_STEPS && !list_empty(&pool->ready);
         step++) {
        struct stream_tls *tls =
            container_of(pool->ready.next, struct stream_tls, queued);
        list_remove(&tls->queued);
        tls->serve(&tls->upper->watch, 0);
    }
    if (!list_empty(&pool->ready))
        loop_defer(pool->loop, &pool->run);
}

void
stream_tls_pool_init(struct stream_tls_pool *pool, struct loop *loop)
{
    pool->loop = loop;
    pool->signing = NULL;
    list_init(&pool->ready);
    list_init(&pool->waiting);
    for (size_t i = 0; i < STREAM_TLS_TURNS; i++) {
        list_init(&pool->turns[i].link);
        list_init(&pool->turns[i].streams);
    }
    task_init(&pool->run, stream_tls_pool_run);
}

void
stream_tls_pool_fini(struct stream_tls_pool *pool)
{
    task_cancel(&pool->run);
}

static int
stream_tls_open(struct stream *stream, struct stream_tls_pool *pool, int fd,
                struct tls_context *context, const char *name, uint64_t source,
                stream_fn *serve)
{
    struct stream_tls *tls = calloc(1, sizeof(*tls));

    stream_init(stream);
    if (tls == NULL) {
        sys_close(fd);
        return -ENOMEM;
    }
    stream_init(&tls->raw);
    tls->upper = stream;
    tls->serve = serve;
    tls->pool = pool;
    tls->source = source;
    list_init(&tls->queued);
    tls->since_us = pool->loop->now_us;
    tls->tls =
        tls_new(context, &tls->raw, name, source, stream_tls_signed, tls);
    int error = -ENOMEM;
    if (tls->tls == NULL)
        sys_close(fd);
    else
        error = stream_open(&tls->raw, pool->loop, fd, stream_tls_ready);
    if (error < 0) {
        tls_free(tls->tls);
        free(tls);
        return error;
    }
    stream->tls = tls;
    stream->watch.fd = fd;
    stream->watch.notes = STREAM_TLS;
    return 0;
}

int
stream_open_tls(struct stream *stream, struct stream_tls_pool *pool, int fd,
                struct tls_context *context, uint64_t source, stream_fn *serve)
{
    return stream_tls_open(stream, pool, fd, context, NULL, source, serve);
}

int
stream_start_tls(struct stream *stream, struct stream_tls_pool *pool,
                 struct tls_context *context, const char *name, uint64_t source)
{
    stream_fn *serve = stream->watch.ready;
    int fd = stream->watch.fd;

    loop_unwatch(pool->loop, &stream->watch);
    return stream_tls_open(stream, pool, fd, context, name, source, serve);
}

/* ---- The handshake ---- */

static uint32_t
stream_tls_since_ms(const struct stream_tls *tls)
{
    return (uint32_t)((tls->pool->loop->now_us - tls->since_us) / 1000);
}

/* Nothing is read meanwhile, so a reset would not be noticed. */
static enum tls_result
stream_tls_await_signature(struct stream_tls *tls, enum tls_result result)
{
    if (stream_is(&tls->raw, STREAM_BROKEN))
        return TLS_FAILED;
    if (result == TLS_WANTS_TURN)
        stream_tls_await_turn(tls);
    return result;
}

enum tls_result
stream_handshake(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    enum tls_result result = tls_handshake(tls->tls, &tls->outcome);

    tls->wants_signer = result == TLS_WANTS_SIGNER || result == TLS_WANTS_TURN;
    if (tls->wants_signer)
        result = stream_tls_await_signature(tls, result);
    else
        stream_tls_pool_wake_next(tls->pool);
    if (result == TLS_WANTS_READ || result == TLS_WANTS_WRITE ||
        result == TLS_WANTS_SIGNER || result == TLS_WANTS_TURN)
        return result;
    tls->done = result == TLS_DONE;
    tls->failed = !tls->done;
    if (tls->failed) { /* what the peer still sends may take its time */
        tls_free(tls->tls);
        tls->tls = NULL;
    }
    tls->outcome.ms = stream_tls_since_ms(tls);
    stream_tls_pass_event(tls);
    /* The library may have read more than the handshake. */
    stream_tls_note(tls, STREAM_READABLE | STREAM_FRESH);
    return result;
}

bool
stream_tls_shaken(const struct stream *stream)
{
    return stream->tls->done;
}

void
stream_handshake_late(struct stream *stream)
{
    if (stream->tls->wants_signer)
        stream->tls->outcome.reason =
            "the signer gave no signature within timeouts.request";
}

/* ---- Reading and writing ---- */

static ssize_t
stream_tls_broke(struct stream_tls *tls, unsigned flags)
{
    stream_tls_note(tls, STREAM_BROKEN | STREAM_READABLE | flags);
    if (tls->outcome.reason == NULL && !tls->failed &&
        !stream_is(&tls->raw, STREAM_BROKEN))
        tls->outcome.reason = tls_reason(tls->tls);
    return -ECONNRESET;
}

/* No event will say so. */
static void
stream_tls_retry(struct stream_tls *tls, unsigned flag)
{
    stream_tls_note(tls, flag);
    stream_tls_queue(tls);
}

/* The handshake has failed: what still comes is only dropped. */
static ssize_t
stream_tls_recv_raw(struct stream_tls *tls, void *octets, size_t room)
{
    ssize_t count = stream_recv(&tls->raw, octets, room);

    if (!stream_is(&tls->raw, STREAM_READABLE))
        stream_tls_forget(tls, STREAM_READABLE);
    if (count < 0 && count != -EAGAIN)
        stream_tls_note(tls, STREAM_BROKEN | STREAM_DRAINED | STREAM_READABLE);
    return count;
}

/* What it means that tls_read or tls_peek found no octets. */
static ssize_t
stream_tls_without_data(struct stream *stream, enum tls_result result)
{
    struct stream_tls *tls = stream->tls;

    switch (result) {
    case TLS_WANTS_WRITE:
    case TLS_WANTS_READ:
    case TLS_WANTS_SIGNER:
    case TLS_WANTS_TURN:
        tls->read_wants_write = result == TLS_WANTS_WRITE;
        stream_tls_forget(tls, STREAM_READABLE);
        return -EAGAIN;
    case TLS_ENDED: /* after a reset it is no end: see stream.h */
        return stream_is(stream, STREAM_BROKEN)
                   ? stream_tls_broke(tls, STREAM_DRAINED)
                   : 0;
    case TLS_TRUNCATED:
        return stream_tls_broke(tls, STREAM_DRAINED | STREAM_TRUNCATED);
    case TLS_DONE:
    case TLS_FAILED:
        break;
    }
    return stream_tls_broke(tls, STREAM_DRAINED);
}

ssize_t
stream_tls_recv(struct stream *stream, void *octets, size_t room)
{
    struct stream_tls *tls = stream->tls;
    size_t count = 0;

    stream_tls_forget(tls, STREAM_FRESH);
    if (!tls->done)
        return stream_tls_recv_raw(tls, octets, room);
    tls->read_wants_write = false;
    enum tls_result result = tls_read(tls->tls, octets, room, &count);
    if (tls->write_wants_read) /* it may have read what the write waits for */
        stream_tls_retry(tls, STREAM_WRITABLE);
    return result == TLS_DONE ? (ssize_t)count
                              : stream_tls_without_data(stream, result);
}

/* Octets that are found stay where they are, and so does READABLE. */
bool
stream_tls_has_left(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;

    if (!tls->done || !stream_is(stream, STREAM_READABLE))
        return false;
    enum tls_result result = tls_peek(tls->tls);
    return result != TLS_DONE &&
           stream_tls_without_data(stream, result) != -EAGAIN;
}

ssize_t
stream_tls_send(struct stream *stream, const void *octets, size_t size)
{
    struct stream_tls *tls = stream->tls;
    size_t count = 0;
    ssize_t error = -EAGAIN;

    if (!tls->done)
        return -ENOTCONN;
    tls->write_wants_read = false;
    enum tls_result result = tls_write(tls->tls, octets, size, &count);
    if (tls->read_wants_write && result != TLS_WANTS_WRITE)
        stream_tls_retry(tls, STREAM_READABLE);
    switch (result) {
    case TLS_DONE:
        break;
    case TLS_WANTS_READ:
        tls->write_wants_read = true;
        stream_tls_forget(tls, STREAM_WRITABLE);
        break;
    case TLS_WANTS_WRITE:
    case TLS_WANTS_SIGNER:
    case TLS_WANTS_TURN:
        stream_tls_forget(tls, STREAM_WRITABLE);
        break;
    case TLS_ENDED:
    case TLS_TRUNCATED:
    case TLS_FAILED:
        error = stream_tls_broke(tls, 0);
        break;
    }
    return count > 0 ? (ssize_t)count : error;
}

/* ---- The end ---- */

/* 0, -EAGAIN or another negative errno. */
static int
stream_tls_close_notify(struct stream_tls *tls)
{
    enum tls_result result = tls->done ? tls_close_notify(tls->tls) : TLS_DONE;

    if (result == TLS_WANTS_WRITE)
        stream_tls_forget(tls, STREAM_WRITABLE);
    if (result == TLS_WANTS_WRITE)
        return -EAGAIN;
    return result == TLS_DONE ? 0 : -EPIPE;
}

/* A peer that is gone already misses nothing. */
int
stream_tls_prepare_close(struct stream *stream)
{
    return stream_tls_close_notify(stream->tls) == -EAGAIN ? -EAGAIN : 0;
}

int
stream_tls_finish(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;

    if (stream_is(stream, STREAM_FINISHED))
        return 0;
    int error = stream_tls_close_notify(tls);
    tls->finishing = error == -EAGAIN;
    if (tls->finishing)
        return error;
    if (error == 0)
        error = stream_finish(&tls->raw);
    if (error < 0)
        return (int)stream_tls_broke(tls, 0);
    stream_tls_note(tls, STREAM_FINISHED);
    return 0;
}

void
stream_tls_expect(struct stream *stream)
{
    stream_expect(&stream->tls->raw);
}

void
stream_tls_serve(struct stream *stream, stream_fn *serve)
{
    stream->tls->serve = serve;
}

void
stream_tls_close(struct stream *stream, bool reset)
{
    struct stream_tls *tls = stream->tls;

    list_remove(&tls->queued);
    if (!reset && !stream_is(stream, STREAM_FINISHED | STREAM_BROKEN))
        stream_tls_close_notify(tls);
    tls_free(tls->tls);
    tls->tls = NULL;
    if (tls->wants_signer)
        stream_tls_pool_wake_next(tls->pool);
    if (!tls->done && !tls->failed)
        tls->outcome.ms = stream_tls_since_ms(tls);
    if (reset)
        stream_reset(&tls->raw);
    else
        stream_close(&tls->raw);
}

void
stream_tls_free(struct stream *stream)
{
    free(stream->tls->outcome.certificate);
    free(stream->tls);
}

const struct tls_outcome *
stream_tls_outcome(const struct stream *stream)
{
    static const struct tls_outcome none;

    return stream_is(stream, STREAM_TLS) ? &stream->tls->outcome : &none;
}
