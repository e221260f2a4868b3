/* probe: asks a gateway for what scanners ask, and says what they would
   find. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/text.h"
#include "socks4/codec.h"
#include "socks4/v5.h"
#include "tools/route/route.h"
#include "tools/route/v5_address.h"
#include "tools/socks4/link.h"
#include "tools/socks4/options.h"

enum try_kind {
    TRY_CONNECT,
    TRY_NAME, /* CONNECT by name: SOCKS 4A */
    TRY_BIND,
    TRY_SOCKS5,
    TRY_SOCKS5_NAME,
    TRY_SOCKS5_BIND,
    TRY_UDP,   /* an association; nothing is sent */
    TRY_RELAY, /* an association, and by it a datagram */
    TRY_HTTP,
    TRY_PLAIN, /* CONNECT outside of TLS, where TLS is asked for */
    TRY_HELLO, /* does it speak TLS, where TLS is not asked for? */
};

/* What a try is for, instead of an address. */
static const char back[] = "this machine"; /* where our listener answers */
static const char itself[] = "the gateway";
enum { OWN_PORT = 0 }; /* the gateway's, or our listener's */

struct probe_try {
    enum try_kind kind;
    const char *host;
    uint16_t port;
    const char *means; /* if it is granted */
};

static const struct probe_try tries[] = {
    {TRY_CONNECT, back, OWN_PORT, "it connects strangers back to themselves"},
    {TRY_CONNECT, "1.1.1.1", 443, "it connects strangers to the Internet"},
    {TRY_CONNECT, itself, OWN_PORT, "it connects strangers to itself"},
    {TRY_CONNECT, "127.0.0.1", OWN_PORT, "strangers reach its loopback"},
    {TRY_CONNECT, "127.0.0.1", 22, "strangers reach its loopback"},
    {TRY_CONNECT, "10.0.0.1", 80, "strangers reach its inner network"},
    {TRY_CONNECT, "172.16.0.1", 80, "strangers reach its inner network"},
    {TRY_CONNECT, "192.168.0.1", 80, "strangers reach its inner network"},
    {TRY_CONNECT, "192.168.1.1", 80, "strangers reach its inner network"},
    {TRY_CONNECT, "169.254.169.254", 80,
     "strangers read what the cloud tells this machine, keys included"},
    {TRY_NAME, back, OWN_PORT, "it takes an address for a name, and connects"},
    {TRY_NAME, "localhost", 22, "strangers reach its loopback by name"},
    {TRY_NAME, "example.com", 80, "it connects strangers to names"},
    {TRY_BIND, back, OWN_PORT, "strangers may wait for connections at it"},
    {TRY_BIND, "0.0.0.0", OWN_PORT,
     "strangers may wait for connections from anyone at it"},
    {TRY_SOCKS5, back, OWN_PORT, "it connects strangers by SOCKS5"},
    {TRY_SOCKS5, "1.1.1.1", 443, "it connects strangers to the Internet"},
    {TRY_SOCKS5, "2606:4700:4700::1111", 443,
     "it connects strangers to the Internet by IPv6"},
    {TRY_SOCKS5, "127.0.0.1", 22, "strangers reach its loopback"},
    {TRY_SOCKS5, "::1", 22, "strangers reach its loopback by IPv6"},
    {TRY_SOCKS5, "169.254.169.254", 80,
     "strangers read what the cloud tells this machine, keys included"},
    {TRY_SOCKS5_NAME, "localhost", 22, "strangers reach its loopback by name"},
    {TRY_SOCKS5_NAME, "example.com", 80, "it connects strangers to names"},
    {TRY_SOCKS5_BIND, back, OWN_PORT,
     "strangers may wait for connections at it"},
    {TRY_UDP, "0.0.0.0", OWN_PORT,
     "strangers may send datagrams by it; its rules say where"},
    {TRY_RELAY, back, OWN_PORT, "it passes strangers' datagrams on"},
    {TRY_HTTP, back, OWN_PORT, "it connects strangers by HTTP CONNECT"},
    {TRY_PLAIN, back, OWN_PORT, "it connects strangers without TLS"},
    {TRY_HELLO, itself, OWN_PORT, ""},
};

enum try_outcome {
    TRY_OPEN,
    TRY_REFUSED,
    TRY_SILENT,
    TRY_CLOSED,
    TRY_TLS,   /* it speaks TLS */
    TRY_OTHER, /* not what a gateway answers */
    TRY_OUTCOMES,
};

static const char *const outcome_names[TRY_OUTCOMES] = {
    "found", "refused", "no answer", "closed", "TLS only", "another protocol",
};

struct probe {
    const struct options *options;
    struct route route;
    struct tls_context *tls; /* NULL: without TLS */
    struct endpoint back;    /* our listener; port 0: it has no IPv4 address */
    int listener;            /* owned; -1: none */
    int datagrams;           /* owned; on the same address; -1: none */
    uint16_t datagram_port;  /* 0: none */
    unsigned outcomes[TRY_OUTCOMES];
    bool is_gateway; /* something was answered as a gateway does */
    bool is_plain;   /* SOCKS was answered outside of TLS */
    bool wants_certificate; /* in TLS nothing is answered without one */
};

/* One connection, with what was asked and answered. */
struct attempt {
    struct stream stream;
    uint64_t deadline_ms;
    uint8_t asked[512];
    size_t asked_len;
    uint8_t answer[64];
    size_t answer_len;
};

static bool
try_is_socks5(enum try_kind kind)
{
    return kind >= TRY_SOCKS5 && kind <= TRY_RELAY;
}

static bool
try_is_udp(enum try_kind kind)
{
    return kind == TRY_UDP || kind == TRY_RELAY;
}

static int __attribute__((format(printf, 1, 2)))
probe_absent(const char *format, ...)
{
    va_list args;

    fputs("socks4: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return STATUS_PROTOCOL;
}

/* --- What is asked ------------------------------------------------------- */

/* False: the try needs an IPv4 address that there is not. */
static bool
probe_find_target(const struct probe *probe, const struct probe_try *one,
                  struct endpoint *target)
{
    const struct route *route = &probe->route;

    *target = (struct endpoint){.port = one->port};
    if (one->host == back) {
        *target = probe->back;
        return probe->back.port != 0;
    }
    if (one->port == OWN_PORT && one->kind != TRY_BIND)
        target->port = route->hops[0].port;
    if (one->host == itself) {
        struct endpoint at;
        endpoint_from_sockaddr(&at, &route->first[0]);
        target->addr = at.addr;
        return addr_is_v4(at.addr);
    }
    return addr_parse(one->host, &target->addr) == 0 || one->kind == TRY_NAME ||
           one->kind == TRY_SOCKS5_NAME;
}

/* The host as a name, which an address can be, too. */
static const char *
probe_host(const struct probe_try *one, const struct endpoint *target,
           char text[ADDR_TEXT_MAX])
{
    if (one->host != back && one->host != itself)
        return one->host;
    return addr_format(target->addr, text);
}

static void
attempt_ask_socks4(struct attempt *attempt, const struct probe_try *one,
                   const struct endpoint *target, const char *host)
{
    struct socks4_request request = {
        .version = 4,
        .command = one->kind == TRY_BIND ? SOCKS4_BIND : SOCKS4_CONNECT,
        .dstport = target->port};
    ssize_t len;

    if (one->kind == TRY_NAME) {
        request.dstip = 1;
        request.domain = host;
        request.domain_len = strlen(host);
    } else {
        request.dstip = addr_to_v4(target->addr);
    }
    len =
        socks4_request_encode(&request, attempt->asked, sizeof(attempt->asked));
    attempt->asked_len = len > 0 ? (size_t)len : 0;
}

/* The greeting without a password and the request behind it, at once. */
static void
attempt_ask_socks5(struct attempt *attempt, const struct probe_try *one,
                   const struct endpoint *target, const char *host)
{
    static const uint8_t greeting[] = {5, 1, 0};
    struct endpoint any = {.addr = addr_v4(0)}; /* we send from anywhere */
    struct socks4_v5_request request = {
        .version = 5,
        .command = one->kind == TRY_SOCKS5_BIND ? SOCKS4_V5_BIND
                   : try_is_udp(one->kind)      ? SOCKS4_V5_UDP
                                                : SOCKS4_V5_CONNECT,
        .address = v5_address(try_is_udp(one->kind) ? &any : target)};
    ssize_t len;

    if (one->kind == TRY_SOCKS5_NAME) {
        request.address.type = SOCKS4_V5_NAME;
        request.address.name = host;
        request.address.name_len = strlen(host);
    }
    memcpy(attempt->asked, greeting, sizeof(greeting));
    len = socks4_v5_request_encode(&request, attempt->asked + sizeof(greeting),
                                   sizeof(attempt->asked) - sizeof(greeting));
    attempt->asked_len = len > 0 ? sizeof(greeting) + (size_t)len : 0;
}

/* A ClientHello that ends too early: TLS answers by an alert. */
static void
attempt_ask_hello(struct attempt *attempt)
{
    static const uint8_t hello[] = {0x16, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3};

    memcpy(attempt->asked, hello, sizeof(hello));
    attempt->asked_len = sizeof(hello);
}

static void
attempt_ask(struct attempt *attempt, const struct probe_try *one,
            const struct endpoint *target)
{
    char text[ADDR_TEXT_MAX];
    const char *host = probe_host(one, target, text);
    int len;

    if (try_is_socks5(one->kind)) {
        attempt_ask_socks5(attempt, one, target, host);
    } else if (one->kind == TRY_HELLO) {
        attempt_ask_hello(attempt);
    } else if (one->kind == TRY_HTTP) {
        len = snprintf((char *)attempt->asked, sizeof(attempt->asked),
                       "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", host,
                       target->port, host, target->port);
        attempt->asked_len = (size_t)len;
    } else {
        attempt_ask_socks4(attempt, one, target, host);
    }
}

/* --- What is answered ---------------------------------------------------- */

static enum try_outcome
attempt_outcome_socks5(const uint8_t *answer, size_t len)
{
    if (answer[1] != 0) /* it wants a password, or nothing that we have */
        return TRY_REFUSED;
    if (len < 4)
        return TRY_OTHER;
    return answer[3] == 0 ? TRY_OPEN : TRY_REFUSED;
}

/* What the octets mean that have come. */
static enum try_outcome
attempt_outcome(const struct attempt *attempt, enum try_kind kind)
{
    const uint8_t *answer = attempt->answer;
    size_t len = attempt->answer_len;

    if (len >= 2 && (answer[0] == 0x15 || answer[0] == 0x16) && answer[1] == 3)
        return TRY_TLS;
    if (len >= 2 && answer[0] == 0 && answer[1] >= 90 && answer[1] <= 93 &&
        !try_is_udp(kind)) /* where nothing but SOCKS5 can grant */
        return answer[1] == SOCKS4_GRANTED ? TRY_OPEN : TRY_REFUSED;
    if (try_is_socks5(kind) && len >= 2 && answer[0] == 5)
        return attempt_outcome_socks5(answer, len);
    if (kind == TRY_HTTP && len >= 10 && memcmp(answer, "HTTP/1.", 7) == 0)
        return answer[9] == '2' ? TRY_OPEN : TRY_REFUSED;
    return len == 0 ? TRY_CLOSED : TRY_OTHER;
}

/* Whether more octets can change that. */
static bool
attempt_is_complete(const struct attempt *attempt, enum try_kind kind)
{
    size_t len = attempt->answer_len;
    struct socks4_v5_reply reply;

    if (len == sizeof(attempt->answer))
        return true;
    if (try_is_socks5(kind) && len >= 2 && attempt->answer[0] == 5)
        return attempt->answer[1] != 0 ||
               (len >= 4 && attempt->answer[3] != 0) ||
               (try_is_udp(kind) ? socks4_v5_reply_decode(attempt->answer + 2,
                                                          len - 2, &reply) != 0
                                 : len >= 4);
    return len >= (kind == TRY_HTTP && attempt->answer[0] == 'H' ? 10U : 2U);
}

/* --- One try ------------------------------------------------------------- */

/* Waits for the events. 0, -ETIMEDOUT or another negative errno. */
static int
attempt_wait(const struct attempt *attempt, short events)
{
    struct pollfd polled = {.fd = attempt->stream.fd, .events = events};
    uint64_t now = socks4_dial_deadline(0);
    uint64_t left = attempt->deadline_ms > now ? attempt->deadline_ms - now : 0;
    int ready = poll(&polled, 1, left < 3600000 ? (int)left : 3600000);

    if (ready < 0 && errno != EINTR)
        return -errno;
    return ready == 0 ? -ETIMEDOUT : 0;
}

static int
attempt_write(struct attempt *attempt)
{
    size_t at = 0;

    while (at < attempt->asked_len) {
        ssize_t put = stream_write(&attempt->stream, attempt->asked + at,
                                   attempt->asked_len - at);
        if (put == -EAGAIN)
            put = attempt_wait(attempt, stream_write_events(&attempt->stream));
        if (put == -EPIPE || put == -ECONNRESET)
            return 0; /* what it answered before can still be read */
        if (put < 0 && put != -EINTR)
            return (int)put;
        at += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* Reads until the answer is complete, or the stream ends: 0. */
static int
attempt_read(struct attempt *attempt, enum try_kind kind)
{
    while (!attempt_is_complete(attempt, kind)) {
        ssize_t got =
            stream_read(&attempt->stream, attempt->answer + attempt->answer_len,
                        sizeof(attempt->answer) - attempt->answer_len);
        if (got == 0)
            return 0;
        if (got == -EAGAIN) {
            got = attempt_wait(attempt, stream_read_events(&attempt->stream));
            if (got < 0)
                return (int)got;
            continue;
        }
        if (got < 0 && got != -EINTR)
            return (int)got;
        attempt->answer_len += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* Where to send datagrams: an address of zeros is that of the gateway. False:
   the answer has none. */
static bool
probe_find_relay(const struct probe *probe, const struct attempt *attempt,
                 struct endpoint *relay)
{
    struct socks4_v5_reply reply;

    if (attempt->answer_len < 2 ||
        socks4_v5_reply_decode(attempt->answer + 2, attempt->answer_len - 2,
                               &reply) <= 0 ||
        reply.address.type == SOCKS4_V5_NAME || reply.address.port == 0)
        return false;
    relay->addr = v5_address_addr(&reply.address);
    relay->port = reply.address.port;
    if (addr_is_any(relay->addr)) {
        struct endpoint at;
        endpoint_from_sockaddr(&at, &probe->route.first[0]);
        relay->addr = at.addr;
    }
    return true;
}

/* Sends a datagram back to this machine, four times a second while it may have
   got lost, whatever else comes. */
static enum try_outcome
probe_relay(const struct probe *probe, const struct attempt *attempt)
{
    static const char text[] = "socks4 probe";
    struct endpoint relay, target = probe->back;
    struct socks4_v5_udp head = {0};
    struct sockaddr_storage to;
    struct pollfd polled = {.fd = probe->datagrams, .events = POLLIN};
    uint8_t sent[64], got[64];
    enum try_outcome outcome = TRY_SILENT;

    target.port = probe->datagram_port;
    head.address = v5_address(&target);
    ssize_t len =
        socks4_v5_udp_encode(&head, sent, sizeof(sent) - sizeof(text));
    if (len < 0 || !probe_find_relay(probe, attempt, &relay))
        return TRY_OTHER;
    memcpy(sent + len, text, sizeof(text));
    socklen_t to_len = endpoint_to_sockaddr(&relay, &to);
    int from = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t now, next = 0;
    while (from >= 0 && outcome == TRY_SILENT &&
           (now = socks4_dial_deadline(0)) < attempt->deadline_ms) {
        if (now >= next) {
            (void)!sendto(from, sent, (size_t)len + sizeof(text), 0,
                          (struct sockaddr *)&to, to_len);
            next = now + 250;
        }
        if (poll(&polled, 1, (int)(next - now)) > 0 &&
            recv(probe->datagrams, got, sizeof(got), MSG_DONTWAIT) ==
                sizeof(text) &&
            memcmp(got, text, sizeof(text)) == 0)
            outcome = TRY_OPEN;
    }
    if (from >= 0)
        close(from);
    return outcome;
}

/* Asks in a connection of its own. 0 and the outcome; a negative errno and the
   fault: there is no connection. */
static int
probe_ask(struct probe *probe, const struct probe_try *one,
          const struct endpoint *target, enum try_outcome *outcome,
          struct tls_fault *fault)
{
    struct attempt attempt = {
        .deadline_ms = socks4_dial_deadline(probe->options->timeout_ms)};
    struct socks4_dial dial = {.deadline_ms = attempt.deadline_ms,
                               .cancel = -1};
    const struct tls_context *tls = one->kind == TRY_PLAIN ? NULL : probe->tls;
    int error;

    attempt_ask(&attempt, one, target);
    error = link_open(&attempt.stream, &probe->route, &dial, tls, fault);
    if (error != 0)
        return error;
    error = attempt_write(&attempt);
    if (error == 0)
        error = attempt_read(&attempt, one->kind);
    *outcome = attempt_outcome(&attempt, one->kind);
    if (error == -EBADMSG && attempt.stream.tls != NULL)
        probe->wants_certificate |= tls_wants_certificate(attempt.stream.tls);
    if (error == -ETIMEDOUT && attempt.answer_len < 2)
        *outcome = TRY_SILENT;
    if (one->kind == TRY_RELAY && *outcome == TRY_OPEN)
        *outcome = probe_relay(probe, &attempt);
    stream_close(&attempt.stream);
    return 0;
}

/* "CONNECT to 127.0.0.1:22" */
static void
probe_print(const struct probe *probe, const struct probe_try *one,
            const struct endpoint *target)
{
    static const char *const kinds[] = {
        [TRY_CONNECT] = "CONNECT to",
        [TRY_NAME] = "SOCKS 4A, CONNECT by name to",
        [TRY_BIND] = "BIND for",
        [TRY_SOCKS5] = "SOCKS5, CONNECT to",
        [TRY_SOCKS5_NAME] = "SOCKS5, CONNECT by name to",
        [TRY_SOCKS5_BIND] = "SOCKS5, BIND for",
        [TRY_UDP] = "SOCKS5, UDP ASSOCIATE",
        [TRY_RELAY] = "SOCKS5, a datagram to",
        [TRY_HTTP] = "HTTP, CONNECT to",
        [TRY_PLAIN] = "without TLS, CONNECT to",
        [TRY_HELLO] = "TLS with",
    };
    char text[ADDR_TEXT_MAX];

    fputs(kinds[one->kind], stdout);
    if (one->kind == TRY_UDP)
        return;
    printf(addr_is_v4(target->addr) || one->kind == TRY_NAME ||
                   one->kind == TRY_SOCKS5_NAME
               ? " %s"
               : " [%s]",
           probe_host(one, target, text));
    if (one->kind != TRY_BIND && one->kind != TRY_SOCKS5_BIND)
        printf(":%u",
               one->kind == TRY_RELAY ? probe->datagram_port : target->port);
}

static void
probe_count(struct probe *probe, const struct probe_try *one,
            const struct endpoint *target, enum try_outcome outcome)
{
    bool answered = outcome == TRY_OPEN || outcome == TRY_REFUSED;

    probe->outcomes[outcome]++;
    probe->is_gateway |=
        answered && (one->kind != TRY_HTTP || outcome == TRY_OPEN);
    probe->is_plain |= answered && (!probe->tls || one->kind == TRY_PLAIN) &&
                       one->kind != TRY_HTTP;
    if (outcome != TRY_OPEN && !probe->options->verbose)
        return;
    printf("%s: ", outcome_names[outcome]);
    probe_print(probe, one, target);
    printf("%s%s\n", outcome == TRY_OPEN ? ": " : "",
           outcome == TRY_OPEN ? one->means : "");
    fflush(stdout);
}

/* False: there is no gateway, and *status says so. */
static bool
probe_try(struct probe *probe, const struct probe_try *one, int *status)
{
    struct endpoint target;
    enum try_outcome outcome;
    struct tls_fault fault;
    int error;

    if ((one->kind == TRY_PLAIN && !probe->tls) ||
        (one->kind == TRY_HELLO && (probe->tls || probe->is_gateway)) ||
        (one->kind == TRY_RELAY && probe->datagram_port == 0) ||
        !probe_find_target(probe, one, &target))
        return true;
    error = probe_ask(probe, one, &target, &outcome, &fault);
    if (error == 0)
        probe_count(probe, one, &target, outcome);
    else
        *status = probe_absent("%s, port %u: %s", probe->route.hops[0].host,
                               probe->route.hops[0].port, fault.text);
    return error == 0;
}

/* --- The whole ----------------------------------------------------------- */

/* Connects once, to learn our own address towards the gateway, and listens
   there. 0, or STATUS_PROTOCOL: nobody is there. */
static int
probe_listen(struct probe *probe)
{
    const struct route_hop *hop = &probe->route.hops[0];
    struct socks4_dial dial = {
        .deadline_ms = socks4_dial_deadline(probe->options->timeout_ms),
        .cancel = -1};
    struct sockaddr_storage own, peer;
    socklen_t len = sizeof(own), peer_len = sizeof(peer);
    struct stream stream;
    struct tls_fault fault;
    struct endpoint at;
    int error = link_open(&stream, &probe->route, &dial, NULL, &fault);

    if (error != 0)
        return probe_absent("no gateway at %s, port %u: %s", hop->host,
                            hop->port, fault.text);
    getsockname(stream.fd, (struct sockaddr *)&own, &len);
    getpeername(stream.fd, (struct sockaddr *)&peer, &peer_len);
    stream_close(&stream);
    endpoint_from_sockaddr(&probe->back, &own);
    endpoint_from_sockaddr(&at, &peer);
    if (addr_equal(at.addr, probe->back.addr))
        fputs("socks4: this is the gateway's own machine; probe it from "
              "another one, outside, to see what strangers see\n",
              stderr);
    probe->back.port = 0; /* until we listen */
    if (!addr_is_v4(probe->back.addr))
        return 0;
    probe->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    len = endpoint_to_sockaddr(&probe->back, &own);
    if (probe->listener < 0 ||
        bind(probe->listener, (struct sockaddr *)&own, len) != 0 ||
        listen(probe->listener, 16) != 0 ||
        getsockname(probe->listener, (struct sockaddr *)&own, &len) != 0) {
        fprintf(stderr,
                "socks4: cannot listen here, so nothing is tried back to this "
                "machine: %s\n",
                strerror(errno));
        return 0;
    }
    endpoint_from_sockaddr(&probe->back, &own);
    return 0;
}

/* On the address where it listens. */
static void
probe_open_datagrams(struct probe *probe)
{
    struct endpoint at = {.addr = probe->back.addr};
    struct sockaddr_storage own;
    socklen_t len = endpoint_to_sockaddr(&at, &own);

    if (probe->back.port == 0)
        return;
    probe->datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe->datagrams >= 0 &&
        bind(probe->datagrams, (struct sockaddr *)&own, len) == 0 &&
        getsockname(probe->datagrams, (struct sockaddr *)&own, &len) == 0) {
        endpoint_from_sockaddr(&at, &own);
        probe->datagram_port = at.port;
    }
}

static int
probe_read_words(struct probe *probe, struct probe_try *wanted)
{
    static const struct route_defaults defaults = {.userid = "", .user = ""};
    const struct options *options = probe->options;
    struct route_fault fault;
    struct endpoint at;

    if (route_parse(&probe->route, options->words[0], &defaults, &fault) != 0)
        return options_usage("%s", fault.text);
    if (probe->route.count != 1)
        return options_usage("gateway \"%s\": wants one gateway",
                             options->words[0]);
    for (size_t i = 1; i < options->word_count; i++) {
        char *colon = strrchr(options->words[i], ':');
        if (endpoint_parse(options->words[i], &at) != 0 || at.port == 0 ||
            !addr_is_v4(at.addr))
            return options_usage("\"%s\": wants an address of IPv4 and a port, "
                                 "like 192.168.20.5:22",
                                 options->words[i]);
        *colon = '\0';
        wanted[i - 1] =
            (struct probe_try){TRY_CONNECT, options->words[i], at.port,
                               "strangers reach that server"};
    }
    if (route_resolve(&probe->route, &fault) != 0)
        return probe_absent("%s", fault.text);
    return 0;
}

static int
probe_conclude(const struct probe *probe)
{
    const unsigned *outcomes = probe->outcomes;
    const char *gateway = probe->options->words[0];
    unsigned all = 0;

    for (size_t i = 0; i < TRY_OUTCOMES; i++)
        all += outcomes[i];
    if (probe->is_plain)
        printf("%s answers SOCKS without TLS: everyone on the way can read "
               "it, and scanners list it.\n",
               gateway);
    if (outcomes[TRY_OPEN] > 0) {
        printf("Scanners would find %u of %u ways open: tighten `from', `to' "
               "and `command' of the rules that grant them.\n",
               outcomes[TRY_OPEN], all);
        return STATUS_NETWORK;
    }
    if (!probe->is_gateway && outcomes[TRY_TLS] > 0) {
        printf("%s speaks TLS only: without it scanners would find nothing; "
               "--tls tries inside of TLS.\n",
               gateway);
        return STATUS_OK;
    }
    if (!probe->is_gateway && probe->wants_certificate) {
        printf("%s serves nobody without a certificate: scanners would find "
               "nothing open; --certificate and --key try what one allows.\n",
               gateway);
        return STATUS_OK;
    }
    if (!probe->is_gateway)
        return probe_absent("no gateway at %s: it answers, but neither SOCKS "
                            "nor HTTP CONNECT",
                            gateway);
    if (outcomes[TRY_SILENT] > 0)
        printf("%u of %u tries were not answered in time: it may have tried to "
               "connect; its log tells, and -t gives it more time.\n",
               outcomes[TRY_SILENT], all);
    printf("Scanners would find nothing open: of %u tries none was granted.\n",
           all);
    return STATUS_OK;
}

int
probe_run(const struct options *options)
{
    static struct probe probe; /* its route is large */
    struct probe_try wanted[OPTIONS_WORDS_MAX];
    size_t count = options->word_count - 1;
    int status;

    probe.options = options;
    probe.listener = probe.datagrams = -1;
    status = probe_read_words(&probe, wanted);
    if (status == 0)
        status = options_tls(options, &probe.tls);
    if (status == 0)
        status = probe_listen(&probe);
    if (status == 0)
        probe_open_datagrams(&probe);
    for (size_t i = 0; status == 0 && i < count; i++)
        probe_try(&probe, &wanted[i], &status);
    for (size_t i = 0; status == 0 && i < sizeof(tries) / sizeof(tries[0]); i++)
        probe_try(&probe, &tries[i], &status);
    if (status == 0)
        status = probe_conclude(&probe);
    if (probe.listener >= 0)
        close(probe.listener);
    if (probe.datagrams >= 0)
        close(probe.datagrams);
    tls_context_free(probe.tls);
    return status;
}
