/*
 * dial.h over TLS, with OpenSSL: the gateway must have a certificate for its
 * address. OpenSSL's variable SSL_CERT_FILE names the authorities.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <socks4/dial.h>

struct connection {
    SSL *ssl;
    short events; /* what to poll for, after -EAGAIN */
};

/* What SSL_read or SSL_write returned, as struct socks4_stream wants it. */
static ssize_t
connection_result(struct connection *connection, int moved)
{
    int error = errno;

    if (moved > 0)
        return moved;
    switch (SSL_get_error(connection->ssl, moved)) {
    case SSL_ERROR_WANT_READ:
        connection->events = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        connection->events = POLLOUT;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: /* close_notify */
        return 0;
    case SSL_ERROR_SYSCALL:
        return error != 0 ? -error : -ECONNABORTED;
    default: /* also an end without close_notify: what came may be cut */
        return -ECONNABORTED;
    }
}

static ssize_t
connection_read(void *context, void *octets, size_t count)
{
    struct connection *connection = context;

    ERR_clear_error();
    errno = 0;
    return connection_result(connection,
                             SSL_read(connection->ssl, octets, (int)count));
}

static ssize_t
connection_write(void *context, const void *octets, size_t count)
{
    struct connection *connection = context;

    ERR_clear_error();
    errno = 0;
    return connection_result(connection,
                             SSL_write(connection->ssl, octets, (int)count));
}

static short
connection_events(void *context)
{
    return ((struct connection *)context)->events;
}

/* Waits, without a limit: the gateway has granted, the peer may think. */
static ssize_t
connection_await(struct connection *connection, ssize_t result)
{
    struct pollfd polled = {.fd = SSL_get_fd(connection->ssl),
                            .events = connection->events};

    if (result == -EAGAIN && poll(&polled, 1, -1) < 0 && errno != EINTR)
        return -errno;
    return result;
}

/* Sends the word, ends that direction by close_notify, and prints what comes
   until the peer ends the other one. */
static int
word_exchange(struct connection *connection, const char *word)
{
    char answer[4096];
    ssize_t moved;

    while (*word != '\0') {
        moved = connection_await(
            connection, connection_write(connection, word, strlen(word)));
        if (moved < 0 && moved != -EAGAIN)
            return (int)moved;
        word += moved > 0 ? moved : 0;
    }
    SSL_shutdown(connection->ssl);
    do {
        moved = connection_await(
            connection, connection_read(connection, answer, sizeof(answer)));
        if (moved > 0)
            printf("%.*s", (int)moved, answer);
    } while (moved > 0 || moved == -EAGAIN);
    return (int)moved;
}

/* A TLS connection with the gateway at that address; NULL: the reason has
   been printed. The handshake blocks. */
static SSL *
gateway_connect(const struct sockaddr_in *gateway, const char *address)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(settings);

    SSL_CTX_free(settings); /* ssl has a reference */
    SSL_CTX_set_default_verify_paths(SSL_get_SSL_CTX(ssl));
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address);
    if (fd >= 0 && SSL_set_fd(ssl, fd) == 1 &&
        connect(fd, (const struct sockaddr *)gateway, sizeof(*gateway)) == 0 &&
        SSL_connect(ssl) == 1 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return ssl;
    if (ERR_peek_error() == 0)
        perror("tls");
    ERR_print_errors_fp(stderr);
    return NULL;
}

int
main(int argc, char **argv)
{
    struct sockaddr_in gateway = {.sin_family = AF_INET};
    struct socks4_request request = {.command = SOCKS4_CONNECT};
    struct socks4_dial dial = {.gateway = (struct sockaddr *)&gateway,
                               .gateway_len = sizeof(gateway),
                               .deadline_ms = socks4_dial_deadline(10000),
                               .cancel = -1};
    struct connection connection = {.events = POLLIN};
    struct socks4_stream stream = {.context = &connection,
                                   .read = connection_read,
                                   .write = connection_write,
                                   .events = connection_events};
    struct socks4_dialled dialled;
    int result;

    if (argc != 6)
        return 2;
    gateway.sin_addr.s_addr = inet_addr(argv[1]);
    gateway.sin_port = htons((uint16_t)atoi(argv[2]));
    request.dstip = ntohl(inet_addr(argv[3]));
    request.dstport = (uint16_t)atoi(argv[4]);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
    connection.ssl = gateway_connect(&gateway, argv[1]);
    if (connection.ssl == NULL)
        return 1;
    stream.fd = SSL_get_fd(connection.ssl);
    result = socks4_dial_over_stream(&stream, &dial, &request, 1, &dialled);
    if (result == 0)
        result = word_exchange(&connection, argv[5]);
    if (result > 0)
        fprintf(stderr, "tls: %s\n", socks4_code_text(result));
    else if (result == -EPROTO)
        fprintf(stderr, "tls: %s\n", socks4_error_text(dialled.client.error));
    else if (result < 0)
        fprintf(stderr, "tls: %s\n", strerror(-result));
    SSL_free(connection.ssl);
    close(stream.fd);
    return result != 0;
}
