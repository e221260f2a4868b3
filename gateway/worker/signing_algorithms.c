#include "gateway/worker/signing_algorithms.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

/* The built-in provider, in a library context of its own: its functions are
   called with its context, so that they work as they do there. */
static OSSL_LIB_CTX *algorithms_library;
static OSSL_PROVIDER *algorithms_builtin, *algorithms_chosen;

/* Of each operation at most. */
#define ALGORITHMS_MAX 16

/* Operations that are not here have none. SHA1 is what OpenSSL tells
   certificates apart by; AES-256-CBC is for tickets, HMAC for what resumes by
   them. */
static const struct algorithms_list {
    int operation;
    const char *property; /* that their definition has; NULL: any */
    const char *names[ALGORITHMS_MAX];
} algorithms_lists[] = {
    {OSSL_OP_DIGEST,
     NULL,
     {"SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512"}},
    {OSSL_OP_CIPHER,
     NULL,
     {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305", "AES-256-CBC",
      "AES-256-CTR"}},
    {OSSL_OP_MAC, NULL, {"HMAC"}},
    {OSSL_OP_KDF, NULL, {"HKDF", "TLS13-KDF", "TLS1-PRF"}},
    {OSSL_OP_RAND, NULL, {"CTR-DRBG", "SEED-SRC"}},
    {OSSL_OP_KEYMGMT,
     NULL,
     {"EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519", "HKDF", "TLS1-PRF",
      "HMAC"}},
    {OSSL_OP_KEYEXCH, NULL, {"ECDH", "X25519", "HKDF", "TLS1-PRF"}},
    {OSSL_OP_SIGNATURE, NULL, {"ECDSA", "RSA", "ED25519", "ED448", "HMAC"}},
    {OSSL_OP_DECODER,
     "input=der,structure=SubjectPublicKeyInfo",
     {"EC", "RSA", "RSA-PSS", "ED25519", "ED448"}},
};

#define ALGORITHMS_LISTS                                                       \
    (sizeof(algorithms_lists) / sizeof(algorithms_lists[0]))

/* An algorithm's names are "one:other:1.2.3". */
static bool
algorithms_is_named(const OSSL_ALGORITHM *algorithm, const char *name)
{
    size_t len = strlen(name);

    return strncmp(algorithm->algorithm_names, name, len) == 0 &&
           (algorithm->algorithm_names[len] == '\0' ||
            algorithm->algorithm_names[len] == ':');
}

static bool
algorithms_is_listed(const struct algorithms_list *list,
                     const OSSL_ALGORITHM *algorithm)
{
    if (list->property != NULL &&
        strstr(algorithm->property_definition, list->property) == NULL)
        return false;
    for (size_t i = 0; i < ALGORITHMS_MAX && list->names[i] != NULL; i++)
        if (algorithms_is_named(algorithm, list->names[i]))
            return true;
    return false;
}

static void
algorithms_choose(const struct algorithms_list *list, OSSL_ALGORITHM *chosen)
{
    int no_cache;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(
        algorithms_builtin, list->operation, &no_cache);

    for (size_t count = 0; all->algorithm_names != NULL; all++)
        if (count < ALGORITHMS_MAX && algorithms_is_listed(list, all))
            chosen[count++] = *all;
}

/* Called for each certificate, so that the choice is kept. */
static const OSSL_ALGORITHM *
algorithms_query(void *context, int operation, int *no_cache)
{
    static OSSL_ALGORITHM chosen[ALGORITHMS_LISTS][ALGORITHMS_MAX + 1];
    size_t i = 0;

    (void)context;
    *no_cache = 0;
    while (i < ALGORITHMS_LISTS && algorithms_lists[i].operation != operation)
        i++;
    if (i == ALGORITHMS_LISTS)
        return NULL;
    if (chosen[i][0].algorithm_names == NULL)
        algorithms_choose(&algorithms_lists[i], chosen[i]);
    return chosen[i];
}

static int
algorithms_capabilities(void *context, const char *capability,
                        OSSL_CALLBACK *take, void *arg)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(algorithms_builtin, capability, take,
                                          arg);
}

static int
algorithms_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                const OSSL_DISPATCH **out, void **context)
{
    typedef void dispatched_fn(void);
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (dispatched_fn *)algorithms_query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES,
         (dispatched_fn *)algorithms_capabilities},
        {0, NULL}};

    (void)core, (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(algorithms_builtin);
    return 1;
}

int
signing_algorithms_load(OSSL_LIB_CTX *library)
{
    algorithms_library = OSSL_LIB_CTX_new();
    if (algorithms_library == NULL)
        return -ENOMEM;
    algorithms_builtin = OSSL_PROVIDER_load(algorithms_library, "default");
    if (algorithms_builtin == NULL ||
        OSSL_PROVIDER_add_builtin(library, "algorithms", algorithms_init) != 1)
        return -ENOMEM;
    algorithms_chosen = OSSL_PROVIDER_load(library, "algorithms");
    return algorithms_chosen != NULL ? 0 : -ENOMEM;
}

void
signing_algorithms_unload(OSSL_LIB_CTX *library)
{
    if (algorithms_chosen != NULL)
        OSSL_PROVIDER_unload(algorithms_chosen);
    OSSL_LIB_CTX_free(library);
    if (algorithms_builtin != NULL)
        OSSL_PROVIDER_unload(algorithms_builtin);
    OSSL_LIB_CTX_free(algorithms_library);
    algorithms_builtin = algorithms_chosen = NULL;
    algorithms_library = NULL;
}
