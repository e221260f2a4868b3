/*
 * What a parent answers. The first octet chooses: its lowest bit BIND, the next
 * that the name is passed, the next two how the request goes out (whole, in two
 * pieces, not at all, or the connection breaks), the rest the size of the
 * pieces that are read. The second octet says how the stream ends, by its bits
 * 32 and 64 whether the client and the parent speak version 5, and by 128 that
 * there is a password. What follows is what the parent sends. A second
 * implementation says what must come of it.
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
    bool login; /* there is one */
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

/* The same of version 5, from RFC 1928. *used is where what was looked at may
   end at most; *is_at an address, if the reply has one. */
static enum parent_event
naive_reply_5(size_t from, size_t *used, struct endpoint *is_at)
{
    const uint8_t *reply = far.octets + from;
    size_t len = far.len - from, whole = 5;
    bool ends = far.end != OPEN || far.sending == BROKEN;
    bool refuses = len > 1 && reply[1] != 0;
    bool wrong = len > 3 && reply[3] != 1 && reply[3] != 3 && reply[3] != 4;

    if (len >= 5 && !wrong)
        whole = reply[3] == 1 ? 10 : reply[3] == 4 ? 22 : 7u + reply[4];
    if (len >= 5 && reply[3] == 3)
        wrong = reply[4] == 0 ||
                memchr(reply + 5, 0, len - 5 < reply[4] ? len - 5 : reply[4]) !=
                    NULL;
    *used = from + (len < whole ? len : whole);
    if (len > 0 && reply[0] != 5)
        return PARENT_MALFORMED;
    if (wrong)
        return refuses ? PARENT_REFUSED : PARENT_MALFORMED;
    if (len < whole)
        return !ends ? PARENT_WAITS : refuses ? PARENT_REFUSED : PARENT_CLOSED;
    uint64_t halves[2] = {0, 0};
    for (size_t i = 0; i < 16; i++)
        if (reply[3] == 4)
            halves[i / 8] = halves[i / 8] << 8 | reply[4 + i];
    *is_at = (struct endpoint){
        addr_v4(0), (uint16_t)(reply[whole - 2] << 8 | reply[whole - 1])};
    if (reply[3] == 4)
        is_at->addr = (struct addr){halves[0], halves[1]};
    if (reply[3] == 1)
        is_at->addr =
            addr_v4((uint32_t)reply[4] << 24 | (uint32_t)reply[5] << 16 |
                    (uint32_t)reply[6] << 8 | reply[7]);
    return refuses ? PARENT_REFUSED : PARENT_GRANTED;
}

/* `at`: of the replies, one after the other. */
static enum parent_event
naive_5(bool bind, size_t *used, struct endpoint at[2])
{
    bool early = far.sending == NOTHING || far.sending == BROKEN;

    *used = far.len < 2 ? far.len : 2;
    if (far.len > 0 && far.octets[0] != 5)
        return PARENT_MALFORMED;
    if (far.len < 2)
        return far.end != OPEN || far.sending == BROKEN ? PARENT_CLOSED
                                                        : PARENT_WAITS;
    if (far.octets[1] == 0xff)
        return PARENT_REFUSED;
    if ((far.octets[1] != 0 && !(far.login && far.octets[1] == 2)) || early)
        return PARENT_MALFORMED;
    size_t reply = 2;
    if (far.octets[1] == 2) {
        reply = 4;
        *used = far.len < 4 ? far.len : 4;
        if (far.len > 2 && far.octets[2] != 1 && far.octets[2] != 5)
            return PARENT_MALFORMED;
        if (far.len < 4)
            return far.end != OPEN ? PARENT_CLOSED : PARENT_WAITS;
        if (far.octets[3] != 0)
            return PARENT_REFUSED;
    }
    enum parent_event event = naive_reply_5(reply, used, &at[0]);
    return bind && event == PARENT_GRANTED ? naive_reply_5(*used, used, &at[1])
                                           : event;
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
        wanted[7] = request->version == REQUEST_SOCKS5 ? 1 : 0x4d;
        memcpy(wanted + len, named + 1, sizeof(named) - 1);
        len += sizeof(named) - 1;
    } else {
        memcpy(wanted + len, plain + 1, sizeof(plain) - 1);
        len += sizeof(plain) - 1;
    }
    assert(far.sent_len == len && memcmp(far.sent, wanted, len) == 0);
}

/* The greeting, the password if it is asked for, and the request as soon as
   these were answered. */
static void
check_request_5(const struct request *request, bool name)
{
    static const uint8_t named[] = "\3\x9host.test\0P";
    static const uint8_t plain[] = "\1\xa\0\0\2\0P";
    static const uint8_t login[] = "\1\3joe\6secret";
    uint8_t wanted[64] = {5, 1, 0};
    bool chosen = far.len >= 2 && far.octets[0] == 5 && far.octets[1] == 0;
    bool asked =
        far.login && far.len >= 2 && far.octets[0] == 5 && far.octets[1] == 2;
    size_t len = 3;

    if (far.login) {
        memcpy(wanted, "\5\2\0\2", 4);
        len = 4;
    }
    if (asked) {
        memcpy(wanted + len, login, sizeof(login) - 1);
        len += sizeof(login) - 1;
        chosen = far.len >= 4 && (far.octets[2] == 1 || far.octets[2] == 5) &&
                 far.octets[3] == 0;
    }
    if (chosen) {
        memcpy(wanted + len, (uint8_t[]){5, request->command, 0}, 3);
        len += 3;
    }
    if (chosen && name) {
        memcpy(wanted + len, named, sizeof(named) - 1);
        len += sizeof(named) - 1;
    } else if (chosen) {
        memcpy(wanted + len, plain, sizeof(plain) - 1);
        len += sizeof(plain) - 1;
    }
    assert(far.sent_len == len && memcmp(far.sent, wanted, len) == 0);
}

static void
check_version_5(const struct request *request, bool name,
                const struct parent *parent, enum parent_event event,
                const struct endpoint *bound, const struct endpoint *at)
{
    struct endpoint is_at[2] = {{{0, 0}, 0}, {{0, 0}, 0}};
    bool bind = request->command == RULE_BIND;
    size_t used;

    assert(event == naive_5(bind, &used, is_at));
    assert(far.at <= used);
    if (event == PARENT_GRANTED)
        assert(far.at == used && endpoint_equal(at, &is_at[bind]));
    if (bound->port != 0) {
        bool none = addr_is_any(is_at[0].addr);
        if (none)
            is_at[0].addr = addr_v4(0xc0000263);
        assert(endpoint_equal(bound, &is_at[0]));
    }
    if (far.sending == WHOLE || far.sending == PIECES)
        check_request_5(request, name);
    if (event == PARENT_REFUSED) {
        enum verdict verdict = parent_refusal(parent);
        assert((verdict == V_PARENT_METHOD) == (far.octets[1] == 0xff));
        assert((verdict == V_PARENT_PASSWORD) ==
               (far.octets[1] == 2 && far.octets[3] != 0));
        assert(verdict >= V_PARENT_REFUSED && verdict <= V_PARENT_NO_TYPE);
    }
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
        .command = bind ? RULE_BIND : RULE_CONNECT,
        .version = input[1] & 0x20 ? REQUEST_SOCKS5 : REQUEST_SOCKS4A,
    };
    bool socks5 = input[1] & 0x40;
    static char user[] = "joe", secret[] = "secret";
    const struct config_parent joe = {
        .user = user, .password = secret, .password_len = 6};
    far.login = input[1] & 0x80;
    const struct parent_question question = {
        .request = &request,
        .dstip = 0x4d, /* of a name; of version 5 nobody has sent one */
        .login = far.login ? &joe : NULL,
        .socks5 = socks5,
        .passes_name = name,
        .parent = addr_v4(0xc0000263),
    };
    struct stream stream = {
        .watch = {.fd = 1, .notes = STREAM_READABLE | STREAM_WRITABLE}};
    struct parent parent = {0};
    struct endpoint at = {0}, first = {0};
    bool bound = false;

    far.octets = input + 2;
    far.len = size - 2;
    far.at = far.sent_len = 0;
    far.sending = input[0] >> 2 & 3;
    far.step = 1 + (input[0] >> 4);
    far.end = (input[1] & 0x1f) % 3;
    enum parent_event event = parent_ask(&parent, &question, &stream, room);
    memset(room, 0xaa, sizeof(room)); /* it was borrowed for the call */
    while (event == PARENT_WAITS || event == PARENT_BOUND) {
        event = parent_step(&parent, &stream, &at);
        if (event == PARENT_WAITS)
            break;
        if (event != PARENT_BOUND)
            continue;
        assert(bind && !bound);
        bound = true;
        first = at;
        if (socks5)
            continue;
        assert(far.at == 8);
        uint32_t ip = 0;
        for (size_t i = 4; i < 8; i++)
            ip = ip << 8 | far.octets[i];
        assert(addr_to_v4(at.addr) == (ip ? ip : 0xc0000263));
        assert(at.port == (far.octets[2] << 8 | far.octets[3]));
    }
    assert(event != PARENT_GRANTED || bound == bind);
    if (socks5) {
        check_version_5(&request, name, &parent, event, &first, &at);
        parent_fini(&parent);
        return 0;
    }
    size_t used;
    assert(event == naive(bind, &used));
    /* No octet behind the last reply is taken. */
    assert(far.at <= used);
    assert(far.at == used || event == PARENT_MALFORMED);
    if (far.sending == WHOLE || far.sending == PIECES)
        check_request(&request, name);
    if (event == PARENT_REFUSED)
        assert(parent.v4.code >= 91 && parent.v4.code <= 93);
    parent_fini(&parent);
    return 0;
}
