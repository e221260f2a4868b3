/*
 * What a parent answers. The first octet chooses: its lowest bit BIND, the next
 * that the name is passed, the next two how the request goes out (whole, in two
 * pieces, not at all, or the connection breaks), the rest the size of the
 * pieces that are read. The second octet says how the stream ends. What follows
 * is what the parent sends. A second implementation says what must come of it.
 */

#include "gateway/worker/parent.h"

#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { WHOLE, PIECES, NOTHING, BROKEN };
enum { OPEN, FIN, RESET };

static struct {
    const uint8_t *octets;
    size_t len, at, step;
    unsigned sending, end;
    uint8_t sent[64];
    size_t sent_len;
} far;

const char *
request_name(const struct request *request)
{
    return request->userid + request->userid_len + 1;
}

ssize_t
stream_send(struct stream *stream, const void *octets, size_t count)
{
    size_t size = far.sending == PIECES && count > 3 ? 3 : count;

    if (far.sending == NOTHING) {
        stream->watch.notes &= ~(uint32_t)STREAM_WRITABLE;
        return -EAGAIN;
    }
    if (far.sending == BROKEN) {
        stream->watch.notes |= STREAM_BROKEN | STREAM_READABLE;
        return -EPIPE;
    }
    assert(far.sent_len + size <= sizeof(far.sent));
    memcpy(far.sent + far.sent_len, octets, size);
    far.sent_len += size;
    return (ssize_t)size;
}

ssize_t
stream_recv(struct stream *stream, void *octets, size_t room)
{
    size_t left = far.len - far.at;
    size_t size = left < far.step ? left : far.step;

    size = size < room ? size : room;
    if (size > 0) {
        memcpy(octets, far.octets + far.at, size);
        far.at += size;
        return (ssize_t)size;
    }
    if (far.end == OPEN && far.sending != BROKEN) {
        stream->watch.notes &= ~(uint32_t)STREAM_READABLE;
        return -EAGAIN;
    }
    return far.end == FIN && far.sending != BROKEN ? 0 : -ECONNRESET;
}

/* What the reply at `from` is; *used is how much of it was looked at. */
static enum parent_event
naive_reply(size_t from, bool early, size_t *used)
{
    const uint8_t *reply = far.octets + from;
    size_t len = far.len - from;
    bool ends = far.end != OPEN || far.sending == BROKEN;

    *used = len < 8 ? len : 8;
    if (len > 0 && reply[0] != 0)
        return PARENT_MALFORMED;
    if (len > 1 &&
        (reply[1] < 90 || reply[1] > 93 || (early && reply[1] == 90)))
        return PARENT_MALFORMED;
    if (len < 8)
        return ends ? PARENT_CLOSED : PARENT_WAITS;
    return reply[1] == 90 ? PARENT_GRANTED : PARENT_REFUSED;
}

static enum parent_event
naive(bool bind, size_t *used)
{
    bool early = far.sending == NOTHING || far.sending == BROKEN;
    enum parent_event event = naive_reply(0, early, used);

    if (!bind || event != PARENT_GRANTED)
        return event;
    size_t more;
    event = naive_reply(8, false, &more);
    *used = 8 + more;
    return event;
}

static void
check_request(const struct request *request, bool name)
{
    static const char plain[] = "\0ann";
    static const char named[] = "\x4d"
                                "ann\0host.test";
    uint8_t wanted[64] = {4, request->command, 0, 80, 10, 0, 0, 2};
    size_t len = 8;

    if (name) {
        memset(wanted + 4, 0, 3);
        wanted[7] = 0x4d;
        memcpy(wanted + len, named + 1, sizeof(named) - 1);
        len += sizeof(named) - 1;
    } else {
        memcpy(wanted + len, plain + 1, sizeof(plain) - 1);
        len += sizeof(plain) - 1;
    }
    assert(far.sent_len == len && memcmp(far.sent, wanted, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static char texts[] = "ann\0host.test";
    uint8_t room[REQUEST_MAX];
    if (size < 2)
        return 0;
    bool bind = input[0] & 1, name = input[0] & 2;
    const struct request request = {
        .userid = texts,
        .userid_len = 3,
        .name_len = name ? 9 : 0,
        .to = addr_v4(0x0a000002),
        .port = 80,
        .dstip = name ? 0x4d : 0x0a000002,
        .command = bind ? RULE_BIND : RULE_CONNECT,
    };
    const struct parent_question question = {.request = &request,
                                             .passes_name = name,
                                             .parent = addr_v4(0xc0000263)};
    struct stream stream = {
        .watch = {.fd = 1, .notes = STREAM_READABLE | STREAM_WRITABLE}};
    struct parent parent = {0};
    struct endpoint at = {0};
    bool bound = false;

    far.octets = input + 2;
    far.len = size - 2;
    far.at = far.sent_len = 0;
    far.sending = input[0] >> 2 & 3;
    far.step = 1 + (input[0] >> 4);
    far.end = input[1] % 3;
    enum parent_event event = parent_ask(&parent, &question, &stream, room);
    memset(room, 0xaa, sizeof(room)); /* it was borrowed for the call */
    while (event == PARENT_WAITS || event == PARENT_BOUND) {
        event = parent_step(&parent, &stream, &at);
        if (event == PARENT_WAITS)
            break;
        if (event != PARENT_BOUND)
            continue;
        assert(bind && !bound && far.at == 8);
        bound = true;
        uint32_t ip = 0;
        for (size_t i = 4; i < 8; i++)
            ip = ip << 8 | far.octets[i];
        assert(addr_to_v4(at.addr) == (ip ? ip : 0xc0000263));
        assert(at.port == (far.octets[2] << 8 | far.octets[3]));
    }
    size_t used;
    assert(event == naive(bind, &used));
    /* No octet behind the last reply is taken. */
    assert(far.at <= used);
    assert(far.at == used || event == PARENT_MALFORMED);
    assert(event != PARENT_GRANTED || bound == bind);
    if (far.sending == WHOLE || far.sending == PIECES)
        check_request(&request, name);
    if (event == PARENT_REFUSED)
        assert(parent.client.code >= 91 && parent.client.code <= 93);
    parent_fini(&parent);
    return 0;
}
