#include "gateway/signer/keys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "gateway/signing_scheme.h"

/* --- OpenSSL ------------------------------------------------------------- */

/* A key is made and read once: whatever OpenSSL loads and seeds on the way, it
   does before the process is confined. It reads no configuration of its own. */
int
keys_prepare(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT,
                        NULL);
    tzset(); /* the first gmtime_r would read /etc/localtime */
    static struct keys scratch;
    BIO *text = BIO_new(BIO_s_mem());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char *pem;
    int error = -ENOMEM;
    if (text != NULL && key != NULL &&
        PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long len = BIO_get_mem_data(text, &pem);
        error = keys_add(&scratch, 0, KEY_SERVER, pem, (size_t)len);
    }
    keys_drop_before(&scratch, 1);
    EVP_PKEY_free(key);
    BIO_free(text);
    return error;
}

/* --- the table ----------------------------------------------------------- */

static struct private_key *
keys_find(struct keys *keys, const uint8_t id[SIGNING_KEY_ID])
{
    for (size_t i = 0; i < keys->count; i++)
        if (memcmp(keys->table[i].id, id, SIGNING_KEY_ID) == 0)
            return &keys->table[i];
    return NULL;
}

static void
keys_remove(struct keys *keys, struct private_key *key)
{
    for (size_t i = 0; i < SIGNING_SCHEMES; i++)
        EVP_PKEY_CTX_free(key->operations[i]);
    EVP_PKEY_free(key->key);
    *key = keys->table[--keys->count];
}

static struct private_key *
keys_oldest(struct keys *keys)
{
    struct private_key *oldest = &keys->table[0];
    for (size_t i = 1; i < keys->count; i++)
        if (keys->table[i].version < oldest->version)
            oldest = &keys->table[i];
    return oldest;
}

void
keys_drop_before(struct keys *keys, uint32_t version)
{
    for (size_t i = keys->count; i > 0; i--)
        if (keys->table[i - 1].version < version)
            keys_remove(keys, &keys->table[i - 1]);
}

/* Nobody is here to type a passphrase. */
static int
keys_no_passphrase(char *text, int room, int writing, void *context)
{
    (void)text;
    (void)room;
    (void)writing;
    (void)context;
    return -1;
}

int
keys_add(struct keys *keys, uint32_t version, unsigned uses, const void *pem,
         size_t len)
{
    struct private_key key = {.version = version, .uses = uses};
    BIO *from = BIO_new_mem_buf(pem, (int)len);
    if (from == NULL)
        return -ENOMEM;
    key.key = PEM_read_bio_PrivateKey(from, NULL, keys_no_passphrase, NULL);
    BIO_free(from);
    if (key.key != NULL)
        key.type = signing_scheme_key(key.key);
    if (key.type == NULL || signing_scheme_key_id(key.key, key.id) != 0) {
        EVP_PKEY_free(key.key);
        return -EINVAL;
    }
    struct private_key *same = keys_find(keys, key.id);
    if (same != NULL && same->version == version)
        key.uses |= same->uses;
    if (same != NULL)
        keys_remove(keys, same);
    else if (keys->count == KEYS_MAX)
        keys_remove(keys, keys_oldest(keys));
    keys->table[keys->count++] = key;
    return 0;
}

/* --- what may be signed -------------------------------------------------- */

/* RFC 8446, 4.4.3: 64 spaces, the context with its NUL, a hash. */
static bool
keys_is_certificate_verify(const struct signing_request *request,
                           const char *context)
{
    const uint8_t *at = request->message;
    size_t len = strlen(context) + 1;
    for (int i = 0; i < 64; i++)
        if (*at++ != ' ')
            return false;
    return (request->len == 64 + len + 32 || request->len == 64 + len + 48) &&
           memcmp(at, context, len) == 0;
}

/* RFC 8422, 5.4: both sides' random octets, then a named curve and a point. Of
   the curves that tls.c offers alone: where length and point were free, a whole
   certificate could be made to look like it. */
static bool
keys_is_key_exchange(const struct signing_request *request)
{
    static const struct {
        uint8_t octets[5]; /* type, curve, length of the point, its form */
        size_t count;
    } curves[] = {
        {{3, 0, 29, 32}, 4},    /* X25519 */
        {{3, 0, 23, 65, 4}, 5}, /* P-256, uncompressed */
        {{3, 0, 24, 97, 4}, 5}, /* P-384 */
    };
    const uint8_t *curve = request->message + 64;
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        if (memcmp(curve, curves[i].octets, curves[i].count) == 0)
            return request->len == 68u + curve[3];
    return false;
}

static bool
keys_may_sign(const struct private_key *key,
              const struct signing_request *request,
              const struct signing_scheme *scheme)
{
    if (scheme == NULL || strcmp(scheme->key, key->type) != 0 ||
        request->len > SIGNING_MESSAGE_MAX)
        return false;
    if ((key->uses & KEY_SERVER) &&
        (keys_is_key_exchange(request) ||
         (!scheme->only_1_2 &&
          keys_is_certificate_verify(request,
                                     "TLS 1.3, server CertificateVerify"))))
        return true;
    return (key->uses & KEY_CLIENT) && !scheme->only_1_2 &&
           keys_is_certificate_verify(request,
                                      "TLS 1.3, client CertificateVerify");
}

/* --- signatures ---------------------------------------------------------- */

/* Of the hash that the scheme wants. NULL: OpenSSL cannot. */
static EVP_PKEY_CTX *
keys_operation(struct private_key *key, const struct signing_scheme *scheme,
               const EVP_MD *hash)
{
    EVP_PKEY_CTX **kept = &key->operations[signing_scheme_index(scheme)];
    if (*kept != NULL)
        return *kept;
    EVP_PKEY_CTX *made = EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
    if (made != NULL && EVP_PKEY_sign_init(made) == 1 &&
        EVP_PKEY_CTX_set_signature_md(made, hash) == 1 &&
        (!scheme->pss ||
         (EVP_PKEY_CTX_set_rsa_padding(made, RSA_PKCS1_PSS_PADDING) == 1 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen(made, RSA_PSS_SALTLEN_DIGEST) == 1)))
        return *kept = made;
    EVP_PKEY_CTX_free(made);
    return NULL;
}

static bool
keys_make_of_hash(struct private_key *key,
                  const struct signing_request *request,
                  const struct signing_scheme *scheme,
                  struct signing_answer *answer)
{
    const EVP_MD *hash = EVP_get_digestbyname(scheme->digests[1]);
    uint8_t octets[EVP_MAX_MD_SIZE];
    unsigned octets_len;
    size_t len = sizeof(answer->signature);
    EVP_PKEY_CTX *operation = keys_operation(key, scheme, hash);
    if (operation == NULL ||
        EVP_Digest(request->message, request->len, octets, &octets_len, hash,
                   NULL) != 1 ||
        EVP_PKEY_sign(operation, answer->signature, &len, octets, octets_len) !=
            1)
        return false;
    answer->len = (uint32_t)len;
    return true;
}

static bool
keys_make_of_message(const struct private_key *key,
                     const struct signing_request *request,
                     struct signing_answer *answer)
{
    EVP_MD_CTX *operation = EVP_MD_CTX_new();
    size_t len = sizeof(answer->signature);
    bool done = operation != NULL &&
                EVP_DigestSignInit_ex(operation, NULL, NULL, NULL, NULL,
                                      key->key, NULL) == 1 &&
                EVP_DigestSign(operation, answer->signature, &len,
                               request->message, request->len) == 1;
    EVP_MD_CTX_free(operation);
    answer->len = done ? (uint32_t)len : 0;
    return done;
}

static bool
keys_make(struct private_key *key, const struct signing_request *request,
          const struct signing_scheme *scheme, struct signing_answer *answer)
{
    return scheme->digests[0] != NULL
               ? keys_make_of_hash(key, request, scheme, answer)
               : keys_make_of_message(key, request, answer);
}

void
keys_sign(struct keys *keys, const struct signing_request *request,
          struct signing_answer *answer)
{
    struct private_key *key = keys_find(keys, request->key);
    const struct signing_scheme *scheme = signing_scheme_find(request->scheme);
    memset(answer, 0, sizeof(*answer));
    answer->id = request->id;
    if (key == NULL)
        answer->outcome = SIGNING_NO_KEY;
    else if (!keys_may_sign(key, request, scheme))
        answer->outcome = SIGNING_REFUSED;
    else
        answer->outcome = keys_make(key, request, scheme, answer)
                              ? SIGNING_DONE
                              : SIGNING_FAILED;
}
