#include "gateway/monitor/queue.h"

#include <errno.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

#define SIZE 64

static struct queue queue;

static int
setup(void **state)
{
    (void)state;
    return queue_init(&queue, SIZE);
}

static int
teardown(void **state)
{
    (void)state;
    queue_fini(&queue);
    return 0;
}

static bool
put(const char *text, size_t len)
{
    char *room = queue_reserve(&queue, len);
    if (room == NULL)
        return false;
    memcpy(room, text, len);
    queue_commit(&queue, len);
    return true;
}

static void
expect(size_t max, const char *text)
{
    size_t len;
    const char *front = queue_peek(&queue, max, &len);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(front, text, len);
    queue_consume(&queue, len);
}

static void
gives_whole_lines_up_to_a_limit(void **state)
{
    (void)state;
    assert_true(put("one\ntwo\nthree\n", 14));
    expect(10, "one\ntwo\n");
    expect(100, "three\n");
    size_t len;
    assert_null(queue_peek(&queue, 100, &len));
}

static void
cuts_a_line_only_where_it_is_longer_than_the_limit(void **state)
{
    (void)state;
    assert_true(put("one-two\n", 8));
    expect(4, "one-");
    expect(4, "two\n");
}

static void
refuses_what_does_not_fit_and_keeps_what_it_has(void **state)
{
    (void)state;
    char octets[SIZE + 1];
    memset(octets, 'x', sizeof(octets));
    assert_false(put(octets, SIZE + 1));
    assert_true(put(octets, SIZE));
    assert_false(put("y", 1));
    assert_int_equal(queue_length(&queue), SIZE);
    queue_consume(&queue, 1);
    assert_true(put("y", 1));
    assert_false(put("y", 1));
}

/* Against a plain array that never wraps. */
static void
keeps_order_however_it_is_filled_and_emptied(void **state)
{
    (void)state;
    static char all[100000];
    size_t in = 0, out = 0, refused = 0;
    struct random random;
    random_init(&random, 2);
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = random_below(&random, 5) == 0 ? '\n' : (char)('a' + i % 26);
    while (in + SIZE < sizeof(all)) {
        size_t len = 1 + random_below(&random, SIZE / 2);
        if (put(all + in, len))
            in += len;
        else
            refused++;
        if (random_below(&random, 2) == 0)
            continue;
        const char *front = queue_peek(&queue, SIZE / 3, &len);
        if (front == NULL)
            continue;
        assert_memory_equal(front, all + out, len);
        queue_consume(&queue, len);
        out += len;
    }
    assert_int_equal(queue_length(&queue), in - out);
    assert_true(refused > 100);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(gives_whole_lines_up_to_a_limit),
        T(cuts_a_line_only_where_it_is_longer_than_the_limit),
        T(refuses_what_does_not_fit_and_keeps_what_it_has),
        T(keeps_order_however_it_is_filled_and_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
