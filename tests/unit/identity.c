/* The question to identd, over the simulated kernel: each answer, however
   it comes, each failure, and the deadline. */

#include "gateway/worker/identity.h"

#include <errno.h>

#include "base/sys.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/sim.h"
#include "tests/unit/unit.h"

#define PATIENCE_MS 5000
#define QUERY "40000, 1080\r\n"
#define USER "40000, 1080 : USERID : UNIX : "

static const struct endpoint client = {{0, 0xffff0a000009}, 40000};
static const struct endpoint local = {{0, 0xffff0a000001}, 1080};

static struct loop loop;
static struct identity identity;
static unsigned answers;

static void
answered(struct identity *of)
{
    assert_ptr_equal(of, &identity);
    assert_int_equal(of->stream.watch.fd, -1);
    answers++;
}

static void
begin(const struct sim_options *options, unsigned fail_at)
{
    sim_start(options);
    sim_add_local(local.addr);
    heap_start(fail_at, 0);
    heap_watch(true);
    assert_int_equal(loop_init(&loop), 0);
    identity_init(&identity);
    answers = 0;
}

/* Nothing of the question is left. */
static void
finish(void)
{
    char open[200];

    identity_fini(&identity);
    assert_int_equal(timer_next_ms(&loop.timers), UINT64_MAX);
    loop_fini(&loop);
    assert_int_equal(sim_open(open, sizeof(open)), 0);
    assert_null(sim_misuse());
    assert_int_equal(heap_live(), 0);
    heap_watch(false);
    sim_stop();
}

static int
setup(void **state)
{
    struct sim_options options = {.seed = 1};

    (void)state;
    begin(&options, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    finish();
    return 0;
}

static int
start(void)
{
    return identity_start(&identity, &loop, &client, &local, PATIENCE_MS,
                          answered);
}

/* Turns until nothing happens. */
static void
settle(void)
{
    for (unsigned i = 0; i < 3000; i++) {
        loop_turn(&loop, 0);
        if (sim_take_events() == 0)
            return;
    }
    fail_msg("it never settles");
}

static void
advance_ms(uint64_t ms)
{
    sim_advance_us(ms * 1000);
    settle();
}

/* identd accepts; the query has arrived. */
static struct sim_sock *
accept_question(void)
{
    char octets[64];
    struct sim_dial dial;
    struct sim_sock *identd;

    assert_true(sim_take_dial(&dial));
    identd = sim_answer(dial.id, 0);
    assert_non_null(identd);
    settle();
    assert_int_equal(sim_sock_recv(identd, octets, sizeof(octets)),
                     strlen(QUERY));
    assert_memory_equal(octets, QUERY, strlen(QUERY));
    return identd;
}

static void
assert_outcome(enum identity_outcome outcome, const char *text)
{
    char shown[IDENTITY_TEXT_MAX];
    size_t len = identity_text(&identity, shown, sizeof(shown));

    assert_int_equal(identity.outcome, outcome);
    assert_string_equal(shown, text);
    assert_int_equal(len, strlen(text));
    assert_int_equal(identity.word != NULL,
                     outcome == IDENTITY_NAMED || outcome == IDENTITY_ERROR);
}

static void
asks_port_113_of_the_client_from_the_address_it_reached(void **state)
{
    struct sim_dial dial;

    (void)state;
    assert_int_equal(start(), 0);
    assert_true(sim_take_dial(&dial));
    assert_true(addr_equal(dial.from.addr, local.addr));
    assert_int_equal(dial.from.port, 0);
    assert_true(addr_equal(dial.to.addr, client.addr));
    assert_int_equal(dial.to.port, 113);
}

static void
asks_an_ipv6_client_over_ipv6(void **state)
{
    const struct endpoint from = {{0xfd00000100000000, 2}, 50000};
    const struct endpoint to = {{0xfd00000100000000, 1}, 1080};
    struct sim_dial dial;

    (void)state;
    assert_int_equal(
        identity_start(&identity, &loop, &from, &to, PATIENCE_MS, answered), 0);
    assert_true(sim_take_dial(&dial));
    assert_true(addr_equal(dial.from.addr, to.addr));
    assert_true(addr_equal(dial.to.addr, from.addr));
    assert_int_equal(identity.client_port, 50000);
    assert_int_equal(identity.server_port, 1080);
}

/* --- Answers --- */

enum ending { STAYS, CLOSES, RESETS };

#define SAYS(text) text, sizeof(text) - 1

static const struct {
    const char *octets;
    size_t len;
    enum ending ending;
    enum identity_outcome outcome;
    const char *text;
} rows[] = {
    {SAYS(USER "me\r\n"), STAYS, IDENTITY_NAMED, "me"},
    {SAYS(USER "me\r\n"), CLOSES, IDENTITY_NAMED, "me"},
    {SAYS(USER "me\r\n"), RESETS, IDENTITY_NAMED, "me"},
    {SAYS(USER "me\n" USER "you\r\n"), STAYS, IDENTITY_NAMED, "me"},
    {SAYS("40000,1080:ERROR:NO-USER\r\n"), STAYS, IDENTITY_ERROR,
     "error: NO-USER"},
    {SAYS(USER "me"), CLOSES, IDENTITY_CLOSED, "failed: closed"},
    {SAYS(USER "me\r"), RESETS, IDENTITY_CLOSED, "failed: closed"},
    {SAYS(""), CLOSES, IDENTITY_CLOSED, "failed: closed"},
    {SAYS(""), RESETS, IDENTITY_CLOSED, "failed: closed"},
    {SAYS(USER "m\0e\r\n"), STAYS, IDENTITY_MALFORMED, "failed: malformed"},
    {SAYS("1080, 40000 : USERID : UNIX : me\r\n"), CLOSES, IDENTITY_MALFORMED,
     "failed: malformed"},
};

/* The octets in pieces, with turns between them. */
static void
say(struct sim_sock *identd, const char *octets, size_t len, size_t piece)
{
    for (size_t at = 0; at < len; at += piece) {
        size_t count = len - at < piece ? len - at : piece;
        if (sim_sock_send(identd, octets + at, count) < 0)
            return; /* it has been answered already */
        if (count < len)
            settle();
    }
}

static void
play_row(size_t row, const struct sim_options *options, size_t piece)
{
    begin(options, 0);
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    say(identd, rows[row].octets, rows[row].len, piece);
    if (rows[row].ending == CLOSES)
        sim_sock_shutdown(identd);
    if (rows[row].ending == RESETS)
        sim_sock_reset(identd);
    settle();
    assert_int_equal(answers, 1);
    assert_outcome(rows[row].outcome, rows[row].text);
    advance_ms(2 * PATIENCE_MS);
    assert_int_equal(answers, 1);
    if (rows[row].ending != RESETS)
        sim_sock_close(identd);
    finish();
}

static void
hears_the_same_however_the_answer_comes(void **state)
{
    static const struct sim_options kernels[] = {
        {.seed = 1}, {.seed = 2, .one_octet = true}, {.seed = 3, .flaky = 2}};

    (void)state;
    for (size_t row = 0; row < COUNT(rows); row++)
        for (size_t kernel = 0; kernel < COUNT(kernels); kernel++)
            for (size_t piece = 1; piece < 100; piece = piece * 3 + 1)
                play_row(row, &kernels[kernel], piece);
}

/* --- No answer --- */

static const struct {
    int error;
    enum identity_outcome outcome;
    const char *text;
} failures[] = {
    {ECONNREFUSED, IDENTITY_REFUSED, "failed: refused"},
    {EHOSTUNREACH, IDENTITY_UNREACHABLE, "failed: unreachable"},
    {ENETUNREACH, IDENTITY_UNREACHABLE, "failed: unreachable"},
    {ETIMEDOUT, IDENTITY_LATE, "failed: timeout"},
    {ECONNRESET, IDENTITY_CLOSED, "failed: closed"},
    {EADDRNOTAVAIL, IDENTITY_FAILED, "failed"},
    {EMFILE, IDENTITY_FAILED, "failed"},
    {ENOMEM, IDENTITY_FAILED, "failed"},
    {EPERM, IDENTITY_FAILED, "failed"},
};

static void
says_why_there_is_no_connection(void **state)
{
    struct sim_dial dial;

    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++) {
        answers = 0;
        assert_int_equal(start(), 0);
        assert_true(sim_take_dial(&dial));
        sim_answer(dial.id, failures[i].error);
        settle();
        assert_int_equal(answers, 1);
        assert_outcome(failures[i].outcome, failures[i].text);
    }
}

static void
says_at_once_what_fails_at_once(void **state)
{
    static const enum sim_call calls[] = {SIM_CALL_tcp, SIM_CALL_bind_source,
                                          SIM_CALL_connect, SIM_CALL_poll_add};

    (void)state;
    for (size_t i = 0; i < COUNT(failures) * COUNT(calls); i++) {
        struct sim_fault fault = {.call = calls[i % COUNT(calls)],
                                  .at = 1,
                                  .times = 1,
                                  .error = failures[i / COUNT(calls)].error};
        sim_fail(&fault);
        assert_int_equal(start(), -fault.error);
        assert_outcome(failures[i / COUNT(calls)].outcome,
                       failures[i / COUNT(calls)].text);
        advance_ms(2 * PATIENCE_MS);
        assert_int_equal(answers, 0);
        sim_heal();
    }
}

static void
waits_for_a_silent_host_until_the_deadline(void **state)
{
    struct sim_dial dial;

    (void)state;
    assert_int_equal(start(), 0);
    assert_true(sim_take_dial(&dial));
    advance_ms(PATIENCE_MS - 1);
    assert_int_equal(answers, 0);
    advance_ms(1);
    assert_int_equal(answers, 1);
    assert_outcome(IDENTITY_LATE, "failed: timeout");
    assert_true(sim_given_up(dial.id));
}

static void
gives_a_dripping_identd_no_more_time(void **state)
{
    static const char line[] = USER "a-name-that-takes-its-time\r\n";

    (void)state;
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    for (size_t i = 0; i < 49; i++) {
        assert_int_equal(sim_sock_send(identd, line + i, 1), 1);
        advance_ms(100);
        assert_int_equal(answers, 0);
        assert_int_equal(identity.unread_len, i + 1);
    }
    advance_ms(99);
    assert_int_equal(answers, 0);
    advance_ms(1);
    assert_int_equal(answers, 1);
    assert_outcome(IDENTITY_LATE, "failed: timeout");
    assert_int_equal(sim_sock_send(identd, "x", 1), -ECONNRESET);
    sim_sock_close(identd);
}

static void
reads_no_more_of_a_flood_than_a_line(void **state)
{
    char flood[16384];

    (void)state;
    memset(flood, 'x', sizeof(flood));
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    assert_int_equal(sim_sock_send(identd, flood, 1000), 1000);
    settle();
    assert_int_equal(answers, 0);
    assert_int_equal(identity.unread_len, 1000);
    assert_true(sim_sock_send(identd, flood, sizeof(flood)) > 0);
    settle();
    assert_int_equal(answers, 1);
    assert_outcome(IDENTITY_MALFORMED, "failed: malformed");
    assert_int_equal(sim_sock_consumed(identd), 1001);
    assert_null(identity.unread);
    sim_sock_close(identd);
}

static void
resets_the_connection_once_it_is_answered(void **state)
{
    char octet;

    (void)state;
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    say(identd, USER "me\r\n", strlen(USER "me\r\n"), 100);
    settle();
    assert_int_equal(answers, 1);
    assert_int_equal(sim_sock_recv(identd, &octet, 1), -ECONNRESET);
    sim_sock_close(identd);
}

/* --- Its life --- */

static void
is_cancelled_in_every_state_and_says_nothing(void **state)
{
    (void)state;
    for (int stage = 0; stage < 4; stage++) {
        struct sim_sock *identd = NULL;
        struct sim_dial dial;

        answers = 0;
        if (stage >= 1)
            assert_int_equal(start(), 0);
        if (stage == 1)
            assert_true(sim_take_dial(&dial));
        if (stage >= 2)
            identd = accept_question();
        if (stage >= 3)
            say(identd, USER "m", strlen(USER "m"), 100);
        settle();
        identity_cancel(&identity);
        identity_cancel(&identity);
        assert_int_equal(timer_next_ms(&loop.timers), UINT64_MAX);
        if (identd != NULL) {
            sim_sock_send(identd, "e\r\n", 3);
            sim_sock_close(identd);
        }
        advance_ms(2 * PATIENCE_MS);
        assert_int_equal(answers, 0);
        assert_outcome(IDENTITY_UNANSWERED, "");
    }
}

static void
hears_nothing_that_was_on_its_way_when_cancelled(void **state)
{
    (void)state;
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    say(identd, USER "me\r\n", strlen(USER "me\r\n"), 100);
    identity_cancel(&identity);
    settle();
    assert_int_equal(answers, 0);
    sim_sock_close(identd);
}

static void
answered_and_gone(struct identity *of)
{
    answers++;
    identity_fini(of);
}

static void
may_be_ended_by_the_one_who_hears_it(void **state)
{
    (void)state;
    assert_int_equal(identity_start(&identity, &loop, &client, &local,
                                    PATIENCE_MS, answered_and_gone),
                     0);
    struct sim_sock *identd = accept_question();
    say(identd, USER "me\r\n", strlen(USER "me\r\n"), 100);
    settle();
    assert_int_equal(answers, 1);
    assert_null(identity.word);
    sim_sock_close(identd);
}

static void
forgets_the_last_answer_when_it_asks_again(void **state)
{
    struct sim_dial dial;

    (void)state;
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    say(identd, USER "me\r\n", strlen(USER "me\r\n"), 100);
    settle();
    sim_sock_close(identd);
    assert_outcome(IDENTITY_NAMED, "me");
    assert_int_equal(start(), 0);
    assert_outcome(IDENTITY_UNANSWERED, "");
    assert_true(sim_take_dial(&dial));
    sim_answer(dial.id, ECONNREFUSED);
    settle();
    assert_outcome(IDENTITY_REFUSED, "failed: refused");
}

static void
survives_the_failure_of_each_allocation(void **state)
{
    static const struct sim_options options = {.seed = 1};
    unsigned fail_at = 0;
    bool failed;

    (void)state;
    do {
        begin(&options, ++fail_at);
        assert_int_equal(start(), 0);
        struct sim_sock *identd = accept_question();
        say(identd, USER "me\r\n", strlen(USER "me\r\n"), 16);
        settle();
        sim_sock_close(identd);
        assert_int_equal(answers, 1);
        failed = identity.outcome != IDENTITY_NAMED;
        if (failed)
            assert_outcome(IDENTITY_FAILED, "failed");
        finish();
    } while (failed);
    assert_true(fail_at > 2);
}

static void
cuts_its_text_where_the_room_ends(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(start(), 0);
    struct sim_sock *identd = accept_question();
    say(identd, USER "a-long-name\r\n", strlen(USER "a-long-name\r\n"), 100);
    settle();
    sim_sock_close(identd);
    for (size_t room = 1; room <= sizeof(text); room++) {
        assert_int_equal(identity_text(&identity, text, room), room - 1);
        assert_memory_equal(text, "a-long-", room - 1);
        assert_int_equal(text[room - 1], '\0');
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(asks_port_113_of_the_client_from_the_address_it_reached),
        TEST(asks_an_ipv6_client_over_ipv6),
        cmocka_unit_test(hears_the_same_however_the_answer_comes),
        TEST(says_why_there_is_no_connection),
        TEST(says_at_once_what_fails_at_once),
        TEST(waits_for_a_silent_host_until_the_deadline),
        TEST(gives_a_dripping_identd_no_more_time),
        TEST(reads_no_more_of_a_flood_than_a_line),
        TEST(resets_the_connection_once_it_is_answered),
        TEST(is_cancelled_in_every_state_and_says_nothing),
        TEST(hears_nothing_that_was_on_its_way_when_cancelled),
        TEST(may_be_ended_by_the_one_who_hears_it),
        TEST(forgets_the_last_answer_when_it_asks_again),
        cmocka_unit_test(survives_the_failure_of_each_allocation),
        TEST(cuts_its_text_where_the_room_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
