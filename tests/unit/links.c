/* Channels that a process writes on: what is read at one end wakes nobody at
   the other, but who waits for room is woken. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/authenticator/link.h"
#include "gateway/link_message.h"
#include "gateway/resolver/link.h"
#include "gateway/signer/link.h"
#include "gateway/worker/peer_link.h"
#include "gateway/worker/record.h"
#include "tests/unit/unit.h"

#define MANY 4096

static struct loop loop;
static int ends[2];

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(channel_pair(ends), 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(ends[1]);
    loop_fini(&loop);
    return 0;
}

static bool
wakes(void)
{
    struct epoll_event event;
    return sys_poll_wait(loop.poller, &event, 1, 0) != 0;
}

/* ---- The worker's end ---- */

static unsigned received, flushed;

static void
on_receive(struct peer_link *link, const void *answer)
{
    (void)link, (void)answer;
    received++;
}

static void
on_flush(struct peer_link *link)
{
    (void)link;
    flushed++;
}

static const struct peer_link_ops ops = {.answer_size =
                                             sizeof(struct signing_answer),
                                         .receive = on_receive,
                                         .flush = on_flush,
                                         .resend = on_flush};

static int
read_requests(void)
{
    struct signing_request request;
    int count = 0;
    while (link_message_receive(ends[1], &request, sizeof(request)) == 1)
        count++;
    return count;
}

static void
a_worker_wakes_for_answers_and_for_room_it_waits_for(void **state)
{
    struct peer_link link;
    struct signing_request request = {.id = 1};
    struct signing_answer answer = {.id = 1};
    int sent = 1, error;
    (void)state;
    received = flushed = 0;
    peer_link_init(&link, &loop, CHANNEL_PEER_SIGNER, &ops);
    peer_link_open(&link, ends[0]);
    assert_int_equal(flushed, 1);
    assert_int_equal(peer_link_send(&link, &request, sizeof(request)), 0);
    assert_int_equal(read_requests(), 1);
    assert_false(wakes());
    assert_int_equal(link_message_send(ends[1], &answer, sizeof(answer)), 0);
    loop_turn(&loop, 0);
    assert_int_equal(received, 1);

    while ((error = peer_link_send(&link, &request, sizeof(request))) == 0)
        assert_true(sent++ < MANY);
    assert_int_equal(error, -EAGAIN);
    loop_turn(&loop, 0);
    assert_int_equal(flushed, 1);
    assert_int_equal(read_requests(), sent - 1);
    loop_turn(&loop, 0);
    assert_int_equal(flushed, 2);
    assert_int_equal(peer_link_send(&link, &request, sizeof(request)), 0);
    assert_int_equal(read_requests(), 1);
    assert_false(wakes());
    peer_link_close(&link);
}

/* ---- The signer's end ---- */

static void
sign(struct signer_link *link, const struct signing_request *request,
     struct signing_answer *answer)
{
    (void)link;
    *answer = (struct signing_answer){.id = request->id};
}

static void
ask(uint64_t id)
{
    struct signing_request request = {.id = id};
    assert_int_equal(link_message_send(ends[1], &request, sizeof(request)), 0);
}

/* The id of the next answer; 0: there is none. */
static uint64_t
answered(void)
{
    struct signing_answer answer;
    int got = link_message_receive(ends[1], &answer, sizeof(answer));
    return got == 1 ? answer.id : 0;
}

static void
a_signer_wakes_for_requests_and_for_room_it_waits_for(void **state)
{
    static struct signer_link link;
    uint64_t asked = 1, next = 2;
    int small = 1;
    (void)state;
    signer_link_init(&link, &loop, sign);
    signer_link_open(&link, ends[0]);
    ask(1);
    loop_turn(&loop, 0);
    assert_int_equal(answered(), 1);
    assert_false(wakes());

    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    while (!link.waits) {
        assert_true(asked < MANY);
        ask(++asked);
        loop_turn(&loop, 0);
    }
    ask(++asked);
    loop_turn(&loop, 0);
    assert_true(link.waits);
    for (int i = 0; next <= asked && i < MANY; i++) {
        while (answered() == next)
            next++;
        loop_turn(&loop, 0);
    }
    assert_int_equal(next, asked + 1);
    assert_false(link.waits);
    ask(++asked);
    loop_turn(&loop, 0);
    assert_int_equal(answered(), asked);
    assert_false(wakes());
    loop_unwatch(&loop, &link.watch);
    close(ends[0]);
}

static int others[2];

static void
sign_for_who_is_gone(struct signer_link *link,
                     const struct signing_request *request,
                     struct signing_answer *answer)
{
    sign(link, request, answer);
    signer_link_open(link, others[0]);
}

static void
an_answer_is_not_sent_to_the_next_worker(void **state)
{
    static struct signer_link link;
    struct signing_answer answer;
    (void)state;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, others), 0);
    signer_link_init(&link, &loop, sign_for_who_is_gone);
    signer_link_open(&link, ends[0]);
    ask(1);
    loop_turn(&loop, 0);
    assert_int_equal(link_message_receive(others[1], &answer, sizeof(answer)),
                     -EAGAIN);
    assert_int_equal(link_message_receive(ends[1], &answer, sizeof(answer)), 0);
    loop_unwatch(&loop, &link.watch);
    close(others[0]);
    close(others[1]);
}

/* ---- The resolver's end: its answers come at once ---- */

void
resolver_client_init(struct resolver_client *client)
{
    (void)client;
}

bool
pending_ask(struct pending *pending, struct resolver_client *client,
            const struct lookup_query *asked, struct lookup_answer *answer)
{
    (void)pending, (void)client;
    *answer = (struct lookup_answer){.id = asked->id};
    return true;
}

void
pending_cancel(struct pending *pending, struct resolver_client *client,
               uint64_t id)
{
    (void)pending, (void)client, (void)id;
}

void
pending_sent(struct pending *pending, struct waiter *waiter)
{
    (void)pending, (void)waiter;
}

void
pending_leave(struct pending *pending, struct resolver_client *client)
{
    (void)pending, (void)client;
}

static bool
is_fresh(struct pending *pending)
{
    (void)pending;
    return true;
}

static void
look_up(uint64_t id)
{
    struct lookup_query query = {.kind = LOOKUP_ASK, .id = id};
    assert_int_equal(link_message_send(ends[1], &query, sizeof(query)), 0);
}

static uint64_t
looked_up(void)
{
    struct lookup_answer answer;
    int got = link_message_receive(ends[1], &answer, sizeof(answer));
    return got == 1 ? answer.id : 0;
}

static void
a_resolver_wakes_for_queries_and_for_room_it_waits_for(void **state)
{
    static struct pending pending;
    static struct link link;
    uint64_t asked = 1, next = 2;
    int small = 1;
    (void)state;
    pending.context.loop = &loop;
    pending.refresh = is_fresh;
    link_init(&link, &pending);
    link_open(&link, ends[0]);
    look_up(1);
    loop_turn(&loop, 0);
    assert_int_equal(looked_up(), 1);
    assert_false(wakes());

    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    while (!link.waits) {
        assert_true(asked < MANY);
        look_up(++asked);
        loop_turn(&loop, 0);
    }
    look_up(++asked); /* not read: that it waits is no reason to wake */
    loop_turn(&loop, 0);
    assert_false(wakes());
    for (int i = 0; next <= asked && i < MANY; i++) {
        while (looked_up() == next)
            next++;
        loop_turn(&loop, 0);
    }
    assert_int_equal(next, asked + 1);
    assert_false(link.waits);
    look_up(++asked);
    loop_turn(&loop, 0);
    assert_int_equal(looked_up(), asked);
    assert_false(wakes());
    link_close(&link);
}

/* ---- The authenticator's end: it refuses all ---- */

static struct questions questions;
static struct task refusing;

static void
refuse_next(struct task *task)
{
    struct authenticator_client *client;
    struct question *question = questions_take(&questions, 0, &client);
    if (question == NULL)
        return;
    authenticator_link_answer(client, question->asked.id,
                              AUTHENTICATION_REFUSED);
    questions_release(&questions, question);
    loop_defer(&loop, task);
}

static bool
knows_nobody(const struct authentication_question *asked)
{
    (void)asked;
    return false;
}

static void
ask_password(uint64_t id)
{
    struct authentication_question question = {
        .kind = AUTHENTICATION_ASK, .id = id, .timeout_ms = UINT32_MAX};
    assert_int_equal(link_message_send(ends[1], &question, sizeof(question)),
                     0);
}

static uint64_t
refused(void)
{
    struct authentication_answer answer;
    int got = link_message_receive(ends[1], &answer, sizeof(answer));
    return got == 1 ? answer.id : 0;
}

static void
an_authenticator_wakes_for_questions_and_for_room_it_waits_for(void **state)
{
    static struct authenticator_link link;
    uint64_t asked = 1, next = 2;
    int small = 1;
    (void)state;
    task_init(&refusing, refuse_next);
    questions_init(&questions, authenticator_link_overloaded);
    authenticator_link_init(&link, &loop, &questions, &refusing, knows_nobody);
    authenticator_link_open(&link, ends[0]);
    ask_password(1);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(refused(), 1);
    loop_turn(&loop, 0);
    assert_false(wakes());

    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    while (!link.client.blocked) {
        assert_true(asked < MANY);
        ask_password(++asked);
        loop_turn(&loop, 0);
    }
    ask_password(++asked); /* not read: that it waits is no reason to wake */
    loop_turn(&loop, 0);
    assert_false(wakes());
    for (int i = 0; next <= asked && i < MANY; i++) {
        while (refused() == next)
            next++;
        loop_turn(&loop, 0);
    }
    assert_int_equal(next, asked + 1);
    assert_false(link.client.blocked);
    loop_turn(&loop, 0);
    assert_false(wakes());
    authenticator_link_close(&link);
}

static struct authenticator_link reopened;
static int others[2];

/* As when a message of the monitor's is read before the answer: the worker has
   died, and the next one has the link. */
static bool
knows_all_and_opens_anew(const struct authentication_question *asked)
{
    (void)asked;
    assert_int_equal(channel_pair(others), 0);
    authenticator_link_open(&reopened, others[0]);
    return true;
}

static void
an_answer_goes_to_no_other_worker(void **state)
{
    struct authentication_answer answer;
    (void)state;
    task_init(&refusing, refuse_next);
    questions_init(&questions, authenticator_link_overloaded);
    authenticator_link_init(&reopened, &loop, &questions, &refusing,
                            knows_all_and_opens_anew);
    authenticator_link_open(&reopened, ends[0]);
    ask_password(1);
    for (int i = 0; i < 3; i++)
        loop_turn(&loop, 0);
    assert_int_equal(link_message_receive(others[1], &answer, sizeof(answer)),
                     -EAGAIN);
    authenticator_link_close(&reopened);
    close(others[1]);
}

/* ---- The log of a worker ---- */

static void
on_sent(struct record_log *log)
{
    (void)log;
}

static void
say(struct record_log *log)
{
    struct log_line line;
    record_begin(log, &line, "test", LOG_LEVEL_ERROR);
    assert_true(record_say(log, &line));
    record_log_flush(log);
}

static int
read_lines(void)
{
    static char octets[65536];
    int count = 0;
    while (recv(ends[1], octets, sizeof(octets), MSG_DONTWAIT) > 0)
        count++;
    return count;
}

static void
a_log_wakes_only_for_room_it_waits_for(void **state)
{
    static struct record_log log;
    static struct config config;
    static struct segment_column column;
    int said = 1;
    (void)state;
    assert_int_equal(
        record_log_init(&log, &loop, &column, &config, ends[0], on_sent), 0);
    assert_false(wakes());
    say(&log);
    assert_int_equal(read_lines(), 1);
    assert_false(wakes());

    for (; log.filled == 0; said++) {
        assert_true(said < MANY);
        say(&log);
    }
    assert_false(wakes());
    assert_true(read_lines() > 0);
    loop_turn(&loop, 0);
    assert_int_equal(log.filled, 0);
    assert_int_equal(read_lines(), 1);
    assert_false(wakes());
    record_log_fini(&log);
    close(ends[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_worker_wakes_for_answers_and_for_room_it_waits_for, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            a_signer_wakes_for_requests_and_for_room_it_waits_for, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            an_answer_is_not_sent_to_the_next_worker, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_resolver_wakes_for_queries_and_for_room_it_waits_for, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            an_authenticator_wakes_for_questions_and_for_room_it_waits_for,
            setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_goes_to_no_other_worker,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_wakes_only_for_room_it_waits_for,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
