/*
 * socks4-tls-bench: connections with TLS, each with a full handshake, and bulk
 * over one of them. Blocking threads; every octet is checked. One line of JSON.
 *
 *   socks4-tls-bench floor SECONDS CERT KEY [CA CLIENTCERT CLIENTKEY]
 *   socks4-tls-bench rate GATEWAY TARGET THREADS SECONDS CA [CERT KEY]
 *   socks4-tls-bench download|upload GATEWAY TARGET MIB CA [CERT KEY]
 *   socks4-tls-bench serve PORT
 *
 * CA is a file, or `-` for sessions without TLS. GATEWAY and TARGET are IPv4
 * addresses with a port. The server that `serve`
 * starts reads a letter and a number of MiB: it sends so much (D), reads so
 * much (U), or one octet back (E).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define MIB (1u << 20)

static _Noreturn void
die(const char *what)
{
    fprintf(stderr, "socks4-tls-bench: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double
now(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static struct sockaddr_in
parse(const char *text)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        die(text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1)
        die(text);
    at.sin_port = htons((uint16_t)atoi(colon + 1));
    return at;
}

static SSL_CTX *
client_context(const char *ca, const char *certificate, const char *key)
{
    if (strcmp(ca, "-") == 0)
        return NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
        die(ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (certificate != NULL &&
        (SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) !=
             1 ||
         SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1))
        die(certificate);
    return context;
}

static void
request(uint8_t octets[9], const struct sockaddr_in *target)
{
    memcpy(octets, "\4\1", 2);
    memcpy(octets + 2, &target->sin_port, 2);
    memcpy(octets + 4, &target->sin_addr, 4);
    octets[8] = 0;
}

/* A session that stands: TLS, the request, the reply. */
struct session {
    int fd;
    SSL *ssl; /* NULL: plain */
};

static ssize_t
session_write(struct session *session, const void *octets, size_t size)
{
    return session->ssl != NULL ? SSL_write(session->ssl, octets, (int)size)
                                : send(session->fd, octets, size, MSG_NOSIGNAL);
}

static ssize_t
session_read(struct session *session, void *octets, size_t room)
{
    return session->ssl != NULL ? SSL_read(session->ssl, octets, (int)room)
                                : recv(session->fd, octets, room, 0);
}

static struct session
session_open(SSL_CTX *context, const struct sockaddr_in *gateway,
             const struct sockaddr_in *target)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct session session = {.fd = fd};
    uint8_t octets[9], reply[8];
    if (connect(fd, (const struct sockaddr *)gateway, sizeof(*gateway)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (context != NULL) {
        session.ssl = SSL_new(context);
        SSL_set_fd(session.ssl, fd);
        if (SSL_connect(session.ssl) != 1)
            die("handshake");
    }
    request(octets, target);
    if (session_write(&session, octets, 9) != 9)
        die("request");
    ssize_t some;
    for (size_t got = 0; got < 8; got += (size_t)some)
        if ((some = session_read(&session, reply + got, 8 - got)) <= 0)
            die("reply");
    if (reply[1] != 90)
        die("refused");
    return session;
}

static void
session_close(struct session *session)
{
    if (session->ssl != NULL)
        SSL_shutdown(session->ssl);
    SSL_free(session->ssl);
    close(session->fd);
}

/* ---- rate ---- */

static SSL_CTX *context;
static struct sockaddr_in gateway, target;
static double until;
static atomic_ulong connections;

static void *
connect_again(void *with)
{
    while (now(CLOCK_MONOTONIC) < until) {
        char octet = 'x';
        struct session session = session_open(context, &gateway, &target);
        if (session_write(&session, "E", 1) != 1 ||
            session_read(&session, &octet, 1) != 1 || octet != 'E')
            die("echo");
        session_close(&session);
        atomic_fetch_add(&connections, 1);
    }
    return with;
}

static void
rate(int threads, double seconds)
{
    pthread_t many[256];
    double from = now(CLOCK_MONOTONIC);
    until = from + seconds;
    for (int i = 0; i < threads; i++)
        pthread_create(&many[i], NULL, connect_again, NULL);
    for (int i = 0; i < threads; i++)
        pthread_join(many[i], NULL);
    double took = now(CLOCK_MONOTONIC) - from;
    printf("{\"connections\": %lu, \"seconds\": %.3f, \"rate\": %.1f}\n",
           connections, took, (double)connections / took);
}

/* ---- bulk ---- */

static void
bulk(char way, unsigned mib)
{
    static uint8_t block[65536];
    char order[16];
    struct session session = session_open(context, &gateway, &target);
    double from = now(CLOCK_MONOTONIC);
    int len = snprintf(order, sizeof(order), "%c%08u", way, mib);
    uint64_t left = (uint64_t)mib * MIB;
    if (session_write(&session, order, (size_t)len) != len)
        die("order");
    while (left > 0) {
        ssize_t some = way == 'D'
                           ? session_read(&session, block, sizeof(block))
                           : session_write(&session, block, sizeof(block));
        if (some <= 0)
            die("bulk");
        for (ssize_t i = 0; way == 'D' && i < some; i += 4096)
            if (block[i] != 0)
                die("wrong octet");
        left -= (uint64_t)some < left ? (uint64_t)some : left;
    }
    char done;
    if (way == 'U' && session_read(&session, &done, 1) != 1)
        die("not all arrived");
    double took = now(CLOCK_MONOTONIC) - from;
    const char *cipher =
        session.ssl != NULL ? SSL_get_cipher(session.ssl) : "none";
    printf("{\"cipher\": \"%s\", ", cipher);
    session_close(&session);
    printf("\"mib\": %u, \"seconds\": %.3f, \"mib_s\": %.1f}\n", mib, took,
           (double)mib / took);
}

/* ---- the server behind it ---- */

static void *
serve_one(void *with)
{
    int fd = (int)(intptr_t)with;
    static uint8_t zeros[65536];
    uint8_t block[65536];
    char order[10] = "";
    if (recv(fd, order, 1, MSG_WAITALL) != 1)
        goto end;
    if (order[0] == 'E') {
        send(fd, order, 1, MSG_NOSIGNAL);
        recv(fd, block, 1, 0);
        goto end;
    }
    if (recv(fd, order + 1, 8, MSG_WAITALL) != 8)
        goto end;
    uint64_t left = strtoull(order + 1, NULL, 10) * MIB;
    while (left > 0) {
        size_t piece = left < sizeof(block) ? left : sizeof(block);
        ssize_t some = order[0] == 'D' ? send(fd, zeros, piece, MSG_NOSIGNAL)
                                       : recv(fd, block, piece, 0);
        if (some <= 0)
            break;
        left -= (uint64_t)some;
    }
    if (order[0] == 'U' && left == 0)
        send(fd, "U", 1, MSG_NOSIGNAL);
    recv(fd, block, 1, 0);
end:
    close(fd);
    return NULL;
}

static void
serve(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 262144);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(listener, 1024) != 0)
        die("listen");
    puts("ready");
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && pthread_create(&thread, &detached, serve_one,
                                      (void *)(intptr_t)fd) != 0)
            close(fd);
    }
}

/* ---- the floor: the server's side of handshakes over memory ---- */

static void
handshake_floor(double seconds, char **argv, int argc)
{
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    double spent = 0;
    unsigned long count = 0;
    if (SSL_CTX_use_certificate_file(server, argv[0], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(server, argv[1], SSL_FILETYPE_PEM) != 1)
        die(argv[0]);
    SSL_CTX_set_num_tickets(server, argc > 2 ? 0 : 2);
    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
    if (argc > 4) {
        SSL_CTX_load_verify_locations(server, argv[2], NULL);
        SSL_CTX_set_verify(
            server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_use_certificate_file(client, argv[3], SSL_FILETYPE_PEM);
        SSL_CTX_use_PrivateKey_file(client, argv[4], SSL_FILETYPE_PEM);
    }
    double end = now(CLOCK_MONOTONIC) + seconds;
    while (now(CLOCK_MONOTONIC) < end) {
        BIO *ends[2];
        double began = now(CLOCK_THREAD_CPUTIME_ID);
        SSL *sides[2] = {SSL_new(server), NULL};
        spent += now(CLOCK_THREAD_CPUTIME_ID) - began;
        int done[2] = {0, 0};
        sides[1] = SSL_new(client);
        BIO_new_bio_pair(&ends[0], 0, &ends[1], 0);
        for (int i = 0; i < 2; i++)
            SSL_set_bio(sides[i], ends[i], ends[i]);
        SSL_set_accept_state(sides[0]);
        SSL_set_connect_state(sides[1]);
        for (int i = 0; i < 8 && !(done[0] == 1 && done[1] == 1); i++) {
            done[1] = SSL_do_handshake(sides[1]);
            double from = now(CLOCK_THREAD_CPUTIME_ID);
            done[0] = SSL_do_handshake(sides[0]);
            spent += now(CLOCK_THREAD_CPUTIME_ID) - from;
        }
        if (done[0] != 1)
            die("handshake");
        double from = now(CLOCK_THREAD_CPUTIME_ID);
        SSL_free(sides[0]);
        spent += now(CLOCK_THREAD_CPUTIME_ID) - from;
        SSL_free(sides[1]);
        count++;
    }
    printf("{\"handshakes\": %lu, \"microseconds\": %.1f}\n", count,
           spent / (double)count * 1e6);
}

/* AES-128-GCM and one copy alone: CPU seconds for a GiB, sealing as records. */
static void
bulk_floor(void)
{
    static uint8_t from[16384], to[16384 + 64];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t key[32] = {1}, iv[12] = {2}, tag[16];
    int len;
    EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, key, iv);
    double start = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < 65536; i++) {
        iv[0]++;
        EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv);
        EVP_EncryptUpdate(cipher, to, &len, from, sizeof(from));
        EVP_EncryptFinal_ex(cipher, to + len, &len);
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, tag);
    }
    printf("{\"cpu_s_gib\": %.3f}\n", now(CLOCK_PROCESS_CPUTIME_ID) - start);
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serve(atoi(argv[2]));
    } else if (argc == 2 && strcmp(argv[1], "cipher") == 0) {
        bulk_floor();
    } else if (argc >= 5 && strcmp(argv[1], "floor") == 0) {
        handshake_floor(atof(argv[2]), argv + 3, argc - 3);
    } else if (argc >= 7 && strcmp(argv[1], "rate") == 0) {
        gateway = parse(argv[2]);
        target = parse(argv[3]);
        context = client_context(argv[6], argc > 8 ? argv[7] : NULL,
                                 argc > 8 ? argv[8] : NULL);
        rate(atoi(argv[4]), atof(argv[5]));
    } else if (argc >= 6) {
        gateway = parse(argv[2]);
        target = parse(argv[3]);
        context = client_context(argv[5], argc > 7 ? argv[6] : NULL,
                                 argc > 7 ? argv[7] : NULL);
        bulk(argv[1][0] == 'd' ? 'D' : 'U', (unsigned)atoi(argv[4]));
    } else {
        fputs("usage: see bench/tls.c\n", stderr);
        return 2;
    }
    return 0;
}
