#include "gateway/worker/signing_provider.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "gateway/signing_scheme.h"
#include "gateway/worker/signing.h"

#define BUILT_IN "provider=default"

/* A key as this provider has it: made empty and filled in by import. */
struct provided_key {
    struct signing *signing; /* borrowed */
    const char *type;        /* of signing_scheme.h */
    EVP_PKEY *public;        /* of the built-in provider; owned */
    uint8_t id[SIGNING_KEY_ID];
};

/* A signature on its way. */
struct provided_signature {
    const struct provided_key *key; /* borrowed */
    char digest[16];
    bool pss;
};

/* --- keys ---------------------------------------------------------------- */

/* The context of the provider is the worker's struct signing: OpenSSL gives it
   to no init function of a built-in provider, so that it is noted before the
   provider is loaded (signing_load). */
static struct signing *provided_for;

void
signing_provider_serve(struct signing *signing)
{
    provided_for = signing;
}

static void *
provided_key_new(void *context, const char *type)
{
    struct provided_key *key = calloc(1, sizeof(*key));
    if (key == NULL)
        return NULL;
    key->signing = context;
    key->type = type;
    return key;
}

static void *
provided_key_new_ec(void *context)
{
    return provided_key_new(context, "EC");
}

static void *
provided_key_new_rsa(void *context)
{
    return provided_key_new(context, "RSA");
}

static void *
provided_key_new_ed25519(void *context)
{
    return provided_key_new(context, "ED25519");
}

static void
provided_key_free(void *keydata)
{
    struct provided_key *key = keydata;
    if (key != NULL)
        EVP_PKEY_free(key->public);
    free(key);
}

static int
provided_key_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    struct provided_key *key = keydata;
    EVP_PKEY_CTX *from =
        EVP_PKEY_CTX_new_from_name(key->signing->library, key->type, BUILT_IN);
    (void)selection;
    int done = key->public == NULL && from != NULL &&
               EVP_PKEY_fromdata_init(from) == 1 &&
               EVP_PKEY_fromdata(from, &key->public, EVP_PKEY_PUBLIC_KEY,
                                 (OSSL_PARAM *)params) == 1 &&
               signing_scheme_key_id(key->public, key->id) == 0;
    EVP_PKEY_CTX_free(from);
    return done;
}

/* Everything: the private half is there, although elsewhere. */
static int
provided_key_has(const void *keydata, int selection)
{
    const struct provided_key *key = keydata;
    (void)selection;
    return key != NULL && key->public != NULL;
}

static int
provided_key_match(const void *a, const void *b, int selection)
{
    const struct provided_key *one = a, *other = b;
    (void)selection;
    return memcmp(one->id, other->id, sizeof(one->id)) == 0;
}

/* The public half alone: a request for the private one makes OpenSSL look for a
   signature of this provider. */
static int
provided_key_export(void *keydata, int selection, OSSL_CALLBACK *take,
                    void *arg)
{
    struct provided_key *key = keydata;
    OSSL_PARAM *params = NULL;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
        EVP_PKEY_todata(key->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
        return 0;
    int done = take(params, arg);
    OSSL_PARAM_free(params);
    return done;
}

/* A provider must say what it takes; OpenSSL asks for the lists of the
   built-in one where it matters. */
static const OSSL_PARAM *
provided_key_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END};
    static const OSSL_PARAM none[] = {OSSL_PARAM_END};
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? none : types;
}

static int
provided_key_get_params(void *keydata, OSSL_PARAM params[])
{
    const struct provided_key *key = keydata;
    return EVP_PKEY_get_params(key->public, params);
}

static const OSSL_PARAM *
provided_key_gettable_params(void *context)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_END};
    (void)context;
    return gettable;
}

static const char *
provided_key_operation_ec(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

typedef void dispatched_fn(void);

#define DISPATCH(number, function)                                             \
    {                                                                          \
        number, (dispatched_fn *)(function)                                    \
    }
#define KEY_FUNCTIONS(make)                                                    \
    DISPATCH(OSSL_FUNC_KEYMGMT_NEW, make),                                     \
        DISPATCH(OSSL_FUNC_KEYMGMT_FREE, provided_key_free),                   \
        DISPATCH(OSSL_FUNC_KEYMGMT_IMPORT, provided_key_import),               \
        DISPATCH(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, provided_key_types),          \
        DISPATCH(OSSL_FUNC_KEYMGMT_HAS, provided_key_has),                     \
        DISPATCH(OSSL_FUNC_KEYMGMT_MATCH, provided_key_match),                 \
        DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT, provided_key_export),               \
        DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, provided_key_types),          \
        DISPATCH(OSSL_FUNC_KEYMGMT_GET_PARAMS, provided_key_get_params),       \
        DISPATCH(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,                            \
                 provided_key_gettable_params)

static const OSSL_DISPATCH ec_functions[] = {
    KEY_FUNCTIONS(provided_key_new_ec),
    DISPATCH(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, provided_key_operation_ec),
    {0, NULL}};
static const OSSL_DISPATCH rsa_functions[] = {
    KEY_FUNCTIONS(provided_key_new_rsa), {0, NULL}};
static const OSSL_DISPATCH ed25519_functions[] = {
    KEY_FUNCTIONS(provided_key_new_ed25519), {0, NULL}};

/* --- signatures ---------------------------------------------------------- */

static void *
provided_signature_new(void *context, const char *properties)
{
    (void)context;
    (void)properties;
    return calloc(1, sizeof(struct provided_signature));
}

static void
provided_signature_free(void *operation)
{
    free(operation);
}

/* The padding of RSA; the salt is always as long as the hash, in TLS. */
static int
provided_signature_set_params(void *operation, const OSSL_PARAM params[])
{
    struct provided_signature *signature = operation;
    const OSSL_PARAM *padding =
        OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    int number = 0;
    if (padding == NULL)
        return 1;
    if (padding->data_type == OSSL_PARAM_UTF8_STRING)
        signature->pss = strcmp(padding->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
    else if (OSSL_PARAM_get_int(padding, &number) == 1)
        signature->pss = number == RSA_PKCS1_PSS_PADDING;
    else
        return 0;
    return 1;
}

static const OSSL_PARAM *
provided_signature_settable(void *operation, void *context)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END};
    (void)operation;
    (void)context;
    return settable;
}

static int
provided_signature_begin(void *operation, const char *digest, void *keydata,
                         const OSSL_PARAM params[])
{
    struct provided_signature *signature = operation;
    *signature = (struct provided_signature){.key = keydata};
    if (digest != NULL && strlen(digest) >= sizeof(signature->digest))
        return 0;
    if (digest != NULL)
        strcpy(signature->digest, digest);
    return params == NULL || provided_signature_set_params(operation, params);
}

/* Called without room first, for the size. */
static int
provided_signature_make(void *operation, unsigned char *octets, size_t *len,
                        size_t room, const unsigned char *message,
                        size_t message_len)
{
    const struct provided_signature *signature = operation;
    const struct provided_key *key = signature->key;
    const char *digest =
        signature->digest[0] != '\0' ? signature->digest : NULL;
    const struct signing_scheme *scheme =
        signing_scheme_match(key->type, digest, signature->pss);
    if (scheme == NULL)
        return 0;
    if (octets == NULL) {
        *len = (size_t)EVP_PKEY_get_size(key->public);
        return 1;
    }
    return signing_wait(key->signing, key->id, scheme->number, message,
                        message_len, octets, room, len);
}

static const OSSL_DISPATCH signature_functions[] = {
    DISPATCH(OSSL_FUNC_SIGNATURE_NEWCTX, provided_signature_new),
    DISPATCH(OSSL_FUNC_SIGNATURE_FREECTX, provided_signature_free),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, provided_signature_begin),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, provided_signature_make),
    DISPATCH(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, provided_signature_set_params),
    DISPATCH(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS,
             provided_signature_settable),
    {0, NULL}};

/* --- the provider -------------------------------------------------------- */

/* Names as the built-in provider has them: keys are compared by them. */
#define PROPERTIES "provider=" SIGNING_PROVIDER

static const OSSL_ALGORITHM *
provided_query(void *context, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keys[] = {
        {"EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, ec_functions, NULL},
        {"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, rsa_functions,
         NULL},
        {"ED25519:1.3.101.112", PROPERTIES, ed25519_functions, NULL},
        {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM signatures[] = {
        {"ECDSA", PROPERTIES, signature_functions, NULL},
        {"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES,
         signature_functions, NULL},
        {"ED25519:1.3.101.112", PROPERTIES, signature_functions, NULL},
        {NULL, NULL, NULL, NULL}};
    (void)context;
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return keys;
    return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

int
signing_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                      const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        DISPATCH(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provided_query),
        {0, NULL}};
    (void)core;
    (void)in;
    *out = functions;
    *context = provided_for;
    return 1;
}

EVP_PKEY *
signing_provider_key(struct signing *signing, EVP_PKEY *public)
{
    const char *type = signing_scheme_key(public);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    if (type == NULL ||
        EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
        return NULL;
    EVP_PKEY_CTX *from =
        EVP_PKEY_CTX_new_from_name(signing->library, type, PROPERTIES);
    if (from != NULL && EVP_PKEY_fromdata_init(from) == 1 &&
        EVP_PKEY_fromdata(from, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(from);
    OSSL_PARAM_free(params);
    return key;
}
