/*
 * A client in libuv's loop. The callbacks pass the received octets to
 * client.h; reading starts before the request is sent, since a gateway may
 * refuse early.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <socks4/client.h>

struct connection {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uv_timer_t timer;
    struct socks4_client client;
    uint8_t room[SOCKS4_REQUEST_ROOM(0, 0)];
    uint8_t octets[4096];
    char *word;
};

static void
die(const char *what)
{
    fprintf(stderr, "uv: %s\n", what);
    exit(1);
}

static void
check(int status)
{
    if (status < 0)
        die(uv_strerror(status));
}

static void
octets_lend(uv_handle_t *handle, size_t wish, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;

    (void)wish;
    *buffer =
        uv_buf_init((char *)connection->octets, sizeof(connection->octets));
}

static void
word_sent(uv_write_t *write, int status)
{
    struct connection *connection = write->data;

    check(status);
    check(uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp,
                      NULL));
}

static void
word_send(struct connection *connection)
{
    uv_buf_t buffer =
        uv_buf_init(connection->word, (unsigned)strlen(connection->word));

    connection->write.data = connection;
    check(uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer,
                   1, word_sent));
}

/* The octets behind the reply are the application's. */
static void
octets_came(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    struct socks4_client *client = &connection->client;
    int was = client->state;
    size_t used = 0;

    if (count < 0 && count != UV_EOF)
        check((int)count);
    if (count == UV_EOF)
        socks4_client_end(client);
    else
        used = socks4_client_take(client, connection->octets, (size_t)count);
    if (client->state == SOCKS4_CLIENT_FAILED)
        die(socks4_error_text(client->error));
    if (client->state == SOCKS4_CLIENT_REFUSED)
        die(socks4_code_text(client->code));
    if (count > 0)
        fwrite(buffer->base + used, 1, (size_t)count - used, stdout);
    if (was != SOCKS4_CLIENT_OPEN && client->state == SOCKS4_CLIENT_OPEN)
        word_send(connection);
    if (count == UV_EOF) {
        uv_close((uv_handle_t *)&connection->timer, NULL);
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void
request_sent(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    const uint8_t *octets;

    if (status == 0) /* else reading tells why */
        socks4_client_sent(&connection->client,
                           socks4_client_unsent(&connection->client, &octets));
}

static void
gateway_reached(uv_connect_t *connect, int status)
{
    struct connection *connection = connect->data;
    const uint8_t *octets;
    size_t count = socks4_client_unsent(&connection->client, &octets);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)octets, (unsigned)count);

    check(status);
    connection->write.data = connection;
    check(uv_read_start((uv_stream_t *)&connection->tcp, octets_lend,
                        octets_came));
    check(uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer,
                   1, request_sent));
}

static void
time_is_up(uv_timer_t *timer)
{
    (void)timer;
    die("ten seconds are up");
}

int
main(int argc, char **argv)
{
    static struct connection connection;
    struct socks4_request request = {.command = SOCKS4_CONNECT};
    struct sockaddr_in gateway, dest;

    if (argc != 6)
        die("GATEWAY PORT ADDRESS PORT WORD");
    check(uv_ip4_addr(argv[1], atoi(argv[2]), &gateway));
    check(uv_ip4_addr(argv[3], atoi(argv[4]), &dest));
    request.dstip = ntohl(dest.sin_addr.s_addr);
    request.dstport = ntohs(dest.sin_port);
    if (socks4_client_start(&connection.client, &request, connection.room,
                            sizeof(connection.room)) != 0)
        die(socks4_error_text(connection.client.error));

    connection.word = argv[5];
    check(uv_tcp_init(uv_default_loop(), &connection.tcp));
    check(uv_timer_init(uv_default_loop(), &connection.timer));
    connection.tcp.data = connection.connect.data = &connection;
    check(uv_timer_start(&connection.timer, time_is_up, 10000, 0));
    check(uv_tcp_connect(&connection.connect, &connection.tcp,
                         (struct sockaddr *)&gateway, gateway_reached));
    check(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
    uv_loop_close(uv_default_loop());
    return 0;
}
