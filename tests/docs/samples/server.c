/* server.h's sample over a socket pair. */

#include <socks4/server.h>

#include "slow.h"

#include "sample.h"

#undef send
#undef recv

static struct socks4_request decided;
static int verdict;

static int
decide(const struct socks4_request *request)
{
    decided = *request;
    assert(request->userid_len == 2 && memcmp(request->userid, "me", 2) == 0);
    return verdict;
}

/* What it makes of these octets, which end there; its reply. */
static int
serve(const void *octets, size_t size, uint8_t reply[9])
{
    int pair[2];
    int code;

    memset(reply, 0xff, 9);
    memset(&decided, 0, sizeof decided);
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    assert(write(pair[1], octets, size) == (ssize_t)size);
    shutdown(pair[1], SHUT_WR);
    code = session_serve(pair[0], decide);
    shutdown(pair[0], SHUT_WR);
    assert(recv(pair[1], reply, 9, 0) == (code != 0 ? 8 : 0));
    close(pair[0]);
    close(pair[1]);
    return code;
}

int
main(void)
{
    static const char whole[] = "\4\1\0\x50\xc0\0\2\x50me";
    static const char named[] = "\4\1\0\x50\0\0\0\1me\0www.example";
    uint8_t reply[9];

    verdict = SOCKS4_GRANTED;
    assert(serve(whole, sizeof whole, reply) == 90);
    assert(memcmp(reply, "\0\x5a\0\x50\xc0\0\2\x50\xff", 9) == 0);
    assert(decided.dstip == 0xc0000250 && decided.domain == NULL);
    assert(serve(named, sizeof named, reply) == 90 && decided.domain_len == 11);

    verdict = SOCKS4_NO_IDENTD;
    assert(serve(whole, sizeof whole, reply) == 92 && reply[1] == 92);

    /* Cut short, wrong, and not SOCKS 4: nothing is decided. */
    assert(serve(whole, sizeof whole - 1, reply) == 91 && reply[1] == 91);
    assert(serve("\4\7\0\x50\xc0\0\2\x50", 9, reply) == 91);
    assert(serve("GET / HTTP/1.0", 14, reply) == 0);
    assert(serve("", 0, reply) == 0 && decided.dstport == 0);
    assert(session_serve(-1, decide) == 0);
    return 0;
}
