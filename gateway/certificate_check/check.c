#include "gateway/certificate_check/check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "gateway/signing_scheme.h"

#define DAY 86400
#define DATE_MAX 40
/* A browser's limit, and CAs'. */
#define CHAIN_MAX 10
#define RSA_LEAST_BITS 2048
#define RSA_FAST_BITS 3072
#define RSA_MOST_BITS (8 * SIGNING_SIGNATURE_MAX)
/* Of names of CAs in a message of TLS, each with its length in front. */
#define NAMES_MAX 65535
/* Of a hash that is signed: SHA-1 has less. */
#define SIGNATURE_LEAST_BITS 100

/* --- reports ------------------------------------------------------------- */

static void __attribute__((format(printf, 4, 5)))
check_say(const struct check *check, enum tls_file_kind kind,
          enum certificate_finding finding, const char *format, ...)
{
    struct certificate_report report = {
        .finding = finding, .kind = kind, .listener = check->listener};
    va_list args;
    va_start(args, format);
    vsnprintf(report.text, sizeof(report.text), format, args);
    va_end(args);
    for (char *at = report.text; *at != '\0'; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    check->report(check, &report);
}

/* "2026-11-30" */
static const char *
check_date(const ASN1_TIME *time, char text[DATE_MAX])
{
    struct tm broken = {0};
    if (ASN1_TIME_to_tm(time, &broken) != 1)
        return "no date";
    snprintf(text, DATE_MAX, "%d-%02d-%02d", broken.tm_year + 1900,
             broken.tm_mon + 1, broken.tm_mday);
    return text;
}

/* --- PEM ----------------------------------------------------------------- */

typedef STACK_OF(X509_INFO) check_pem;

/* All that is in a file; NULL: there is no such file, or it is not PEM. */
static check_pem *
check_read(const struct check *check, enum tls_file_kind kind)
{
    size_t len;
    const uint8_t *octets =
        tls_files_find(check->files, kind, check->listener, &len);
    if (octets == NULL)
        return NULL;
    BIO *from = BIO_new_mem_buf(octets, (int)len);
    check_pem *found = PEM_X509_INFO_read_bio(from, NULL, NULL, NULL);
    BIO_free(from);
    return found;
}

static bool
check_is_there(const struct check *check, enum tls_file_kind kind)
{
    size_t len;
    return tls_files_find(check->files, kind, check->listener, &len) != NULL;
}

/* What the file is instead of `wanted`, the label of such PEM, and what to do;
   the beginning of the sentence is the caller's. */
#define INSTEAD_MAX 96
static const char *
check_instead(const uint8_t *octets, size_t len, const char *wanted,
              char text[INSTEAD_MAX])
{
    static const char begin[] = "-----BEGIN ";
    const char *at = memmem(octets, len, begin, sizeof(begin) - 1);
    size_t room = at != NULL ? len - (size_t)(at - (const char *)octets) : 0;
    const char *label = at != NULL ? at + sizeof(begin) - 1 : NULL;
    const char *end =
        label != NULL ? memmem(label, room - (sizeof(begin) - 1), "-----", 5)
                      : NULL;

    if (end == NULL && len > 0 && octets[0] == 0x30) /* SEQUENCE */
        return "; it may be DER or PKCS #12: convert it (openssl x509, pkey or "
               "pkcs12)";
    if (end == NULL || end - label > 40)
        return "; name a file that begins with -----BEGIN";
    size_t tail = strlen(wanted); /* "EC PRIVATE KEY" is one, too */
    if ((size_t)(end - label) >= tail && memcmp(end - tail, wanted, tail) == 0)
        return "; what is there is damaged: copy it again";
    snprintf(text, INSTEAD_MAX, ", but \"%.*s\"; name the right file",
             (int)(end - label), label);
    return text;
}

/* `what` is missing in the file of that kind. */
static void
check_say_missing(const struct check *check, enum tls_file_kind kind,
                  const char *what, const char *wanted)
{
    size_t len = 0;
    char text[INSTEAD_MAX];
    const uint8_t *octets =
        tls_files_find(check->files, kind, check->listener, &len);
    check_say(check, kind, CERTIFICATE_ERROR, "has no %s in PEM%s", what,
              check_instead(octets, len, wanted, text));
}

static X509 *
check_certificate_at(const check_pem *pem, int wanted)
{
    for (int i = 0; pem != NULL && i < sk_X509_INFO_num(pem); i++) {
        const X509_INFO *info = sk_X509_INFO_value(pem, i);
        if (info->x509 != NULL && wanted-- == 0)
            return info->x509;
    }
    return NULL;
}

/* --- the gateway's certificate ------------------------------------------- */

static void
check_dates(const struct check *check, enum tls_file_kind kind, X509 *one,
            const char *which)
{
    const ASN1_TIME *from = X509_get0_notBefore(one);
    const ASN1_TIME *to = X509_get0_notAfter(one);
    bool is_ca = kind == TLS_FILE_CA;
    time_t now = check->now_s;
    char date[DATE_MAX];
    int days = 0, seconds = 0;
    ASN1_TIME *at = ASN1_TIME_set(NULL, now);
    if (X509_cmp_time(from, &now) > 0)
        check_say(check, kind, is_ca ? CERTIFICATE_WARNING : CERTIFICATE_ERROR,
                  "%s is not valid before %s; wait, or check the clock", which,
                  check_date(from, date));
    if (X509_cmp_time(to, &now) <= 0)
        check_say(check, kind, is_ca ? CERTIFICATE_WARNING : CERTIFICATE_ERROR,
                  "%s has expired on %s; renew it", which,
                  check_date(to, date));
    else if (ASN1_TIME_diff(&days, &seconds, at, to) == 1 &&
             (int64_t)days * DAY + seconds < CERTIFICATE_WARN_S)
        check_say(check, kind, CERTIFICATE_WARNING,
                  "%s expires on %s, in %d days; renew it", which,
                  check_date(to, date), days);
    ASN1_TIME_free(at);
}

static void
check_strength(const struct check *check, enum tls_file_kind kind, X509 *one,
               const char *which)
{
    int bits = 0;
    EVP_PKEY *key = X509_get0_pubkey(one);
    if (key != NULL && EVP_PKEY_is_a(key, "RSA") &&
        EVP_PKEY_get_bits(key) < RSA_LEAST_BITS)
        check_say(check, kind, CERTIFICATE_ERROR,
                  "%s has an RSA key of %d bits, which is weak; use P-256, or "
                  "RSA of at least %d bits",
                  which, EVP_PKEY_get_bits(key), RSA_LEAST_BITS);
    if (X509_get_signature_info(one, NULL, NULL, &bits, NULL) == 1 &&
        bits < SIGNATURE_LEAST_BITS &&
        !(X509_get_extension_flags(one) & EXFLAG_SS))
        check_say(check, kind, CERTIFICATE_ERROR,
                  "%s is signed with a weak hash (SHA-1 or MD5), which clients "
                  "refuse; have it signed anew with SHA-256",
                  which);
}

/* The first certificate is the gateway's own. */
static void
check_leaf(const struct check *check, X509 *leaf)
{
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    const char *type = key != NULL ? signing_scheme_key(key) : NULL;
    if (type == NULL) {
        check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_ERROR,
                  "its key is of a kind that is not served; use P-256, RSA or "
                  "Ed25519");
        return;
    }
    int bits = EVP_PKEY_is_a(key, "RSA") ? EVP_PKEY_get_bits(key) : 0;
    if (bits > RSA_MOST_BITS)
        check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_ERROR,
                  "an RSA key of %d bits is not served; use P-256, or RSA of "
                  "at most %d bits",
                  bits, RSA_MOST_BITS);
    else if (bits > RSA_FAST_BITS)
        check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_WARNING,
                  "an RSA key of %d bits makes each handshake slow; use P-256",
                  bits);
}

/* A host's name or address; a name for mail alone is no use to clients. */
static bool
check_names_host(X509 *leaf)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type = sk_GENERAL_NAME_value(names, i)->type;
        found |= type == GEN_DNS || type == GEN_IPADD;
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* A listener's certificate is looked at by clients, that of a parent's entry by
   the parent. */
static void
check_use(const struct check *check, X509 *leaf)
{
    int purpose =
        check->parent ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;
    if (X509_check_purpose(leaf, purpose, 0) == 0)
        check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_WARNING,
                  "its extendedKeyUsage or keyUsage does not allow it for %s; "
                  "have it issued with extendedKeyUsage=%s",
                  check->parent ? "a client, so the parent refuses it"
                                : "a server, so clients refuse it",
                  check->parent ? "clientAuth" : "serverAuth");
    if (!check->parent && !check_names_host(leaf))
        check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_WARNING,
                  "has no DNS name or IP address in subjectAltName, where "
                  "clients look for the gateway's name (never at CN), so they "
                  "refuse it; have it issued with subjectAltName=DNS:NAME");
}

static void
check_expiry(const struct check *check, const check_pem *pem)
{
    struct certificate_report report = {.finding = CERTIFICATE_EXPIRES,
                                        .kind = TLS_FILE_CERTIFICATE,
                                        .listener = check->listener};
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    X509 *one;
    for (int i = 0; (one = check_certificate_at(pem, i)) != NULL; i++) {
        int days = 0, seconds = 0;
        ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(one));
        int64_t end = (int64_t)days * DAY + seconds;
        if (end > 0 && (i == 0 || (uint64_t)end < report.expires_s))
            report.expires_s = (uint64_t)end;
    }
    ASN1_TIME_free(epoch);
    check->report(check, &report);
}

static const char *
check_name(int at, char text[48])
{
    if (at == 0)
        return "it";
    snprintf(text, 48, "certificate %d of the chain", at + 1);
    return text;
}

static void
check_chain(const struct check *check, const check_pem *pem)
{
    X509 *one = check_certificate_at(pem, 0), *next;
    char name[48];
    check_leaf(check, one);
    check_use(check, one);
    for (int i = 0; one != NULL; i++, one = next) {
        check_name(i, name);
        if (i == CHAIN_MAX) {
            check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_ERROR,
                      "has more than %d certificates; give the gateway's and "
                      "those between it and the CA",
                      CHAIN_MAX);
            return;
        }
        check_dates(check, TLS_FILE_CERTIFICATE, one, check_name(i, name));
        check_strength(check, TLS_FILE_CERTIFICATE, one, check_name(i, name));
        next = check_certificate_at(pem, i + 1);
        if (next != NULL && X509_check_issued(next, one) != X509_V_OK)
            check_say(check, TLS_FILE_CERTIFICATE, CERTIFICATE_WARNING,
                      "certificate %d of the chain is not the one that has "
                      "signed the certificate before; put each behind the one "
                      "that it has signed",
                      i + 2);
    }
}

/* --- the key ------------------------------------------------------------- */

struct check_passphrase {
    bool asked;
};

static int
check_passphrase(char *text, int room, int writing, void *context)
{
    struct check_passphrase *passphrase = context;
    (void)text;
    (void)room;
    (void)writing;
    passphrase->asked = true;
    return -1;
}

static void
check_key(const struct check *check, X509 *leaf)
{
    struct check_passphrase passphrase = {false};
    char text[INSTEAD_MAX];
    BIO *from = BIO_new_mem_buf(check->key, (int)check->key_len);
    EVP_PKEY *key =
        PEM_read_bio_PrivateKey(from, NULL, check_passphrase, &passphrase);
    BIO_free(from);
    if (passphrase.asked)
        check_say(check, TLS_FILE_KEY, CERTIFICATE_ERROR,
                  "is encrypted, and nobody is there to type the passphrase; "
                  "store it without one (openssl pkey -in OLD -out NEW), "
                  "which nobody but the gateway can read");
    else if (key == NULL)
        check_say(
            check, TLS_FILE_KEY, CERTIFICATE_ERROR,
            "has no private key in PEM%s",
            check_instead(check->key, check->key_len, "PRIVATE KEY", text));
    else if (leaf != NULL && EVP_PKEY_eq(X509_get0_pubkey(leaf), key) != 1)
        check_say(check, TLS_FILE_KEY, CERTIFICATE_ERROR,
                  "is not the key of the certificate; give the pair that "
                  "belongs together");
    EVP_PKEY_free(key);
}

/* --- clients' CAs -------------------------------------------------------- */

static void
check_cas(const struct check *check, const check_pem *pem)
{
    X509 *one;
    char subject[80], name[96];
    size_t names = 0;
    for (int i = 0; (one = check_certificate_at(pem, i)) != NULL; i++) {
        int len = i2d_X509_NAME(X509_get_subject_name(one), NULL);
        names += len > 0 ? (size_t)len + 2 : 0;
        X509_NAME_oneline(X509_get_subject_name(one), subject, sizeof(subject));
        snprintf(name, sizeof(name), "%s", subject);
        check_dates(check, TLS_FILE_CA, one, name);
        if (X509_check_ca(one) == 0)
            check_say(check, TLS_FILE_CA, CERTIFICATE_WARNING,
                      "%s is not the certificate of a CA; it verifies nobody",
                      name);
    }
    if (!check->parent && names > NAMES_MAX)
        check_say(check, TLS_FILE_CA, CERTIFICATE_ERROR,
                  "the names of its CAs, which each client is told, are longer "
                  "than the %d octets that TLS has for them; name the CAs of "
                  "clients alone",
                  NAMES_MAX);
}

static X509_CRL *
check_crl_at(const check_pem *pem, int wanted)
{
    for (int i = 0; pem != NULL && i < sk_X509_INFO_num(pem); i++) {
        const X509_INFO *info = sk_X509_INFO_value(pem, i);
        if (info->crl != NULL && wanted-- == 0)
            return info->crl;
    }
    return NULL;
}

/* Whether one of the CAs has signed it; NULL: none. */
static X509 *
check_find_issuer(const check_pem *cas, X509_CRL *crl)
{
    X509 *one;
    for (int i = 0; (one = check_certificate_at(cas, i)) != NULL; i++)
        if (X509_NAME_cmp(X509_get_subject_name(one),
                          X509_CRL_get_issuer(crl)) == 0)
            return one;
    return NULL;
}

static void
check_crls(const struct check *check, const check_pem *pem,
           const check_pem *cas)
{
    X509_CRL *one;
    char issuer[80], date[DATE_MAX];
    time_t now = check->now_s;
    for (int i = 0; (one = check_crl_at(pem, i)) != NULL; i++) {
        const ASN1_TIME *until = X509_CRL_get0_nextUpdate(one);
        X509 *ca = check_find_issuer(cas, one);
        X509_NAME_oneline(X509_CRL_get_issuer(one), issuer, sizeof(issuer));
        if (until != NULL && X509_cmp_time(until, &now) <= 0)
            check_say(check, TLS_FILE_CRL, CERTIFICATE_WARNING,
                      "the list of %s has expired on %s, and refuses all of "
                      "its clients; get a new one",
                      issuer, check_date(until, date));
        if (ca == NULL)
            check_say(check, TLS_FILE_CRL, CERTIFICATE_WARNING,
                      "the list of %s is of no CA in ca", issuer);
        else if (X509_CRL_verify(one, X509_get0_pubkey(ca)) != 1)
            check_say(check, TLS_FILE_CRL, CERTIFICATE_ERROR,
                      "the list of %s is not signed by that CA", issuer);
    }
}

/* --- all of it ----------------------------------------------------------- */

static void
check_clients(const struct check *check)
{
    check_pem *cas = check_read(check, TLS_FILE_CA);
    check_pem *crls = check_read(check, TLS_FILE_CRL);
    if (check_is_there(check, TLS_FILE_CA) &&
        check_certificate_at(cas, 0) == NULL)
        check_say_missing(check, TLS_FILE_CA, "certificate", "CERTIFICATE");
    else
        check_cas(check, cas);
    if (check_is_there(check, TLS_FILE_CRL) && check_crl_at(crls, 0) == NULL)
        check_say_missing(check, TLS_FILE_CRL, "revocation list", "X509 CRL");
    else
        check_crls(check, crls, cas);
    sk_X509_INFO_pop_free(cas, X509_INFO_free);
    sk_X509_INFO_pop_free(crls, X509_INFO_free);
}

static void
check_password(const struct check *check)
{
    size_t len;
    const uint8_t *octets =
        tls_files_find(check->files, TLS_FILE_PASSWORD, check->listener, &len);
    const char *why = octets != NULL ? tls_files_password(octets, &len) : NULL;

    if (why != NULL)
        check_say(check, TLS_FILE_PASSWORD, CERTIFICATE_ERROR, "%s", why);
}

void
check_listener(const struct check *check)
{
    check_pem *pem = check_read(check, TLS_FILE_CERTIFICATE);
    X509 *leaf = check_certificate_at(pem, 0);
    if (leaf == NULL && check_is_there(check, TLS_FILE_CERTIFICATE))
        check_say_missing(check, TLS_FILE_CERTIFICATE, "certificate",
                          "CERTIFICATE");
    else if (leaf != NULL) {
        check_chain(check, pem);
        check_expiry(check, pem);
    }
    if (check->key != NULL)
        check_key(check, leaf);
    check_clients(check);
    check_password(check);
    sk_X509_INFO_pop_free(pem, X509_INFO_free);
}
