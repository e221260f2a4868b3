/* dial.h's sample through the gateway 127.0.0.1:1080 to 192.0.2.80: prints
   what comes, or how it failed. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <socks4/dial.h>

#include "sample.h"

int
main(int argc, char **argv)
{
    struct sockaddr_in gateway = {.sin_family = AF_INET,
                                  .sin_port = htons(SOCKS4_PORT)};
    struct socks4_dialled dialled;
    char octets[64];
    ssize_t got;
    int result;

    gateway.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result = session_dial(&gateway, 0xc0000250,
                          (uint16_t)(argc > 1 ? atoi(argv[1]) : 0), &dialled);
    if (result != 0)
        printf("%d\n", result);
    while (result == 0 && (got = read(dialled.fd, octets, sizeof octets)) > 0)
        fwrite(octets, 1, (size_t)got, stdout);
    return 0;
}
