#include "tests/scenario/toy_tls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/tls.h"

/* What is read ahead; more than a record. */
#define AHEAD 6000

struct tls_context {
    unsigned refs;
};

struct tls {
    struct tls_context *context;
    struct stream *raw;
    tls_signed_fn *signed_fn;
    void *with;
    struct tls *next_unsigned;
    const char *reason;
    enum tls_result over;
    char *names; /* owned; of the certificate; NULL: none */
    char *wants; /* owned; the parent's name; NULL: it is the server's side */
    uint8_t in[AHEAD];
    size_t from, to; /* what is in `in' */
    uint8_t out[TOY_HEAD + TOY_RECORD];
    size_t out_sent, out_len; /* a record that is not sent yet */
    size_t owed;              /* octets of data in it that were not reported */
    size_t data;              /* octets left of the data record in `in' */
    bool begun, greeted, hello, finished, signing, alone, asked, held,
        certificate_failed, ended;
};

static struct tls *unsigned_first; /* newest first */

void
toy_put(struct octets *to, enum toy_type type, const void *octets, size_t len)
{
    uint8_t head[TOY_HEAD] = {(uint8_t)type, (uint8_t)(len >> 8), (uint8_t)len};

    octets_add(to, head, sizeof(head));
    octets_add(to, octets, len);
}

bool
toy_tls_sign(void)
{
    struct tls **at = &unsigned_first;

    if (unsigned_first == NULL)
        return false;
    while ((*at)->next_unsigned != NULL)
        at = &(*at)->next_unsigned;
    struct tls *tls = *at;
    *at = NULL;
    tls->signing = false;
    tls->signed_fn(tls->with);
    return true;
}

struct tls_context *
tls_context_new(const struct config_tls *options, const struct tls_files *files,
                uint32_t index, struct signing *signing)
{
    struct tls_context *context = calloc(1, sizeof(*context));

    (void)options, (void)files, (void)index, (void)signing;
    if (context != NULL)
        context->refs = 1;
    return context;
}

struct tls_context *
tls_context_ref(struct tls_context *context)
{
    if (context != NULL)
        context->refs++;
    return context;
}

void
tls_context_free(struct tls_context *context)
{
    if (context != NULL && --context->refs == 0)
        free(context);
}

struct tls *
tls_new(struct tls_context *context, struct stream *raw, const char *name,
        uint64_t source, tls_signed_fn *signed_fn, void *with)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    (void)source;
    if (tls == NULL)
        return NULL;
    tls->wants = name != NULL ? strdup(name) : NULL;
    if (name != NULL && tls->wants == NULL) {
        free(tls);
        return NULL;
    }
    context->refs++;
    tls->context = context;
    tls->raw = raw;
    tls->signed_fn = signed_fn;
    tls->with = with;
    return tls;
}

void
tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    for (struct tls **at = &unsigned_first; *at != NULL;
         at = &(*at)->next_unsigned)
        if (*at == tls) {
            *at = tls->next_unsigned;
            break;
        }
    tls_context_free(tls->context);
    free(tls->names);
    free(tls->wants);
    free(tls);
}

/* ---- Records ---- */

static enum tls_result
toy_fail(struct tls *tls, const char *reason)
{
    tls->reason = reason;
    return TLS_FAILED;
}

/* DONE: more octets are in `in'. */
static enum tls_result
toy_fill(struct tls *tls)
{
    if (tls->from > 0) {
        memmove(tls->in, tls->in + tls->from, tls->to - tls->from);
        tls->to -= tls->from;
        tls->from = 0;
    }
    assert(tls->to < sizeof(tls->in));
    if (!stream_is(tls->raw, STREAM_READABLE))
        return TLS_WANTS_READ;
    ssize_t count =
        stream_recv(tls->raw, tls->in + tls->to, sizeof(tls->in) - tls->to);
    if (count == -EAGAIN)
        return TLS_WANTS_READ;
    if (count == 0)
        return TLS_TRUNCATED;
    if (count < 0)
        return TLS_FAILED;
    tls->begun = true;
    tls->to += (size_t)count;
    return TLS_DONE;
}

static bool
toy_met_proxy(const struct tls *tls)
{
    return !tls->hello && tls->to >= 5 &&
           (memcmp(tls->in, "PROXY", 5) == 0 ||
            memcmp(tls->in, "\r\n\r\n", 5) == 0);
}

/* DONE: a whole record is at `from'. */
static enum tls_result
toy_record(struct tls *tls, size_t *len)
{
    enum tls_result result = TLS_DONE;

    while (result == TLS_DONE) {
        const uint8_t *at = tls->in + tls->from;
        size_t there = tls->to - tls->from;
        bool is_type =
            there > 0 && at[0] != 0 && strchr("HFDEKkWwA", at[0]) != NULL;
        /* As OpenSSL, it judges nothing before it has five octets. */
        if (!is_type && there >= (tls->hello ? 1 : 5))
            return toy_fail(tls, tls->hello ? "bad record" : "not TLS");
        if (is_type && there >= TOY_HEAD) {
            *len = (size_t)at[1] << 8 | at[2];
            if (*len > TOY_RECORD)
                return toy_fail(tls, "record too long");
            if (there >= TOY_HEAD + *len)
                return TLS_DONE;
        }
        result = toy_fill(tls);
    }
    return result;
}

static enum tls_result
toy_flush(struct tls *tls)
{
    while (tls->out_sent < tls->out_len) {
        ssize_t count = -EAGAIN;
        if (stream_is(tls->raw, STREAM_WRITABLE))
            count = stream_send(tls->raw, tls->out + tls->out_sent,
                                tls->out_len - tls->out_sent);
        if (count == -EAGAIN)
            return TLS_WANTS_WRITE;
        if (count < 0)
            return TLS_FAILED;
        tls->out_sent += (size_t)count;
    }
    tls->out_sent = tls->out_len = 0;
    return TLS_DONE;
}

/* Where none is on its way. */
static void
toy_write(struct tls *tls, enum toy_type type, const void *octets, size_t len)
{
    assert(tls->out_len == 0);
    tls->out[0] = (uint8_t)type;
    tls->out[1] = (uint8_t)(len >> 8);
    tls->out[2] = (uint8_t)len;
    memcpy(tls->out + TOY_HEAD, octets, len);
    tls->out_len = TOY_HEAD + len;
}

/* ---- The handshake ---- */

static void
toy_ask_signature(struct tls *tls)
{
    tls->next_unsigned = unsigned_first;
    unsigned_first = tls;
    tls->signing = true;
    tls->alone = false;
}

static enum tls_result
toy_hello(struct tls *tls, const char *words, size_t len)
{
    tls->hello = true;
    tls->alone = memmem(words, len, "alone", 5) != NULL;
    if (memmem(words, len, "sign", 4) != NULL)
        toy_ask_signature(tls);
    if (memmem(words, len, "bad", 3) != NULL) {
        tls->certificate_failed = true;
        return toy_fail(tls, "certificate has expired");
    }
    tls->held = memmem(words, len, "hold", 4) != NULL;
    const char *is = memmem(words, len, "is=", 3);
    if (tls->wants != NULL &&
        (is == NULL || len - (size_t)(is + 3 - words) != strlen(tls->wants) ||
         memcmp(is + 3, tls->wants, strlen(tls->wants)) != 0))
        return toy_fail(tls, "hostname mismatch");
    const char *names = memmem(words, len, "cert=", 5);
    if (names == NULL)
        return TLS_DONE;
    len -= (size_t)(names + 5 - words);
    tls->names = calloc(1, len + 1);
    if (tls->names == NULL)
        return toy_fail(tls, "no memory");
    memcpy(tls->names, names + 5, len);
    return TLS_DONE;
}

/* The peer's hello, and the signature that its words ask for. */
static enum tls_result
toy_take_hello(struct tls *tls)
{
    size_t len;
    enum tls_result result = TLS_DONE;

    if (!tls->hello) {
        result = toy_record(tls, &len);
        if (result == TLS_DONE && tls->in[tls->from] == TOY_ALERT)
            result = toy_fail(tls, "an alert of the parent's");
        else if (result == TLS_DONE && tls->in[tls->from] != TOY_HELLO)
            result = toy_fail(tls, "not TLS");
        if (result != TLS_DONE)
            return result;
        result = toy_hello(tls, (char *)tls->in + tls->from + TOY_HEAD, len);
        tls->from += TOY_HEAD + len;
    }
    if (result == TLS_DONE && tls->alone) {
        if (unsigned_first != NULL)
            return TLS_WANTS_TURN;
        toy_ask_signature(tls);
    }
    return result == TLS_DONE && tls->signing ? TLS_WANTS_SIGNER : result;
}

/* The client's side, to a parent. */
static enum tls_result
toy_handshake_out(struct tls *tls)
{
    enum tls_result result;

    if (!tls->greeted) {
        toy_write(tls, TOY_HELLO, tls->wants, strlen(tls->wants));
        tls->greeted = true;
    }
    result = toy_flush(tls);
    if (result == TLS_DONE && !tls->finished)
        result = toy_take_hello(tls);
    if (result == TLS_DONE && !tls->finished) {
        toy_write(tls, TOY_FINISHED, "", 0);
        tls->finished = true;
        result = toy_flush(tls);
    }
    return result;
}

static enum tls_result
toy_handshake_in(struct tls *tls)
{
    size_t len;
    enum tls_result result = toy_take_hello(tls);

    if (result == TLS_DONE && !tls->greeted) {
        toy_write(tls, TOY_HELLO, "", 0);
        tls->greeted = true;
    }
    if (result == TLS_DONE)
        result = toy_flush(tls);
    if (result == TLS_DONE)
        result = toy_record(tls, &len);
    if (result != TLS_DONE)
        return result;
    if (tls->in[tls->from] != TOY_FINISHED)
        return toy_fail(tls, "an alert of the client's");
    tls->from += TOY_HEAD + len;
    return TLS_DONE;
}

const char *
tls_reason(const struct tls *tls)
{
    return tls->reason;
}

/* Of names between commas. NULL: no memory. */
static struct certificate *
toy_certificate(const struct tls *tls)
{
    size_t len = strlen(tls->names), count = 1;
    for (size_t i = 0; i < len; i++)
        count += tls->names[i] == ',';
    struct certificate *certificate =
        calloc(1, sizeof(*certificate) + count * sizeof(struct span) + len);
    if (certificate == NULL)
        return NULL;
    char *at = (char *)&certificate->names[count];
    memcpy(at, tls->names, len);
    for (size_t i = 0; i < count; i++) {
        char *comma = memchr(at, ',', len);
        size_t its = comma != NULL ? (size_t)(comma - at) : len;
        certificate->names[certificate->count++] = (struct span){at, its};
        if (comma != NULL) {
            at = comma + 1;
            len -= its + 1;
        }
    }
    return certificate;
}

enum tls_result
tls_handshake(struct tls *tls, struct tls_outcome *outcome)
{
    enum tls_result result =
        tls->wants != NULL ? toy_handshake_out(tls) : toy_handshake_in(tls);

    if (result == TLS_DONE) {
        strcpy(outcome->text, "1.3/TOY");
        if (tls->names != NULL)
            outcome->certificate = toy_certificate(tls);
        if (tls->names != NULL && outcome->certificate == NULL)
            result = toy_fail(tls, "out of memory");
    }
    outcome->begun = tls->begun;
    outcome->met_proxy = toy_met_proxy(tls);
    outcome->reason = tls->reason;
    outcome->refused_certificate = tls->certificate_failed;
    return result;
}

/* ---- Data ---- */

/* DONE: the next octets in `in' are data, `data' of them. */
static enum tls_result
toy_next(struct tls *tls)
{
    while (tls->data == 0) {
        size_t len;
        enum tls_result result = tls->asked ? toy_flush(tls) : TLS_DONE;
        if (result != TLS_DONE)
            return result;
        tls->asked = false;
        result = toy_record(tls, &len);
        if (result != TLS_DONE)
            return result;
        enum toy_type type = tls->in[tls->from];
        if (type == TOY_RENEW && tls->out_len > 0)
            return TLS_WANTS_WRITE; /* behind what is on its way */
        tls->from += TOY_HEAD;
        if (type == TOY_DATA) {
            tls->data = len;
            continue;
        }
        tls->from += len;
        if (type == TOY_END)
            return TLS_ENDED;
        if (type == TOY_ALERT)
            return toy_fail(tls, tls->wants != NULL
                                     ? "an alert of the parent's"
                                     : "an alert of the client's");
        if (type == TOY_HOLD)
            tls->held = true;
        else if (type == TOY_RELEASE)
            tls->held = false;
        else if (type == TOY_RENEW) {
            toy_write(tls, TOY_RENEWED, "", 0);
            tls->asked = true;
        } else if (type != TOY_RENEWED)
            return toy_fail(tls, "bad record");
    }
    return TLS_DONE;
}

enum tls_result
tls_read(struct tls *tls, void *octets, size_t room, size_t *count)
{
    *count = 0;
    while (*count < room && tls->over == TLS_DONE) {
        enum tls_result result = toy_next(tls);
        if (result == TLS_WANTS_READ || result == TLS_WANTS_WRITE)
            return *count > 0 ? TLS_DONE : result;
        if (result != TLS_DONE) {
            tls->over = result;
            break;
        }
        size_t piece = tls->data < room - *count ? tls->data : room - *count;
        memcpy((uint8_t *)octets + *count, tls->in + tls->from, piece);
        tls->from += piece;
        tls->data -= piece;
        *count += piece;
    }
    return *count > 0 ? TLS_DONE : tls->over;
}

enum tls_result
tls_peek(struct tls *tls)
{
    enum tls_result result = tls->over;

    if (result == TLS_DONE)
        result = toy_next(tls);
    if (result == TLS_ENDED || result == TLS_TRUNCATED || result == TLS_FAILED)
        tls->over = result;
    return result;
}

/* As OpenSSL: while a record is on its way, the same octets must come again. */
enum tls_result
tls_write(struct tls *tls, const void *octets, size_t size, size_t *count)
{
    *count = 0;
    while (*count < size) {
        const uint8_t *at = (const uint8_t *)octets + *count;
        if (tls->owed > 0)
            assert(size - *count >= tls->owed &&
                   memcmp(at, tls->out + TOY_HEAD, tls->owed) == 0);
        enum tls_result result = toy_flush(tls);
        if (result != TLS_DONE)
            return result;
        tls->asked = false;
        *count += tls->owed;
        tls->owed = 0;
        if (*count == size)
            break;
        if (tls->held) { /* only the peer can end this */
            size_t room, saved = tls->data;
            if (saved == 0)
                result = toy_record(tls, &room);
            if (saved == 0 && result == TLS_DONE &&
                tls->in[tls->from] == TOY_RELEASE) {
                tls->from += TOY_HEAD + room;
                tls->held = false;
                continue;
            }
            return result == TLS_FAILED ? result : TLS_WANTS_READ;
        }
        at = (const uint8_t *)octets + *count;
        tls->owed = size - *count < TOY_RECORD ? size - *count : TOY_RECORD;
        toy_write(tls, TOY_DATA, at, tls->owed);
    }
    return TLS_DONE;
}

enum tls_result
tls_close_notify(struct tls *tls)
{
    enum tls_result result = toy_flush(tls);

    if (result == TLS_DONE && !tls->ended) {
        tls->ended = true;
        toy_write(tls, TOY_END, "", 0);
        result = toy_flush(tls);
    }
    return result;
}
