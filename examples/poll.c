/*
 * A client in a loop of poll(2). client.h keeps the state of the handshake and
 * says what to wait for; a real program has its other descriptors in the same
 * poll.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <socks4/client.h>

struct connection {
    int fd;
    struct socks4_client client;
    uint8_t room[SOCKS4_REQUEST_ROOM(0, 0)];
    const char *word; /* the rest to send */
    int done;
};

static void
die(const char *what)
{
    fprintf(stderr, "poll: %s\n", what);
    exit(1);
}

/* The events to wait for. */
static short
connection_wish(const struct connection *connection)
{
    const uint8_t *octets;

    if (socks4_client_unsent(&connection->client, &octets) > 0)
        return POLLIN | POLLOUT; /* the gateway may refuse early */
    if (connection->client.state == SOCKS4_CLIENT_OPEN &&
        connection->word != NULL)
        return POLLIN | POLLOUT;
    return POLLIN;
}

static void
connection_write(struct connection *connection)
{
    const uint8_t *octets;
    size_t count = socks4_client_unsent(&connection->client, &octets);
    ssize_t sent;

    if (count > 0) {
        sent = send(connection->fd, octets, count, MSG_NOSIGNAL);
        if (sent > 0)
            socks4_client_sent(&connection->client, (size_t)sent);
    } else if (connection->client.state == SOCKS4_CLIENT_OPEN &&
               connection->word != NULL) {
        count = strlen(connection->word);
        sent = send(connection->fd, connection->word, count, MSG_NOSIGNAL);
        if (sent >= 0)
            connection->word += sent;
        if (connection->word[0] == '\0') {
            connection->word = NULL;
            shutdown(connection->fd, SHUT_WR);
        }
    }
}

/* Reads more than the handshake needs: the rest is the application's. */
static void
connection_read(struct connection *connection)
{
    uint8_t octets[4096];
    ssize_t got = recv(connection->fd, octets, sizeof(octets), 0);
    size_t used;

    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            die(strerror(errno));
        return;
    }
    if (got == 0)
        socks4_client_end(&connection->client);
    used = socks4_client_take(&connection->client, octets, (size_t)got);
    if (connection->client.state == SOCKS4_CLIENT_FAILED)
        die(socks4_error_text(connection->client.error));
    if (connection->client.state == SOCKS4_CLIENT_REFUSED)
        die(socks4_code_text(connection->client.code));
    fwrite(octets + used, 1, (size_t)got - used, stdout);
    connection->done = got == 0;
}

static void
connection_open(struct connection *connection, char **argv)
{
    struct sockaddr_in gateway = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2]))};
    struct socks4_request request = {.command = SOCKS4_CONNECT,
                                     .dstport = (uint16_t)atoi(argv[4]),
                                     .dstip = ntohl(inet_addr(argv[3]))};

    gateway.sin_addr.s_addr = inet_addr(argv[1]);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    if (connect(connection->fd, (struct sockaddr *)&gateway, sizeof(gateway)) <
            0 &&
        errno != EINPROGRESS)
        die(strerror(errno));
    if (socks4_client_start(&connection->client, &request, connection->room,
                            sizeof(connection->room)) != 0)
        die(socks4_error_text(connection->client.error));
    connection->word = argv[5];
}

int
main(int argc, char **argv)
{
    struct connection connection = {0};

    if (argc != 6)
        die("GATEWAY PORT ADDRESS PORT WORD");
    connection_open(&connection, argv);
    while (!connection.done) {
        struct pollfd polled = {.fd = connection.fd,
                                .events = connection_wish(&connection)};

        if (poll(&polled, 1, 10000) <= 0)
            die("nothing for ten seconds");
        if (polled.revents & POLLOUT)
            connection_write(&connection);
        if (polled.revents & (POLLIN | POLLHUP | POLLERR))
            connection_read(&connection);
    }
    close(connection.fd);
    return 0;
}
