/* TLS streams with OpenSSL on both sides: what tests/scenario plays with a toy
   is so with the real library. The signer is in this process. */

#include "gateway/worker/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "gateway/config/config.h"
#include "gateway/signer/keys.h"
#include "gateway/worker/signing.h"
#include "gateway/worker/stream_tls.h"
#include "tests/unit/link/fake_link.h"
#include "tests/unit/unit.h"

static struct loop loop;
static struct signing signing;
static struct keys keys;
static struct stream_tls_pool pool;

/* ---- The signer ---- */

static struct signing_request asked[SIGNING_JOBS_MAX];

static void
ask_anew(void)
{
    fake_link_init(asked, sizeof(asked[0]), COUNT(asked));
}

static void
sign_all(void)
{
    for (size_t i = 0; i < fake_link.count; i++) {
        struct signing_answer answer;
        keys_sign(&keys, &asked[i], &answer);
        signing.link.ops->receive(&signing.link, &answer);
    }
    ask_anew();
}

/* ---- The kernel ---- */

static unsigned sends, recvs;

ssize_t __real_sys_send(int fd, const void *octets, size_t count);
ssize_t __wrap_sys_send(int fd, const void *octets, size_t count);

ssize_t
__wrap_sys_send(int fd, const void *octets, size_t count)
{
    sends++;
    return __real_sys_send(fd, octets, count);
}

ssize_t __real_sys_recv(int fd, void *octets, size_t room);
ssize_t __wrap_sys_recv(int fd, void *octets, size_t room);

ssize_t
__wrap_sys_recv(int fd, void *octets, size_t room)
{
    recvs++;
    return __real_sys_recv(fd, octets, room);
}

/* ---- Certificates ---- */

static EVP_PKEY *ca_key, *server_key, *client_key;
static X509 *ca, *server_certificate;

static void
add_extension(X509 *made, int nid, const char *value)
{
    X509V3_CTX with;
    X509V3_set_ctx(&with, ca, made, NULL, NULL, 0);
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, &with, nid, (char *)(uintptr_t)value);
    assert_non_null(extension);
    X509_add_ext(made, extension, -1);
    X509_EXTENSION_free(extension);
}

/* `names` as openssl.cnf has them: "DNS:a.example,email:b@c"; NULL: none. */
static X509 *
make(EVP_PKEY *key, EVP_PKEY *by, const char *common, const char *names,
     long serial, int days)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600 * 24 * 10);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600L * 24 * days);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               (const unsigned char *)common, -1, -1, 0);
    X509_set_issuer_name(made, ca != NULL ? X509_get_subject_name(ca) : name);
    X509_set_pubkey(made, key);
    add_extension(made, NID_basic_constraints,
                  key == by ? "critical,CA:TRUE" : "CA:FALSE");
    if (names != NULL)
        add_extension(made, NID_subject_alt_name, names);
    assert_true(X509_sign(made, by, EVP_sha256()) > 0);
    return made;
}

static char files_octets[1 << 20];
static struct tls_files files;

static void
add_file_of(uint32_t index, enum tls_file_kind kind, BIO *pem)
{
    char *octets;
    size_t len = (size_t)BIO_get_mem_data(pem, &octets);
    struct tls_block block = {.kind = kind, .listener = index, .len = len};
    memcpy(files_octets + files.len, &block, sizeof(block));
    memcpy(files_octets + files.len + sizeof(block), octets, len);
    files.octets = (uint8_t *)files_octets;
    files.len += sizeof(block) + len;
    BIO_free(pem);
}

static void
add_file(enum tls_file_kind kind, BIO *pem)
{
    add_file_of(0, kind, pem);
}

static BIO *
pem_of(X509 *certificate)
{
    BIO *pem = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(pem, certificate);
    return pem;
}

/* A list of the CA's that revokes so many certificates from this number on, and
   is good for so many seconds. */
static void
add_long_crl(long serial, long count, long seconds)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
    ASN1_TIME *then = X509_gmtime_adj(NULL, seconds);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, then);
    for (long i = 0; i < count; i++) {
        X509_REVOKED *revoked = X509_REVOKED_new();
        ASN1_INTEGER_set(number, serial + i);
        X509_REVOKED_set_serialNumber(revoked, number);
        X509_REVOKED_set_revocationDate(revoked, now);
        X509_CRL_add0_revoked(crl, revoked);
    }
    X509_CRL_sign(crl, ca_key, EVP_sha256());
    BIO *pem = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(pem, crl);
    add_file(TLS_FILE_CRL, pem);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(now);
    ASN1_TIME_free(then);
    X509_CRL_free(crl);
}

static void
add_crl(long serial, long seconds)
{
    add_long_crl(serial, 1, seconds);
}

/* ---- A stream and its client ---- */

/* Of the last handshake, as OpenSSL tells them to who wants a log of keys. */
static struct {
    const char *name;
    uint8_t octets[32];
} secrets[] = {{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", {0}},
               {"SERVER_HANDSHAKE_TRAFFIC_SECRET", {0}},
               {"SERVER_TRAFFIC_SECRET_0", {0}}};
enum { CLIENT_HANDSHAKE, SERVER_HANDSHAKE, SERVER_DATA };

static void
note_secret(const SSL *ssl, const char *line)
{
    const char *hex = strrchr(line, ' ') + 1;
    (void)ssl;
    for (size_t i = 0; i < COUNT(secrets); i++)
        if (strncmp(line, secrets[i].name, strlen(secrets[i].name)) == 0)
            for (size_t j = 0; j < 32; j++)
                sscanf(hex + 2 * j, "%2hhx", &secrets[i].octets[j]);
}

struct pair {
    struct stream stream;
    enum tls_result result; /* of the handshake */
    size_t steps;
    SSL_CTX *context;
    SSL *client;
    int fd;
};

static struct tls_context *context;
static struct config_tls options;
static uint64_t source; /* of who comes next */

static void
on_event(struct watch *watch, uint32_t events)
{
    struct stream *stream = stream_event(watch, events);
    struct pair *pair = container_of(stream, struct pair, stream);

    if (pair->result == TLS_DONE || pair->result == TLS_FAILED ||
        pair->result == TLS_TRUNCATED)
        return;
    pair->result = stream_handshake(stream);
    pair->steps++;
}

static void
turn(void)
{
    loop_turn(&loop, 0);
    sign_all();
}

static void
open_pair(struct pair *pair, X509 *certificate)
{
    int fds[2];

    *pair = (struct pair){.result = TLS_WANTS_READ};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    pair->fd = fds[1];
    pair->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_keylog_callback(pair->context, note_secret);
    if (certificate != NULL) {
        SSL_CTX_use_certificate(pair->context, certificate);
        SSL_CTX_use_PrivateKey(pair->context, client_key);
    }
    pair->client = SSL_new(pair->context);
    SSL_set_fd(pair->client, pair->fd);
    SSL_set_connect_state(pair->client);
    if (context == NULL)
        context = tls_context_new(&options, &files, 0, &signing);
    assert_non_null(context);
    assert_int_equal(stream_open_tls(&pair->stream, &pool, fds[0], context,
                                     source, on_event),
                     0);
}

/* True: it stands on both sides. */
static bool
shake(struct pair *pair)
{
    int done = 0;

    for (int i = 0; i < 40 && !(done == 1 && pair->result == TLS_DONE); i++) {
        ERR_clear_error();
        done = SSL_do_handshake(pair->client);
        turn();
        if (pair->result == TLS_FAILED)
            return false;
    }
    return done == 1 && pair->result == TLS_DONE;
}

static void
open_and_shake(struct pair *pair)
{
    open_pair(pair, NULL);
    assert_true(shake(pair));
}

static void
close_pair(struct pair *pair)
{
    stream_close(&pair->stream);
    stream_fini(&pair->stream);
    turn();
    SSL_free(pair->client);
    SSL_CTX_free(pair->context);
    close(pair->fd);
}

static ssize_t
recv_some(struct pair *pair, void *octets, size_t room)
{
    turn();
    return stream_recv(&pair->stream, octets, room);
}

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    ask_anew();
    assert_int_equal(signing_init(&signing, &loop), 0);
    stream_tls_pool_init(&pool, &loop);
    pool.signing = &signing;
    options = (struct config_tls){.client = CONFIG_TLS_CLIENT_OFF,
                                  .tickets = CONFIG_AUTO};
    files.len = 0;
    add_file(TLS_FILE_CERTIFICATE, pem_of(server_certificate));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tls_context_free(context);
    context = NULL;
    stream_tls_pool_fini(&pool);
    signing_fini(&signing);
    loop_fini(&loop);
    return 0;
}

static int
make_all(void **state)
{
    (void)state;
    ca_key = EVP_EC_gen("P-256");
    server_key = EVP_EC_gen("P-256");
    client_key = EVP_EC_gen("P-256");
    ca = make(ca_key, ca_key, "CA", NULL, 1, 30);
    server_certificate =
        make(server_key, ca_key, "gw.example", "DNS:gw.example", 2, 30);
    BIO *pem = BIO_new(BIO_s_mem());
    char *octets;
    PEM_write_bio_PrivateKey(pem, server_key, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(pem, &octets);
    assert_int_equal(keys_add(&keys, 1, KEY_SERVER, octets, (size_t)len), 0);
    BIO_free(pem);
    return 0;
}

/* ---- The signer's time ---- */

#define MORE 3

static struct pair crowd[SIGNING_JOBS_MAX + MORE];

static void
crowd_shake(void)
{
    for (size_t i = 0; i < COUNT(crowd); i++) {
        ERR_clear_error();
        if (crowd[i].client != NULL)
            SSL_do_handshake(crowd[i].client);
    }
}

static size_t
crowd_count(enum tls_result result)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT(crowd); i++)
        count += crowd[i].client != NULL && crowd[i].result == result;
    return count;
}

static size_t
crowd_steps(void)
{
    size_t steps = 0;

    for (size_t i = 0; i < COUNT(crowd); i++)
        steps += crowd[i].steps;
    return steps;
}

static void
a_signature_that_the_signer_refuses_is_said(void **state)
{
    struct pair pair;
    (void)state;
    open_pair(&pair, NULL);
    SSL_do_handshake(pair.client);
    loop_turn(&loop, 0);
    assert_int_equal(fake_link.count, 1);
    const struct signing_answer answer = {.id = asked[0].id,
                                          .outcome = SIGNING_REFUSED};
    signing.link.ops->receive(&signing.link, &answer);
    ask_anew();
    turn();
    assert_int_equal(pair.result, TLS_FAILED);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "the signer gave no signature");
    close_pair(&pair);
}

/* While the signer does nothing, none fails; a turn costs those that wait
   nothing; and one that is given up makes room. */
static void
handshakes_wait_for_the_signer_however_many_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++)
        open_pair(&crowd[i], NULL);
    crowd_shake();
    while (crowd_count(TLS_WANTS_TURN) < MORE)
        loop_turn(&loop, 0);
    assert_int_equal(crowd_count(TLS_WANTS_SIGNER), SIGNING_JOBS_MAX);
    assert_int_equal(fake_link.count, SIGNING_SENT_MAX);
    size_t steps = crowd_steps();
    for (int i = 0; i < 10; i++)
        loop_turn(&loop, 0);
    assert_int_equal(crowd_steps(), steps);

    ask_anew();
    size_t given_up = 0;
    while (crowd[given_up].result != TLS_WANTS_SIGNER)
        given_up++;
    stream_close(&crowd[given_up].stream);
    loop_turn(&loop, 0);
    assert_int_equal(crowd_steps(), steps + 1);
    assert_int_equal(crowd_count(TLS_WANTS_TURN), MORE - 1);
    close_pair(&crowd[given_up]);
    crowd[given_up].client = NULL;

    ask_anew();
    signing.link.ops->resend(&signing.link);
    for (int i = 0; i < 2000 && crowd_count(TLS_DONE) < COUNT(crowd) - 1; i++) {
        crowd_shake();
        turn();
    }
    assert_int_equal(crowd_count(TLS_DONE), COUNT(crowd) - 1);
    for (size_t i = 0; i < COUNT(crowd); i++)
        if (i != given_up)
            close_pair(&crowd[i]);
}

/* Which of those that wait for a turn has made another step. */
static size_t
crowd_next(void)
{
    size_t next = 0;

    for (size_t i = 0; i < COUNT(crowd); i++)
        crowd[i].steps = 0;
    for (size_t i = 0; crowd[i].result != TLS_WANTS_SIGNER; i++)
        next = i + 1;
    stream_close(&crowd[next].stream);
    crowd[next].result = TLS_FAILED;
    loop_turn(&loop, 0);
    next = 0;
    while (next < COUNT(crowd) - 1 && crowd[next].steps == 0)
        next++;
    assert_int_equal(crowd_steps(), 1);
    return next;
}

/* Where so many wait for the signer that others wait for a turn. */
static void
sources_take_turns(void **state)
{
    static const uint64_t sources[MORE] = {1, 1, 2};
    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        source = i < SIGNING_JOBS_MAX ? 1 : sources[i - SIGNING_JOBS_MAX];
        open_pair(&crowd[i], NULL);
        crowd[i].steps = 0;
        SSL_do_handshake(crowd[i].client);
        loop_turn(&loop, 0);
    }
    assert_int_equal(crowd_count(TLS_WANTS_TURN), MORE);
    assert_int_equal(crowd_next(), SIGNING_JOBS_MAX);
    assert_int_equal(crowd_next(), SIGNING_JOBS_MAX + 2);
    stream_close(&crowd[SIGNING_JOBS_MAX + 1].stream); /* nobody is left */
    for (size_t i = 0; i < COUNT(crowd); i++)
        close_pair(&crowd[i]);
    assert_true(list_empty(&pool.waiting));
    source = 0;
}

/* The signer has answered the oldest of its requests. */
static void
sign_first(size_t *signed_count)
{
    struct signing_answer answer;

    keys_sign(&keys, &asked[*signed_count], &answer);
    signing.link.ops->receive(&signing.link, &answer);
    ++*signed_count;
}

/* Whichever was in front when the other came, and however many: what the signer
   has already is before it, and one of theirs. */
static void
a_source_with_many_handshakes_delays_another_by_one_signature(void **state)
{
    static struct pair many[3 * SIGNING_SENT_MAX];
    struct pair pair;
    size_t count = 0;
    (void)state;
    source = 1;
    for (size_t i = 0; i < COUNT(many); i++) {
        open_pair(&many[i], NULL);
        SSL_do_handshake(many[i].client);
    }
    for (size_t i = 0; i < COUNT(many); i++)
        loop_turn(&loop, 0);
    assert_int_equal(many[COUNT(many) - 1].result, TLS_WANTS_SIGNER);
    source = 2;
    open_pair(&pair, NULL);
    SSL_do_handshake(pair.client);
    loop_turn(&loop, 0);
    assert_int_equal(pair.result, TLS_WANTS_SIGNER);
    assert_int_equal(fake_link.count, SIGNING_SENT_MAX);
    for (int i = 0; i < SIGNING_SENT_MAX + 2; i++)
        sign_first(&count);
    for (size_t i = 0; i < COUNT(many); i++) {
        loop_turn(&loop, 0);
        SSL_do_handshake(pair.client);
    }
    assert_int_equal(pair.result, TLS_DONE);
    close_pair(&pair);
    /* who gives up takes along what the signer does not have yet */
    for (size_t i = SIGNING_SENT_MAX; i < COUNT(many); i++)
        close_pair(&many[i]);
    size_t sent = fake_link.count;
    while (count < sent)
        sign_first(&count);
    assert_int_equal(fake_link.count, sent);
    assert_int_equal(signing.unanswered, 0);
    for (size_t i = 0; i < SIGNING_SENT_MAX; i++)
        close_pair(&many[i]);
    source = 0;
}

/* ---- Data ---- */

static void
octets_go_both_ways(void **state)
{
    struct pair pair;
    char octets[16];
    (void)state;
    open_and_shake(&pair);
    assert_string_equal(stream_tls_outcome(&pair.stream)->text,
                        "1.3/TLS_AES_128_GCM_SHA256");
    assert_null(stream_tls_outcome(&pair.stream)->certificate);
    assert_int_equal(SSL_write(pair.client, "up", 2), 2);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 2);
    assert_memory_equal(octets, "up", 2);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -EAGAIN);
    assert_false(stream_is(&pair.stream, STREAM_READABLE));
    assert_int_equal(stream_send(&pair.stream, "down", 4), 4);
    assert_int_equal(SSL_read(pair.client, octets, sizeof(octets)), 4);
    close_pair(&pair);
}

static void
add_ticket_keys(void)
{
    struct tls_ticket_keys random;
    BIO *octets = BIO_new(BIO_s_mem());
    memset(&random, 7, sizeof(random));
    BIO_write(octets, &random, sizeof(random));
    add_file(TLS_FILE_TICKETS, octets);
}

static uint8_t vectors[16][16];
static size_t vector_count;

/* Behind the name of its key. */
static int
note_vector(SSL *ssl, SSL_SESSION *session)
{
    const unsigned char *ticket;
    size_t len;
    (void)ssl;
    SSL_SESSION_get0_ticket(session, &ticket, &len);
    assert_true(len > 32 && vector_count < COUNT(vectors));
    memcpy(vectors[vector_count++], ticket + 16, 16);
    return 0;
}

/* OpenSSL leaves it to who encrypts, and gives a piece of its stack. */
static void
each_ticket_has_a_vector_of_its_own(void **state)
{
    (void)state;
    add_ticket_keys();
    vector_count = 0;
    while (vector_count < COUNT(vectors)) {
        struct pair pair;
        char octet;
        open_pair(&pair, NULL);
        SSL_CTX_set_session_cache_mode(pair.context, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(pair.context, note_vector);
        assert_true(shake(&pair));
        assert_int_equal(SSL_read(pair.client, &octet, 1), -1);
        close_pair(&pair);
    }
    for (size_t i = 0; i < vector_count; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(vectors[i], vectors[j], 16);
}

/* The server's flight, and two tickets. */
static void
a_handshake_is_sent_in_two_pieces(void **state)
{
    struct pair pair;
    (void)state;
    add_ticket_keys();
    sends = 0;
    open_and_shake(&pair);
    assert_int_equal(sends, 2);
    close_pair(&pair);
}

static void
records_are_read_and_sent_two_at_a_time(void **state)
{
    static char octets[65536];
    struct pair pair;
    size_t got = 0;
    (void)state;
    open_and_shake(&pair);
    assert_int_equal(SSL_write(pair.client, octets, sizeof(octets)),
                     sizeof(octets));
    turn();
    recvs = 0;
    while (got < sizeof(octets)) {
        ssize_t count =
            stream_recv(&pair.stream, octets + got, sizeof(octets) - got);
        assert_true(count > 0);
        got += (size_t)count;
    }
    assert_int_equal(recvs, 2);
    sends = 0;
    assert_int_equal(stream_send(&pair.stream, octets, sizeof(octets)),
                     sizeof(octets));
    assert_int_equal(sends, 2);
    close_pair(&pair);
}

static void
an_end_is_seen_without_reading_what_is_before_it(void **state)
{
    struct pair pair;
    char octets[16];
    (void)state;
    open_and_shake(&pair);
    assert_false(stream_has_left(&pair.stream));
    assert_int_equal(SSL_write(pair.client, "early", 5), 5);
    turn();
    assert_false(stream_has_left(&pair.stream));
    assert_false(stream_has_left(&pair.stream));
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 5);
    assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED),
                     1);
    assert_int_equal(SSL_do_handshake(pair.client), 1);
    turn();
    assert_false(stream_has_left(&pair.stream));
    assert_int_equal(SSL_shutdown(pair.client), 0); /* ours has not come */
    turn();
    assert_true(stream_has_left(&pair.stream));
    assert_false(stream_is(&pair.stream, STREAM_BROKEN));
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 0);
    close_pair(&pair);
}

/* The library has read all of them, and no event tells of those that were
   not asked for. */
static void
records_that_wait_in_the_library_are_not_forgotten(void **state)
{
    struct pair pair;
    char octets[8];
    (void)state;
    open_and_shake(&pair);
    for (int i = 0; i < 5; i++)
        assert_int_equal(SSL_write(pair.client, "12345678", 8), 8);
    turn();
    for (int i = 0; i < 5; i++) {
        assert_true(stream_is(&pair.stream, STREAM_READABLE));
        assert_int_equal(stream_recv(&pair.stream, octets, 8), 8);
    }
    assert_int_equal(stream_recv(&pair.stream, octets, 8), -EAGAIN);
    close_pair(&pair);
}

static void
what_does_not_fit_is_sent_later_and_from_elsewhere(void **state)
{
    static uint8_t sent[1 << 20], copy[1 << 20], got[1 << 20];
    struct pair pair;
    size_t done = 0, received = 0;
    (void)state;
    open_and_shake(&pair);
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    memcpy(copy, sent, sizeof(sent));
    for (int i = 0; received < sizeof(sent) && i < 100000; i++) {
        const uint8_t *from = i % 2 ? sent : copy;
        size_t piece =
            sizeof(sent) - done < 65536 ? sizeof(sent) - done : 65536;
        ssize_t count =
            piece > 0 ? stream_send(&pair.stream, from + done, piece) : 0;
        if (count > 0)
            done += (size_t)count;
        assert_true(count >= 0 || count == -EAGAIN);
        int some = SSL_read(pair.client, got + received, 30000);
        if (some > 0)
            received += (size_t)some;
        turn();
    }
    assert_int_equal(received, sizeof(sent));
    assert_memory_equal(got, sent, sizeof(sent));
    close_pair(&pair);
}

/* ---- Ends ---- */

static void
each_direction_ends_by_itself(void **state)
{
    struct pair pair;
    char octets[16];
    (void)state;
    open_and_shake(&pair);
    SSL_write(pair.client, "last", 4);
    assert_int_equal(SSL_shutdown(pair.client), 0);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 4);
    assert_int_equal(stream_recv(&pair.stream, octets, sizeof(octets)), 0);
    assert_int_equal(stream_send(&pair.stream, "more", 4), 4);
    assert_int_equal(SSL_read(pair.client, octets, sizeof(octets)), 4);
    assert_int_equal(stream_finish(&pair.stream), 0);
    assert_int_equal(SSL_read(pair.client, octets, sizeof(octets)), 0);
    assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
    close_pair(&pair);

    open_and_shake(&pair);
    assert_int_equal(stream_finish(&pair.stream), 0);
    assert_int_equal(stream_finish(&pair.stream), 0);
    assert_int_equal(SSL_read(pair.client, octets, sizeof(octets)), 0);
    assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(SSL_write(pair.client, "still", 5), 5);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 5);
    close_pair(&pair);
}

static void
an_end_without_close_notify_is_an_abort_after_what_came_before(void **state)
{
    struct pair pair;
    char octets[16];
    (void)state;
    open_and_shake(&pair);
    SSL_write(pair.client, "half", 4);
    shutdown(pair.fd, SHUT_WR);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 4);
    assert_false(stream_is(&pair.stream, STREAM_BROKEN));
    assert_int_equal(stream_recv(&pair.stream, octets, sizeof(octets)),
                     -ECONNRESET);
    assert_true(stream_is(&pair.stream, STREAM_TRUNCATED));
    assert_true(stream_is(&pair.stream, STREAM_DRAINED));
    close_pair(&pair);
}

static void
an_octet_changed_on_its_way_is_an_abort_with_a_reason(void **state)
{
    struct pair pair;
    char octets[64];
    (void)state;
    open_and_shake(&pair);
    memcpy(octets, "\x17\x03\x03\x00\x20", 5);
    memset(octets + 5, 7, 32);
    assert_int_equal(write(pair.fd, octets, 37), 37);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -ECONNRESET);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "decryption failed or bad record mac");
    assert_false(stream_is(&pair.stream, STREAM_TRUNCATED));
    close_pair(&pair);
}

static void
a_reset_sends_no_close_notify(void **state)
{
    struct pair pair;
    char octets[16];
    (void)state;
    open_and_shake(&pair);
    stream_reset(&pair.stream);
    int count = SSL_read(pair.client, octets, sizeof(octets));
    assert_true(count <= 0);
    assert_int_not_equal(SSL_get_error(pair.client, count),
                         SSL_ERROR_ZERO_RETURN);
    close_pair(&pair);
}

/* ---- Storms ---- */

#define KEY_UPDATE_EACH 65536 /* octets that allow one more */

static double
cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void
keys_may_be_renewed_now_and_then(void **state)
{
    struct pair pair;
    char octets[16];
    (void)state;
    open_and_shake(&pair);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED),
                         1);
        assert_int_equal(SSL_write(pair.client, "up", 2), 2);
        assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 2);
        assert_int_equal(stream_send(&pair.stream, "down", 4), 4);
        assert_int_equal(SSL_read(pair.client, octets, sizeof(octets)), 4);
    }
    assert_int_equal(SSL_shutdown(pair.client), 0);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 0);
    assert_int_equal(stream_finish(&pair.stream), 0);
    close_pair(&pair);
}

/* The stream has a record half written meanwhile, since the client does not
   read. */
static void
keys_are_renewed_while_a_record_waits(void **state)
{
    static uint8_t sent[1 << 20], got[1 << 20];
    struct pair pair;
    char octets[16];
    size_t done = 0, received = 0;
    ssize_t count;
    (void)state;
    open_and_shake(&pair);
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    while ((count = stream_send(&pair.stream, sent + done, 65536)) > 0)
        done += (size_t)count;
    assert_int_equal(count, -EAGAIN);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED),
                         1);
        assert_int_equal(SSL_do_handshake(pair.client), 1);
        if (i % 3 == 2)
            assert_int_equal(SSL_write(pair.client, "up", 2), 2);
    }
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 4);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -EAGAIN);
    for (int i = 0; received < sizeof(sent) && i < 100000; i++) {
        size_t piece =
            sizeof(sent) - done < 65536 ? sizeof(sent) - done : 65536;
        int some = SSL_read(pair.client, got + received, 30000);
        if (some > 0)
            received += (size_t)some;
        turn();
        count = piece > 0 ? stream_send(&pair.stream, sent + done, piece) : 0;
        assert_true(count >= 0 || count == -EAGAIN);
        done += count > 0 ? (size_t)count : 0;
    }
    assert_int_equal(received, sizeof(sent));
    assert_memory_equal(got, sent, sizeof(sent));
    assert_int_equal(stream_finish(&pair.stream), 0);
    assert_int_equal(SSL_read(pair.client, octets, sizeof(octets)), 0);
    assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
    close_pair(&pair);
}

static uint8_t
pattern(size_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

static bool
is_pattern(const uint8_t *octets, ssize_t count, size_t at)
{
    for (ssize_t i = 0; i < count; i++)
        if (octets[i] != pattern(at + (size_t)i))
            return false;
    return true;
}

static void
fill_pattern(uint8_t *octets, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++)
        octets[i] = pattern(at + i);
}

/* Both sides write and read as they like, and the client asks for new keys as
   often as it may. */
static void
keys_are_renewed_at_any_moment(void **state)
{
    static uint8_t octets[40000];
    struct pair pair;
    size_t down = 0, down_read = 0, up = 0, up_read = 0;
    unsigned renewals = 0;
    (void)state;
    srand(7);
    open_and_shake(&pair);
    SSL_set_mode(pair.client, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    while (up_read < 3 << 20 || down_read < 3 << 20) {
        size_t size = 1 + (size_t)rand() % 8000;
        int which = rand() % 8;
        if (which < 2) {
            fill_pattern(octets, sizeof(octets), down);
            ssize_t sent =
                stream_send(&pair.stream, octets, sizeof(octets) - size);
            assert_true(sent > 0 || sent == -EAGAIN);
            down += sent > 0 ? (size_t)sent : 0;
        } else if (which < 4) {
            ssize_t got = stream_recv(&pair.stream, octets, size);
            assert_true(got > 0 || got == -EAGAIN);
            assert_true(is_pattern(octets, got, up_read));
            up_read += got > 0 ? (size_t)got : 0;
        } else if (which < 5) {
            int got = SSL_read(pair.client, octets, (int)size);
            assert_true(is_pattern(octets, got, down_read));
            down_read += got > 0 ? (size_t)got : 0;
        } else if (which < 6) {
            fill_pattern(octets, 4000, up);
            up += SSL_write(pair.client, octets, 4000) > 0 ? 4000 : 0;
        } else if (which < 7 && renewals < 30 + up_read / KEY_UPDATE_EACH) {
            SSL_key_update(pair.client, rand() % 2
                                            ? SSL_KEY_UPDATE_REQUESTED
                                            : SSL_KEY_UPDATE_NOT_REQUESTED);
            renewals += SSL_do_handshake(pair.client) == 1;
        } else {
            turn();
        }
        ERR_clear_error();
    }
    assert_true(renewals > 40);
    close_pair(&pair);
}

/* The client asks for new keys, and reads nothing. */
static void
answers_to_renewals_wait_for_room_and_arrive(void **state)
{
    static char octets[65536];
    struct pair pair;
    ssize_t count;
    size_t done = 0, received = 0;
    (void)state;
    open_and_shake(&pair);
    while ((count = stream_send(&pair.stream, octets, 4000)) > 0)
        done += (size_t)count;
    assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(pair.client), 1);
    assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(pair.client), 1);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -EAGAIN);
    assert_int_equal(stream_finish(&pair.stream), -EAGAIN);
    for (int i = 0; i < 1000; i++) {
        int some = SSL_read(pair.client, octets, sizeof(octets));
        if (some == 0)
            break;
        received += some > 0 ? (size_t)some : 0;
        turn();
        if (!stream_is(&pair.stream, STREAM_FINISHED))
            stream_finish(&pair.stream);
    }
    assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(received, done + 4000); /* the one that did not fit, too */
    close_pair(&pair);
}

static void
a_storm_of_renewals_is_cut(void **state)
{
    struct pair pair;
    char octets[16];
    int sent = 0;
    (void)state;
    open_and_shake(&pair);
    for (; sent < 2000; sent++)
        if (SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
            SSL_do_handshake(pair.client) != 1)
            break;
    assert_true(sent > 100);
    double before = cpu_ms();
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -ECONNRESET);
    assert_true(cpu_ms() - before < 200);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "the client renews the keys too often");
    assert_true(stream_is(&pair.stream, STREAM_BROKEN));
    close_pair(&pair);
}

/* What a client of TLS 1.2 with AES-128-GCM seals records with; OpenSSL's own
   would wait for an answer to each handshake that it asks for. */
struct sealing {
    uint8_t key[16], vector[4]; /* and the number of the record */
    uint64_t number;
};

static void
derive(struct sealing *sealing, SSL *client)
{
    uint8_t master[48], seed[64], block[40];
    EVP_PKEY_CTX *kdf = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
    size_t len = sizeof(block);
    SSL_SESSION_get_master_key(SSL_get_session(client), master, sizeof(master));
    SSL_get_server_random(client, seed, 32);
    SSL_get_client_random(client, seed + 32, 32);
    EVP_PKEY_derive_init(kdf);
    EVP_PKEY_CTX_set_tls1_prf_md(kdf, EVP_sha256());
    EVP_PKEY_CTX_set1_tls1_prf_secret(kdf, master, sizeof(master));
    EVP_PKEY_CTX_add1_tls1_prf_seed(kdf, (const unsigned char *)"key expansion",
                                    13);
    EVP_PKEY_CTX_add1_tls1_prf_seed(kdf, seed, sizeof(seed));
    assert_int_equal(EVP_PKEY_derive(kdf, block, &len), 1);
    EVP_PKEY_CTX_free(kdf);
    memcpy(sealing->key, block, sizeof(sealing->key));
    memcpy(sealing->vector, block + 32, sizeof(sealing->vector));
    sealing->number = 1; /* Finished was 0 */
}

/* A record with a ClientHello that has nothing in it, of 33 octets. */
static void
seal_hello(struct sealing *sealing, uint8_t *record)
{
    static const uint8_t head[] = {22, 3, 3, 0, 8 + 4 + 16}, hello[4] = {1};
    uint8_t vector[12], with[13] = {[8] = 22, 3, 3, 0, sizeof(hello)};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int len;
    memcpy(record, head, sizeof(head));
    memcpy(vector, sealing->vector, sizeof(sealing->vector));
    for (int i = 0; i < 8; i++)
        record[5 + i] = vector[4 + i] = with[i] =
            (uint8_t)(sealing->number >> (56 - 8 * i));
    sealing->number++;
    EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, sealing->key, vector);
    EVP_EncryptUpdate(cipher, NULL, &len, with, sizeof(with));
    EVP_EncryptUpdate(cipher, record + 13, &len, hello, sizeof(hello));
    EVP_EncryptFinal_ex(cipher, record + 17, &len);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, 16, record + 17);
    EVP_CIPHER_CTX_free(cipher);
}

static void
a_storm_of_refused_handshakes_is_cut(void **state)
{
    enum { COUNT_AT_ONCE = 1500 };
    static uint8_t records[COUNT_AT_ONCE * 33], answers[COUNT_AT_ONCE * 33];
    struct sealing sealing;
    struct pair pair;
    char octets[16];
    (void)state;
    options.min_version = CONFIG_TLS_1_2;
    open_pair(&pair, NULL);
    SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
    SSL_set_cipher_list(pair.client, "ECDHE+AES128+AESGCM");
    assert_true(shake(&pair));
    derive(&sealing, pair.client);
    for (size_t i = 0; i < COUNT_AT_ONCE; i++)
        seal_hello(&sealing, records + 33 * i);
    assert_int_equal(write(pair.fd, records, sizeof(records)), sizeof(records));
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -ECONNRESET);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "the client asks for too many handshakes");
    /* An alert of 31 octets for each of those that it may send. */
    ssize_t answered = read(pair.fd, answers, sizeof(answers));
    assert_in_range(answered, 31, 33 * 31);
    close_pair(&pair);
}

/* A stream whose peer is the server. */
static void
open_to_parent(struct pair *pair)
{
    int fds[2];
    add_file_of(CONFIG_LISTENERS_MAX, TLS_FILE_CA, pem_of(ca));
    context = tls_context_new(&options, &files, CONFIG_LISTENERS_MAX, &signing);
    assert_non_null(context);
    *pair = (struct pair){.result = TLS_WANTS_READ};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    pair->fd = fds[1];
    pair->context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_keylog_callback(pair->context, note_secret);
    SSL_CTX_use_certificate(pair->context, server_certificate);
    SSL_CTX_use_PrivateKey(pair->context, server_key);
    pair->client = SSL_new(pair->context);
    SSL_set_fd(pair->client, pair->fd);
    SSL_set_accept_state(pair->client);
    stream_init(&pair->stream);
    assert_int_equal(stream_open(&pair->stream, &loop, fds[0], on_event), 0);
    assert_int_equal(
        stream_start_tls(&pair->stream, &pool, context, "gw.example", source),
        0);
    turn();
}

static void
a_storm_of_tickets_from_a_parent_is_cut(void **state)
{
    struct pair pair;
    char octets[16];
    int sent = 0;
    (void)state;
    open_to_parent(&pair);
    assert_true(shake(&pair));
    assert_int_equal(SSL_write(pair.client, "x", 1), 1);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), 1);
    while (sent < 1000 && SSL_new_session_ticket(pair.client) == 1 &&
           SSL_do_handshake(pair.client) == 1)
        sent++;
    assert_true(sent > 100);
    SSL_write(pair.client, "y", 1);
    assert_int_equal(recv_some(&pair, octets, sizeof(octets)), -ECONNRESET);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "the parent sends too many tickets");
    close_pair(&pair);
}

/* ---- Handshakes that do not end ---- */

/* Records of TLS 1.3 by either side, as OpenSSL's own would not send them. */
struct sealing_1_3 {
    uint8_t key[16], vector[12];
    uint64_t number;
};

/* HKDF-Expand-Label with an empty context (RFC 8446, 7.1). */
static void
expand(const uint8_t secret[32], const char *label, uint8_t *out, size_t len)
{
    uint8_t info[64] = {0, (uint8_t)len, (uint8_t)(6 + strlen(label))};
    uint8_t block[32];
    size_t end = 3;
    memcpy(info + end, "tls13 ", 6);
    memcpy(info + end + 6, label, strlen(label));
    end += 6 + strlen(label) + 1;
    info[end++] = 1;
    assert_non_null(
        HMAC(EVP_sha256(), secret, 32, info, end, block, &(unsigned){0}));
    memcpy(out, block, len);
}

static void
sealing_init(struct sealing_1_3 *sealing, const uint8_t secret[32])
{
    expand(secret, "key", sealing->key, sizeof(sealing->key));
    expand(secret, "iv", sealing->vector, sizeof(sealing->vector));
    sealing->number = 0;
}

#define SEALED_MAX (5 + 16384 + 1 + 16)

/* How long the record is. */
static size_t
seal_record(struct sealing_1_3 *sealing, uint8_t type, const uint8_t *octets,
            size_t len, uint8_t record[SEALED_MAX])
{
    uint8_t vector[12], *at = record + 5;
    size_t body = len + 1 + 16;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int count;
    memcpy(record, (uint8_t[]){23, 3, 3, (uint8_t)(body >> 8), (uint8_t)body},
           5);
    memcpy(vector, sealing->vector, sizeof(vector));
    for (int i = 0; i < 8; i++)
        vector[4 + i] ^= (uint8_t)(sealing->number >> (56 - 8 * i));
    sealing->number++;
    EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, sealing->key, vector);
    EVP_EncryptUpdate(cipher, NULL, &count, record, 5);
    EVP_EncryptUpdate(cipher, at, &count, octets, (int)len);
    at += count;
    EVP_EncryptUpdate(cipher, at, &count, &type, 1);
    at += count;
    EVP_EncryptFinal_ex(cipher, at, &count);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, 16, at);
    EVP_CIPHER_CTX_free(cipher);
    return 5 + body;
}

#define HELLO 1
#define TICKET 4
#define CERTIFICATE 11

/* The longest that are taken. */
#define HELLO_MAX 36800
#define CERTIFICATE_MAX 32764

/* The head of a message, and so many of its octets. */
static void
announce(uint8_t *message, uint8_t type, size_t len)
{
    message[0] = type;
    message[1] = (uint8_t)(len >> 16);
    message[2] = (uint8_t)(len >> 8);
    message[3] = (uint8_t)len;
}

static void
send_plain(struct pair *pair, const uint8_t *octets, size_t len)
{
    uint8_t record[5 + 16384] = {22, 3, 3, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(record + 5, octets, len);
    assert_int_equal(write(pair->fd, record, 5 + len), 5 + len);
}

/* A message of which no more than its head comes. */
static void
send_head(struct pair *pair, uint8_t type, size_t len)
{
    uint8_t head[4];
    announce(head, type, len);
    send_plain(pair, head, sizeof(head));
}

static void
assert_too_long(struct pair *pair, const char *who)
{
    char reason[100];
    snprintf(reason, sizeof(reason),
             "the %s announces a message of the handshake that is too long",
             who);
    assert_int_equal(pair->result, TLS_FAILED);
    assert_string_equal(stream_tls_outcome(&pair->stream)->reason, reason);
}

static void
a_long_hello_is_refused_when_it_is_announced(void **state)
{
    struct pair pair;
    (void)state;
    open_pair(&pair, NULL);
    send_head(&pair, HELLO, 131000);
    turn();
    assert_too_long(&pair, "client");
    close_pair(&pair);

    open_pair(&pair, NULL); /* with tickets of ours it may be so long */
    send_head(&pair, HELLO, 16384);
    turn();
    assert_int_equal(pair.result, TLS_WANTS_READ);
    close_pair(&pair);
}

/* For a group that the gateway does not have: it asks for another hello. */
static void
a_long_second_hello_is_refused_when_it_is_announced(void **state)
{
    struct pair pair;
    (void)state;
    open_pair(&pair, NULL);
    SSL_set1_groups_list(pair.client, "P-521:X25519");
    SSL_do_handshake(pair.client);
    turn();
    assert_int_equal(pair.result, TLS_WANTS_READ);
    send_head(&pair, HELLO, 131000);
    turn();
    assert_too_long(&pair, "client");
    close_pair(&pair);
}

/* It comes after the handshake, and no ticket is ever used. */
static void
a_long_ticket_of_a_parent_is_refused_when_it_is_announced(void **state)
{
    struct sealing_1_3 sealing;
    struct pair pair;
    uint8_t head[4], record[SEALED_MAX];
    char octet;
    (void)state;
    open_to_parent(&pair);
    SSL_set_num_tickets(pair.client, 0);
    assert_true(shake(&pair));
    sealing_init(&sealing, secrets[SERVER_DATA].octets);
    announce(head, TICKET, 131000);
    size_t len = seal_record(&sealing, 22, head, sizeof(head), record);
    assert_int_equal(write(pair.fd, record, len), len);
    assert_int_equal(recv_some(&pair, &octet, 1), -ECONNRESET);
    assert_string_equal(
        stream_tls_outcome(&pair.stream)->reason,
        "the parent announces a message of the handshake that is too long");
    close_pair(&pair);
}

/* Each octet in a record of its own. */
static void
a_handshake_without_end_is_cut(void **state)
{
    struct pair pair;
    uint8_t pieces[1000 * 6];
    (void)state;
    for (size_t i = 0; i < sizeof(pieces); i += 6)
        memcpy(pieces + i, (uint8_t[]){22, 3, 1, 0, 1, 0}, 6);
    open_pair(&pair, NULL);
    send_head(&pair, HELLO, 16384);
    for (int i = 0; i < 20 && pair.result == TLS_WANTS_READ; i++) {
        if (write(pair.fd, pieces, sizeof(pieces)) < 0)
            break;
        turn();
    }
    assert_int_equal(pair.result, TLS_FAILED);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "the client's handshake is too long");
    close_pair(&pair);
}

static void
two_steps_of_handshakes_are_made_in_a_turn(void **state)
{
    struct pair pairs[6];
    size_t steps = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        open_pair(&pairs[i], NULL);
        SSL_do_handshake(pairs[i].client);
    }
    loop_turn(&loop, 0);
    for (size_t i = 0; i < COUNT(pairs); i++)
        steps += pairs[i].steps;
    assert_int_equal(steps, STREAM_TLS_STEPS);
    loop_turn(&loop, 0);
    for (size_t i = 0; i < COUNT(pairs); i++)
        steps += pairs[i].steps;
    assert_int_equal(steps, 3 * STREAM_TLS_STEPS);
    for (size_t i = 0; i < COUNT(pairs); i++)
        close_pair(&pairs[i]);
    fake_link.count = 0;
}

/* ---- Who the client is ---- */

static void
ask_for_certificates(enum config_tls_client client)
{
    options.client = client;
    add_file(TLS_FILE_CA, pem_of(ca));
}

/* The names, each with a comma behind it. */
static void
assert_names(const char *common, const char *names, const char *wanted)
{
    struct pair pair;
    char got[4096] = "";
    X509 *certificate = make(client_key, ca_key, common, names, 5, 5);
    open_pair(&pair, certificate);
    assert_true(shake(&pair));
    const struct certificate *found =
        stream_tls_outcome(&pair.stream)->certificate;
    assert_non_null(found);
    for (size_t i = 0; i < found->count; i++) {
        strncat(got, found->names[i].at, found->names[i].len);
        strcat(got, ",");
    }
    assert_string_equal(got, wanted);
    close_pair(&pair);
    X509_free(certificate);
}

static void
the_names_are_those_of_the_alternative_name(void **state)
{
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    assert_names("ann", NULL, "ann,");
    assert_names("ann", "DNS:Ann.Example", "ann.example,");
    assert_names("ann", "email:Ann@x.example,URI:spiffe://X/Ann,DNS:a.b",
                 "Ann@x.example,spiffe://X/Ann,a.b,");
    assert_names("ann", "IP:10.0.0.1", "");
    assert_names("ann", "DNS:a.example.,DNS:b..", "a.example,b.,");
    assert_names("\xc3\xa9", NULL, "\xc3\xa9,");
}

/* Else OpenSSL searches a chain among the clients' CAs in each handshake. */
static void
the_chain_that_is_sent_is_that_of_the_file(void **state)
{
    struct pair pair;
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUEST);
    open_and_shake(&pair);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(pair.client)), 1);
    close_pair(&pair);
}

/* A certificate that has these octets as a name. */
static X509 *
make_odd(int type, const char *octets, int len)
{
    X509 *certificate = make(client_key, ca_key, "x", NULL, 5, 5);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, octets, len);
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(names, name);
    X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0);
    GENERAL_NAMES_free(names);
    X509_sign(certificate, ca_key, EVP_sha256());
    return certificate;
}

/* A certificate that has these octets as a common name of this type. */
static X509 *
make_odd_common(int type, const char *octets, int len)
{
    X509 *certificate = make(client_key, ca_key, "x", NULL, 5, 5);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", type,
                               (const unsigned char *)octets, len, -1, 0);
    X509_sign(certificate, ca_key, EVP_sha256());
    return certificate;
}

static void
assert_refused(X509 *certificate, const char *reason)
{
    struct pair pair;
    open_pair(&pair, certificate);
    assert_false(shake(&pair));
    assert_int_equal(pair.result, TLS_FAILED);
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason, reason);
    assert_true(stream_tls_outcome(&pair.stream)->refused_certificate);
    close_pair(&pair);
    X509_free(certificate);
}

static void
a_certificate_is_refused_with_the_reason(void **state)
{
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    add_crl(77, 3600);
    assert_refused(NULL, "the client sent no certificate");
    assert_refused(make(client_key, ca_key, "a", NULL, 6, -1),
                   "certificate has expired");
    assert_refused(make(client_key, ca_key, "a", NULL, 77, 5),
                   "certificate revoked");
    assert_refused(make(client_key, client_key, "a", NULL, 6, 5),
                   "certificate signature failure");
    char many[2000] = "URI:spiffe://x/";
    memset(many + strlen(many), 'y', CERTIFICATE_NAME_MAX);
    assert_refused(make(client_key, ca_key, "a", many, 6, 5),
                   "the certificate has too many or too long names");
    strcpy(many, "DNS:a");
    for (int i = 0; i < CERTIFICATE_NAMES_MAX; i++)
        strcat(many, ",DNS:b");
    assert_refused(make(client_key, ca_key, "a", many, 6, 5),
                   "the certificate has too many or too long names");
    strcpy(many, "IP:10.0.0.1");
    for (int i = 0; i < CERTIFICATE_NAMES_MAX; i++)
        strcat(many, ",IP:10.0.0.2");
    assert_refused(make(client_key, ca_key, "a", many, 6, 5),
                   "the certificate has too many or too long names");
}

/* OpenSSL makes a copy of it to verify its signature. */
static void
a_long_list_refuses_no_others(void **state)
{
    struct pair pair;
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    add_long_crl(77, 3000, 3600);
    X509 *good = make(client_key, ca_key, "ann", NULL, 6, 5);
    open_pair(&pair, good);
    assert_true(shake(&pair));
    close_pair(&pair);
    X509_free(good);
    assert_refused(make(client_key, ca_key, "a", NULL, 77, 5),
                   "certificate revoked");
    assert_refused(make(client_key, ca_key, "a", NULL, 77 + 2999, 5),
                   "certificate revoked");
}

/* It takes as long as the list is, and anybody may name the CA as issuer. */
static void
no_list_is_looked_at_for_a_certificate_that_the_ca_has_not_signed(void **state)
{
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    add_crl(77, 3600);
    assert_refused(make(client_key, client_key, "a", NULL, 77, 5),
                   "certificate signature failure");
    assert_refused(make(client_key, ca_key, "a", NULL, 77, 5),
                   "certificate revoked");
}

/* The client is told them in one message. */
static void
the_names_of_many_cas_are_told_though_they_are_long(void **state)
{
    struct pair pair;
    char name[200];
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    BIO *pem = pem_of(ca);
    for (int i = 0; i < 500; i++) {
        X509 *other = make(client_key, client_key, "x", NULL, 100 + i, 5);
        snprintf(name, sizeof(name), "%0*d", 60, i);
        X509_NAME *subject = X509_get_subject_name(other);
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                   (const unsigned char *)name, -1, -1, 0);
        X509_set_issuer_name(other, subject);
        PEM_write_bio_X509(pem, other);
        X509_free(other);
    }
    files.len = 0;
    add_file(TLS_FILE_CERTIFICATE, pem_of(server_certificate));
    add_file(TLS_FILE_CA, pem);
    X509 *good = make(client_key, ca_key, "ann", NULL, 6, 5);
    open_pair(&pair, good);
    assert_true(shake(&pair));
    close_pair(&pair);
    X509_free(good);
}

/* A rule cannot say anything certain about it. */
static void
a_name_that_is_no_text_is_refused(void **state)
{
    static const char why[] = "a name of the certificate has an octet that is "
                              "no text; issue one without";
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    assert_refused(make_odd(GEN_DNS, "ann\0.example", 12), why);
    assert_refused(make_odd(GEN_DNS, "evil\1", 5), why);
    assert_refused(make_odd(GEN_EMAIL, "a\x7f@x", 4), why);
    assert_refused(make_odd(GEN_URI, "x:\xc3\xa9", 4), why);
    assert_refused(make(client_key, ca_key, "evil\n", NULL, 6, 5), why);
    assert_refused(make_odd_common(V_ASN1_BIT_STRING, "evil", 4), why);
    assert_refused(make_odd_common(V_ASN1_SEQUENCE, "\x30\0", 2), why);
}

/* Else it would have no names, and no deny rule would know it. */
static void
alternative_names_that_cannot_be_read_are_refused(void **state)
{
    static const unsigned char cut[] = {0x30, 0x08, 0x82, 0x20, 'e', 'v'};
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    X509 *twice = make(client_key, ca_key, "evil", "DNS:evil.example", 6, 5);
    add_extension(twice, NID_subject_alt_name, "DNS:ann.example");
    X509_sign(twice, ca_key, EVP_sha256());
    X509 *bad = make(client_key, ca_key, "evil", NULL, 6, 5);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(octets, cut, sizeof(cut));
    X509_EXTENSION *made =
        X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, octets);
    X509_add_ext(bad, made, -1);
    X509_sign(bad, ca_key, EVP_sha256());
    X509_EXTENSION_free(made);
    ASN1_OCTET_STRING_free(octets);
    X509 *both[] = {twice, bad};
    for (size_t i = 0; i < COUNT(both); i++) {
        struct pair pair;
        open_pair(&pair, both[i]);
        assert_false(shake(&pair));
        assert_true(stream_tls_outcome(&pair.stream)->refused_certificate);
        close_pair(&pair);
        X509_free(both[i]);
    }
}

/* A client that comes to `with', with a ticket where there is one before: the
   last one that it has then. Whether it was taken. */
static bool
resumes(struct tls_context *with, X509 *certificate, SSL_SESSION **ticket)
{
    struct pair pair;
    char octet;
    context = with;
    open_pair(&pair, certificate);
    if (*ticket != NULL)
        SSL_set_session(pair.client, *ticket);
    bool stands = shake(&pair);
    if (stands) {
        assert_int_equal(stream_send(&pair.stream, "x", 1), 1);
        assert_int_equal(SSL_read(pair.client, &octet, 1), 1);
    }
    SSL_SESSION_free(*ticket);
    *ticket = SSL_get1_session(pair.client);
    bool resumed = stands && SSL_session_reused(pair.client) == 1;
    SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN); /* else it forgets it */
    close_pair(&pair);
    context = NULL;
    return resumed;
}

/* With a CA and a CRL that are good for so many seconds. */
static struct tls_context *
context_with_ends(long ca_seconds, long crl_seconds)
{
    X509 *short_ca = X509_dup(ca);
    files.len = 0;
    add_file(TLS_FILE_CERTIFICATE, pem_of(server_certificate));
    X509_gmtime_adj(X509_getm_notAfter(short_ca), ca_seconds);
    X509_sign(short_ca, ca_key, EVP_sha256());
    add_file(TLS_FILE_CA, pem_of(short_ca));
    add_crl(77, crl_seconds);
    add_ticket_keys();
    X509_free(short_ca);
    struct tls_context *made = tls_context_new(&options, &files, 0, &signing);
    assert_non_null(made);
    return made;
}

/* Whoever comes with a ticket is not verified again. */
static void
a_ticket_is_good_as_long_as_its_ca_and_crl(void **state)
{
    SSL_SESSION *tickets[3] = {NULL, NULL, NULL};
    X509 *certificate = make(client_key, ca_key, "a", NULL, 6, 5);
    const time_t end = time(NULL) + 3;
    (void)state;
    options.client = CONFIG_TLS_CLIENT_REQUIRE;
    options.tickets = 2;
    struct tls_context *contexts[] = {context_with_ends(3600, 3600),
                                      context_with_ends(3, 3600),
                                      context_with_ends(3600, 3)};
    for (size_t i = 0; i < COUNT(contexts); i++) {
        assert_false(resumes(contexts[i], certificate, &tickets[i]));
        if (time(NULL) < end - 1)
            assert_true(resumes(contexts[i], certificate, &tickets[i]));
    }
    while (time(NULL) <= end + 1)
        usleep(10000);
    for (size_t i = 0; i < COUNT(contexts); i++) {
        assert_int_equal(resumes(contexts[i], certificate, &tickets[i]),
                         i == 0);
        SSL_SESSION_free(tickets[i]);
        tls_context_free(contexts[i]);
    }
    X509_free(certificate);
}

static void
a_client_without_one_may_come_where_it_is_only_asked(void **state)
{
    struct pair pair;
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUEST);
    open_and_shake(&pair);
    assert_null(stream_tls_outcome(&pair.stream)->certificate);
    close_pair(&pair);
    assert_refused(make(client_key, ca_key, "a", NULL, 6, -1),
                   "certificate has expired");
}

/* ---- Who does not speak TLS, or another one ---- */

static void
what_is_no_tls_is_called_by_its_name(void **state)
{
    static const struct {
        const char *octets, *reason;
    } rows[] = {{"\4\1\0\120\12\0\0\2", "looks like SOCKS 4 without TLS"},
                {"\5\1\0xxxxx", "looks like SOCKS5 without TLS"},
                {"GET / HTTP/1.0\r\n\r\n", "looks like HTTP without TLS"},
                {"PROXY TCP4 1.2.3.4 ", "looks like a PROXY header"},
                {"\r\n\r\n\0\r\nQUIT\n", "looks like a PROXY header"},
                {"\1\2\3\4\5\6\7\10\11\12\13", "not TLS"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pair pair;
        open_pair(&pair, NULL);
        assert_true(write(pair.fd, rows[i].octets, 8) == 8);
        turn();
        assert_int_equal(pair.result, TLS_FAILED);
        assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                            rows[i].reason);
        assert_false(stream_tls_outcome(&pair.stream)->refused_certificate);
        assert_int_equal(stream_tls_outcome(&pair.stream)->met_proxy,
                         strstr(rows[i].reason, "PROXY") != NULL);
        close_pair(&pair);
    }
}

static void
tls_1_2_is_for_those_who_ask_for_it(void **state)
{
    struct pair pair;
    (void)state;
    open_pair(&pair, NULL);
    SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
    assert_false(shake(&pair));
    assert_string_equal(stream_tls_outcome(&pair.stream)->reason,
                        "unsupported protocol");
    close_pair(&pair);

    tls_context_free(context);
    context = NULL;
    options.min_version = CONFIG_TLS_1_2;
    open_pair(&pair, NULL);
    SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
    assert_true(shake(&pair));
    assert_string_equal(stream_tls_outcome(&pair.stream)->text,
                        "1.2/TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    assert_int_equal(SSL_renegotiate(pair.client), 1);
    close_pair(&pair);

    open_pair(&pair, NULL); /* neither AEAD nor forward secrecy */
    SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
    SSL_set_cipher_list(pair.client, "ECDHE-ECDSA-AES128-SHA");
    assert_false(shake(&pair));
    close_pair(&pair);
}

/* ---- Memory ---- */

/* How far a peer goes in a handshake that it does not end. */

static void
goes_nowhere(struct pair *pair)
{
    (void)pair;
}

/* All of the longest that is taken, but its end; the last record is not whole,
   and the library keeps that, too. */
static void
sends_a_long_hello(struct pair *pair)
{
    static const uint8_t octets[5 + 16384 - 1] = {22, 3, 3, 0x40, 0};
    send_head(pair, HELLO, HELLO_MAX);
    send_plain(pair, octets + 5, 16380);
    turn();
    assert_int_equal(write(pair->fd, octets, sizeof(octets)), sizeof(octets));
}

/* The gateway's own messages are out. */
static void
says_hello(struct pair *pair)
{
    SSL_do_handshake(pair->client);
    turn();
}

static void
says_hello_again(struct pair *pair)
{
    SSL_set1_groups_list(pair->client, "P-521:X25519");
    says_hello(pair);
    sends_a_long_hello(pair);
}

static void
says_hello_in_pieces(struct pair *pair)
{
    BIO *hello = BIO_new(BIO_s_mem());
    uint8_t pieces[6 * 1000];
    char *octets;
    size_t end = 0;
    SSL_set0_wbio(pair->client, BIO_up_ref(hello) ? hello : NULL);
    SSL_do_handshake(pair->client);
    long len = BIO_get_mem_data(hello, &octets);
    assert_true(len < 1000);
    for (long i = 5; i < len - 1; i++, end += 6)
        memcpy(pieces + end, (uint8_t[]){22, 3, 1, 0, 1, (uint8_t)octets[i]},
               6);
    assert_int_equal(write(pair->fd, pieces, end), end);
    BIO_free(hello);
}

/* As with the long hello. */
static void
sends_a_long_certificate(struct pair *pair)
{
    static uint8_t octets[16384];
    struct sealing_1_3 sealing;
    uint8_t record[SEALED_MAX];
    BIO *nowhere = BIO_new(BIO_s_null());
    says_hello(pair);
    SSL_set0_wbio(pair->client, nowhere);
    for (int i = 0; i < 10 && SSL_do_handshake(pair->client) != 1; i++)
        turn();
    sealing_init(&sealing, secrets[CLIENT_HANDSHAKE].octets);
    announce(octets, CERTIFICATE, CERTIFICATE_MAX);
    for (size_t i = 0; i < 2; i++) {
        size_t len =
            seal_record(&sealing, 22, octets, sizeof(octets), record) - i;
        assert_int_equal(write(pair->fd, record, len), len);
        turn();
    }
}

/* The session waits until the client has read why, and ends. */
static void
fails_at_once(struct pair *pair)
{
    send_head(pair, HELLO, 131000);
}

static void
an_unfinished_handshake_takes_no_more_than_is_reckoned(void **state)
{
    enum { MANY = 20 };
    static struct pair pairs[MANY];
    static const struct {
        const char *what;
        void (*go)(struct pair *pair);
        enum tls_result result;
        size_t most;
    } rows[] = {
        {"nothing", goes_nowhere, TLS_WANTS_READ, 16384},
        {"a hello", says_hello, TLS_WANTS_READ, CONFIG_HANDSHAKE_OCTETS},
        {"a hello in pieces", says_hello_in_pieces, TLS_WANTS_READ,
         CONFIG_HANDSHAKE_OCTETS},
        {"a long hello", sends_a_long_hello, TLS_WANTS_READ,
         CONFIG_HANDSHAKE_OCTETS},
        {"a long second hello", says_hello_again, TLS_WANTS_READ,
         CONFIG_HANDSHAKE_OCTETS},
        {"a long certificate", sends_a_long_certificate, TLS_WANTS_READ,
         CONFIG_HANDSHAKE_OCTETS},
        {"one that has failed", fails_at_once, TLS_FAILED, 1024},
    };
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUEST);
    for (size_t row = 0; row < COUNT(rows); row++) {
        for (int i = 0; i < MANY; i++) {
            open_pair(&pairs[i], NULL);
            rows[row].go(&pairs[i]);
            turn();
            assert_int_equal(pairs[i].result, rows[row].result);
            SSL_free(pairs[i].client);
            SSL_CTX_free(pairs[i].context);
            pairs[i].client = NULL;
            pairs[i].context = NULL;
        }
        size_t all = mallinfo2().uordblks + mallinfo2().hblkhd;
        for (int i = 0; i < MANY; i++)
            close_pair(&pairs[i]);
        size_t each = (all - mallinfo2().uordblks - mallinfo2().hblkhd) / MANY;
        print_message("# %s: %zu octets\n", rows[row].what, each);
        if (all > 0) /* a sanitizer's allocator does not count */
            assert_in_range(each, 1, rows[row].most);
    }
}

static void
an_idle_session_with_a_certificate_takes_at_most_20_kb(void **state)
{
    enum { MANY = 50 };
    static struct pair pairs[MANY];
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    X509 *certificate =
        make(client_key, ca_key, "ann", "DNS:ann.example,email:a@b", 5, 5);
    size_t client = 0, all = 0;
    for (int i = -2; i < MANY; i++) {
        struct pair *pair = &pairs[i < 0 ? 0 : i];
        open_pair(pair, certificate);
        assert_true(shake(pair));
        assert_int_equal(SSL_write(pair->client, "x", 1), 1);
        char octet;
        assert_int_equal(recv_some(pair, &octet, 1), 1);
        assert_int_equal(recv_some(pair, &octet, 1), -EAGAIN);
        if (i < 0)
            close_pair(pair);
    }
    all = mallinfo2().uordblks;
    for (int i = 0; i < MANY; i++) {
        SSL_free(pairs[i].client);
        SSL_CTX_free(pairs[i].context);
    }
    client = mallinfo2().uordblks;
    for (int i = 0; i < MANY; i++) {
        pairs[i].client = NULL;
        pairs[i].context = NULL;
        close_pair(&pairs[i]);
    }
    size_t each = (client - mallinfo2().uordblks) / MANY;
    print_message("# an idle session: %zu octets\n", each);
    if (all > 0) /* a sanitizer's allocator does not count */
        assert_in_range(each, 1000, 20 * 1024);
    X509_free(certificate);
}

/* A certificate of nobody's with so many extensions that say nothing: parsed it
   takes twenty times its octets. */
static X509 *
make_large(int count)
{
    X509 *made = make(client_key, client_key, "nobody", NULL, 7, 5);
    ASN1_OBJECT *kind = OBJ_txt2obj("1.2.3", 1);
    ASN1_OCTET_STRING *nothing = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(nothing, (const unsigned char *)"", 0);
    for (int i = 0; i < count; i++) {
        X509_EXTENSION *extension =
            X509_EXTENSION_create_by_OBJ(NULL, kind, 0, nothing);
        X509_add_ext(made, extension, -1);
        X509_EXTENSION_free(extension);
    }
    ASN1_OCTET_STRING_free(nothing);
    ASN1_OBJECT_free(kind);
    X509_sign(made, client_key, EVP_sha256());
    return made;
}

/* Each takes OpenSSL 80 us to parse: a stranger could have it parse a hundred.
 */
static void
ten_certificates_are_read_and_no_more(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    options.min_version = CONFIG_TLS_1_2;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    X509 *certificate = make(client_key, ca_key, "ann", NULL, 5, 5);
    X509 *other = make(client_key, client_key, "nobody", NULL, 6, 5);
    for (size_t i = 0; i < 2 * COUNT(versions); i++) {
        struct pair pair;
        bool many = i % 2;
        open_pair(&pair, certificate);
        SSL_set_max_proto_version(pair.client, versions[i / 2]);
        for (int j = 0; j < 9 + many; j++)
            assert_int_equal(SSL_add1_chain_cert(pair.client, other), 1);
        assert_int_equal(shake(&pair), !many);
        const struct tls_outcome *outcome = stream_tls_outcome(&pair.stream);
        assert_int_equal(outcome->refused_certificate, many);
        if (many)
            assert_string_equal(outcome->reason,
                                "the client sends more than 10 certificates");
        else
            assert_memory_equal(outcome->certificate->names[0].at, "ann", 3);
        if (many) /* and it is told that it failed */
            assert_int_equal(
                SSL_get_error(pair.client,
                              SSL_read(pair.client, &(char){0}, 1)),
                SSL_ERROR_SSL);
        close_pair(&pair);
    }
    X509_free(certificate);
    X509_free(other);
}

static void
certificates_beside_the_peers_own_are_not_kept(void **state)
{
    struct pair pair;
    (void)state;
    ask_for_certificates(CONFIG_TLS_CLIENT_REQUIRE);
    X509 *certificate = make(client_key, ca_key, "ann", NULL, 5, 5);
    X509 *large = make_large(3500);
    assert_in_range(i2d_X509(large, NULL), 20000, 31000);
    open_pair(&pair, certificate);
    assert_int_equal(SSL_add1_chain_cert(pair.client, large), 1);
    assert_true(shake(&pair));
    SSL_free(pair.client);
    SSL_CTX_free(pair.context);
    X509_free(large);
    pair.client = NULL;
    pair.context = NULL;
    size_t all = mallinfo2().uordblks;
    close_pair(&pair);
    size_t taken = all - mallinfo2().uordblks;
    print_message("# with a large one beside: %zu octets\n", taken);
    if (all > 0) /* a sanitizer's allocator does not count */
        assert_in_range(taken, 1000, 40 * 1024);
    X509_free(certificate);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_signature_that_the_signer_refuses_is_said),
        TEST(handshakes_wait_for_the_signer_however_many_they_are),
        TEST(sources_take_turns),
        TEST(a_source_with_many_handshakes_delays_another_by_one_signature),
        TEST(octets_go_both_ways),
        TEST(each_ticket_has_a_vector_of_its_own),
        TEST(a_handshake_is_sent_in_two_pieces),
        TEST(records_are_read_and_sent_two_at_a_time),
        TEST(an_end_is_seen_without_reading_what_is_before_it),
        TEST(records_that_wait_in_the_library_are_not_forgotten),
        TEST(what_does_not_fit_is_sent_later_and_from_elsewhere),
        TEST(each_direction_ends_by_itself),
        TEST(an_end_without_close_notify_is_an_abort_after_what_came_before),
        TEST(an_octet_changed_on_its_way_is_an_abort_with_a_reason),
        TEST(a_reset_sends_no_close_notify),
        TEST(keys_may_be_renewed_now_and_then),
        TEST(keys_are_renewed_while_a_record_waits),
        TEST(keys_are_renewed_at_any_moment),
        TEST(answers_to_renewals_wait_for_room_and_arrive),
        TEST(a_storm_of_renewals_is_cut),
        TEST(a_storm_of_refused_handshakes_is_cut),
        TEST(a_storm_of_tickets_from_a_parent_is_cut),
        TEST(a_long_hello_is_refused_when_it_is_announced),
        TEST(a_long_second_hello_is_refused_when_it_is_announced),
        TEST(a_long_ticket_of_a_parent_is_refused_when_it_is_announced),
        TEST(a_handshake_without_end_is_cut),
        TEST(two_steps_of_handshakes_are_made_in_a_turn),
        TEST(the_names_are_those_of_the_alternative_name),
        TEST(the_chain_that_is_sent_is_that_of_the_file),
        TEST(a_name_that_is_no_text_is_refused),
        TEST(alternative_names_that_cannot_be_read_are_refused),
        TEST(a_ticket_is_good_as_long_as_its_ca_and_crl),
        TEST(a_certificate_is_refused_with_the_reason),
        TEST(a_long_list_refuses_no_others),
        TEST(no_list_is_looked_at_for_a_certificate_that_the_ca_has_not_signed),
        TEST(the_names_of_many_cas_are_told_though_they_are_long),
        TEST(a_client_without_one_may_come_where_it_is_only_asked),
        TEST(what_is_no_tls_is_called_by_its_name),
        TEST(tls_1_2_is_for_those_who_ask_for_it),
        TEST(an_unfinished_handshake_takes_no_more_than_is_reckoned),
        TEST(an_idle_session_with_a_certificate_takes_at_most_20_kb),
        TEST(ten_certificates_are_read_and_no_more),
        TEST(certificates_beside_the_peers_own_are_not_kept),
    };
    signal(SIGPIPE, SIG_IGN);
    if (tls_bound_memory() != 0)
        return 1;
    return cmocka_run_group_tests(tests, make_all, NULL);
}
