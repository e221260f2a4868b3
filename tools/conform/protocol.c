#include "protocol.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "probe.h"

#define ANSWER_MS 8000 /* a reply may have to wait for an identd */
#define HELLO_MS 1500
#define REST_MS 100 /* for the rest of a line */
#define SHOWN_MAX 60

/* What a client says first. */
struct protocol_hello {
    const char *name;
    const uint8_t *octets;
    size_t len;
};

/* How an answer begins, and who answers so. */
struct protocol_sign {
    const char *begins;
    size_t len;
    const char *who;
};

static const uint8_t socks5_hello[] = {5, 2, 0, 2};

/* A ClientHello of TLS 1.2 with two cipher suites and no extension. */
static const uint8_t tls_hello[] = {
    22,  3,   1,    0,    47, /* a handshake record */
    1,   0,   0,    43,       /* ClientHello */
    3,   3,                   /* version */
    's', 'o', 'c',  'k',  's', '4',  '-', 'c', 'o', 'n', 'f',
    'o', 'r', 'm',  ' ',  'a', 's',  'k', 's', ' ', 'w', 'h',
    'o', ' ', 'i',  's',  ' ', 't',  'h', 'e', 'r', 'e', /* random */
    0,                                                   /* no session */
    0,   4,   0xc0, 0x2f, 0,   0x9c,                     /* cipher suites */
    1,   0,                                              /* no compression */
};

/* A CONNECT to a port that nobody listens on. */
static const uint8_t socks4_hello[] = {4, 1, 0, 9, 127, 0, 0, 1, 't', 0};

static const char http_hello[] = "GET / HTTP/1.0\r\n\r\n";

/* The first is what is not asked for. */
static const struct protocol_hello hellos[] = {
    {"a SOCKS 5 greeting", socks5_hello, sizeof socks5_hello},
    {"an HTTP request", (const uint8_t *)http_hello, sizeof http_hello - 1},
    {"a TLS greeting", tls_hello, sizeof tls_hello},
};

#define SIGN(octets, who)                                                      \
    {                                                                          \
        octets, sizeof octets - 1, who                                         \
    }

static const struct protocol_sign signs[] = {
    SIGN("HTTP/", "a web server"),       SIGN("<", "a web server"),
    SIGN("SSH-", "an SSH server"),       SIGN("\5", "a SOCKS 5 server"),
    SIGN("\25\3", "a TLS server"),       SIGN("\26\3", "a TLS server"),
    SIGN("220", "a mail or FTP server"), SIGN("+OK", "a POP3 server"),
    SIGN("* OK", "an IMAP server"),      SIGN("RFB ", "a VNC server"),
};

/* The octets as a reader would write them: text up to its first line end, else
   hexadecimal digits. */
static void
protocol_show(const struct actor *client, char shown[SHOWN_MAX])
{
    size_t len = client->len < 40 ? client->len : 40;
    size_t line = 0, at = 0;

    while (line < len && isprint(client->octets[line]))
        line++;
    if (line >= 4) {
        snprintf(shown, SHOWN_MAX, "\"%.*s\"", (int)line,
                 (const char *)client->octets);
        return;
    }
    for (size_t i = 0; i < len && i < 8; i++)
        at += (size_t)snprintf(shown + at, SHOWN_MAX - at, "%s%02x",
                               i > 0 ? " " : "", client->octets[i]);
}

/* Who answers so; NULL: nobody known. */
static const char *
protocol_who(const struct actor *client)
{
    size_t printable = 0;

    for (unsigned i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (client->len >= signs[i].len &&
            memcmp(client->octets, signs[i].begins, signs[i].len) == 0)
            return signs[i].who;
    while (printable < client->len && isprint(client->octets[printable]))
        printable++;
    return printable >= 4 ? "a server of another protocol" : NULL;
}

/* Sends it over a new connection. Whether octets came back. */
static bool
protocol_ask(const struct setting *setting, struct actor *client,
             const uint8_t *hello, size_t len, unsigned wait)
{
    static const struct identd_answer tester = {IDENTD_SAYS, "tester"};

    if (actor_connect(client, &setting->place.gateway, HELLO_MS) < 0)
        return false;
    if (setting->identd != NULL)
        identd_expect(setting->identd, client->at.port, &tester);
    actor_send(client, hello, len);
    actor_await(client, 1, wait);
    if (client->len > 0)
        actor_await(client, 40, REST_MS);
    return client->len > 0;
}

/* A CONNECT to an application server that listens: there is no reason to
   refuse it. Whether something came that may be a reply. */
static bool
protocol_ask_socks4(const struct setting *setting, struct actor *client,
                    struct actor *server, char text[PROTOCOL_TEXT_MAX])
{
    uint8_t request[] = {4,   1,   0,   0,   0,   0,   0, 0,
                         't', 'e', 's', 't', 'e', 'r', 0};
    char shown[SHOWN_MAX];

    if (actor_listen(server, 0) < 0)
        return true; /* then the cases say why */
    uint32_t ip = addr_to_v4(server->at.addr);
    request[2] = (uint8_t)(server->at.port >> 8);
    request[3] = (uint8_t)server->at.port;
    for (unsigned i = 0; i < 4; i++)
        request[4 + i] = (uint8_t)(ip >> (24 - 8 * i));
    if (!protocol_ask(setting, client, request, sizeof request, ANSWER_MS))
        return false;
    const char *who = protocol_who(client);
    if (who == NULL)
        return true;
    protocol_show(client, shown);
    snprintf(text, PROTOCOL_TEXT_MAX,
             "It is %s: it answers a SOCKS 4 request with %s.", who, shown);
    return false;
}

/* VER may be wrong: then there is a case that says so. */
static bool
protocol_is_choice(const struct actor *client)
{
    uint8_t method = client->len > 1 ? client->octets[1] : 1;

    return client->octets[0] == 5 ||
           (client->len == 2 && (method == 0 || method == 2 || method == 0xff));
}

/* A greeting; whether something came that may be a choice. */
static bool
protocol_ask_socks5(const struct setting *setting, struct actor *client,
                    char text[PROTOCOL_TEXT_MAX])
{
    char shown[SHOWN_MAX];

    if (!protocol_ask(setting, client, socks5_hello, sizeof socks5_hello,
                      ANSWER_MS))
        return false;
    if (protocol_is_choice(client))
        return true;
    const char *who = protocol_who(client);
    protocol_show(client, shown);
    snprintf(text, PROTOCOL_TEXT_MAX,
             "It is %s: it answers a SOCKS 5 greeting with %s.",
             who != NULL ? who : "a server of another protocol", shown);
    return false;
}

/* One that does not answer SOCKS 4, by what it answers instead. */
static void
protocol_guess(const struct setting *setting, struct actor *client,
               char text[PROTOCOL_TEXT_MAX])
{
    const char *end = client->ending == ENDING_NONE  ? "nothing"
                      : client->ending == ENDING_FIN ? "a close"
                                                     : "a reset";
    struct protocol_hello other = hellos[0];
    const char *asked = "a SOCKS 4 request";
    char shown[SHOWN_MAX];

    if (setting->socks5) {
        asked = "a SOCKS 5 greeting";
        other = (struct protocol_hello){"a SOCKS 4 request", socks4_hello,
                                        sizeof socks4_hello};
    }
    if (probe_is_gone(&setting->place)) {
        snprintf(
            text, PROTOCOL_TEXT_MAX,
            "It ended with its first connection: nobody listens any more.");
        return;
    }
    for (unsigned i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        struct protocol_hello hello = i == 0 ? other : hellos[i];
        if (!protocol_ask(setting, client, hello.octets, hello.len, HELLO_MS))
            continue;
        const char *who = protocol_who(client);
        if (setting->socks5 && client->octets[0] == 0)
            who = "a SOCKS 4 server";
        protocol_show(client, shown);
        snprintf(text, PROTOCOL_TEXT_MAX,
                 "It is %s: it answers %s with %s, and %s with %s.",
                 who != NULL ? who : "a server of another protocol", asked, end,
                 hello.name, shown);
        return;
    }
    snprintf(text, PROTOCOL_TEXT_MAX,
             "It answers %s with %s, and says nothing to SOCKS %u, HTTP or TLS "
             "either.",
             asked, end, setting->socks5 ? 4 : 5);
}

bool
protocol_is_socks(const struct setting *setting, char text[PROTOCOL_TEXT_MAX])
{
    static struct actor client, server;
    static struct trace trace;

    actor_init(&client, "client", ROLE_CLIENT, &setting->place, &trace);
    actor_init(&server, "server", ROLE_SERVER, &setting->place, &trace);
    text[0] = '\0';
    bool is = setting->socks5
                  ? protocol_ask_socks5(setting, &client, text)
                  : protocol_ask_socks4(setting, &client, &server, text);
    if (!is && text[0] == '\0')
        protocol_guess(setting, &client, text);
    actor_fini(&client);
    actor_fini(&server);
    return is;
}
