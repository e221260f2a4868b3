/* client.h's sample over a socket pair; with a port as argument over standard
   input, through a gateway, to that port of 192.0.2.80. */

#include <socks4/client.h>

#include "slow.h"

#include "sample.h"

#undef send
#undef recv

static const struct socks4_request web = {.command = SOCKS4_CONNECT,
                                          .dstip = 0xc0000250,
                                          .dstport = 80,
                                          .userid = "a user of some length",
                                          .userid_len = 21};
static const char octets_of_web[] = "\4\1\0\x50\xc0\0\2\x50"
                                    "a user of some length";

/* The gateway has said `answer` and, if so wished, has gone. */
static int
pair_open(int pair[2], const void *answer, size_t size, int gone)
{
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    assert(write(pair[1], answer, size) == (ssize_t)size);
    if (gone)
        close(pair[1]);
    return pair[0];
}

static void
grants_and_leaves_the_rest(void)
{
    struct socks4_client client;
    char octets[64];
    int pair[2];
    int fd = pair_open(pair, "\0\x5a\0\0\0\0\0\0hello", 13, 0);

    assert(session_open(fd, &web, &client) == 0);
    assert(recv(pair[1], octets, sizeof octets, 0) == sizeof octets_of_web);
    assert(memcmp(octets, octets_of_web, sizeof octets_of_web) == 0);
    assert(recv(fd, octets, sizeof octets, 0) == 5);
    assert(memcmp(octets, "hello", 5) == 0);
}

static void
says_why_it_is_not_open(void)
{
    struct socks4_client client;
    struct socks4_request wrong = web;
    int pair[2];

    assert(session_open(pair_open(pair, "\0\x5d\0\0\0\0\0\0", 8, 0), &web,
                        &client) == 1);
    assert(client.state == SOCKS4_CLIENT_REFUSED && client.code == 93);
    assert(session_open(pair_open(pair, "\0\x5b\0\0\0\0\0\0", 8, 1), &web,
                        &client) == 1);
    assert(client.state == SOCKS4_CLIENT_REFUSED && client.code == 91);
    assert(session_open(pair_open(pair, "", 0, 1), &web, &client) == 1);
    assert(client.error == SOCKS4_E_NO_REPLY);
    assert(session_open(pair_open(pair, "HTTP", 4, 0), &web, &client) == 1);
    assert(client.error == SOCKS4_E_VERSION);
    wrong.command = 9;
    assert(session_open(pair_open(pair, "", 0, 0), &wrong, &client) == 1);
    assert(client.error == SOCKS4_E_COMMAND);
    assert(session_open(-1, &web, &client) == -1 && errno == EBADF);
}

/* Through a gateway on standard input: prints what 192.0.2.80 says. */
static void
talks_through(uint16_t port)
{
    struct socks4_request request = web;
    struct socks4_client client;
    char octets[64];
    ssize_t got;

    request.dstport = port;
    assert(session_open(0, &request, &client) == 0);
    while ((got = recv(0, octets, sizeof octets, 0)) > 0)
        fwrite(octets, 1, (size_t)got, stdout);
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        talks_through((uint16_t)atoi(argv[1]));
    } else {
        grants_and_leaves_the_rest();
        says_why_it_is_not_open();
    }
    return 0;
}
