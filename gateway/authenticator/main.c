#include "gateway/authenticator/main.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/authenticator/failures.h"
#include "gateway/authenticator/link.h"
#include "gateway/authenticator/passwords.h"
#include "gateway/channel.h"
#include "gateway/readiness.h"
#include "gateway/segment.h"

#define AUTHENTICATOR_PAGE 4096

struct authenticator {
    struct loop loop;
    struct watch control;
    struct task work;
    struct passwords passwords;
    struct failures failures;
    struct questions questions;
    struct authenticator_link links[SEGMENT_SLOTS];
};

/* Pages of its own: they are in no core. */
static alignas(AUTHENTICATOR_PAGE) struct authenticator authenticator;

static int
authenticator_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: authenticator: %s: %s\n", what, strerror(-error));
    return 1;
}

static void
authenticator_tell(uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

/* --- messages from the monitor ------------------------------------------- */

static void
authenticator_handle_message(const struct channel_message *message, int fd)
{
    int error = 0;

    if (message->kind == CHANNEL_LINK && fd != -1 &&
        message->arg < SEGMENT_SLOTS) {
        authenticator_link_open(&authenticator.links[message->arg], fd);
        return;
    }
    if (message->kind == CHANNEL_FILE && fd != -1 &&
        message->file.kind == CHANNEL_FILE_USERS)
        error = passwords_take(&authenticator.passwords, fd,
                               (size_t)message->file.len);
    else if (message->kind == CHANNEL_PING)
        authenticator_tell(CHANNEL_PONG, 0);
    if (error < 0)
        authenticator_fail("the users file cannot be used", error);
    if (fd != -1)
        close(fd);
}

/* One message; false: there is none now. Where a descriptor was lost, or the
   monitor is gone, the process ends, and the next one is sent everything. */
static bool
authenticator_receive(void)
{
    struct channel_message message;
    int fd;
    int got = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);

    if (got == 1)
        authenticator_handle_message(&message, fd);
    else if (got == -EMFILE && message.kind == CHANNEL_LINK)
        authenticator_tell(CHANNEL_ASK_LINK, message.arg);
    else if (got != -EAGAIN)
        loop_stop(&authenticator.loop);
    return got == 1;
}

static void
authenticator_control_ready(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    authenticator_receive();
}

/* --- questions ----------------------------------------------------------- */

static enum authentication_outcome
authenticator_decide(const struct authentication_question *asked)
{
    struct failures *failures = &authenticator.failures;
    uint64_t now_ms = loop_now_ms(&authenticator.loop);

    if (!failures_permit(failures, asked->source, asked->user, asked->user_len,
                         now_ms))
        return AUTHENTICATION_LIMITED;
    enum authentication_outcome outcome =
        passwords_check(&authenticator.passwords, asked, now_ms);
    if (outcome == AUTHENTICATION_REFUSED)
        failures_note(failures, asked->source, asked->user, asked->user_len,
                      now_ms);
    return outcome;
}

/* The monitor sends a users file before it tells a worker of the configuration,
   but by another channel: it may not have been read yet. */
static void
authenticator_take_all(void)
{
    while (authenticator_receive())
        ;
}

/* Who was right before waits for nobody's hash: of strangers from many sources
   there may be as many as the table has room for. */
static bool
authenticator_knows(const struct authentication_question *asked)
{
    uint64_t now_ms = loop_now_ms(&authenticator.loop);

    authenticator_take_all();
    return failures_permit(&authenticator.failures, asked->source, asked->user,
                           asked->user_len, now_ms) &&
           passwords_remember(&authenticator.passwords, asked, now_ms);
}

/* One hash, then a turn of the loop: pings are answered between. */
static void
authenticator_work(struct task *task)
{
    struct authenticator_client *client;

    authenticator_take_all();
    struct question *question = questions_take(
        &authenticator.questions, loop_now_ms(&authenticator.loop), &client);
    if (question == NULL)
        return;
    enum authentication_outcome outcome =
        authenticator_decide(&question->asked);
    authenticator_link_answer(client, question->asked.id, outcome);
    questions_release(&authenticator.questions, question);
    loop_defer(&authenticator.loop, task);
}

/* --- start --------------------------------------------------------------- */

static int
authenticator_prepare(void)
{
    int error = loop_init(&authenticator.loop);

    /* Without it the limit on cores, which every mode but off has, holds. */
    madvise(&authenticator, sizeof(authenticator), MADV_DONTDUMP);
    task_init(&authenticator.work, authenticator_work);
    failures_init(&authenticator.failures);
    questions_init(&authenticator.questions, authenticator_link_overloaded);
    for (size_t i = 0; i < SEGMENT_SLOTS; i++)
        authenticator_link_init(&authenticator.links[i], &authenticator.loop,
                                &authenticator.questions, &authenticator.work,
                                authenticator_knows);
    if (error == 0)
        error = passwords_init(&authenticator.passwords);
    if (error == 0)
        error = loop_watch(&authenticator.loop, &authenticator.control,
                           CHANNEL_FD_CONTROL, EPOLLIN,
                           authenticator_control_ready);
    return error;
}

int
authenticator_main(int argc, char **argv)
{
    if (argc != ROLE_OWN)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    int error = authenticator_prepare();
    if (error < 0)
        return authenticator_fail("cannot start", error);
    if (readiness_reach(&roles[ROLE_AUTHENTICATOR], argv, NULL) < 0)
        return 1;
    loop_run(&authenticator.loop);
    passwords_fini(&authenticator.passwords);
    return 0;
}
