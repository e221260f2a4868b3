#include "gateway/worker/signing.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/async.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "gateway/worker/signing_algorithms.h"
#include "gateway/worker/signing_provider.h"

/* --- signatures on their way --------------------------------------------- */

/* On the stack of the job that waits for it. */
struct signing_job {
    struct list link; /* in unsent or sent; in none: it is over, and goes on
                         when its handshake is called again */
    struct signing_request request;
    uint64_t source, round; /* whose it is, and when it has its turn */
    SSL *ssl; /* whose handshake it is; NULL: it was given up */
    ASYNC_callback_fn wake;
    unsigned char *signature; /* of the caller */
    size_t room, len;         /* len 0: there is none */
};

static struct signing_job *
signing_job_of(struct list *at)
{
    return container_of(at, struct signing_job, link);
}

static void
signing_flush(struct peer_link *link)
{
    struct signing *signing = container_of(link, struct signing, link);
    list_each_safe (at, after, &signing->unsent) {
        if (signing->unanswered >= SIGNING_SENT_MAX ||
            peer_link_send(link, &signing_job_of(at)->request,
                           sizeof(struct signing_request)) < 0)
            return;
        signing->unanswered++;
        signing->round = signing_job_of(at)->round;
        list_remove(at);
        list_append(&signing->sent, at);
    }
}

/*
 * Sources take turns, in rounds: one that asks a lot has one request in each. A
 * handshake that is given up takes its request along, unless the signer has it.
 */
static void
signing_queue(struct signing *signing, struct signing_job *job)
{
    struct list *behind = &signing->unsent;
    job->round = signing->round;
    list_each_safe (at, after, &signing->unsent)
        job->round += signing_job_of(at)->source == job->source;
    list_each_safe (at, after, &signing->unsent)
        if (signing_job_of(at)->round <= job->round)
            behind = at;
    list_append(behind->next, &job->link);
}

static void
signing_resend(struct peer_link *link)
{
    struct signing *signing = container_of(link, struct signing, link);
    struct list newer;
    list_init(&newer);
    signing->unanswered = 0;
    list_take(&newer, &signing->unsent);
    list_take(&signing->unsent, &signing->sent);
    list_take(&signing->unsent, &newer);
    signing_flush(link);
}

static struct signing_job *
signing_find(struct signing *signing, uint64_t id)
{
    list_each_safe (at, after, &signing->sent)
        if (signing_job_of(at)->request.id == id)
            return signing_job_of(at);
    return NULL;
}

static void
signing_receive(struct peer_link *link, const void *message)
{
    struct signing *signing = container_of(link, struct signing, link);
    const struct signing_answer *answer = message;
    struct signing_job *job = signing_find(signing, answer->id);
    if (signing->unanswered > 0)
        signing->unanswered--;
    signing_flush(link);
    if (job == NULL)
        return;
    if (answer->outcome == SIGNING_DONE && answer->len <= job->room &&
        answer->len <= sizeof(answer->signature)) {
        memcpy(job->signature, answer->signature, answer->len);
        job->len = answer->len;
    }
    list_remove(&job->link);
    job->wake(job->ssl);
}

static bool
signing_is_waiting(const struct signing_job *job)
{
    return !list_empty(&job->link);
}

/* Which handshake this job belongs to, and how it is woken. */
static bool
signing_job_init(struct signing_job *job)
{
    ASYNC_JOB *current = ASYNC_get_current_job();
    void *ssl = NULL;
    if (current == NULL ||
        ASYNC_WAIT_CTX_get_callback(ASYNC_get_wait_ctx(current), &job->wake,
                                    &ssl) != 1)
        return false;
    job->ssl = ssl;
    const uint64_t *source = SSL_get_app_data(job->ssl);
    job->source = source != NULL ? *source : 0;
    list_init(&job->link);
    return job->wake != NULL;
}

int
signing_wait(struct signing *signing, const uint8_t key[SIGNING_KEY_ID],
             uint32_t scheme, const unsigned char *message, size_t message_len,
             unsigned char *signature, size_t room, size_t *len)
{
    struct signing_job job = {.signature = signature, .room = room};
    if (message_len > SIGNING_MESSAGE_MAX || !signing_job_init(&job))
        return 0;
    job.request.id = ++signing->last_id;
    job.request.scheme = scheme;
    job.request.len = (uint32_t)message_len;
    memcpy(job.request.key, key, SIGNING_KEY_ID);
    memcpy(job.request.message, message, message_len);
    bool first = list_empty(&signing->unsent);
    signing_queue(signing, &job);
    if (first) /* else signing_flush will come: with an answer, or with room */
        signing_flush(&signing->link);
    while (signing_is_waiting(&job))
        ASYNC_pause_job();
    *len = job.len;
    return job.len > 0;
}

static struct signing_job *
signing_find_ssl(struct list *jobs, const SSL *ssl)
{
    list_each_safe (at, after, jobs)
        if (signing_job_of(at)->ssl == ssl)
            return signing_job_of(at);
    return NULL;
}

/* The stack of a job that waits is freed by nobody but the job itself: it has
   to run to its end. */
void
signing_abandon(struct signing *signing, SSL *ssl)
{
    struct signing_job *job = signing_find_ssl(&signing->sent, ssl);
    if (job == NULL)
        job = signing_find_ssl(&signing->unsent, ssl);
    if (job != NULL)
        list_remove(&job->link);
    if (!SSL_waiting_for_async(ssl))
        return;
    SSL_set0_wbio(ssl, BIO_new(BIO_s_null()));
    SSL_do_handshake(ssl);
}

/* --- keys ---------------------------------------------------------------- */

EVP_PKEY *
signing_key(struct signing *signing, X509 *certificate)
{
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    return public != NULL ? signing_provider_key(signing, public) : NULL;
}

/* --- its life ------------------------------------------------------------ */

/* A library context of its own reads no openssl.cnf. The built-in provider is
   preferred wherever a key is not one of the signer's. */
static int
signing_load(struct signing *signing)
{
    signing->library = OSSL_LIB_CTX_new();
    if (signing->library == NULL)
        return -ENOMEM;
    signing_provider_serve(signing);
    int error = signing_algorithms_load(signing->library);
    if (error != 0)
        return error;
    if (OSSL_PROVIDER_add_builtin(signing->library, SIGNING_PROVIDER,
                                  signing_provider_init) != 1)
        return -ENOMEM;
    signing->provider = OSSL_PROVIDER_load(signing->library, SIGNING_PROVIDER);
    if (signing->provider == NULL ||
        EVP_set_default_properties(signing->library, "?provider=default") !=
            1 ||
        ASYNC_init_thread(SIGNING_JOBS_MAX, 0) != 1)
        return -ENOMEM;
    return 0;
}

_Static_assert(sizeof(struct signing_answer) <= PEER_LINK_ANSWER_MAX,
               "it fits");

int
signing_init(struct signing *signing, struct loop *loop)
{
    static const struct peer_link_ops ops = {
        .answer_size = sizeof(struct signing_answer),
        .receive = signing_receive,
        .flush = signing_flush,
        .resend = signing_resend,
    };
    *signing = (struct signing){.last_id = 0};
    peer_link_init(&signing->link, loop, CHANNEL_PEER_SIGNER, &ops);
    list_init(&signing->unsent);
    list_init(&signing->sent);
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT,
                        NULL);
    tzset(); /* the first gmtime_r would read /etc/localtime */
    int error = signing_load(signing);
    if (error != 0)
        signing_fini(signing);
    return error;
}

void
signing_fini(struct signing *signing)
{
    if (signing->provider != NULL)
        OSSL_PROVIDER_unload(signing->provider);
    signing_algorithms_unload(signing->library);
    ASYNC_cleanup_thread();
    signing->library = NULL;
    signing->provider = NULL;
}
