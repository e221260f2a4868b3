#include "bench/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *wire_context;
static SSL **wires; /* by descriptor; NULL: none has been TLS yet */
static size_t wire_count;

static SSL *
wire_of(int fd)
{
    return fd >= 0 && (size_t)fd < wire_count ? wires[fd] : NULL;
}

bool
wire_use_tls(const char *ca, const char *certificate, const char *key)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes as to a file */
    wire_context = SSL_CTX_new(TLS_client_method());
    if (wire_context != NULL &&
        SSL_CTX_load_verify_locations(wire_context, ca, NULL) == 1 &&
        (certificate == NULL ||
         (SSL_CTX_use_certificate_file(wire_context, certificate,
                                       SSL_FILETYPE_PEM) == 1 &&
          SSL_CTX_use_PrivateKey_file(wire_context, key, SSL_FILETYPE_PEM) ==
              1))) {
        SSL_CTX_set_verify(wire_context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_session_cache_mode(wire_context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(wire_context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                           SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                           SSL_MODE_RELEASE_BUFFERS);
        return true;
    }
    ERR_print_errors_fp(stderr);
    return false;
}

static bool
wire_make_room(int fd)
{
    size_t count = wire_count ? wire_count : 1024;

    while (count <= (size_t)fd)
        count *= 2;
    SSL **grown = realloc(wires, count * sizeof(*wires));
    if (grown == NULL)
        return false;
    for (size_t i = wire_count; i < count; i++)
        grown[i] = NULL;
    wires = grown;
    wire_count = count;
    return true;
}

int
wire_start_tls(int fd)
{
    if ((size_t)fd >= wire_count && !wire_make_room(fd))
        return -1;
    wires[fd] = SSL_new(wire_context);
    if (wires[fd] == NULL || SSL_set_fd(wires[fd], fd) != 1)
        return -1;
    SSL_set_connect_state(wires[fd]);
    return 0;
}

/* -1, and errno says what a call without success has come to. */
static int
wire_error(const SSL *ssl, int returned)
{
    int kept = errno;

    switch (SSL_get_error(ssl, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        break;
    case SSL_ERROR_SYSCALL:
        errno = kept != 0 ? kept : EPROTO;
        break;
    default:
        errno = EPROTO;
    }
    return -1;
}

static void
wire_begin(void)
{
    ERR_clear_error();
    errno = 0;
}

int
wire_connect(int fd)
{
    SSL *ssl = wire_of(fd);

    if (ssl == NULL || SSL_is_init_finished(ssl))
        return 0;
    wire_begin();
    int done = SSL_do_handshake(ssl);
    return done == 1 ? 0 : wire_error(ssl, done);
}

ssize_t
wire_recv(int fd, void *octets, size_t room)
{
    SSL *ssl = wire_of(fd);
    size_t got = 0;

    if (ssl == NULL)
        return recv(fd, octets, room, 0);
    wire_begin();
    int done = SSL_read_ex(ssl, octets, room, &got);
    if (done == 1)
        return (ssize_t)got;
    return SSL_get_error(ssl, done) == SSL_ERROR_ZERO_RETURN
               ? 0
               : wire_error(ssl, done);
}

ssize_t
wire_send(int fd, const void *octets, size_t count)
{
    SSL *ssl = wire_of(fd);
    size_t sent = 0;

    if (ssl == NULL)
        return send(fd, octets, count, MSG_NOSIGNAL);
    wire_begin();
    int done = SSL_write_ex(ssl, octets, count, &sent);
    return done == 1 ? (ssize_t)sent : wire_error(ssl, done);
}

bool
wire_pending(int fd)
{
    const SSL *ssl = wire_of(fd);

    return ssl != NULL && SSL_pending(ssl) > 0;
}

int
wire_finish(int fd)
{
    SSL *ssl = wire_of(fd);

    if (ssl != NULL) {
        wire_begin();
        int done = SSL_shutdown(ssl);
        if (done < 0)
            return wire_error(ssl, done);
    }
    return shutdown(fd, SHUT_WR);
}

void
wire_cut(int fd, const void *octets, size_t count, unsigned part)
{
    SSL *ssl = wire_of(fd);
    BIO *record = ssl != NULL ? BIO_new(BIO_s_mem()) : NULL;
    char *at;

    if (record != NULL) {
        SSL_set0_wbio(ssl, record);
        SSL_write(ssl, octets, (int)count);
        long len = BIO_get_mem_data(record, &at);
        (void)!send(fd, at, (size_t)len * part / 256, MSG_NOSIGNAL);
    }
    shutdown(fd, SHUT_WR);
}

void
wire_forget(int fd)
{
    SSL *ssl = wire_of(fd);

    if (ssl == NULL)
        return;
    wires[fd] = NULL;
    SSL_free(ssl);
}
