#include "gateway/worker/authentication.h"

#include <errno.h>
#include <malloc.h>

#include "tests/unit/link/fake_link.h"
#include "tests/unit/unit.h"

#define MANY 4000
#define SECRET "correct horse battery staple"

static struct authentication_question sent[MANY]; /* to the authenticator */

static struct authentications authentications;

/* A session that asks, and the answer it got. */
struct caller {
    struct authentication authentication;
    int answers;
    enum authentication_outcome outcome;
    struct caller *starts; /* when it is answered */
};

static int freed; /* blocks that had the password when they were freed */

void __real_free(void *block);
void __wrap_free(void *block);

void
__wrap_free(void *block)
{
    size_t len = block != NULL ? malloc_usable_size(block) : 0;

    if (len >= sizeof(struct authentication_question) &&
        memmem(block, len, SECRET, strlen(SECRET)) != NULL)
        freed++;
    __real_free(block);
}

static void ask(struct caller *caller);

static void
answered(struct authentication *authentication,
         enum authentication_outcome outcome)
{
    struct caller *caller =
        container_of(authentication, struct caller, authentication);

    caller->answers++;
    caller->outcome = outcome;
    if (caller->starts != NULL)
        ask(caller->starts);
}

static void
ask(struct caller *caller)
{
    assert_int_equal(
        authentication_start(&authentications, &caller->authentication, 7,
                             "ann", 3, SECRET, strlen(SECRET), 5000, answered),
        0);
}

static void
leave(struct caller *caller)
{
    authentication_cancel(&authentications, &caller->authentication);
}

static void
receive(uint64_t id, uint32_t outcome)
{
    struct authentication_answer answer = {.id = id, .outcome = outcome};

    authentications.asked.link.ops->receive(&authentications.asked.link,
                                            &answer);
}

static int
setup(void **state)
{
    (void)state;
    freed = 0;
    fake_link_init(sent, sizeof(sent[0]), MANY);
    authentications_init(&authentications, NULL);
    return 0;
}

static void
asks_at_once_and_in_order(void **state)
{
    struct caller first = {0}, second = {0};
    struct authentication_question empty = {.id = 0};

    (void)state;
    ask(&first);
    ask(&second);
    assert_int_equal(fake_link.count, 2);
    assert_int_equal(sent[0].kind, AUTHENTICATION_ASK);
    assert_int_equal(sent[0].timeout_ms, 5000);
    assert_int_equal(sent[0].source, 7);
    assert_int_equal(sent[0].user_len, 3);
    assert_memory_equal(sent[0].user, "ann", 3);
    assert_memory_equal(sent[0].user + 3, empty.user, sizeof(empty.user) - 3);
    assert_int_equal(sent[0].password_len, strlen(SECRET));
    assert_string_equal(sent[0].password, SECRET);
    assert_int_not_equal(sent[0].id, sent[1].id);
    assert_int_equal(first.answers + second.answers, 0);
    leave(&first);
    leave(&second);
}

static void
the_answer_finds_its_question(void **state)
{
    static struct caller callers[3 * PEER_QUESTION_BUCKETS];

    (void)state;
    for (size_t i = 0; i < COUNT(callers); i++)
        ask(&callers[i]);
    for (size_t i = 0; i < COUNT(callers); i++) {
        struct caller *caller = &callers[(i * 7) % COUNT(callers)];
        uint32_t outcome = (uint32_t)(i % AUTHENTICATION_OUTCOMES);
        assert_int_equal(caller->answers, 0);
        receive(caller->authentication.asked.id, outcome);
        assert_int_equal(caller->answers, 1);
        assert_int_equal(caller->outcome, outcome);
    }
}

static void
an_answer_comes_once_and_never_unasked(void **state)
{
    struct caller caller = {0};

    (void)state;
    ask(&caller);
    uint64_t id = caller.authentication.asked.id;
    receive(id + 1, AUTHENTICATION_ACCEPTED);
    receive(0, AUTHENTICATION_ACCEPTED);
    assert_int_equal(caller.answers, 0);
    receive(id, AUTHENTICATION_REFUSED);
    receive(id, AUTHENTICATION_ACCEPTED);
    assert_int_equal(caller.answers, 1);
    assert_int_equal(caller.outcome, AUTHENTICATION_REFUSED);
}

static void
an_outcome_that_cannot_be_is_a_failure(void **state)
{
    static const uint32_t impossible[] = {AUTHENTICATION_OUTCOMES, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(impossible); i++) {
        struct caller caller = {0};
        ask(&caller);
        receive(caller.authentication.asked.id, impossible[i]);
        assert_int_equal(caller.outcome, AUTHENTICATION_FAILED);
    }
}

static void
no_password_is_left_behind(void **state)
{
    struct caller answered_one = {0}, cancelled = {0}, unsent = {0};

    (void)state;
    ask(&answered_one);
    ask(&cancelled);
    fake_link.room = 0;
    ask(&unsent);
    receive(answered_one.authentication.asked.id, AUTHENTICATION_ACCEPTED);
    leave(&cancelled);
    leave(&unsent);
    assert_null(unsent.authentication.question);
    assert_int_equal(freed, 0);
}

static void
a_cancelled_question_is_not_answered(void **state)
{
    static const char nothing[AUTHENTICATION_PASSWORD_MAX];
    struct caller caller = {0};

    (void)state;
    leave(&caller);
    assert_int_equal(fake_link.count, 0);
    ask(&caller);
    uint64_t id = caller.authentication.asked.id;
    leave(&caller);
    leave(&caller);
    assert_int_equal(fake_link.count, 2);
    assert_int_equal(sent[1].kind, AUTHENTICATION_CANCEL);
    assert_int_equal(sent[1].id, id);
    assert_memory_equal(sent[1].password, nothing, sizeof(nothing));
    receive(id, AUTHENTICATION_ACCEPTED);
    assert_int_equal(caller.answers, 0);
}

/* From inside an answer a session may ask again, with the same struct. */
static void
an_answer_may_ask_again(void **state)
{
    struct caller caller = {0};

    (void)state;
    caller.starts = &caller;
    ask(&caller);
    receive(caller.authentication.asked.id, AUTHENTICATION_REFUSED);
    caller.starts = NULL;
    receive(caller.authentication.asked.id, AUTHENTICATION_ACCEPTED);
    assert_int_equal(caller.answers, 2);
}

/* The old ones first: what waited, and what the one before had. */
static void
the_next_authenticator_is_asked_all_that_has_no_answer(void **state)
{
    struct caller callers[4] = {{.answers = 0}};

    (void)state;
    ask(&callers[0]);
    ask(&callers[1]);
    fake_link.error = -ENOTCONN;
    ask(&callers[2]);
    ask(&callers[3]);
    receive(callers[0].authentication.asked.id, AUTHENTICATION_ACCEPTED);
    leave(&callers[3]);
    fake_link.error = 0;
    authentications.asked.link.ops->resend(&authentications.asked.link);
    assert_int_equal(fake_link.count, 4);
    assert_int_equal(sent[2].id, callers[1].authentication.asked.id);
    assert_int_equal(sent[3].id, callers[2].authentication.asked.id);
    assert_string_equal(sent[2].password, SECRET);
    leave(&callers[1]);
    leave(&callers[2]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(asks_at_once_and_in_order, setup),
        cmocka_unit_test_setup(the_answer_finds_its_question, setup),
        cmocka_unit_test_setup(an_answer_comes_once_and_never_unasked, setup),
        cmocka_unit_test_setup(an_outcome_that_cannot_be_is_a_failure, setup),
        cmocka_unit_test_setup(no_password_is_left_behind, setup),
        cmocka_unit_test_setup(a_cancelled_question_is_not_answered, setup),
        cmocka_unit_test_setup(an_answer_may_ask_again, setup),
        cmocka_unit_test_setup(
            the_next_authenticator_is_asked_all_that_has_no_answer, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
