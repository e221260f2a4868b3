#include "gateway/worker/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "gateway/config/config.h"
#include "gateway/worker/signing.h"

/* Octets that a handshake may take from the client, its certificates included,
   and how many of these may be between its own and a CA. */
#define HANDSHAKE_OCTETS 65536
#define CHAIN_OCTETS 32768
#define CHAIN_DEPTH 4

/* Certificates that a peer may send: its own, those between that and a CA, and
   some that serve nothing. OpenSSL parses all, at 80 us each. */
#define CHAIN_MAX 10

/* OpenSSL takes the memory of a message that its head announces, and clears it,
   before the message comes: for a ClientHello or a ticket up to 128 KiB. No
   piece that it takes in a handshake is larger than this: room for CHAIN_OCTETS
   and for what the gateway itself sends, and a third more, as OpenSSL takes it.
   A listener with more certificates or CAs to tell than this has more. */
#define OWN_OCTETS 4096
#define PIECE_MAX ((CHAIN_OCTETS + OWN_OCTETS) / 3 * 4)

/* The largest record of TLS 1.3: its head, octets, type and tag. */
#define RECORD (5 + 16384 + 1 + 16)

/* What is read at once when the handshake is over: two of them, and what
   OpenSSL leaves free in front. Were it less by an octet, each second record
   would take two reads. OpenSSL holds it until the application has it. */
#define READ_AHEAD (2 * RECORD + 3)

/* What is sent at once. */
#define SEAL_RECORDS 2

/* Records given out in one tls_read, however small they are. */
#define READ_RECORDS 64

/* Messages of the handshake that a peer may send after it at once, and one more
   for every so many octets: each costs as much as hundreds of octets. */
#define LATE_MESSAGES 32
#define LATE_MESSAGE_OCTETS 65536

/* Octets that wait for room, beyond which nothing is read: what is sent at
   once, and the answers to some hundreds of renewals. */
#define HELD_MAX (3 * RECORD)

struct tls_context {
    unsigned refs;
    bool client; /* of a parent */
    SSL_CTX *ssl;
    struct signing *signing; /* borrowed */
    struct tls_ticket_keys tickets;
    EVP_CIPHER *ticket_cipher;
    int64_t crls_until; /* seconds since 1970: the first of the CRLs ends */
    size_t own_octets;  /* of its certificates, and the names of CAs it tells */
};

struct tls {
    struct tls_context *context; /* reference */
    SSL *ssl;
    struct stream *raw; /* borrowed */
    tls_signed_fn *signed_fn;
    void *with;
    uint64_t source;
    const char *reason;   /* static */
    enum tls_result over; /* TLS_DONE: it goes on; else all reads are this */
    uint64_t octets;      /* of the application, received */
    uint32_t handshake_octets;
    uint32_t late_messages;
    uint8_t *held; /* octets of records that wait for room; owned */
    size_t held_at, held_end;
    size_t owed;      /* octets of the application in them */
    uint8_t first[5]; /* octets of the peer's */
    uint8_t first_count;
    bool begun : 1;
    bool done : 1;      /* the handshake */
    bool seals : 1;     /* records are put in tls_sealed */
    bool notified : 1;  /* our close_notify was sent */
    bool dry : 1;       /* the last stream_recv had nothing */
    bool ended_raw : 1; /* FIN */
    bool broken : 1;    /* stream_recv or stream_send failed */
    bool certificate_failed : 1;
    bool refuses : 1; /* OpenSSL is given no memory when it asks next */
};

/* ---- Memory ---- */

/* Whose peer's octets OpenSSL reads now; NULL: of none. */
static struct tls *tls_called;

static size_t
tls_piece_max(const struct tls_context *context)
{
    return context->own_octets <= OWN_OCTETS
               ? PIECE_MAX
               : PIECE_MAX + (context->own_octets - OWN_OCTETS) / 3 * 4;
}

static bool
tls_may_take(size_t size)
{
    if (tls_called != NULL && tls_called->refuses) {
        tls_called->refuses = false;
        return false;
    }
    if (tls_called == NULL || size <= tls_piece_max(tls_called->context))
        return true;
    tls_called->reason =
        tls_called->context->client
            ? "the parent announces a message of the handshake that is too long"
            : "the client announces a message of the handshake that is too "
              "long";
    return false;
}

static void *
tls_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return tls_may_take(size) ? malloc(size) : NULL;
}

static void *
tls_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return tls_may_take(size) ? realloc(old, size) : NULL;
}

int
tls_bound_memory(void)
{
    return CRYPTO_set_mem_functions(tls_malloc, tls_realloc, NULL) == 1
               ? 0
               : -EPERM;
}

static int
tls_step(struct tls *tls)
{
    ERR_clear_error();
    tls_called = tls;
    int done = SSL_do_handshake(tls->ssl);
    tls_called = NULL;
    return tls->reason == NULL ? done : -1;
}

/* ---- Octets of records: a BIO over a plain stream ---- */

static int
tls_bio_read(BIO *bio, char *octets, int room)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t count = -EAGAIN;

    BIO_clear_retry_flags(bio);
    if (!tls->done && tls->handshake_octets > HANDSHAKE_OCTETS) {
        tls->reason = tls->context->client
                          ? "the parent's handshake is too long"
                          : "the client's handshake is too long";
        return -1;
    }
    if (tls->reason != NULL)
        return -1;
    if (stream_is(tls->raw, STREAM_READABLE))
        count = stream_recv(tls->raw, octets, (size_t)room);
    tls->dry = count == -EAGAIN;
    if (count == -EAGAIN) {
        BIO_set_retry_read(bio);
        return -1;
    }
    tls->ended_raw = count == 0;
    if (count < 0)
        tls->broken = true;
    if (count <= 0)
        return (int)count;
    for (ssize_t i = 0; i < count && tls->first_count < sizeof(tls->first); i++)
        tls->first[tls->first_count++] = (uint8_t)octets[i];
    tls->begun = true;
    if (!tls->done)
        tls->handshake_octets += (uint32_t)count;
    return (int)count;
}

static bool
tls_hold(struct tls *tls, const char *octets, size_t size)
{
    size_t held = tls->held_end - tls->held_at;
    uint8_t *joined = malloc(held + size);

    if (joined == NULL)
        return false;
    if (held > 0)
        memcpy(joined, tls->held + tls->held_at, held);
    memcpy(joined + held, octets, size);
    free(tls->held);
    tls->held = joined;
    tls->held_at = 0;
    tls->held_end = held + size;
    return true;
}

/* DONE: nothing waits for room. */
static enum tls_result
tls_flush(struct tls *tls)
{
    while (tls->held != NULL && !tls->broken) {
        ssize_t count = -EAGAIN;
        if (stream_is(tls->raw, STREAM_WRITABLE))
            count = stream_send(tls->raw, tls->held + tls->held_at,
                                tls->held_end - tls->held_at);
        if (count == -EAGAIN)
            return TLS_WANTS_WRITE;
        tls->broken = count < 0;
        tls->held_at += count > 0 ? (size_t)count : 0;
        if (tls->held_at < tls->held_end)
            continue;
        free(tls->held);
        tls->held = NULL;
        tls->held_at = tls->held_end = 0;
    }
    return tls->broken ? TLS_FAILED : TLS_DONE;
}

/* What a step of the handshake writes is sent in one piece, when it is over:
   tickets come one by one, and would each wake the client. */
static int
tls_bio_gather(struct tls *tls, BIO *bio, const char *octets, size_t size)
{
    if (tls->held_end - tls->held_at + size > HELD_MAX)
        tls_flush(tls);
    if (tls->held_end - tls->held_at + size > HELD_MAX && tls->held != NULL)
        BIO_set_retry_write(bio);
    else if (!tls->broken && tls_hold(tls, octets, size))
        return (int)size;
    return -1;
}

/* Of one call of tls_write: nothing stays here. */
static uint8_t tls_sealed[SEAL_RECORDS * (RECORD + 64)];
static size_t tls_sealed_len;

/*
 * After the handshake all is taken, and what finds no room is held here. Were a
 * record left half written in OpenSSL, it would fail where it reads: it answers
 * a renewal of the keys at once, in the middle of the record.
 */
static bool
tls_send(struct tls *tls, const char *octets, size_t size)
{
    ssize_t count = -EAGAIN;

    if (size == 0)
        return true;
    if (tls->held == NULL && stream_is(tls->raw, STREAM_WRITABLE))
        count = stream_send(tls->raw, octets, size);
    if (count >= 0 || count == -EAGAIN) {
        size_t sent = count > 0 ? (size_t)count : 0;
        if (sent == size || tls_hold(tls, octets + sent, size - sent))
            return true;
    }
    tls->broken = true;
    return false;
}

static bool
tls_send_sealed(struct tls *tls)
{
    bool sent = tls_send(tls, (char *)tls_sealed, tls_sealed_len);

    tls_sealed_len = 0;
    return sent;
}

static int
tls_bio_write(BIO *bio, const char *octets, int size)
{
    struct tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!tls->done)
        return tls_bio_gather(tls, bio, octets, (size_t)size);
    if (tls->reason != NULL) /* no more answers */
        return -1;
    if (tls->seals && (size_t)size <= sizeof(tls_sealed) - tls_sealed_len) {
        memcpy(tls_sealed + tls_sealed_len, octets, (size_t)size);
        tls_sealed_len += (size_t)size;
        return size;
    }
    return tls_send_sealed(tls) && tls_send(tls, octets, (size_t)size) ? size
                                                                       : -1;
}

static long
tls_bio_ctrl(BIO *bio, int command, long number, void *with)
{
    const struct tls *tls = BIO_get_data(bio);

    (void)number, (void)with;
    if (command == BIO_CTRL_EOF)
        return tls->ended_raw;
    return command == BIO_CTRL_FLUSH;
}

static int
tls_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

/* One for all, never freed: OpenSSL has few numbers for kinds of BIOs. */
static BIO_METHOD *
tls_bio_method(void)
{
    static BIO_METHOD *kept;

    if (kept != NULL)
        return kept;
    BIO_METHOD *method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (method != NULL && BIO_meth_set_read(method, tls_bio_read) == 1 &&
        BIO_meth_set_write(method, tls_bio_write) == 1 &&
        BIO_meth_set_ctrl(method, tls_bio_ctrl) == 1 &&
        BIO_meth_set_create(method, tls_bio_create) == 1)
        kept = method;
    else
        BIO_meth_free(method);
    return kept;
}

static size_t
tls_number(const uint8_t *octets, size_t size)
{
    size_t number = 0;

    while (size-- > 0)
        number = number << 8 | *octets++;
    return number;
}

/* How many are in a Certificate message; what is not well-formed ends them. */
static size_t
tls_count_certificates(const uint8_t *octets, size_t len, bool is_1_3)
{
    const uint8_t *at = octets + 4, *end = octets + len;
    size_t count = 0;

    if (is_1_3 && end - at > 0) /* its context */
        at += *at < end - at ? 1 + *at : end - at;
    at += end - at >= 3 ? 3 : end - at;
    while (end - at >= 3 && tls_number(at, 3) <= (size_t)(end - at - 3)) {
        count++;
        at += 3 + tls_number(at, 3);
        if (!is_1_3)
            continue;
        if (end - at < 2 || tls_number(at, 2) > (size_t)(end - at - 2))
            break;
        at += 2 + tls_number(at, 2); /* its extensions */
    }
    return count;
}

/* Before OpenSSL parses them. The callback cannot refuse a message: OpenSSL
   fails because it is not given the first memory that it takes for them. */
static void
tls_judge_certificates(struct tls *tls, int version, const uint8_t *octets,
                       size_t len)
{
    if (len < 4 || tls_count_certificates(
                       octets, len, version == TLS1_3_VERSION) <= CHAIN_MAX)
        return;
    tls->reason = tls->context->client
                      ? "the parent sends more than 10 certificates"
                      : "the client sends more than 10 certificates";
    tls->certificate_failed = true;
    tls->refuses = true;
}

/*
 * A message of the handshake after it: the keys are renewed, a parent sends a
 * ticket, a client of TLS 1.2 asks for another handshake, which is refused.
 * OpenSSL itself would take any number of them, in one call as many as there
 * are.
 */
static void
tls_on_message(int sent, int version, int type, const void *octets, size_t len,
               SSL *ssl, void *with)
{
    struct tls *tls = with;

    (void)ssl;
    if (sent || type != SSL3_RT_HANDSHAKE || len == 0)
        return;
    if (!tls->done) {
        if (*(const uint8_t *)octets == SSL3_MT_CERTIFICATE)
            tls_judge_certificates(tls, version, octets, len);
        return;
    }
    tls->late_messages++;
    if (tls->late_messages <= LATE_MESSAGES + tls->octets / LATE_MESSAGE_OCTETS)
        return;
    bool renews = *(const uint8_t *)octets == SSL3_MT_KEY_UPDATE;
    if (tls->context->client)
        tls->reason = renews ? "the parent renews the keys too often"
                             : "the parent sends too many tickets";
    else
        tls->reason = renews ? "the client renews the keys too often"
                             : "the client asks for too many handshakes";
}

/* ---- What a listener's connections share ---- */

static BIO *
tls_pem(const struct tls_files *files, enum tls_file_kind kind, uint32_t index)
{
    size_t len;
    const uint8_t *octets = tls_files_find(files, kind, index, &len);

    return octets != NULL ? BIO_new_mem_buf(octets, (int)len) : NULL;
}

/* The end of the file is an error like any other. */
static bool
tls_pem_ended(void)
{
    unsigned long error = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(error) == ERR_LIB_PEM &&
                 ERR_GET_REASON(error) == PEM_R_NO_START_LINE;

    ERR_clear_error();
    return ended;
}

/* All of it is read by the library context of the signing, since nothing else
   was loaded before the process was confined. NULL: there is no other. */
static X509 *
tls_pem_certificate(const struct tls_context *context, BIO *pem)
{
    X509 *certificate = X509_new_ex(context->signing->library, NULL);

    if (certificate != NULL &&
        PEM_read_bio_X509(pem, &certificate, NULL, NULL) != NULL)
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* In a message, the head of its part included. */
static size_t
tls_certificate_size(const X509 *certificate)
{
    int len = certificate != NULL ? i2d_X509(certificate, NULL) : 0;

    return len > 0 ? (size_t)len + 5 : 0;
}

/* Its own certificate, then those that lead to a CA. */
static bool
tls_context_take_chain(struct tls_context *context, BIO *pem)
{
    X509 *certificate = tls_pem_certificate(context, pem);
    EVP_PKEY *key =
        certificate != NULL ? signing_key(context->signing, certificate) : NULL;
    bool good = key != NULL &&
                SSL_CTX_use_certificate(context->ssl, certificate) == 1 &&
                SSL_CTX_use_PrivateKey(context->ssl, key) == 1;

    EVP_PKEY_free(key);
    context->own_octets += tls_certificate_size(certificate);
    X509_free(certificate);
    while (good && (certificate = tls_pem_certificate(context, pem)) != NULL) {
        context->own_octets += tls_certificate_size(certificate);
        good = SSL_CTX_add0_chain_cert(context->ssl, certificate) == 1;
        if (!good)
            X509_free(certificate);
    }
    return good && tls_pem_ended();
}

/* Their names are told to the client, so that it finds a certificate. */
static bool
tls_context_take_cas(struct tls_context *context, BIO *pem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    X509 *ca;
    bool good = true;

    while (good && (ca = tls_pem_certificate(context, pem)) != NULL) {
        int len = i2d_X509_NAME(X509_get_subject_name(ca), NULL);
        good =
            X509_STORE_add_cert(store, ca) == 1 &&
            (context->client || SSL_CTX_add_client_CA(context->ssl, ca) == 1);
        if (!context->client && len > 0)
            context->own_octets += (size_t)len + 2;
        X509_free(ca);
    }
    return good && tls_pem_ended();
}

/* Seconds since 1970: `until', or `end` where that is sooner. NULL: no end. */
static int64_t
tls_sooner(int64_t until, const ASN1_TIME *end)
{
    int days, seconds;

    if (end == NULL)
        return until;
    if (ASN1_TIME_diff(&days, &seconds, NULL, end) != 1)
        return 0;
    int64_t at = (int64_t)time(NULL) + INT64_C(86400) * days + seconds;
    return at < until ? at : until;
}

static X509_CRL *
tls_pem_crl(const struct tls_context *context, BIO *pem)
{
    X509_CRL *crl = X509_CRL_new_ex(context->signing->library, NULL);

    if (crl != NULL && PEM_read_bio_X509_CRL(pem, &crl, NULL, NULL) != NULL)
        return crl;
    X509_CRL_free(crl);
    return NULL;
}

/* What OpenSSL verifies by where it is told nothing else. */
static X509_STORE_CTX_check_revocation_fn tls_look_at_crls;
static X509_STORE_CTX_verify_fn tls_look_at_signatures;

static bool
tls_learn_verification(void)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *one = X509_STORE_CTX_new();
    bool good = store != NULL && one != NULL &&
                X509_STORE_CTX_init(one, store, NULL, NULL) == 1;

    if (good) {
        tls_look_at_crls = X509_STORE_CTX_get_check_revocation(one);
        tls_look_at_signatures = X509_STORE_CTX_get_verify(one);
    }
    X509_STORE_CTX_free(one);
    X509_STORE_free(store);
    return good && tls_look_at_crls != NULL && tls_look_at_signatures != NULL;
}

static int
tls_look_at_crls_later(X509_STORE_CTX *store)
{
    (void)store;
    return 1;
}

static int
tls_look_at_signatures_first(X509_STORE_CTX *store)
{
    int good = tls_look_at_signatures(store);

    return good > 0 ? tls_look_at_crls(store) : good;
}

/* OpenSSL looks at CRLs before it looks at the signatures of the certificates,
   and verifies the CRL's own each time, which takes the longer the more it
   lists: anybody could have it do that. So the signatures come first. */
static bool
tls_context_take_crls(struct tls_context *context, BIO *pem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    X509_CRL *crl;
    bool good = tls_learn_verification() &&
                X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK |
                                                X509_V_FLAG_CRL_CHECK_ALL) == 1;

    X509_STORE_set_check_revocation(store, tls_look_at_crls_later);
    X509_STORE_set_verify(store, tls_look_at_signatures_first);
    while (good && (crl = tls_pem_crl(context, pem)) != NULL) {
        good = X509_STORE_add_crl(store, crl) == 1;
        context->crls_until =
            tls_sooner(context->crls_until, X509_CRL_get0_nextUpdate(crl));
        X509_CRL_free(crl);
    }
    return good && tls_pem_ended();
}

/* All workers have the same keys: a client comes back to any of them. */
static int
tls_ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
               EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    const struct tls_context *context =
        SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls_ticket_keys *keys = &context->tickets;
    const struct tls_ticket_key *key = &keys->current;
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};

    if (encrypt)
        memcpy(name, key->name, sizeof(key->name));
    else if (memcmp(name, key->name, sizeof(key->name)) != 0)
        key = &keys->previous;
    if (memcmp(name, key->name, sizeof(key->name)) != 0)
        return 0;  /* of another gateway, or too old: a full handshake */
    if (encrypt && /* OpenSSL leaves the vector to us */
        RAND_bytes_ex(context->signing->library, iv,
                      (size_t)EVP_CIPHER_get_iv_length(context->ticket_cipher),
                      0) != 1)
        return -1;
    if (EVP_MAC_init(mac, key->hmac, sizeof(key->hmac), digest) != 1 ||
        EVP_CipherInit_ex(cipher, context->ticket_cipher, NULL, key->aes, iv,
                          encrypt) != 1)
        return -1;
    return 1;
}

/* The ticket says how long the client's certificate and those above it are
   good. One that a ticket has brought stays as it was. */
static int
tls_on_new_ticket(SSL *ssl, void *with)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    int64_t until = INT64_MAX;

    (void)with;
    if (chain == NULL)
        return 1;
    for (int i = 0; i < sk_X509_num(chain); i++)
        until = tls_sooner(until, X509_get0_notAfter(sk_X509_value(chain, i)));
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &until,
                                           sizeof(until));
}

/* Whether the client would be verified now: it is not verified again. */
static bool
tls_ticket_is_good(const struct tls_context *context, SSL_SESSION *session)
{
    int64_t now = (int64_t)time(NULL), until = 0;
    void *octets;
    size_t len;

    if (SSL_SESSION_get0_peer(session) == NULL)
        return true;
    if (SSL_SESSION_get0_ticket_appdata(session, &octets, &len) == 1 &&
        len == sizeof(until))
        memcpy(&until, octets, len);
    return now < until && now < context->crls_until;
}

static SSL_TICKET_RETURN
tls_on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
              size_t name_len, SSL_TICKET_STATUS status, void *with)
{
    (void)ssl, (void)name, (void)name_len;
    if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (session == NULL || !tls_ticket_is_good(with, session))
        return SSL_TICKET_RETURN_IGNORE;
    return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW
                                              : SSL_TICKET_RETURN_USE;
}

/* A ticket is good for the same listener only, and while the CAs and CRLs that
   its certificate was verified by are the same. */
static bool
tls_context_bind_tickets(struct tls_context *context,
                         const struct config_tls *options,
                         const struct tls_files *files, uint32_t index)
{
    static const enum tls_file_kind kinds[] = {TLS_FILE_CERTIFICATE,
                                               TLS_FILE_CA, TLS_FILE_CRL};
    EVP_MD *sha256 = EVP_MD_fetch(context->signing->library, "SHA256", NULL);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint8_t id[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    bool good =
        digest != NULL && EVP_DigestInit_ex(digest, sha256, NULL) == 1 &&
        EVP_DigestUpdate(digest, &options->client, sizeof(options->client)) ==
            1;

    for (size_t i = 0; good && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = 0;
        const uint8_t *octets = tls_files_find(files, kinds[i], index, &len);
        good = EVP_DigestUpdate(digest, &len, sizeof(len)) == 1 &&
               (octets == NULL || EVP_DigestUpdate(digest, octets, len) == 1);
    }
    good = good && EVP_DigestFinal_ex(digest, id, &size) == 1 &&
           SSL_CTX_set_session_id_context(context->ssl, id,
                                          size < SSL_MAX_SID_CTX_LENGTH
                                              ? size
                                              : SSL_MAX_SID_CTX_LENGTH) == 1;
    EVP_MD_CTX_free(digest);
    EVP_MD_free(sha256);
    return good;
}

static bool
tls_context_set_tickets(struct tls_context *context,
                        const struct config_tls *options,
                        const struct tls_files *files, uint32_t index)
{
    size_t count = config_tickets(options);
    size_t len;
    const uint8_t *keys = tls_files_find(files, TLS_FILE_TICKETS, 0, &len);

    if (count == 0 || keys == NULL || len != sizeof(context->tickets)) {
        SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(context->ssl, 0) == 1;
    }
    memcpy(&context->tickets, keys, len);
    context->ticket_cipher =
        EVP_CIPHER_fetch(context->signing->library, "AES-256-CBC", NULL);
    return context->ticket_cipher != NULL &&
           SSL_CTX_set_num_tickets(context->ssl, count) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, tls_ticket_key) ==
               1 &&
           SSL_CTX_set_session_ticket_cb(context->ssl, tls_on_new_ticket,
                                         tls_on_ticket, context) == 1 &&
           tls_context_bind_tickets(context, options, files, index);
}

/* What a peer has sent beside its certificate serves to verify that. OpenSSL
   would keep it as long as the connection, and parsed it takes twenty times the
   octets that were sent. A CRL, of which it makes a copy to verify it, is ours
   and may be long. */
static int
tls_verify(X509_STORE_CTX *store, void *with)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    struct tls *called = tls_called;

    (void)with;
    tls_called = NULL;
    int good = X509_verify_cert(store);
    tls_called = called;
    while (sk_X509_num(sent) > 1)
        X509_free(sk_X509_pop(sent));
    return good;
}

/* Forward secrecy and AEAD alone; of TLS 1.3 all ciphers are that. AES-128 is
   as strong as the curves of the handshake; with SHA-256 it takes less of it
   than AES-256 with SHA-384, and a fifth less for each octet. */
static bool
tls_context_set_protocol(struct tls_context *context,
                         const struct config_tls *options)
{
    SSL_CTX *ssl = context->ssl;
    int least = options->min_version == CONFIG_TLS_1_2 ? TLS1_2_VERSION
                                                       : TLS1_3_VERSION;

    SSL_CTX_set_security_level(ssl, 2);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_msg_callback(ssl, tls_on_message);
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_max_cert_list(ssl, CHAIN_OCTETS);
    SSL_CTX_set_cert_verify_callback(ssl, tls_verify, NULL);
    SSL_CTX_set_verify_depth(ssl, CHAIN_DEPTH);
    return SSL_CTX_set_min_proto_version(ssl, least) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(
               ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                    "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AES128+AESGCM:ECDHE+AESGCM:"
                                        "ECDHE+CHACHA20:!aPSK:!aNULL") == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1;
}

static bool
tls_context_set_client(struct tls_context *context,
                       const struct config_tls *options,
                       const struct tls_files *files, uint32_t index)
{
    int verify = SSL_VERIFY_PEER;

    if (options->client == CONFIG_TLS_CLIENT_OFF)
        return true;
    if (options->client == CONFIG_TLS_CLIENT_REQUIRE)
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context->ssl, verify, NULL);
    BIO *cas = tls_pem(files, TLS_FILE_CA, index);
    BIO *crls = tls_pem(files, TLS_FILE_CRL, index);
    bool good = cas != NULL && tls_context_take_cas(context, cas) &&
                (crls == NULL || tls_context_take_crls(context, crls));
    BIO_free(cas);
    BIO_free(crls);
    return good;
}

/* A parent's: it is verified, and shown a certificate where it asks for one.
   Only TLS 1.3, whose client signs what the signer knows for a handshake's. */
static bool
tls_context_fill_client(struct tls_context *context,
                        const struct config_tls *options,
                        const struct tls_files *files, uint32_t index)
{
    BIO *chain = tls_pem(files, TLS_FILE_CERTIFICATE, index);
    BIO *cas = tls_pem(files, TLS_FILE_CA, index);
    bool good = context->ssl != NULL && tls_bio_method() != NULL;

    if (cas == NULL)
        cas = tls_pem(files, TLS_FILE_SYSTEM_CA, index);
    good = good && cas != NULL && tls_context_set_protocol(context, options) &&
           (chain == NULL || tls_context_take_chain(context, chain)) &&
           tls_context_take_cas(context, cas);
    if (good)
        SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    BIO_free(chain);
    BIO_free(cas);
    ERR_clear_error();
    return good;
}

static bool
tls_context_fill(struct tls_context *context, const struct config_tls *options,
                 const struct tls_files *files, uint32_t index)
{
    BIO *chain = tls_pem(files, TLS_FILE_CERTIFICATE, index);
    bool good = context->ssl != NULL && tls_bio_method() != NULL &&
                chain != NULL &&
                SSL_CTX_set_app_data(context->ssl, context) == 1 &&
                tls_context_set_protocol(context, options) &&
                tls_context_take_chain(context, chain) &&
                tls_context_set_client(context, options, files, index) &&
                tls_context_set_tickets(context, options, files, index);

    BIO_free(chain);
    ERR_clear_error();
    return good;
}

struct tls_context *
tls_context_new(const struct config_tls *options, const struct tls_files *files,
                uint32_t index, struct signing *signing)
{
    struct tls_context *context = calloc(1, sizeof(*context));

    if (context == NULL)
        return NULL;
    context->refs = 1;
    context->signing = signing;
    context->crls_until = INT64_MAX;
    context->client = index >= CONFIG_LISTENERS_MAX;
    context->ssl = SSL_CTX_new_ex(signing->library, NULL,
                                  context->client ? TLS_client_method()
                                                  : TLS_server_method());
    if (context->client
            ? tls_context_fill_client(context, options, files, index)
            : tls_context_fill(context, options, files, index))
        return context;
    tls_context_free(context);
    return NULL;
}

struct tls_context *
tls_context_ref(struct tls_context *context)
{
    if (context != NULL)
        context->refs++;
    return context;
}

void
tls_context_free(struct tls_context *context)
{
    if (context == NULL || --context->refs > 0)
        return;
    SSL_CTX_free(context->ssl);
    EVP_CIPHER_free(context->ticket_cipher);
    OPENSSL_cleanse(&context->tickets, sizeof(context->tickets));
    free(context);
}

/* ---- A connection ---- */

static int
tls_on_signed(SSL *ssl, void *with)
{
    struct tls *tls = with;

    (void)ssl;
    tls->signed_fn(tls->with);
    return 1;
}

/* The name is told to the parent, too, which may have several. A subject's
   common name is no name of a host: whoever has a certificate for an address, or
   as a person, may have any. */
static bool
tls_expect(struct tls *tls, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);

    SSL_set_connect_state(tls->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(tls->ssl, name) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, name) == 1;
}

static bool
tls_prepare(struct tls *tls, const char *name)
{
    BIO *bio = BIO_new(tls_bio_method());

    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    if (!tls->context->client)
        SSL_set_accept_state(tls->ssl);
    else if (!tls_expect(tls, name))
        return false;
    SSL_set_mode(tls->ssl, SSL_MODE_ASYNC);
    return SSL_set_app_data(tls->ssl, &tls->source) == 1 &&
           SSL_set_async_callback(tls->ssl, tls_on_signed) == 1 &&
           SSL_set_async_callback_arg(tls->ssl, tls) == 1;
}

struct tls *
tls_new(struct tls_context *context, struct stream *raw, const char *name,
        uint64_t source, tls_signed_fn *signed_fn, void *with)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return NULL;
    context->refs++;
    tls->context = context;
    tls->ssl = SSL_new(context->ssl);
    tls->raw = raw;
    tls->source = source;
    tls->signed_fn = signed_fn;
    tls->with = with;
    if (tls_prepare(tls, name))
        return tls;
    tls_free(tls);
    return NULL;
}

void
tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->ssl != NULL && !tls->done)
        signing_abandon(tls->context->signing, tls->ssl);
    SSL_free(tls->ssl);
    tls_context_free(tls->context);
    free(tls->held);
    free(tls);
}

/* OpenSSL judges no record before it has five octets. */
static bool
tls_met_proxy(const struct tls *tls)
{
    return !tls->done && tls->first_count == sizeof(tls->first) &&
           (memcmp(tls->first, "PROXY", 5) == 0 ||
            memcmp(tls->first, "\r\n\r\n", 5) == 0);
}

/* What a client speaks that does not speak TLS. */
static const char *
tls_other_protocol(const struct tls *tls)
{
    if (tls->done || !tls->begun || tls->first[0] == 0x16 ||
        tls->first[0] == 0x15)
        return NULL;
    if (tls->context->client)
        return "the parent does not speak TLS";
    if (tls->first[0] == 4)
        return "looks like SOCKS 4 without TLS";
    if (tls->first[0] == 5)
        return "looks like SOCKS5 without TLS";
    if (tls_met_proxy(tls))
        return "looks like a PROXY header";
    if (memchr("GPHDCOT", tls->first[0], 7) != NULL)
        return "looks like HTTP without TLS";
    return "not TLS";
}

/* The peer's alert says that it refuses our certificate: OpenSSL's words for it
   have an SSL 3 or TLS 1 in them that is not meant. NULL: it does not. */
static const char *
tls_refused_certificate(const struct tls *tls, int alert)
{
    bool client = tls->context->client;

    switch (alert) {
    case SSL_AD_UNKNOWN_CA:
        return client ? "the parent does not know the CA of our certificate: "
                        "look at parents[].tls.certificate"
                      : "the client does not know the CA of our certificate: "
                        "give it that, or look at the chain";
    case SSL_AD_CERTIFICATE_EXPIRED:
        return client ? "the parent takes our certificate for expired: look at "
                        "its clock"
                      : "the client takes our certificate for expired: look at "
                        "its clock";
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return client ? "the parent refuses our certificate: look at "
                        "parents[].tls.certificate"
                      : "the client refuses our certificate: it may know the "
                        "gateway by a name that is not in it";
    default:
        return NULL;
    }
}

static void
tls_note_failure(struct tls *tls, unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    const char *protocol = tls_other_protocol(tls);

    if (protocol != NULL) {
        tls->reason = protocol;
    } else if (reason == ERR_R_EVP_LIB && !SSL_is_init_finished(tls->ssl)) {
        tls->reason = "the signer gave no signature";
    } else if (ERR_GET_LIB(error) != ERR_LIB_SSL) {
        tls->reason =
            tls->context->client
                ? "OpenSSL could not use what the parent sent, or had no "
                  "memory; try it with openssl s_client"
                : "OpenSSL could not use what the client sent, or had no "
                  "memory; try the client with another TLS server";
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        tls->certificate_failed = true;
        tls->reason =
            X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
    } else if (tls->context->client &&
               reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) {
        tls->reason = "the parent wants a certificate of this gateway; set "
                      "parents[].tls.certificate and key";
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        tls->certificate_failed = true;
        tls->reason = "the client sent no certificate";
    } else {
        tls->reason =
            tls_refused_certificate(tls, reason - SSL_AD_REASON_OFFSET);
        if (tls->reason == NULL)
            tls->reason = ERR_reason_error_string(error);
    }
    if (tls->reason == NULL)
        tls->reason = tls->context->client
                          ? "OpenSSL gives no reason; try the parent with "
                            "openssl s_client"
                          : "OpenSSL gives no reason; try the client with "
                            "another TLS server";
}

/* What came of a call that has not succeeded. */
static enum tls_result
tls_result(struct tls *tls, int returned)
{
    unsigned long error = ERR_peek_last_error();

    switch (SSL_get_error(tls->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    case SSL_ERROR_WANT_ASYNC:
        return TLS_WANTS_SIGNER;
    case SSL_ERROR_WANT_ASYNC_JOB:
        return TLS_WANTS_TURN;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        break;
    }
    bool cut = error == 0 ||
               ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (tls->reason != NULL || (cut && tls->broken))
        return TLS_FAILED;
    if (cut && tls->ended_raw)
        return TLS_TRUNCATED;
    tls_note_failure(tls, error);
    return TLS_FAILED;
}

const char *
tls_reason(const struct tls *tls)
{
    return tls->reason;
}

typedef int tls_read_fn(SSL *ssl, void *octets, size_t room, size_t *got);

/* The data of one record. DONE without any: too many records brought none. */
static enum tls_result
tls_read_record(struct tls *tls, tls_read_fn *read, void *octets, size_t room,
                size_t *got, int *others)
{
    *got = 0;
    for (; *others < READ_RECORDS && tls->over == TLS_DONE; ++*others) {
        ERR_clear_error();
        tls_called = tls;
        int done = tls->reason == NULL ? read(tls->ssl, octets, room, got) : 0;
        tls_called = NULL;
        if (done == 1)
            return TLS_DONE;
        enum tls_result result =
            tls->reason != NULL ? TLS_FAILED : tls_result(tls, 0);
        if (result == TLS_WANTS_READ && !tls->dry)
            continue;
        if (result == TLS_WANTS_READ || result == TLS_WANTS_WRITE ||
            result == TLS_WANTS_SIGNER)
            return result;
        tls->over = result;
    }
    return tls->over;
}

static enum tls_result
tls_without_data(struct tls *tls, enum tls_result result)
{
    if (result == TLS_WANTS_READ && tls->held != NULL && !tls->broken)
        return TLS_WANTS_WRITE; /* an answer of ours, perhaps the only octets */
    if (result != TLS_DONE)
        return result;
    tls->reason = "too many records without data";
    return tls->over = TLS_FAILED;
}

enum tls_result
tls_read(struct tls *tls, void *octets, size_t room, size_t *count)
{
    enum tls_result result = TLS_DONE;
    size_t got = 1;
    int others = 0;

    *count = 0;
    if (tls_flush(tls) == TLS_WANTS_WRITE &&
        tls->held_end - tls->held_at > HELD_MAX)
        return TLS_WANTS_WRITE;
    for (int i = 0; i < READ_RECORDS && *count < room && got > 0; i++) {
        result = tls_read_record(tls, SSL_read_ex, (uint8_t *)octets + *count,
                                 room - *count, &got, &others);
        *count += got;
        tls->octets += got;
    }
    return *count > 0 ? TLS_DONE : tls_without_data(tls, result);
}

enum tls_result
tls_peek(struct tls *tls)
{
    uint8_t octet;
    size_t got;
    int others = 0;
    enum tls_result result =
        tls_read_record(tls, SSL_peek_ex, &octet, sizeof(octet), &got, &others);

    return got > 0 ? TLS_DONE : tls_without_data(tls, result);
}

/* A message of the kernel's for several records: each would wake the client. */
static enum tls_result
tls_seal(struct tls *tls, const uint8_t *octets, size_t size)
{
    enum tls_result result = TLS_DONE;

    tls->seals = true;
    for (int i = 0; i < SEAL_RECORDS && tls->owed < size; i++) {
        size_t sealed = 0;
        ERR_clear_error();
        tls_called = tls; /* it reads what a message lacks */
        int done = SSL_write_ex(tls->ssl, octets + tls->owed, size - tls->owed,
                                &sealed);
        tls_called = NULL;
        if (done != 1) {
            result = tls_result(tls, 0);
            break;
        }
        tls->owed += sealed;
    }
    tls->seals = false;
    tls_send_sealed(tls);
    return tls->owed > 0 ? TLS_DONE : result;
}

enum tls_result
tls_write(struct tls *tls, const void *octets, size_t size, size_t *count)
{
    enum tls_result result;

    *count = 0;
    while ((result = tls_flush(tls)) == TLS_DONE) {
        assert(tls->owed <= size - *count); /* of these very octets */
        *count += tls->owed;
        tls->owed = 0;
        if (*count >= size)
            break;
        result = tls_seal(tls, (const uint8_t *)octets + *count, size - *count);
        if (result != TLS_DONE)
            break;
    }
    return result;
}

/* OpenSSL sends none while it answers a renewal of the keys. */
enum tls_result
tls_close_notify(struct tls *tls)
{
    if (tls->notified || tls->held != NULL) {
        enum tls_result result = tls_flush(tls);
        if (tls->notified || result != TLS_DONE)
            return result;
    }
    ERR_clear_error();
    int done = SSL_in_init(tls->ssl) ? tls_step(tls) : 1;
    if (done == 1)
        done = SSL_shutdown(tls->ssl);
    tls->notified = done >= 0;
    if (tls->notified)
        return tls_flush(tls);
    bool waits =
        !tls->broken && SSL_get_error(tls->ssl, done) == SSL_ERROR_WANT_WRITE;
    return waits ? TLS_WANTS_WRITE : TLS_FAILED;
}

/* ---- The client's certificate ---- */

/* Names of one certificate, before they are put in one piece. */
struct tls_names {
    struct span names[CERTIFICATE_NAMES_MAX];
    unsigned char *owned[CERTIFICATE_NAMES_MAX];
    bool is_dns[CERTIFICATE_NAMES_MAX];
    size_t count, octets;
    int error;
};

static bool
tls_name_is_text(const unsigned char *octets, int len, unsigned char last)
{
    for (int i = 0; i < len; i++)
        if (octets[i] < 0x20 || octets[i] == 0x7f || octets[i] > last)
            return false;
    return true;
}

/* `last`: of a character set. */
static void
tls_names_add(struct tls_names *names, const unsigned char *octets, int len,
              unsigned char *owned, unsigned char last, bool is_dns)
{
    size_t i = names->count;

    if (is_dns && len > 1 && octets[len - 1] == '.')
        len--;
    int error = 0;
    if (len < 0 || !tls_name_is_text(octets, len, last)) /* not even decoded */
        error = -EILSEQ;
    else if (i == CERTIFICATE_NAMES_MAX || len > CERTIFICATE_NAME_MAX ||
             names->octets + (size_t)len > CERTIFICATE_OCTETS_MAX)
        error = -E2BIG;
    if (error != 0) {
        OPENSSL_free(owned);
        names->error = error;
        return;
    }
    names->names[i] = (struct span){(const char *)octets, (size_t)len};
    names->owned[i] = owned;
    names->is_dns[i] = is_dns;
    names->octets += (size_t)len;
    names->count++;
}

static void
tls_names_add_alternative(struct tls_names *names, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *text = GENERAL_NAME_get0_value(name, &type);

    if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI)
        tls_names_add(names, ASN1_STRING_get0_data(text),
                      ASN1_STRING_length(text), NULL, 0x7e, type == GEN_DNS);
}

static void
tls_names_add_common(struct tls_names *names, const X509_NAME *subject)
{
    int at = -1;

    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >=
           0) {
        unsigned char *text = NULL;
        int len = ASN1_STRING_to_UTF8(
            &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        tls_names_add(names, text, len, text, 0xff, false); /* UTF-8 */
    }
}

static int
tls_names_pack(const struct tls_names *names, struct certificate **found)
{
    struct certificate *certificate =
        malloc(sizeof(*certificate) + names->count * sizeof(struct span) +
               names->octets);

    if (certificate == NULL)
        return -ENOMEM;
    certificate->count = names->count;
    certificate->matched = 0;
    char *at = (char *)&certificate->names[names->count];
    for (size_t i = 0; i < names->count; i++) {
        const struct span *name = &names->names[i];
        certificate->names[i] = (struct span){at, name->len};
        for (size_t j = 0; j < name->len; j++) {
            char octet = name->at[j];
            bool upper = names->is_dns[i] && octet >= 'A' && octet <= 'Z';
            *at++ = upper ? (char)(octet - 'A' + 'a') : octet;
        }
    }
    *found = certificate;
    return 0;
}

/* The certificate by which the client was verified; NULL: none. 0, -ENOMEM,
   -E2BIG or -EILSEQ. */
static int
tls_certificate(const struct tls *tls, struct certificate **found)
{
    X509 *x509 = SSL_get0_peer_certificate(tls->ssl);
    struct tls_names names = {.count = 0};
    int critical;

    *found = NULL;
    if (x509 == NULL || SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return 0;
    GENERAL_NAMES *alternatives =
        X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, NULL);
    /* Those that no rule can name take memory, too, as long as the session. */
    if (sk_GENERAL_NAME_num(alternatives) > CERTIFICATE_NAMES_MAX)
        names.error = -E2BIG;
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives) && names.error == 0;
         i++)
        tls_names_add_alternative(&names,
                                  sk_GENERAL_NAME_value(alternatives, i));
    if (alternatives == NULL && critical == -1) /* no such extension */
        tls_names_add_common(&names, X509_get_subject_name(x509));
    int error = names.error != 0 ? names.error : tls_names_pack(&names, found);
    for (size_t i = 0; i < names.count; i++)
        OPENSSL_free(names.owned[i]);
    sk_GENERAL_NAME_pop_free(alternatives, GENERAL_NAME_free);
    ERR_clear_error();
    return error;
}

/* ---- The handshake ---- */

enum tls_result
tls_handshake(struct tls *tls, struct tls_outcome *outcome)
{
    enum tls_result result;

    /* OpenSSL takes its buffers when it is first called. */
    if (!tls->context->client && !tls->begun &&
        !stream_is(tls->raw, STREAM_READABLE))
        return TLS_WANTS_READ;
    do {
        int done = tls_step(tls);
        tls->done = done == 1;
        result = tls->done ? TLS_DONE : tls_result(tls, done);
    } while (result == TLS_WANTS_READ && !tls->dry);
    if (tls_flush(tls) == TLS_FAILED)
        result = TLS_FAILED;
    outcome->begun = tls->begun;
    outcome->met_proxy = tls_met_proxy(tls);
    if (result == TLS_FAILED) {
        outcome->reason = tls->reason;
        outcome->refused_certificate = tls->certificate_failed;
    }
    if (result != TLS_DONE)
        return result == TLS_ENDED ? TLS_TRUNCATED : result;

    SSL_clear_mode(tls->ssl, SSL_MODE_ASYNC);
    SSL_set_default_read_buffer_len(tls->ssl, READ_AHEAD);
    snprintf(outcome->text, TLS_TEXT_MAX, "%s/%s",
             SSL_version(tls->ssl) == TLS1_3_VERSION ? "1.3" : "1.2",
             SSL_CIPHER_standard_name(SSL_get_current_cipher(tls->ssl)));
    int error = tls_certificate(tls, &outcome->certificate);
    if (error == 0)
        return TLS_DONE;
    outcome->refused_certificate = error != -ENOMEM;
    outcome->reason =
        error == -ENOMEM ? "out of memory"
        : error == -E2BIG
            ? "the certificate has too many or too long names"
            : "a name of the certificate has an octet that is no text; issue "
              "one without";
    return TLS_FAILED;
}
