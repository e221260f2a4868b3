#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/authenticator/failures.h"
#include "gateway/authenticator/link.h"
#include "gateway/authenticator/passwords.h"
#include "gateway/channel.h"
#include "gateway/link_message.h"
#include "gateway/worker/authentication.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

/*
 * Both sides of the link between a worker and the authenticator. The input says
 * what they do, a step after the other; besides what the code sends, either
 * side may send what it likes. Whatever comes, a question is answered at most
 * once and never when it was cancelled, a password is accepted only where it is
 * the user's, and when the link is closed no question is left, nor a password.
 */

#define STEPS_MAX 64
#define CALLERS 8
#define LAST 64 /* of the questions, which are looked at */

static uint64_t clock_us = 1000000;

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

static struct loop loop;
static struct task work;
static struct questions questions;
static struct failures failures;
static struct passwords passwords;
static struct authenticator_link served;
static struct authentications authentications;
static int worker_end; /* -1: the link is closed */
static bool honest;    /* nothing but the code has sent an answer */

/* Of "secret"; bob is locked. */
static const char users[] = "ann:abNANd1rDfiNc\nbob:!abNANd1rDfiNc\n";

static struct caller {
    struct authentication authentication;
    bool waits, right;
} callers[CALLERS];

/* --- in place of worker/peer_link.c -------------------------------------- */

void
peer_link_init(struct peer_link *made, struct loop *in, enum channel_peer peer,
               const struct peer_link_ops *ops)
{
    *made = (struct peer_link){.loop = in, .peer = peer, .ops = ops};
}

int
peer_link_send(struct peer_link *to, const void *message, size_t size)
{
    (void)to;
    return worker_end == -1 ? -ENOTCONN
                            : link_message_send(worker_end, message, size);
}

/* --- the worker ---------------------------------------------------------- */

static void
on_answered(struct authentication *authentication,
            enum authentication_outcome outcome)
{
    struct caller *caller =
        container_of(authentication, struct caller, authentication);

    assert(caller->waits && outcome < AUTHENTICATION_OUTCOMES);
    assert(outcome != AUTHENTICATION_ACCEPTED || caller->right || !honest);
    caller->waits = false;
}

static void
start(struct caller *caller, struct input *input)
{
    static const char *const names[] = {"ann", "bob", "eve", ""};
    static const char *const words[] = {"secret", "Secret", "", "secrets"};
    const char *name = names[take(input) % 4];
    unsigned word = take(input) % 4;
    uint64_t source = take(input) % 3;

    if (caller->waits)
        return;
    caller->waits = true;
    caller->right = strcmp(name, "ann") == 0 && word == 0;
    int error = authentication_start(
        &authentications, &caller->authentication, source, name, strlen(name),
        words[word], strlen(words[word]), take(input) * 20u, on_answered);
    assert(error == 0);
}

static void
stop(struct caller *caller)
{
    authentication_cancel(&authentications, &caller->authentication);
    assert(caller->authentication.question == NULL);
    caller->waits = false;
}

static void
read_answers(void)
{
    struct authentication_answer answer;

    while (worker_end != -1 &&
           link_message_receive(worker_end, &answer, sizeof(answer)) == 1)
        authentications.asked.link.ops->receive(&authentications.asked.link,
                                                &answer);
}

/* --- the authenticator --------------------------------------------------- */

static void
on_work(struct task *task)
{
    struct authenticator_client *client;
    uint64_t now_ms = loop_now_ms(&loop);
    struct question *question = questions_take(&questions, now_ms, &client);

    if (question == NULL)
        return;
    const struct authentication_question *asked = &question->asked;
    enum authentication_outcome outcome = AUTHENTICATION_LIMITED;
    if (failures_permit(&failures, asked->source, asked->user, asked->user_len,
                        now_ms))
        outcome = passwords_check(&passwords, asked, now_ms);
    if (outcome == AUTHENTICATION_REFUSED)
        failures_note(&failures, asked->source, asked->user, asked->user_len,
                      now_ms);
    authenticator_link_answer(client, asked->id, outcome);
    questions_release(&questions, question);
    loop_defer(&loop, task);
}

static bool
on_known(const struct authentication_question *asked)
{
    uint64_t now_ms = loop_now_ms(&loop);

    return failures_permit(&failures, asked->source, asked->user,
                           asked->user_len, now_ms) &&
           passwords_remember(&passwords, asked, now_ms);
}

/* Room for few answers, so that it is soon full. */
static void
open_link(void)
{
    int ends[2], room = 1;

    if (worker_end != -1)
        close(worker_end);
    assert(channel_pair(ends) == 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    worker_end = ends[0];
    authenticator_link_open(&served, ends[1]);
    authentications.asked.link.ops->resend(&authentications.asked.link);
}

static void
stage_make(void)
{
    int fd = memfd_create("users", MFD_CLOEXEC);

    assert(write(fd, users, sizeof(users) - 1) == sizeof(users) - 1);
    assert(loop_init(&loop) == 0 && passwords_init(&passwords) == 0);
    assert(passwords_take(&passwords, fd, sizeof(users) - 1) == 0);
    close(fd);
    task_init(&work, on_work);
    failures_init(&failures);
    questions_init(&questions, authenticator_link_overloaded);
    authenticator_link_init(&served, &loop, &questions, &work, on_known);
}

/* --- a run --------------------------------------------------------------- */

static void
send_anything(struct input *input)
{
    struct authentication_question question = {.kind = take(input)};
    uint8_t octets[256];
    unsigned count = 1 + take(input) % 4u * 20;

    question.id = take(input) % 16u;
    question.source = take(input);
    question.timeout_ms = take(input) * 20u;
    question.user_len = take(input);
    question.password_len = take(input);
    size_t len = take_octets(input, octets);
    memcpy(question.user, octets, len < 255 ? len : 255);
    for (unsigned i = 0; i < count && worker_end != -1; i++) {
        if (link_message_send(worker_end, &question, sizeof(question)) != 0)
            loop_turn(&loop, 0);
        question.source++;
    }
}

static void
take_step(struct input *input)
{
    uint8_t what = take(input), octets[256];
    struct authentication_answer answer = {0};
    struct caller *caller = &callers[what / 16u % CALLERS];
    size_t len;

    switch (what % 8) {
    case 0:
        clock_us += take(input) * UINT64_C(20000);
        break;
    case 1:
        start(caller, input);
        break;
    case 2:
        stop(caller);
        break;
    case 3:
        read_answers();
        break;
    case 4:
        open_link();
        break;
    case 5:
        len = take_octets(input, octets);
        if (worker_end != -1)
            send(worker_end, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 6:
        send_anything(input);
        honest = false; /* its ids may be those of others */
        break;
    default:
        answer.id = take(input) % 16u;
        answer.outcome = (uint32_t)(int8_t)take(input);
        honest = false;
        authentications.asked.link.ops->receive(&authentications.asked.link,
                                                &answer);
        break;
    }
}

static void
stage_close(void)
{
    static const struct authentication_question nothing;

    for (int i = 0; i < CALLERS; i++)
        stop(&callers[i]);
    authenticator_link_close(&served);
    close(worker_end);
    worker_end = -1;
    loop_turn(&loop, 0);
    assert(list_empty(&questions.clients));
    size_t count = 0;
    list_each_safe (at, after, &questions.free_questions) {
        struct question *question = container_of(at, struct question, link);
        if (++count > QUESTIONS_MAX - LAST) /* those used are the last */
            assert(memcmp(&question->asked, &nothing, sizeof(nothing)) == 0);
    }
    assert(count == QUESTIONS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size)
{
    static bool made;
    struct input input = {octets, size};

    if (!made)
        stage_make();
    made = true;
    honest = true;
    worker_end = -1;
    clock_us += UINT64_C(600000000); /* whatever there was is forgiven */
    authentications_init(&authentications, &loop);
    open_link();
    for (int i = 0; i < STEPS_MAX && input.left > 0; i++) {
        take_step(&input);
        for (int turn = 0; turn < 4; turn++)
            loop_turn(&loop, 0);
    }
    stage_close();
    return 0;
}
