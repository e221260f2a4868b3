#include "gateway/monitor/edition.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"

static struct edition
make(const char *text, uint32_t number)
{
    struct config_error error;
    struct edition edition;
    struct config *config =
        config_parse("test", text, strlen(text), &error, NULL);
    assert_non_null(config);
    assert_int_equal(edition_make(&edition, config, number), 0);
    return edition;
}

#define HERE "listen: [{address: '127.0.0.1:1080'}]\n"

static void
means_the_same_however_it_is_written(void **state)
{
    (void)state;
    struct edition one = make(HERE "rules: []\n", 0);
    struct edition two = make("# a remark\nrules: []\nworkers: auto\n" HERE, 1);
    assert_true(edition_equal(&one, &two));
    assert_string_equal(one.id, two.id);
    edition_free(&one);
    edition_free(&two);
}

static void
is_another_one_where_anything_differs(void **state)
{
    (void)state;
    static const char *const texts[] = {
        HERE,
        HERE "workers: 3\n",
        HERE "workers: 4\n",
        HERE "timeouts: {idle: 1s}\n",
        HERE "log: {level: debug}\n",
        "listen: [{address: '127.0.0.1:1080', name: other}]\n",
        HERE "rules: [{action: allow, from: [any], to: [any]}]\n",
    };
    struct edition editions[COUNT(texts)];
    for (size_t i = 0; i < COUNT(texts); i++) {
        editions[i] = make(texts[i], (uint32_t)i);
        assert_int_equal(strspn(editions[i].id, "0123456789abcdef"), 8);
        for (size_t j = 0; j < i; j++) {
            assert_false(edition_equal(&editions[i], &editions[j]));
            assert_string_not_equal(editions[i].id, editions[j].id);
        }
    }
    for (size_t i = 0; i < COUNT(texts); i++)
        edition_free(&editions[i]);
}

static void
hands_out_a_text_that_nobody_can_change_and_that_means_the_same(void **state)
{
    (void)state;
    struct edition edition = make(HERE "workers: 7\n", 0);
    char octet = '#',
         *text = mmap(NULL, edition.len, PROT_READ, MAP_PRIVATE, edition.fd, 0);
    assert_int_equal(pwrite(edition.fd, &octet, 1, 0), -1);
    assert_int_equal(ftruncate(edition.fd, 0), -1);
    assert_memory_equal(text, edition.text, edition.len);

    struct config_error error;
    struct config *config =
        config_parse("copy", text, edition.len, &error, NULL);
    struct edition copy;
    assert_int_equal(edition_make(&copy, config, 1), 0);
    assert_true(edition_equal(&edition, &copy));
    munmap(text, edition.len);
    edition_free(&copy);
    edition_free(&edition);
}

static void
says_what_only_a_restart_changes(void **state)
{
    (void)state;
    struct edition plain = make(HERE, 0);
    struct edition same = make(HERE "workers: 2\nuser: auto\n", 1);
    struct edition user = make(HERE "user: somebody\n", 2);
    struct edition other = make(HERE "user: nobody\n", 3);
    struct edition box = make(HERE "sandbox: off\n", 4);
    assert_null(edition_fixed(&plain, &same));
    assert_string_equal(edition_fixed(&plain, &user), "user");
    assert_string_equal(edition_fixed(&user, &other), "user");
    assert_null(edition_fixed(&user, &user));
    assert_string_equal(edition_fixed(&box, &plain), "sandbox");
    edition_free(&plain);
    edition_free(&same);
    edition_free(&user);
    edition_free(&other);
    edition_free(&box);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_the_same_however_it_is_written),
        cmocka_unit_test(is_another_one_where_anything_differs),
        cmocka_unit_test(
            hands_out_a_text_that_nobody_can_change_and_that_means_the_same),
        cmocka_unit_test(says_what_only_a_restart_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
