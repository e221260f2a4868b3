/* Keys and signatures in a confined process: all that OpenSSL needs for them. */
#include "tests/unit/confine/attempt.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <time.h>

#include "gateway/certificate_check/check.h"
#include "gateway/signer/keys.h"
#include "gateway/signing_scheme.h"
#include "tests/unit/unit.h"

/* Made before, as the monitor's files are. */
static struct {
    const char *type;
    uint32_t scheme;
    char pem[4096];
    size_t len;
    uint8_t id[SIGNING_KEY_ID];
} made[] = {
    {.type = "P-256", .scheme = 0x0403},
    {.type = "RSA", .scheme = 0x0804},
    {.type = "ED25519", .scheme = 0x0807},
};

static void
make_keys(void)
{
    for (size_t i = 0; i < COUNT(made); i++) {
        EVP_PKEY *key =
            strcmp(made[i].type, "RSA") == 0 ? EVP_RSA_gen(2048)
            : strcmp(made[i].type, "ED25519") == 0
                ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                : EVP_EC_gen(made[i].type);
        BIO *out = BIO_new(BIO_s_mem());
        assert_int_equal(
            PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
        made[i].len = (size_t)BIO_read(out, made[i].pem, sizeof(made[i].pem));
        assert_int_equal(signing_scheme_key_id(key, made[i].id), 0);
        BIO_free(out);
        EVP_PKEY_free(key);
    }
}

static int
take_and_sign(void)
{
    static struct keys keys;
    for (size_t i = 0; i < COUNT(made); i++) {
        struct signing_request request = {.scheme = made[i].scheme,
                                          .len = 130};
        struct signing_answer answer;
        memset(request.message, ' ', 64);
        strcpy((char *)request.message + 64,
               "TLS 1.3, server CertificateVerify");
        memcpy(request.key, made[i].id, SIGNING_KEY_ID);
        CHECK(keys_add(&keys, 1, KEY_SERVER, made[i].pem, made[i].len) == 0);
        keys_sign(&keys, &request, &answer);
        CHECK(answer.outcome == SIGNING_DONE && answer.len > 0);
    }
    keys_drop_before(&keys, 2);
    return 0;
}

static void
a_signer_takes_keys_and_signs(void **state)
{
    (void)state;
    assert_int_equal(keys_prepare(), 0);
    assert_int_equal(attempt_as(&confine_signer, take_and_sign), 0);
}

static void
ignore_report(const struct check *check, const struct certificate_report *report)
{
    (void)check;
    (void)report;
}

/* Neither the time zone nor texts of errors are read from files. */
static int
check_key_alone(void)
{
    static const struct tls_files none;
    struct check check = {.report = ignore_report,
                          .now_s = 1800000000,
                          .files = &none,
                          .key = (const uint8_t *)made[0].pem,
                          .key_len = made[0].len};
    check_listener(&check);
    check.key_len = 20;
    check_listener(&check);
    return 0;
}

static void
a_check_reads_good_and_bad_keys(void **state)
{
    (void)state;
    assert_int_equal(keys_prepare(), 0);
    assert_int_equal(attempt_as(&confine_signer, check_key_alone), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signer_takes_keys_and_signs),
        cmocka_unit_test(a_check_reads_good_and_bad_keys),
    };
    make_keys();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
