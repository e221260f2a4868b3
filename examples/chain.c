/*
 * BIND through two gateways: waits for ADDRESS to connect to what is printed.
 * The first gateway connects to the second, and the second listens.
 *
 *     example-chain GATEWAY PORT SECOND PORT ADDRESS PORT WORD
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <socks4/dial.h>

/* What happened, and at which gateway. */
static int
fail(int result, const struct socks4_dialled *dialled)
{
    const char *what = result > 0 ? socks4_code_text(result)
                       : result == -EPROTO
                           ? socks4_error_text(dialled->client.error)
                           : strerror(-result);

    fprintf(stderr, "chain: gateway %d: %s\n", (int)dialled->hop + 1, what);
    return 1;
}

static void
exchange(int fd, const char *word)
{
    char octets[4096];
    ssize_t got;

    while (*word != '\0') {
        ssize_t sent = send(fd, word, strlen(word), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return;
        word += sent > 0 ? sent : 0;
    }
    shutdown(fd, SHUT_WR);
    while ((got = recv(fd, octets, sizeof(octets), 0)) > 0)
        fwrite(octets, 1, (size_t)got, stdout);
}

int
main(int argc, char **argv)
{
    if (argc != 8)
        return 2;
    struct sockaddr_in gateway = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr.s_addr = inet_addr(argv[1])};
    const struct socks4_request requests[] = {
        {.command = SOCKS4_CONNECT,
         .dstip = ntohl(inet_addr(argv[3])),
         .dstport = (uint16_t)atoi(argv[4])},
        {.command = SOCKS4_BIND,
         .dstip = ntohl(inet_addr(argv[5])),
         .dstport = (uint16_t)atoi(argv[6])},
    };
    struct socks4_dial dial = {.gateway = (const struct sockaddr *)&gateway,
                               .gateway_len = sizeof(gateway),
                               .cancel = -1,
                               .deadline_ms = socks4_dial_deadline(10000)};
    struct socks4_dialled dialled;

    int result = socks4_dial_open(&dial, requests, 2, &dialled);
    if (result != 0)
        return fail(result, &dialled);
    struct in_addr ip = {htonl(dialled.client.bound_ip)};
    printf("%s:%u\n", inet_ntoa(ip), dialled.client.bound_port);
    fflush(stdout);
    result = socks4_dial_accept(&dial, &dialled);
    if (result != 0)
        return fail(result, &dialled);
    exchange(dialled.fd, argv[7]);
    close(dialled.fd);
    return 0;
}
