/* v5_client.h's sample over a socket pair. */

#include <socks4/v5_client.h>

#include "slow.h"

#include "sample.h"

#undef send
#undef recv

static const struct socks4_v5_request web = {.command = SOCKS4_V5_CONNECT,
                                             .address = {.type = SOCKS4_V5_NAME,
                                                         .port = 80,
                                                         .name = "host.example",
                                                         .name_len = 12}};
static const struct socks4_v5_password me = {
    .user = "me", .user_len = 2, .password = "secret", .password_len = 6};

/* The server has said `answer` and, if so wished, has gone. */
static int
pair_open(int pair[2], const void *answer, size_t size, int gone)
{
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    assert(write(pair[1], answer, size) == (ssize_t)size);
    if (gone)
        shutdown(pair[1], SHUT_WR);
    return pair[0];
}

static void
grants_and_leaves_the_rest(void)
{
    static const char wanted[] = "\5\2\0\2\1\2me\6secret"
                                 "\5\1\0\3\14host.example\0\120";
    struct socks4_v5_client client;
    char octets[64];
    int pair[2];
    int fd = pair_open(pair, "\5\2\1\0\5\0\0\1\300\0\2\1\234\100hello", 19, 0);

    assert(session_open_v5(fd, &web, &me, &client) == 0);
    assert(client.state == SOCKS4_V5_CLIENT_OPEN);
    assert(recv(pair[1], octets, sizeof octets, 0) == sizeof wanted - 1);
    assert(memcmp(octets, wanted, sizeof wanted - 1) == 0);
    assert(recv(fd, octets, sizeof octets, 0) == 5);
    assert(memcmp(octets, "hello", 5) == 0);
}

static void
says_why_it_is_not_open(void)
{
    struct socks4_v5_client client;
    int pair[2];

    assert(session_open_v5(pair_open(pair, "\5\377", 2, 0), &web, NULL,
                           &client) == 1);
    assert(client.error == SOCKS4_E_V5_UNACCEPTABLE);
    assert(session_open_v5(pair_open(pair, "\5\2\1\1", 4, 0), &web, &me,
                           &client) == 1);
    assert(client.error == SOCKS4_E_V5_DENIED);
    assert(session_open_v5(pair_open(pair, "\5\0\5\2\0\1\0\0\0\0\0\0", 12, 0),
                           &web, &me, &client) == 1);
    assert(client.state == SOCKS4_V5_CLIENT_REFUSED && client.code == 2);
    assert(session_open_v5(pair_open(pair, "", 0, 1), &web, &me, &client) == 1);
    assert(client.error == SOCKS4_E_NO_REPLY);
    assert(session_open_v5(-1, &web, &me, &client) == -1 && errno == EBADF);
}

int
main(void)
{
    grants_and_leaves_the_rest();
    says_why_it_is_not_open();
    return 0;
}
