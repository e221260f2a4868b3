#include "gateway/monitor/config_version.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"

static struct config_version
make(const char *text, uint32_t number)
{
    struct config_error error;
    struct config_version config_version;
    struct config *config =
        config_parse("test", text, strlen(text), &error, NULL);
    assert_non_null(config);
    assert_int_equal(config_version_make(&config_version, config, number), 0);
    return config_version;
}

#define HERE "listen: [{address: '127.0.0.1:1080'}]\n"

static void
means_the_same_however_it_is_written(void **state)
{
    (void)state;
    struct config_version one = make(HERE "rules: []\n", 0);
    struct config_version two =
        make("# a remark\nrules: []\nworkers: auto\n" HERE, 1);
    assert_true(config_version_equal(&one, &two));
    assert_string_equal(one.id, two.id);
    config_version_free(&one);
    config_version_free(&two);
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
    struct config_version versions[COUNT(texts)];
    for (size_t i = 0; i < COUNT(texts); i++) {
        versions[i] = make(texts[i], (uint32_t)i);
        assert_int_equal(strspn(versions[i].id, "0123456789abcdef"), 8);
        for (size_t j = 0; j < i; j++) {
            assert_false(config_version_equal(&versions[i], &versions[j]));
            assert_string_not_equal(versions[i].id, versions[j].id);
        }
    }
    for (size_t i = 0; i < COUNT(texts); i++)
        config_version_free(&versions[i]);
}

static void
hands_out_a_text_that_nobody_can_change_and_that_means_the_same(void **state)
{
    (void)state;
    struct config_version config_version = make(HERE "workers: 7\n", 0);
    char octet = '#', *text = mmap(NULL, config_version.len, PROT_READ,
                                   MAP_PRIVATE, config_version.fd, 0);
    assert_int_equal(pwrite(config_version.fd, &octet, 1, 0), -1);
    assert_int_equal(ftruncate(config_version.fd, 0), -1);
    assert_memory_equal(text, config_version.text, config_version.len);

    struct config_error error;
    struct config *config =
        config_parse("copy", text, config_version.len, &error, NULL);
    struct config_version copy;
    assert_int_equal(config_version_make(&copy, config, 1), 0);
    assert_true(config_version_equal(&config_version, &copy));
    munmap(text, config_version.len);
    config_version_free(&copy);
    config_version_free(&config_version);
}

static void
says_what_only_a_restart_changes(void **state)
{
    (void)state;
    struct config_version plain = make(HERE, 0);
    struct config_version same = make(HERE "workers: 2\nuser: auto\n", 1);
    struct config_version user = make(HERE "user: somebody\n", 2);
    struct config_version other = make(HERE "user: nobody\n", 3);
    struct config_version box = make(HERE "sandbox: off\n", 4);
    assert_null(config_version_fixed(&plain, &same));
    assert_string_equal(config_version_fixed(&plain, &user), "user");
    assert_string_equal(config_version_fixed(&user, &other), "user");
    assert_null(config_version_fixed(&user, &user));
    assert_string_equal(config_version_fixed(&box, &plain), "sandbox");
    config_version_free(&plain);
    config_version_free(&same);
    config_version_free(&user);
    config_version_free(&other);
    config_version_free(&box);
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
