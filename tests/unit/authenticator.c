/* Whose turn it is, who waits, and whose password it is. */

#include <crypt.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/authenticator/failures.h"
#include "gateway/authenticator/passwords.h"
#include "gateway/authenticator/questions.h"
#include "tests/unit/unit.h"

/* --- turns --------------------------------------------------------------- */

static struct questions questions;
static struct authenticator_client clients[3];
static unsigned overloaded[3]; /* so often */
static uint64_t overloaded_id;

static void
on_overloaded(struct authenticator_client *client, uint64_t id)
{
    overloaded[client - clients]++;
    overloaded_id = id;
}

static int
setup(void **state)
{
    (void)state;
    memset(&questions, 0, sizeof(questions));
    memset(overloaded, 0, sizeof(overloaded));
    questions_init(&questions, on_overloaded);
    for (size_t i = 0; i < COUNT(clients); i++)
        authenticator_client_init(&clients[i]);
    return 0;
}

static void
ask(unsigned client, uint64_t source, uint64_t id)
{
    struct authentication_question asked = {.kind = AUTHENTICATION_ASK,
                                            .timeout_ms = 1000,
                                            .id = id,
                                            .source = source,
                                            .password_len = 6,
                                            .password = "secret"};

    questions_add(&questions, &clients[client], &asked, 100);
}

/* The id of the next; 0: there is none. */
static uint64_t
next_at(uint64_t now_ms)
{
    struct authenticator_client *client;
    struct question *question = questions_take(&questions, now_ms, &client);

    if (question == NULL)
        return 0;
    uint64_t id = question->asked.id;
    questions_release(&questions, question);
    return id;
}

static size_t
free_places(void)
{
    size_t count = 0;

    list_each_safe (at, after, &questions.free_questions) {
        static const struct authentication_question nothing;
        struct question *question = container_of(at, struct question, link);
        assert_memory_equal(question->asked.password, nothing.password,
                            sizeof(nothing.password));
        count++;
    }
    return count;
}

static void
workers_and_their_sources_take_turns(void **state)
{
    static const uint64_t order[] = {1, 11, 3, 12, 2, 13, 4};

    (void)state;
    ask(0, 7, 1);
    ask(0, 7, 2);
    ask(0, 8, 3);
    ask(0, 7, 4);
    ask(1, 7, 11);
    ask(1, 7, 12);
    ask(1, 7, 13);
    for (size_t i = 0; i < COUNT(order); i++)
        assert_int_equal(next_at(100), order[i]);
    assert_int_equal(next_at(100), 0);
    assert_int_equal(free_places(), QUESTIONS_MAX);
}

static void
a_flood_of_one_source_delays_another_by_one(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 500; i++)
        ask(0, 7, i);
    ask(0, 8, 1000);
    assert_int_equal(next_at(100), 1);
    assert_int_equal(next_at(100), 1000);
}

static void
who_asks_most_makes_room(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < QUESTIONS_MAX; i++)
        ask(0, i < 3 ? 8 : 7, i + 1);
    ask(1, 8, 5000); /* in place of the oldest of the source that has most */
    assert_int_equal(overloaded[0], 1);
    assert_int_equal(overloaded_id, 4);
    ask(0, 7, 6000);
    assert_int_equal(overloaded[0], 2);
    assert_int_equal(overloaded_id, 5);
    assert_int_equal(overloaded[1], 0);
    assert_int_equal(free_places(), 0);
    questions_leave(&questions, &clients[0]);
    assert_int_equal(next_at(100), 5000);
    assert_int_equal(free_places(), QUESTIONS_MAX);
}

/* Where each of its sources has one it is the newcomer. */
static void
a_worker_takes_room_from_itself(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < QUESTIONS_MAX; i++)
        ask(0, i, i + 1);
    ask(0, 999999, 7000);
    assert_int_equal(overloaded_id, 7000);
    ask(0, 5, 8000);
    assert_int_equal(overloaded_id, 6);
}

static void
what_nobody_waits_for_is_dropped(void **state)
{
    (void)state;
    ask(0, 7, 1);
    ask(0, 7, 2);
    ask(0, 8, 3);
    questions_cancel(&questions, &clients[0], 2);
    questions_cancel(&questions, &clients[0], 99);
    questions_cancel(&questions, &clients[1], 1);
    assert_int_equal(next_at(1099), 1);
    assert_int_equal(next_at(1100), 0);
    assert_int_equal(free_places(), QUESTIONS_MAX);
}

static void
who_takes_no_answers_is_passed_over(void **state)
{
    (void)state;
    ask(0, 7, 1);
    ask(1, 7, 2);
    clients[0].blocked = true;
    assert_int_equal(next_at(100), 2);
    assert_int_equal(next_at(100), 0);
    clients[0].blocked = false;
    assert_int_equal(next_at(100), 1);
}

/* --- wrong passwords ------------------------------------------------------ */

static struct failures failures;

static unsigned
tries(uint64_t source, const char *user, uint64_t now_ms)
{
    unsigned count = 0;

    while (failures_permit(&failures, source, user, strlen(user), now_ms) &&
           count < 1000) {
        failures_note(&failures, source, user, strlen(user), now_ms);
        count++;
    }
    return count;
}

static void
wrong_passwords_are_limited_for_a_user_of_a_source(void **state)
{
    (void)state;
    failures_init(&failures);
    assert_int_equal(tries(7, "ann", 1000), 10);
    assert_int_equal(tries(8, "ann", 1000), 10);
    assert_int_equal(tries(7, "ann", 5999), 0);
    assert_int_equal(tries(7, "ann", 6000), 1);
    assert_int_equal(tries(7, "ann", 6000 + 50000), 10);
    assert_int_equal(tries(7, "anna", 1000000), 10);
}

static void
wrong_passwords_are_limited_for_a_source(void **state)
{
    char name[16];
    unsigned count = 0;

    (void)state;
    failures_init(&failures);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "user %d", i);
        count += tries(7, name, 1000);
    }
    assert_int_equal(count, 50);
    assert_int_equal(tries(7, "new", 2000), 1);
    assert_int_equal(tries(8, "new", 2000), 10);
}

/* One that is limited is forgotten only where all in its row are. */
static void
many_sources_fill_the_table_and_nothing_else(void **state)
{
    unsigned forgotten = 0;

    (void)state;
    failures_init(&failures);
    assert_int_equal(tries(7, "ann", 1000), 10);
    for (uint64_t i = 0; i < FAILURES_ROWS; i++)
        failures_note(&failures, 1000 + i, "x", 1, 1000);
    forgotten = tries(7, "ann", 1000);
    assert_int_equal(forgotten, 0);
}

/* --- passwords ----------------------------------------------------------- */

/* A cheap one of each kind, of "secret"; bob is locked. */
#define USERS                                                                  \
    "ann:$y$j75$PtVzgzAAAAAAAAAAAAAAA1$"                                       \
    "eTlhCOSJEvB8Ba5NoXCvZIXasef6k16owV7mzEnV.p6\n"                            \
    "bob:!$y$j75$PtVzgzAAAAAAAAAAAAAAA1$"                                      \
    "eTlhCOSJEvB8Ba5NoXCvZIXasef6k16owV7mzEnV.p6\n"                            \
    "des:abNANd1rDfiNc\n"                                                      \
    "md5:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1\n"

static struct passwords passwords;
static unsigned hashes; /* computed so far */

char *__real_crypt_rn(const char *phrase, const char *setting, void *data,
                      int size);
char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data,
                      int size);

char *
__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
    hashes++;
    return __real_crypt_rn(phrase, setting, data, size);
}

static int
take(const char *text)
{
    int fd = memfd_create("users", 0);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    int error = passwords_take(&passwords, fd, strlen(text));
    close(fd);
    return error;
}

static enum authentication_outcome
check_octets(const char *user, const char *password, size_t len,
             uint64_t now_ms)
{
    struct authentication_question asked = {.user_len = (uint8_t)strlen(user),
                                            .password_len = (uint8_t)len};

    memcpy(asked.user, user, asked.user_len);
    memcpy(asked.password, password, len);
    return passwords_check(&passwords, &asked, now_ms);
}

static enum authentication_outcome
check(const char *user, const char *password, uint64_t now_ms)
{
    return check_octets(user, password, strlen(password), now_ms);
}

static void
the_password_of_a_user_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(passwords_init(&passwords), 0);
    assert_int_equal(check("ann", "secret", 0), AUTHENTICATION_FAILED);
    assert_int_equal(take(USERS), 0);
    assert_int_equal(check("ann", "secret", 0), AUTHENTICATION_ACCEPTED);
    assert_int_equal(check("md5", "secret", 0), AUTHENTICATION_ACCEPTED);
    assert_int_equal(check("des", "secret", 0), AUTHENTICATION_ACCEPTED);
    assert_int_equal(check("ann", "Secret", 0), AUTHENTICATION_REFUSED);
    assert_int_equal(check("ann", "", 0), AUTHENTICATION_REFUSED);
    assert_int_equal(check("ann", "secrets", 0), AUTHENTICATION_REFUSED);
    assert_int_equal(check("bob", "secret", 0), AUTHENTICATION_REFUSED);
    assert_int_equal(check("eve", "secret", 0), AUTHENTICATION_REFUSED);
    assert_int_equal(check("", "", 0), AUTHENTICATION_REFUSED);
    assert_int_equal(check_octets("ann", "secret\0x", 8, 0),
                     AUTHENTICATION_REFUSED);
    assert_int_equal(check_octets("ann", "secret\0", 7, 0),
                     AUTHENTICATION_REFUSED);
    passwords_fini(&passwords);
}

/* A name that is not there costs a hash, and so does one that is locked. */
static void
each_refusal_costs_one_hash(void **state)
{
    static const char *const users[] = {"ann", "bob", "eve", "", "des"};

    (void)state;
    assert_int_equal(passwords_init(&passwords), 0);
    assert_int_equal(take(USERS), 0);
    assert_int_equal(check("ann", "secret", 0), AUTHENTICATION_ACCEPTED);
    for (size_t i = 0; i < COUNT(users); i++) {
        hashes = 0;
        assert_int_equal(check(users[i], "wrong", 1), AUTHENTICATION_REFUSED);
        assert_int_equal(hashes, 1);
    }
    hashes = 0;
    check_octets("ann", "secret\0x", 8, 1);
    assert_int_equal(hashes, 1);
    passwords_fini(&passwords);
}

static void
a_right_password_is_remembered_for_a_while(void **state)
{
    (void)state;
    assert_int_equal(passwords_init(&passwords), 0);
    assert_int_equal(take(USERS), 0);
    hashes = 0;
    assert_int_equal(check("ann", "secret", 5), AUTHENTICATION_ACCEPTED);
    assert_int_equal(check("ann", "secret", 4 + PASSWORDS_REMEMBERED_MS),
                     AUTHENTICATION_ACCEPTED);
    assert_int_equal(hashes, 1); /* and again from then on */
    assert_int_equal(check("ann", "secret", 3 + 2 * PASSWORDS_REMEMBERED_MS),
                     AUTHENTICATION_ACCEPTED);
    assert_int_equal(hashes, 1);
    assert_int_equal(check("ann", "secret", 3 + 3 * PASSWORDS_REMEMBERED_MS),
                     AUTHENTICATION_ACCEPTED);
    assert_int_equal(hashes, 2);
    /* but not for another file, nor for another user */
    assert_int_equal(check("md5", "secret", 6), AUTHENTICATION_ACCEPTED);
    assert_int_equal(hashes, 3);
    assert_int_equal(take("ann:*\n"), 0);
    assert_int_equal(check("ann", "secret", 7), AUTHENTICATION_REFUSED);
    passwords_fini(&passwords);
}

static void
a_file_that_cannot_be_used_is_none(void **state)
{
    (void)state;
    assert_int_equal(passwords_init(&passwords), 0);
    assert_int_equal(take(USERS), 0);
    assert_true(take("ann:secret\n") < 0);
    assert_int_equal(check("ann", "secret", 0), AUTHENTICATION_FAILED);
    assert_true(take("") < 0);
    assert_int_equal(take("# nobody\n"), 0);
    assert_int_equal(check("ann", "secret", 0), AUTHENTICATION_REFUSED);
    passwords_fini(&passwords);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(workers_and_their_sources_take_turns, setup),
        cmocka_unit_test_setup(a_flood_of_one_source_delays_another_by_one,
                               setup),
        cmocka_unit_test_setup(who_asks_most_makes_room, setup),
        cmocka_unit_test_setup(a_worker_takes_room_from_itself, setup),
        cmocka_unit_test_setup(what_nobody_waits_for_is_dropped, setup),
        cmocka_unit_test_setup(who_takes_no_answers_is_passed_over, setup),
        cmocka_unit_test(wrong_passwords_are_limited_for_a_user_of_a_source),
        cmocka_unit_test(wrong_passwords_are_limited_for_a_source),
        cmocka_unit_test(many_sources_fill_the_table_and_nothing_else),
        cmocka_unit_test(the_password_of_a_user_is_accepted),
        cmocka_unit_test(each_refusal_costs_one_hash),
        cmocka_unit_test(a_right_password_is_remembered_for_a_while),
        cmocka_unit_test(a_file_that_cannot_be_used_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
