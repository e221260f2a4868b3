#include "base/list.h"
#include "tests/unit/unit.h"

struct item {
    struct list link;
    int number;
};

static void
items_init(struct item *items, size_t count, struct list *head)
{
    list_init(head);
    for (size_t i = 0; i < count; i++) {
        items[i].number = (int)i;
        list_append(head, &items[i].link);
    }
}

/* The ring has these numbers, read in both directions. */
static void
assert_ring(const struct list *head, const int *numbers, size_t count)
{
    const struct list *at = head;

    for (size_t i = 0; i < count; i++) {
        at = at->next;
        assert_int_equal(container_of(at, struct item, link)->number,
                         numbers[i]);
        assert_ptr_equal(at->prev->next, at);
    }
    assert_ptr_equal(at->next, head);
    assert_ptr_equal(head->prev, at);
}

static void
keeps_the_order_of_appending(void **state)
{
    struct list head;
    struct item items[3];

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    items_init(items, 3, &head);
    assert_false(list_empty(&head));
    assert_ring(&head, (int[]){0, 1, 2}, 3);
}

static void
removes_once_or_twice(void **state)
{
    struct list head;
    struct item items[4];

    (void)state;
    items_init(items, 4, &head);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_ring(&head, (int[]){0, 2, 3}, 3);
    assert_true(list_empty(&items[1].link));
    list_remove(&items[3].link);
    list_remove(&items[0].link);
    assert_ring(&head, (int[]){2}, 1);
    list_remove(&items[2].link);
    assert_true(list_empty(&head));
    list_append(&head, &items[1].link);
    assert_ring(&head, (int[]){1}, 1);
}

static void
takes_a_whole_ring(void **state)
{
    struct list to, from, none;
    struct item first[2], second[2];

    (void)state;
    items_init(first, 2, &to);
    items_init(second, 2, &from);
    second[0].number = 2;
    second[1].number = 3;
    list_init(&none);
    list_take(&to, &none);
    assert_ring(&to, (int[]){0, 1}, 2);
    list_take(&to, &from);
    assert_ring(&to, (int[]){0, 1, 2, 3}, 4);
    assert_true(list_empty(&from));
    list_take(&none, &to);
    assert_ring(&none, (int[]){0, 1, 2, 3}, 4);
    assert_true(list_empty(&to));
}

static void
visits_each_even_when_it_is_removed(void **state)
{
    struct list head;
    struct item items[5];
    int seen = 0;

    (void)state;
    items_init(items, 5, &head);
    list_each_safe (at, after, &head) {
        struct item *item = container_of(at, struct item, link);

        assert_int_equal(item->number, seen++);
        if (item->number % 2 == 0)
            list_remove(at);
    }
    assert_int_equal(seen, 5);
    assert_ring(&head, (int[]){1, 3}, 2);
    list_init(&head);
    list_each_safe (at, after, &head)
        fail();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_of_appending),
        cmocka_unit_test(removes_once_or_twice),
        cmocka_unit_test(takes_a_whole_ring),
        cmocka_unit_test(visits_each_even_when_it_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
