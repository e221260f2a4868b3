/* These functions read no file: what OpenSSL 3 has in their place would load a
   provider, which a confined process cannot. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "gateway/observer/config_hash.h"

#include <openssl/sha.h>
#include <stdio.h>

void
config_hash(const char *text, size_t len, char hash[CONFIG_HASH_MAX])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, text, len);
    SHA256_Final(digest, &context);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hash + 2 * i, 3, "%02x", digest[i]);
}
