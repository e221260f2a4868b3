/*
 * What a handshake costs with the private key in the signer, beside one with
 * the key in the same process: socks4-signing [SECONDS]. Client and server talk
 * through memory, the signer is a child on the same link as in the gateway.
 * What counts is processor time: of the server's part, and all that the signer
 * takes. Run it on one processor (taskset -c 0), so that each signature is a
 * switch.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/sys.h"
#include "gateway/channel.h"
#include "gateway/link_message.h"
#include "gateway/signer/keys.h"
#include "gateway/worker/signing.h"

static struct loop loop;
static struct signing signing;
static int ends[2];
static SSL_CTX *client_context;

static void
demand(bool held, const char *what)
{
    if (held)
        return;
    fprintf(stderr, "socks4-signing: %s\n", what);
    exit(1);
}

/* --- the signer ---------------------------------------------------------- */

static void
sign_until_the_end(EVP_PKEY *key)
{
    static struct keys keys;
    struct signing_request request;
    struct signing_answer answer;
    struct epoll_event event;
    char *pem;
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(out, &pem);
    int poller = sys_poll_open();
    demand(keys_add(&keys, 1, KEY_SERVER, pem, (size_t)len) == 0, "no key");
    demand(sys_poll_add(poller, ends[1], EPOLLIN, NULL) == 0, "no epoll");
    for (;;) {
        int got = link_message_receive(ends[1], &request, sizeof(request));
        if (got == -EAGAIN)
            got = sys_poll_wait(poller, &event, 1, -1);
        else if (got == 1) {
            keys_sign(&keys, &request, &answer);
            got = link_message_send(ends[1], &answer, sizeof(answer)) == 0;
        }
        if (got <= 0)
            _exit(0);
    }
}

/* --- the worker ---------------------------------------------------------- */

static int
on_woken(SSL *ssl, void *arg)
{
    (void)ssl;
    *(bool *)arg = true;
    return 1;
}

static X509 *
make_certificate(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    X509 *made = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(made), -60);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, key);
    demand(X509_sign(made, key, EVP_sha256()) > 0, "no certificate");
    int len = i2d_X509(made, &der);
    const unsigned char *at = der;
    X509 *parsed = X509_new_ex(signing.library, NULL);
    demand(d2i_X509(&parsed, &at, len) != NULL, "no certificate");
    X509_free(made);
    return parsed;
}

static SSL_CTX *
make_context(X509 *certificate, EVP_PKEY *key)
{
    SSL_CTX *made = SSL_CTX_new_ex(signing.library, NULL, TLS_server_method());
    demand(SSL_CTX_use_certificate(made, certificate) == 1 &&
               SSL_CTX_use_PrivateKey(made, key) == 1,
           "no context");
    SSL_CTX_set_num_tickets(made, 0);
    return made;
}

/* --- handshakes ---------------------------------------------------------- */

static double
clock_s(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static clockid_t signer_clock;

/* Handshakes that are under way at once. */
enum { AT_ONCE = 16 };

struct handshake {
    SSL *server, *client;
    bool woken, done;
};

static void
handshake_open(struct handshake *one, SSL_CTX *context, bool is_remote)
{
    BIO *bios[2];
    *one = (struct handshake){.server = SSL_new(context),
                              .client = SSL_new(client_context),
                              .woken = true};
    BIO_new_bio_pair(&bios[0], 0, &bios[1], 0);
    SSL_set_bio(one->server, bios[0], bios[0]);
    SSL_set_bio(one->client, bios[1], bios[1]);
    SSL_set_accept_state(one->server);
    SSL_set_connect_state(one->client);
    if (!is_remote)
        return;
    SSL_set_mode(one->server, SSL_MODE_ASYNC);
    SSL_set_async_callback(one->server, on_woken);
    SSL_set_async_callback_arg(one->server, &one->woken);
}

/* A step of each that does not wait; whether any is left. */
static bool
handshakes_step(struct handshake *all, int count)
{
    bool left = false;
    for (int i = 0; i < count; i++) {
        struct handshake *one = &all[i];
        int result = one->woken ? SSL_do_handshake(one->server) : 1;
        int error = SSL_get_error(one->server, result);
        if (one->woken)
            one->woken = error != SSL_ERROR_WANT_ASYNC;
        one->done = one->woken && result == 1;
        left |= !one->done;
    }
    return left;
}

/* What the servers' part took. */
static double
handshakes(SSL_CTX *context, bool is_remote, int count)
{
    struct handshake all[AT_ONCE];
    double took = 0;
    bool left = true;
    for (int i = 0; i < count; i++)
        handshake_open(&all[i], context, is_remote);
    for (int turn = 0; left && turn < 1000; turn++) {
        for (int i = 0; i < count; i++)
            if (all[i].woken)
                SSL_do_handshake(all[i].client);
        double began = clock_s(CLOCK_PROCESS_CPUTIME_ID);
        left = handshakes_step(all, count);
        bool waits = false;
        for (int i = 0; i < count; i++)
            waits |= !all[i].woken;
        if (waits)
            loop_turn(&loop, -1);
        took += clock_s(CLOCK_PROCESS_CPUTIME_ID) - began;
    }
    demand(!left, "a handshake fails");
    for (int i = 0; i < count; i++) {
        SSL_free(all[i].server);
        SSL_free(all[i].client);
    }
    return took;
}

static double
measure(SSL_CTX *context, bool is_remote, int at_once, double seconds)
{
    double took = -clock_s(signer_clock), began = clock_s(CLOCK_MONOTONIC);
    unsigned count = 0;
    while (clock_s(CLOCK_MONOTONIC) - began < seconds) {
        took += handshakes(context, is_remote, at_once);
        count += (unsigned)at_once;
    }
    return (took + clock_s(signer_clock)) / count * 1e6;
}

static int
compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

enum { ROUNDS = 7 };

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    double here[ROUNDS], there[ROUNDS];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    demand(channel_pair(ends) == 0 && loop_init(&loop) == 0 &&
               keys_prepare() == 0 && signing_init(&signing, &loop) == 0,
           "cannot start");
    pid_t signer = fork();
    if (signer == 0) {
        close(ends[0]);
        sign_until_the_end(key);
    }
    close(ends[1]);
    demand(clock_getcpuclockid(signer, &signer_clock) == 0, "no clock");
    peer_link_open(&signing.link, ends[0]);
    X509 *certificate = make_certificate(key);
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX *local = make_context(certificate, key);
    SSL_CTX *remote =
        make_context(certificate, signing_key(&signing, certificate));
    for (int at_once = 1; at_once <= AT_ONCE; at_once *= AT_ONCE) {
        measure(local, false, at_once, seconds / 4);
        measure(remote, true, at_once, seconds / 4);
        for (int i = 0; i < ROUNDS; i++) {
            here[i] = measure(local, false, at_once, seconds);
            there[i] = measure(remote, true, at_once, seconds);
        }
        qsort(here, ROUNDS, sizeof(*here), compare);
        qsort(there, ROUNDS, sizeof(*there), compare);
        printf("%d at once: key in the process %.1f us, in the signer %.1f us, "
               "+ %.1f %%\n",
               at_once, here[ROUNDS / 2], there[ROUNDS / 2],
               (there[ROUNDS / 2] / here[ROUNDS / 2] - 1) * 100);
    }
    return 0;
}
