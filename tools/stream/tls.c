#include "tools/stream/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

struct tls_context {
    SSL_CTX *settings;
    bool server;
    bool has_certificate;
    char server_name[256]; /* empty: the host's */
};

struct tls {
    SSL *ssl;
    short read_events, write_events, last_events;
    bool has_certificate;
    bool wants_certificate; /* the peer's alert says that it asks for one */
    struct tls_fault fault;
};

static int __attribute__((format(printf, 3, 4)))
tls_say(struct tls_fault *fault, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    return error;
}

/* --- Contexts --- */

/* Why OpenSSL could not read a file. */
static int
tls_say_file(struct tls_fault *fault, const char *option, const char *file)
{
    unsigned long error = ERR_peek_last_error();
    FILE *readable = fopen(file, "re");
    const char *reason = ERR_reason_error_string(error);

    if (readable == NULL)
        return tls_say(fault, -EINVAL, "%s %s: %s", option, file,
                       strerror(errno));
    fclose(readable);
    return tls_say(fault, -EINVAL, "%s %s: %s; it must be a PEM file", option,
                   file, reason != NULL ? reason : "cannot be read");
}

/* Nobody is there to type a passphrase. */
static int
tls_refuse_passphrase(char *room, int size, int writes, void *context)
{
    (void)room, (void)size, (void)writes;
    *(bool *)context = true;
    return -1;
}

static int
tls_load_own(SSL_CTX *settings, const struct tls_options *options,
             struct tls_fault *fault)
{
    bool encrypted = false;

    if (SSL_CTX_use_certificate_chain_file(settings, options->certificate) != 1)
        return tls_say_file(fault, "--certificate", options->certificate);
    SSL_CTX_set_default_passwd_cb(settings, tls_refuse_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(settings, &encrypted);
    if (SSL_CTX_use_PrivateKey_file(settings, options->key, SSL_FILETYPE_PEM) ==
        1)
        return 0;
    if (encrypted)
        return tls_say(fault, -EINVAL,
                       "--key %s: is encrypted; 'openssl pkey' decrypts it",
                       options->key);
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return tls_say(fault, -EINVAL,
                       "--key %s: is not the key of the certificate in %s",
                       options->key, options->certificate);
    return tls_say_file(fault, "--key", options->key);
}

static int
tls_load_authorities(SSL_CTX *settings, const struct tls_options *options,
                     struct tls_fault *fault)
{
    SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, NULL);
    if (options->ca == NULL) {
        SSL_CTX_set_default_verify_paths(settings);
        return 0;
    }
    if (SSL_CTX_load_verify_file(settings, options->ca) == 1)
        return 0;
    return tls_say_file(fault, "--ca", options->ca);
}

/* Each call of SSL_read handles one record at most, so that a peer that sends
   records without octets keeps nobody in it. */
static SSL_CTX *
tls_settings_new(bool server)
{
    SSL_CTX *settings =
        SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    if (settings == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(settings, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_NO_COMPRESSION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(settings, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(settings, SSL_MODE_AUTO_RETRY);
    return settings;
}

static int
tls_context_make(struct tls_context **context,
                 const struct tls_options *options, bool server,
                 struct tls_fault *fault)
{
    struct tls_context *made = calloc(1, sizeof(*made));
    int error = 0;

    ERR_clear_error();
    if (made != NULL)
        made->settings = tls_settings_new(server);
    if (made == NULL || made->settings == NULL) {
        free(made);
        return tls_say(fault, -EINVAL, "TLS: %s", strerror(ENOMEM));
    }
    made->server = server;
    made->has_certificate = options->certificate != NULL;
    if (options->server_name != NULL)
        snprintf(made->server_name, sizeof(made->server_name), "%s",
                 options->server_name);
    if (!server)
        error = tls_load_authorities(made->settings, options, fault);
    if (error == 0 && made->has_certificate)
        error = tls_load_own(made->settings, options, fault);
    if (error != 0) {
        tls_context_free(made);
        return error;
    }
    *context = made;
    return 0;
}

int
tls_context_open(struct tls_context **context,
                 const struct tls_options *options, struct tls_fault *fault)
{
    return tls_context_make(context, options, false, fault);
}

int
tls_context_open_server(struct tls_context **context,
                        const struct tls_options *options,
                        struct tls_fault *fault)
{
    return tls_context_make(context, options, true, fault);
}

void
tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->settings);
    free(context);
}

/* --- What OpenSSL says --- */

static int
tls_say_unverified(struct tls *tls, long code)
{
    const char *remedy = "";

    switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        remedy = "; if it is the right server, --server-name gives a subject "
                 "alternative name of its certificate (a common name does not "
                 "count)";
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        remedy = "; --ca with this certificate itself trusts it";
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        remedy = "; --ca names the authority that signed it";
        break;
    }
    return tls_say(&tls->fault, -EBADMSG, "its certificate is refused: %s%s",
                   X509_verify_cert_error_string(code), remedy);
}

/* An alert of the peer is its number behind SSL_AD_REASON_OFFSET. */
static int
tls_say_alert(struct tls *tls, int alert)
{
    bool wants =
        !tls->has_certificate &&
        (alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_BAD_CERTIFICATE ||
         alert == SSL_AD_CERTIFICATE_REQUIRED);

    tls->wants_certificate =
        alert == SSL_AD_CERTIFICATE_REQUIRED && !tls->has_certificate;
    return tls_say(&tls->fault, -EBADMSG,
                   "it ended TLS with the alert \"%s\"%s",
                   alert == SSL_AD_CERTIFICATE_REQUIRED
                       ? "certificate required" /* OpenSSL 3.0: "unknown" */
                       : SSL_alert_desc_string_long(alert),
                   wants ? "; it may ask for a certificate: --certificate and "
                           "--key"
                   : alert == SSL_AD_UNKNOWN_CA
                       ? "; it does not know the authority of --certificate"
                       : "");
}

static int
tls_say_protocol(struct tls *tls)
{
    unsigned long error = ERR_peek_error();
    long verified = SSL_get_verify_result(tls->ssl);
    int reason = ERR_GET_REASON(error);
    const char *text = ERR_reason_error_string(error);

    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return -ECONNABORTED;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
        return tls_say_unverified(tls, verified);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
        return tls_say_alert(tls, reason - SSL_AD_REASON_OFFSET);
    if (reason == SSL_R_WRONG_VERSION_NUMBER ||
        reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_HTTP_REQUEST)
        return tls_say(
            &tls->fault, -EBADMSG,
            "it does not speak TLS 1.2 or 1.3 there: check the port");
    return tls_say(&tls->fault, -EBADMSG, "TLS: %s",
                   text != NULL ? text : "failed");
}

/* What a call that moved nothing returned: 0 for close_notify, or an errno. */
static int
tls_result(struct tls *tls, int result, short *events)
{
    int error = errno;

    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *events = tls->last_events = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *events = tls->last_events = POLLOUT;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return error != 0 ? -error : -ECONNABORTED;
    default:
        return tls_say_protocol(tls);
    }
}

static void
tls_prepare(void)
{
    ERR_clear_error();
    errno = 0;
}

/* --- The handshake --- */

static int
tls_set_peer(struct tls *tls, const char *name)
{
    X509_VERIFY_PARAM *wanted = SSL_get0_param(tls->ssl);
    struct addr addr;

    if (addr_parse(name, &addr) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(wanted, name);
    X509_VERIFY_PARAM_set_hostflags(wanted,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(wanted, name, 0) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, name) == 1;
}

static struct tls *
tls_new(const struct tls_context *context, int fd, const char *host)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    const char *name =
        context->server_name[0] != '\0' ? context->server_name : host;

    if (tls == NULL)
        return NULL;
    tls->ssl = SSL_new(context->settings);
    tls->has_certificate = context->has_certificate;
    tls->read_events = tls->last_events = POLLIN;
    tls->write_events = POLLOUT;
    if (tls->ssl != NULL && SSL_set_fd(tls->ssl, fd) == 1 &&
        (context->server || tls_set_peer(tls, name) == 1)) {
        if (context->server)
            SSL_set_accept_state(tls->ssl);
        else
            SSL_set_connect_state(tls->ssl);
        return tls;
    }
    tls_free(tls);
    return NULL;
}

static int
tls_await(const struct tls *tls, uint64_t deadline_ms)
{
    struct pollfd polled = {.fd = SSL_get_fd(tls->ssl),
                            .events = tls->last_events};
    uint64_t now = socks4_dial_deadline(0);
    uint64_t left = now < deadline_ms ? deadline_ms - now : 0;
    int ready = poll(&polled, 1, left < INT_MAX ? (int)left : INT_MAX);

    if (ready < 0 && errno != EINTR)
        return -errno;
    return ready == 0 && left == 0 ? -ETIMEDOUT : 0;
}

static int
tls_shake_hands(struct tls *tls, uint64_t deadline_ms)
{
    for (;;) {
        short events;
        int result, error;

        tls_prepare();
        result = SSL_do_handshake(tls->ssl);
        if (result == 1)
            return 0;
        error = tls_result(tls, result, &events);
        if (error == -EAGAIN)
            error = tls_await(tls, deadline_ms);
        else if (error == 0 || error == -ECONNABORTED)
            error = tls_say(&tls->fault, -EBADMSG,
                            "it closed the connection in the TLS handshake");
        if (error != 0)
            return error;
    }
}

int
tls_start(struct stream *stream, const struct tls_context *context,
          const char *host, uint64_t deadline_ms, struct tls_fault *fault)
{
    int flags = fcntl(stream->fd, F_GETFL);
    struct tls *tls;
    int error;

    if (flags < 0 || fcntl(stream->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    tls = tls_new(context, stream->fd, host);
    if (tls == NULL)
        return -ENOMEM;
    error = tls_shake_hands(tls, deadline_ms);
    if (error == 0) {
        stream->tls = tls;
        return 0;
    }
    *fault = tls->fault;
    tls_free(tls);
    return error;
}

/* --- For stream.c --- */

ssize_t
tls_read(struct tls *tls, void *octets, size_t count)
{
    int result;

    tls_prepare();
    tls->read_events = POLLIN;
    result = SSL_read(tls->ssl, octets, count < INT_MAX ? (int)count : INT_MAX);
    return result > 0 ? result : tls_result(tls, result, &tls->read_events);
}

ssize_t
tls_write(struct tls *tls, const void *octets, size_t count)
{
    int result;

    tls_prepare();
    tls->write_events = POLLOUT;
    result =
        SSL_write(tls->ssl, octets, count < INT_MAX ? (int)count : INT_MAX);
    return result > 0 ? result : tls_result(tls, result, &tls->write_events);
}

/* SSL_shutdown returns 0 or 1 once close_notify is sent. A peer that has closed
   after its own close_notify answers ours by a reset: whether it has ended in
   order, reading tells. */
int
tls_finish(struct tls *tls)
{
    int result, error;

    tls_prepare();
    tls->write_events = POLLOUT;
    result = SSL_shutdown(tls->ssl);
    error = result >= 0 ? 0 : tls_result(tls, result, &tls->write_events);
    return error == -EPIPE || error == -ECONNRESET ? 0 : error;
}

short
tls_read_events(const struct tls *tls)
{
    return tls->read_events;
}

short
tls_write_events(const struct tls *tls)
{
    return tls->write_events;
}

short
tls_last_events(const struct tls *tls)
{
    return tls->last_events;
}

bool
tls_is_pending(const struct tls *tls)
{
    return SSL_pending(tls->ssl) > 0;
}

/* Reads tickets and whatever else is no octet, so that they do not make the
   kernel reset the connection. */
bool
tls_end(struct tls *tls)
{
    char octet;
    int result = -EAGAIN;

    if (!(SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN))
        for (int i = 0; i < 8 && result <= 0; i++) {
            tls_prepare();
            result = SSL_peek(tls->ssl, &octet, 1);
        }
    if (result > 0)
        return false;
    if (!(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN))
        tls_finish(tls);
    return true;
}

bool
tls_wants_certificate(const struct tls *tls)
{
    return tls->wants_certificate;
}

const char *
tls_fault(const struct tls *tls)
{
    return tls->fault.text;
}

void
tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}
