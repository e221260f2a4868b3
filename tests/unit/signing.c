#include "gateway/worker/signing.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "gateway/signer/keys.h"
#include "tests/unit/link/fake_link.h"
#include "tests/unit/unit.h"

#define MANY 16

static struct signing_request sent[MANY]; /* to the signer */

static struct loop loop;
static struct signing signing;
static struct keys keys;

/* A server and a client that talk through memory. */
struct pair {
    SSL_CTX *server_context, *client_context;
    SSL *server, *client;
    int woken;
};

static int
setup(void **state)
{
    (void)state;
    fake_link_init(sent, sizeof(sent[0]), MANY);
    keys = (struct keys){0};
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(signing_init(&signing, &loop), 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    keys_drop_before(&keys, UINT32_MAX);
    signing_fini(&signing);
    loop_fini(&loop);
    return 0;
}

static void
add_key_for(EVP_PKEY *key, uint32_t version, unsigned uses)
{
    char *pem;
    BIO *out = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(out, &pem);
    assert_int_equal(keys_add(&keys, version, uses, pem, (size_t)len), 0);
    BIO_free(out);
}

static void
add_key(EVP_PKEY *key, uint32_t version)
{
    add_key_for(key, version, KEY_SERVER);
}

static X509 *
make_certificate(EVP_PKEY *key)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -60);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"gw.example", -1, -1, 0);
    X509_set_issuer_name(made, name);
    X509_set_pubkey(made, key);
    bool is_eddsa =
        EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
    assert_true(X509_sign(made, key, is_eddsa ? NULL : EVP_sha256()) > 0);
    return made;
}

/* As it is in a worker: parsed by its library context. */
static X509 *
parse_certificate(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    X509 *made = make_certificate(key);
    int len = i2d_X509(made, &der);
    const unsigned char *at = der;
    X509 *parsed = X509_new_ex(signing.library, NULL);
    assert_non_null(d2i_X509(&parsed, &at, len));
    OPENSSL_free(der);
    X509_free(made);
    return parsed;
}

static int
on_woken(SSL *ssl, void *arg)
{
    struct pair *pair = arg;
    assert_ptr_equal(ssl, pair->server);
    pair->woken++;
    return 1;
}

static void
pair_open(struct pair *pair, EVP_PKEY *key, int version)
{
    BIO *ends[2];
    *pair = (struct pair){0};
    X509 *certificate = parse_certificate(key);
    EVP_PKEY *remote = signing_key(&signing, certificate);
    assert_non_null(remote);
    pair->server_context =
        SSL_CTX_new_ex(signing.library, NULL, TLS_server_method());
    pair->client_context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(pair->server_context, certificate),
                     1);
    assert_int_equal(SSL_CTX_use_PrivateKey(pair->server_context, remote), 1);
    assert_int_equal(SSL_CTX_check_private_key(pair->server_context), 1);
    EVP_PKEY_free(remote);
    X509_free(certificate);
    SSL_CTX_set_max_proto_version(pair->client_context, version);
    pair->server = SSL_new(pair->server_context);
    pair->client = SSL_new(pair->client_context);
    assert_int_equal(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0), 1);
    SSL_set_bio(pair->server, ends[0], ends[0]);
    SSL_set_bio(pair->client, ends[1], ends[1]);
    SSL_set_accept_state(pair->server);
    SSL_set_connect_state(pair->client);
    SSL_set_mode(pair->server, SSL_MODE_ASYNC);
    SSL_set_async_callback(pair->server, on_woken);
    SSL_set_async_callback_arg(pair->server, pair);
}

static void
pair_close(struct pair *pair)
{
    signing_abandon(&signing, pair->server);
    SSL_free(pair->server);
    SSL_free(pair->client);
    SSL_CTX_free(pair->server_context);
    SSL_CTX_free(pair->client_context);
}

/* Up to where the server waits for the signer. */
static void
pair_reach_signature(struct pair *pair)
{
    int result = 0;
    for (int i = 0; i < 8 && result != SSL_ERROR_WANT_ASYNC; i++) {
        SSL_do_handshake(pair->client);
        result = SSL_get_error(pair->server, SSL_do_handshake(pair->server));
    }
    assert_int_equal(result, SSL_ERROR_WANT_ASYNC);
}

static void
answer_last(void)
{
    struct signing_answer answer;
    keys_sign(&keys, &sent[fake_link.count - 1], &answer);
    assert_int_equal(answer.outcome, SIGNING_DONE);
    signing.link.ops->receive(&signing.link, &answer);
}

static bool
pair_finish(struct pair *pair)
{
    int server = 0, client = 0;
    for (int i = 0; i < 8 && !(server == 1 && client == 1); i++) {
        server = SSL_do_handshake(pair->server);
        client = SSL_do_handshake(pair->client);
    }
    return server == 1 && client == 1;
}

static EVP_PKEY *
make_key(const char *type)
{
    EVP_PKEY *made = NULL;
    if (strcmp(type, "RSA") == 0)
        return EVP_RSA_gen(2048);
    if (type[0] == 'E') /* ED25519, ED448 */
        return EVP_PKEY_Q_keygen(NULL, NULL, type);
    if (strcmp(type, "RSA-PSS") != 0)
        return EVP_EC_gen(type);
    EVP_PKEY_CTX *with = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY_keygen_init(with);
    EVP_PKEY_generate(with, &made);
    EVP_PKEY_CTX_free(with);
    return made;
}

/* --- a handshake --------------------------------------------------------- */

static void
a_key_of_each_kind_signs_in_either_version(void **state)
{
    static const char *const types[] = {"P-256", "P-384", "P-521", "RSA",
                                        "ED25519"};
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 2; j++) {
            struct pair pair;
            EVP_PKEY *key = make_key(types[i]);
            add_key(key, 1);
            pair_open(&pair, key, versions[j]);
            pair_reach_signature(&pair);
            answer_last();
            assert_int_equal(pair.woken, 1);
            assert_true(pair_finish(&pair));
            assert_int_equal(SSL_version(pair.server), versions[j]);
            pair_close(&pair);
            EVP_PKEY_free(key);
        }
}

/* ---- What a worker parses ---- */

static void
a_certificate_of_each_kind_that_signs_is_verified(void **state)
{
    static const char *const kinds[] = {"P-256",   "P-384",   "P-521", "RSA",
                                        "RSA-PSS", "ED25519", "ED448"};
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        EVP_PKEY *key = make_key(kinds[i]);
        X509 *parsed = parse_certificate(key);
        EVP_PKEY *public = X509_get0_pubkey(parsed);
        assert_non_null(public);
        assert_int_equal(X509_verify(parsed, public), 1);
        X509_free(parsed);
        EVP_PKEY_free(key);
    }
}

static void
count_decoder(OSSL_DECODER *decoder, void *count)
{
    (void)decoder;
    ++*(int *)count;
}

static void
count_cipher(EVP_CIPHER *cipher, void *count)
{
    (void)cipher;
    ++*(int *)count;
}

/* All decoders are tried for each certificate of a client. */
static void
a_worker_has_no_other_parsers_and_ciphers(void **state)
{
    int decoders = 0, ciphers = 0;
    (void)state;
    OSSL_DECODER_do_all_provided(signing.library, count_decoder, &decoders);
    assert_int_equal(decoders, 5);
    EVP_CIPHER_do_all_provided(signing.library, count_cipher, &ciphers);
    assert_int_equal(ciphers, 5);

    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "X448");
    X509 *made = make_certificate(key);
    X509_set_pubkey(made, other);
    unsigned char *der = NULL;
    int len = i2d_X509(made, &der);
    const unsigned char *at = der;
    X509 *parsed = X509_new_ex(signing.library, NULL);
    assert_non_null(d2i_X509(&parsed, &at, len));
    assert_null(X509_get0_pubkey(parsed));
    OPENSSL_free(der);
    X509_free(parsed);
    X509_free(made);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void
a_handshake_fails_where_the_signer_has_no_key(void **state)
{
    struct signing_answer answer;
    struct pair pair;
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    pair_open(&pair, key, TLS1_3_VERSION);
    pair_reach_signature(&pair);
    keys_sign(&keys, &sent[0], &answer);
    assert_int_equal(answer.outcome, SIGNING_NO_KEY);
    signing.link.ops->receive(&signing.link, &answer);
    assert_int_equal(pair.woken, 1);
    assert_false(pair_finish(&pair));
    pair_close(&pair);
    EVP_PKEY_free(key);
}

static void
an_answer_that_cannot_be_is_a_failure(void **state)
{
    struct signing_answer answer = {.outcome = SIGNING_DONE,
                                    .len = SIGNING_SIGNATURE_MAX + 1};
    struct pair pair;
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    pair_open(&pair, key, TLS1_3_VERSION);
    pair_reach_signature(&pair);
    answer.id = sent[0].id + 1;
    signing.link.ops->receive(&signing.link, &answer); /* to no request */
    assert_int_equal(pair.woken, 0);
    answer.id = sent[0].id;
    signing.link.ops->receive(&signing.link, &answer);
    assert_int_equal(pair.woken, 1);
    assert_false(pair_finish(&pair));
    pair_close(&pair);
    EVP_PKEY_free(key);
}

static void
a_handshake_that_is_given_up_leaves_nothing_behind(void **state)
{
    struct pair pair;
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    pair_open(&pair, key, TLS1_3_VERSION);
    pair_reach_signature(&pair);
    pair_close(&pair);
    assert_int_equal(pair.woken, 0);
    assert_true(list_empty(&signing.sent));
    /* an answer that comes later is nobody's */
    signing.link.ops->receive(&signing.link,
                              &(struct signing_answer){.id = sent[0].id});
    assert_int_equal(pair.woken, 0);
    EVP_PKEY_free(key);
}

static void
requests_wait_for_room_and_go_again_to_the_next_signer(void **state)
{
    struct pair pairs[2];
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    add_key(key, 1);
    fake_link.room = 1;
    for (int i = 0; i < 2; i++) {
        pair_open(&pairs[i], key, TLS1_3_VERSION);
        pair_reach_signature(&pairs[i]);
    }
    assert_int_equal(fake_link.count, 1); /* the second has no fake_link.room */
    fake_link.error = -ENOTCONN;
    signing.link.ops->flush(&signing.link);
    assert_int_equal(fake_link.count, 1);
    fake_link.error = 0;
    fake_link.room = MANY;
    signing.link.ops->resend(&signing.link); /* the oldest first */
    assert_int_equal(fake_link.count, 3);
    assert_int_equal(sent[1].id, sent[0].id);
    assert_int_equal(sent[2].id, sent[0].id + 1);
    answer_last();
    assert_int_equal(pairs[1].woken, 1);
    fake_link.count = 2;
    answer_last();
    for (int i = 0; i < 2; i++) {
        assert_true(pair_finish(&pairs[i]));
        pair_close(&pairs[i]);
    }
    EVP_PKEY_free(key);
}

/* --- the signer ---------------------------------------------------------- */

static struct signing_request
request_of(EVP_PKEY *key, uint32_t scheme)
{
    struct signing_request request = {.id = 7, .scheme = scheme, .len = 130};
    struct pair pair;
    pair_open(&pair, key, TLS1_3_VERSION);
    pair_reach_signature(&pair);
    memcpy(&request.key, sent[fake_link.count - 1].key, SIGNING_KEY_ID);
    memset(request.message, ' ', 64);
    strcpy((char *)request.message + 64, "TLS 1.3, server CertificateVerify");
    pair_close(&pair);
    return request;
}

static enum signing_outcome
sign(const struct signing_request *request)
{
    struct signing_answer answer;
    keys_sign(&keys, request, &answer);
    assert_int_equal(answer.id, request->id);
    assert_int_equal(answer.outcome == SIGNING_DONE, answer.len > 0);
    return answer.outcome;
}

static void
the_signer_signs_handshakes_and_nothing_else(void **state)
{
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    add_key(key, 1);
    struct signing_request good = request_of(key, 0x0403), bad = good;
    assert_int_equal(sign(&good), SIGNING_DONE);
    bad.message[0] = 'x';
    assert_int_equal(sign(&bad), SIGNING_REFUSED);
    bad = good;
    memcpy(bad.message + 64 + 9, "client", 6);
    assert_int_equal(sign(&bad), SIGNING_REFUSED);
    bad = good;
    bad.len = 131;
    assert_int_equal(sign(&bad), SIGNING_REFUSED);
    bad.len = SIGNING_MESSAGE_MAX + 1;
    assert_int_equal(sign(&bad), SIGNING_REFUSED);
    bad = good;
    bad.scheme = 0x0804; /* of another type of key */
    assert_int_equal(sign(&bad), SIGNING_REFUSED);
    bad.scheme = 0x0203; /* SHA-1 */
    assert_int_equal(sign(&bad), SIGNING_REFUSED);
    bad = good;
    bad.key[0] ^= 1;
    assert_int_equal(sign(&bad), SIGNING_NO_KEY);
    EVP_PKEY_free(key);
}

/* A worker that was taken over cannot use a listener's key to be a client
   elsewhere, nor a parent's to be a server. */
static void
a_key_signs_only_for_its_side(void **state)
{
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    add_key(key, 1);
    struct signing_request server = request_of(key, 0x0403), client = server,
                           exchange = server;
    memcpy(client.message + 64 + 9, "client", 6);
    memset(exchange.message, 'r', 64);
    memcpy(exchange.message + 64, "\x03\x00\x1d\x20", 4);
    exchange.len = 100;
    assert_int_equal(sign(&server), SIGNING_DONE);
    assert_int_equal(sign(&exchange), SIGNING_DONE);
    assert_int_equal(sign(&client), SIGNING_REFUSED);
    add_key_for(key, 2, KEY_CLIENT); /* of the next configuration */
    assert_int_equal(sign(&server), SIGNING_REFUSED);
    assert_int_equal(sign(&exchange), SIGNING_REFUSED);
    assert_int_equal(sign(&client), SIGNING_DONE);
    add_key_for(key, 2, KEY_SERVER); /* both have the same */
    assert_int_equal(sign(&server), SIGNING_DONE);
    assert_int_equal(sign(&client), SIGNING_DONE);
    EVP_PKEY_free(key);
}

static void
padding_of_1_2_is_not_for_1_3(void **state)
{
    EVP_PKEY *key = make_key("RSA");
    (void)state;
    add_key(key, 1);
    struct signing_request request = request_of(key, 0x0401);
    assert_int_equal(sign(&request), SIGNING_REFUSED);
    request.scheme = 0x0804;
    assert_int_equal(sign(&request), SIGNING_DONE);
    /* two randoms, a curve, a point */
    memset(request.message, 'r', 64);
    memcpy(request.message + 64, "\x03\x00\x1d\x20", 4);
    request.len = 100;
    request.scheme = 0x0401;
    assert_int_equal(sign(&request), SIGNING_DONE);
    request.message[67]++; /* one octet short */
    assert_int_equal(sign(&request), SIGNING_REFUSED);
    request.message[67]--;
    request.message[64] = 2;
    assert_int_equal(sign(&request), SIGNING_REFUSED);
    EVP_PKEY_free(key);
}

/* Else a certificate, with a serial number of fitting octets, would pass. */
static void
of_1_2_only_points_of_curves_that_are_offered_are_signed(void **state)
{
    static const struct {
        uint8_t octets[5];
        uint32_t len;
        enum signing_outcome outcome;
    } rows[] = {
        {{3, 0, 29, 32, 'p'}, 100, SIGNING_DONE},
        {{3, 0, 23, 65, 4}, 133, SIGNING_DONE},
        {{3, 0, 24, 97, 4}, 165, SIGNING_DONE},
        {{3, 0, 29, 32, 'p'}, 101, SIGNING_REFUSED}, /* and one more */
        {{3, 0, 23, 65, 'p'}, 133, SIGNING_REFUSED}, /* no such form */
        {{3, 0, 29, 33, 'p'}, 101, SIGNING_REFUSED}, /* X25519 has 32 */
        {{3, 0, 23, 97, 4}, 165, SIGNING_REFUSED},
        {{3, 0, 25, 133, 4}, 201, SIGNING_REFUSED}, /* P-521: not offered */
        {{3, 0x11, 0x11, 140, 0x11}, 208, SIGNING_REFUSED},
    };
    EVP_PKEY *key = make_key("P-256");
    (void)state;
    add_key(key, 1);
    struct signing_request request = request_of(key, 0x0403);
    memset(request.message, 'r', sizeof(request.message));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(request.message + 64, rows[i].octets, 5);
        request.len = rows[i].len;
        assert_int_equal(sign(&request), rows[i].outcome);
    }
    EVP_PKEY_free(key);
}

static void
a_key_stays_while_a_version_has_it(void **state)
{
    EVP_PKEY *old = make_key("P-256"), *both = make_key("P-256");
    (void)state;
    add_key(old, 1);
    add_key(both, 1);
    add_key(both, 2);
    assert_int_equal(keys.count, 2);
    keys_drop_before(&keys, 2);
    assert_int_equal(keys.count, 1);
    struct signing_request request = request_of(both, 0x0403);
    assert_int_equal(sign(&request), SIGNING_DONE);
    for (uint32_t i = 3; i < 3 + KEYS_MAX; i++) {
        EVP_PKEY *more = make_key("P-256");
        add_key(more, i);
        EVP_PKEY_free(more);
    }
    assert_int_equal(keys.count, KEYS_MAX); /* the oldest went */
    assert_int_equal(sign(&request), SIGNING_NO_KEY);
    EVP_PKEY_free(old);
    EVP_PKEY_free(both);
}

static void
what_is_no_key_is_refused(void **state)
{
    static const char text[] = "not a key\n";
    BIO *out = BIO_new(BIO_s_mem());
    EVP_PKEY *key = make_key("P-256"), *other = make_key("ED25519");
    char *pem;
    (void)state;
    assert_int_equal(keys_add(&keys, 1, KEY_SERVER, text, strlen(text)),
                     -EINVAL);
    PEM_write_bio_PrivateKey(out, key, EVP_aes_128_cbc(), NULL, 0, NULL,
                             (void *)"secret");
    long len = BIO_get_mem_data(out, &pem);
    assert_int_equal(keys_add(&keys, 1, KEY_SERVER, pem, (size_t)len), -EINVAL);
    assert_int_equal(keys.count, 0);
    BIO_free(out);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_key_of_each_kind_signs_in_either_version, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_certificate_of_each_kind_that_signs_is_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_worker_has_no_other_parsers_and_ciphers, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_handshake_fails_where_the_signer_has_no_key, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_is_a_failure,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_handshake_that_is_given_up_leaves_nothing_behind, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            requests_wait_for_room_and_go_again_to_the_next_signer, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            the_signer_signs_handshakes_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_signs_only_for_its_side, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(padding_of_1_2_is_not_for_1_3, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            of_1_2_only_points_of_curves_that_are_offered_are_signed, setup,
            teardown),
        cmocka_unit_test_setup_teardown(a_key_stays_while_a_version_has_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_key_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
