#include "gateway/authenticator/passwords.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* --- MACs ---------------------------------------------------------------- */

/* False: OpenSSL has no memory. */
static bool
passwords_find_mac(const struct passwords *passwords, const void *octets,
                   size_t len, uint8_t mac[PASSWORDS_MAC])
{
    return HMAC(EVP_sha256(), passwords->secret, sizeof(passwords->secret),
                octets, len, mac, NULL) != NULL;
}

int
passwords_init(struct passwords *passwords)
{
    uint8_t mac[PASSWORDS_MAC];

    memset(passwords, 0, sizeof(*passwords));
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT,
                        NULL);
    if (getrandom(passwords->secret, sizeof(passwords->secret), 0) < 0)
        return -errno;
    return passwords_find_mac(passwords, "", 0, mac) ? 0 : -ENOMEM;
}

/* --- the file ------------------------------------------------------------ */

void
passwords_fini(struct passwords *passwords)
{
    if (passwords->memories != NULL)
        explicit_bzero(passwords->memories,
                       passwords->users.count * sizeof(*passwords->memories));
    free(passwords->memories);
    users_file_free(&passwords->users);
    if (passwords->text != NULL)
        munmap(passwords->text, passwords->len);
    passwords->memories = NULL;
    passwords->text = NULL;
}

int
passwords_take(struct passwords *passwords, int fd, size_t len)
{
    passwords_fini(passwords);
    if (len == 0 || len > USERS_FILE_MAX)
        return -EINVAL;
    char *text = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return -errno;
    passwords->text = text;
    passwords->len = len;
    int error = users_file_parse(&passwords->users, text, len, NULL, NULL);
    if (error == 0) {
        passwords->memories =
            calloc(passwords->users.count + 1, sizeof(*passwords->memories));
        error = passwords->memories != NULL ? 0 : -ENOMEM;
    }
    if (error != 0)
        passwords_fini(passwords);
    return error;
}

/* --- passwords ----------------------------------------------------------- */

/* The user whose hash is computed in place of an unknown user's: the MAC of the
   name chooses one that is not locked. NULL: there is none. */
static const struct users_file_entry *
passwords_stand_in(const struct passwords *passwords, const uint8_t *mac)
{
    size_t count = passwords->users.count, at;

    memcpy(&at, mac, sizeof(at));
    for (size_t i = 0; i < count; i++) {
        const struct users_file_entry *entry =
            &passwords->users.entries[(at % count + i) % count];
        if (!entry->locked)
            return entry;
    }
    return NULL;
}

/* NULL: there is no such user, or it is locked. */
static const struct users_file_entry *
passwords_find(const struct passwords *passwords,
               const struct authentication_question *asked)
{
    const struct users_file_entry *entry =
        users_file_find(&passwords->users, asked->user, asked->user_len);

    return entry != NULL && !entry->locked ? entry : NULL;
}

bool
passwords_remember(struct passwords *passwords,
                   const struct authentication_question *asked, uint64_t now_ms)
{
    uint8_t mac[PASSWORDS_MAC];

    if (passwords->text == NULL ||
        !passwords_find_mac(passwords, asked->password, asked->password_len,
                            mac))
        return false;
    const struct users_file_entry *entry = passwords_find(passwords, asked);
    struct password_memory *memory =
        entry != NULL ? &passwords->memories[entry - passwords->users.entries]
                      : NULL;
    bool same = memory != NULL && memory->until_ms > now_ms &&
                CRYPTO_memcmp(memory->mac, mac, sizeof(mac)) == 0;
    if (same)
        memory->until_ms = now_ms + PASSWORDS_REMEMBERED_MS;
    explicit_bzero(mac, sizeof(mac));
    return same;
}

/* Whether the password has the entry's hash; -1: crypt(3) cannot tell. */
static int
passwords_compare(struct passwords *passwords,
                  const struct users_file_entry *entry, const char *password)
{
    char hash[USERS_FILE_HASH_MAX + 1];

    memcpy(hash, entry->hash, entry->hash_len);
    hash[entry->hash_len] = '\0';
    const char *made = crypt_rn(password, hash, &passwords->scratch,
                                sizeof(passwords->scratch));
    int same = made == NULL
                   ? -1
                   : strlen(made) == entry->hash_len &&
                         CRYPTO_memcmp(made, hash, entry->hash_len) == 0;
    explicit_bzero(&passwords->scratch, sizeof(passwords->scratch));
    return same;
}

enum authentication_outcome
passwords_check(struct passwords *passwords,
                const struct authentication_question *asked, uint64_t now_ms)
{
    char password[AUTHENTICATION_PASSWORD_MAX + 1];
    uint8_t mac[PASSWORDS_MAC], name_mac[PASSWORDS_MAC];
    enum authentication_outcome outcome = AUTHENTICATION_FAILED;

    if (passwords->text == NULL ||
        !passwords_find_mac(passwords, asked->password, asked->password_len,
                            mac) ||
        !passwords_find_mac(passwords, asked->user, asked->user_len, name_mac))
        return outcome;
    const struct users_file_entry *entry = passwords_find(passwords, asked);
    bool known = entry != NULL;
    if (!known)
        entry = passwords_stand_in(passwords, name_mac);
    struct password_memory *memory =
        known ? &passwords->memories[entry - passwords->users.entries] : NULL;
    memcpy(password, asked->password, asked->password_len);
    password[asked->password_len] = '\0';
    /* crypt(3) would end at a NUL, and take another password for the same. */
    known = known && strlen(password) == asked->password_len;
    if (entry == NULL) {
        outcome = AUTHENTICATION_REFUSED;
    } else if (passwords_remember(passwords, asked, now_ms)) {
        outcome = AUTHENTICATION_ACCEPTED;
    } else {
        int same = passwords_compare(passwords, entry, password);
        if (same >= 0 || !known)
            outcome = known && same == 1 ? AUTHENTICATION_ACCEPTED
                                         : AUTHENTICATION_REFUSED;
        if (outcome == AUTHENTICATION_ACCEPTED) {
            memcpy(memory->mac, mac, sizeof(mac));
            memory->until_ms = now_ms + PASSWORDS_REMEMBERED_MS;
        }
    }
    explicit_bzero(password, sizeof(password));
    explicit_bzero(mac, sizeof(mac));
    return outcome;
}
