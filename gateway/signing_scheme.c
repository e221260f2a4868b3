#include "gateway/signing_scheme.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

/* clang-format off */
static const struct signing_scheme schemes[SIGNING_SCHEMES] = {
    {0x0403, "EC", {"SHA2-256", "SHA256"}, false, false},
    {0x0503, "EC", {"SHA2-384", "SHA384"}, false, false},
    {0x0603, "EC", {"SHA2-512", "SHA512"}, false, false},
    {0x0804, "RSA", {"SHA2-256", "SHA256"}, true, false},
    {0x0805, "RSA", {"SHA2-384", "SHA384"}, true, false},
    {0x0806, "RSA", {"SHA2-512", "SHA512"}, true, false},
    {0x0807, "ED25519", {NULL, NULL}, false, false},
    {0x0401, "RSA", {"SHA2-256", "SHA256"}, false, true},
    {0x0501, "RSA", {"SHA2-384", "SHA384"}, false, true},
    {0x0601, "RSA", {"SHA2-512", "SHA512"}, false, true},
};
/* clang-format on */

unsigned
signing_scheme_index(const struct signing_scheme *scheme)
{
    return (unsigned)(scheme - schemes);
}

const struct signing_scheme *
signing_scheme_find(uint32_t number)
{
    for (size_t i = 0; i < SIGNING_SCHEMES; i++)
        if (schemes[i].number == number)
            return &schemes[i];
    return NULL;
}

static bool
signing_scheme_has_digest(const struct signing_scheme *scheme,
                          const char *digest)
{
    if (digest == NULL || scheme->digests[0] == NULL)
        return digest == NULL && scheme->digests[0] == NULL;
    return strcmp(scheme->digests[0], digest) == 0 ||
           strcmp(scheme->digests[1], digest) == 0;
}

const struct signing_scheme *
signing_scheme_match(const char *key, const char *digest, bool pss)
{
    for (size_t i = 0; i < SIGNING_SCHEMES; i++)
        if (strcmp(schemes[i].key, key) == 0 && schemes[i].pss == pss &&
            signing_scheme_has_digest(&schemes[i], digest))
            return &schemes[i];
    return NULL;
}

const char *
signing_scheme_key(const EVP_PKEY *key)
{
    for (size_t i = 0; i < SIGNING_SCHEMES; i++)
        if (EVP_PKEY_is_a(key, schemes[i].key))
            return schemes[i].key;
    return NULL;
}

/* The figures that make up the public half, by type. Not its DER, which says
   the same in more than one way. */
static const struct {
    const char *key;
    const char *figures[2];
} halves[] = {
    {"EC", {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y}},
    {"RSA", {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E}},
    {"ED25519", {OSSL_PKEY_PARAM_PUB_KEY, NULL}},
};

/* More than RSA of 16384 bits. */
#define FIGURE_MAX 2048

static int
signing_scheme_add_figure(EVP_MD_CTX *hash, const EVP_PKEY *key,
                          const char *name)
{
    unsigned char octets[FIGURE_MAX];
    size_t len = 0;
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_octet_string_param(key, name, octets, sizeof(octets),
                                        &len) != 1) {
        if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
            return -EINVAL;
        len = (size_t)BN_num_bytes(number);
        if (len <= sizeof(octets))
            BN_bn2bin(number, octets);
        BN_free(number);
    }
    if (len > sizeof(octets))
        return -EINVAL;
    return EVP_DigestUpdate(hash, &len, sizeof(len)) == 1 &&
                   EVP_DigestUpdate(hash, octets, len) == 1
               ? 0
               : -EINVAL;
}

int
signing_scheme_key_id(const EVP_PKEY *key, uint8_t id[SIGNING_KEY_ID])
{
    const char *type = signing_scheme_key(key);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int error = -EINVAL;
    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        if (hash == NULL || type == NULL || strcmp(halves[i].key, type) != 0)
            continue;
        error = EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 ? 0 : -EINVAL;
        for (size_t j = 0; j < 2 && error == 0; j++)
            if (halves[i].figures[j] != NULL)
                error =
                    signing_scheme_add_figure(hash, key, halves[i].figures[j]);
        if (error == 0 && EVP_DigestFinal_ex(hash, id, NULL) != 1)
            error = -EINVAL;
    }
    EVP_MD_CTX_free(hash);
    return error;
}
