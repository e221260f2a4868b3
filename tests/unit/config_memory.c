/*
 * Out of memory at every single allocation while a configuration is read,
 * dumped and given listeners: an error each time, nothing lost. malloc is
 * replaced for the whole program, libyaml included.
 */

#include <errno.h>

#include "tests/unit/config_equal.h"
#include "tests/unit/unit.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *memory);

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *memory);

static long live;       /* blocks */
static long until_fail; /* allocations that still succeed; < 0: all do */
static bool failed;

static bool
may_allocate(void)
{
    if (until_fail < 0)
        return true;
    if (until_fail-- > 0)
        return true;
    /* This one and all that follow: memory does not come back at once. */
    until_fail = 0;
    failed = true;
    errno = ENOMEM;
    return false;
}

void *
malloc(size_t size)
{
    void *memory = may_allocate() ? __libc_malloc(size) : NULL;

    live += memory != NULL;
    return memory;
}

void *
calloc(size_t count, size_t size)
{
    void *memory = may_allocate() ? __libc_calloc(count, size) : NULL;

    live += memory != NULL;
    return memory;
}

void *
realloc(void *old, size_t size)
{
    void *memory = may_allocate() ? __libc_realloc(old, size) : NULL;

    live += memory != NULL && old == NULL;
    return memory;
}

void
free(void *memory)
{
    live -= memory != NULL;
    __libc_free(memory);
}

static char text[8192];
static size_t text_len;

static void
text_read(void)
{
    char path[512];
    const char *root = getenv("SOURCE_ROOT");

    assert_non_null(root);
    snprintf(path, sizeof(path), "%s/tests/config/good/everything.yaml", root);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text_len = fread(text, 1, sizeof(text), file);
    fclose(file);
}

static struct config *
parse_with(long allocations, struct config_error *error)
{
    error->text[0] = '\0';
    failed = false;
    until_fail = allocations;
    struct config *config = config_parse("f", text, text_len, error, NULL);
    until_fail = -1;
    return config;
}

static void
a_configuration_that_does_not_fit_is_an_error(void **state)
{
    struct config_error error;
    long n = 0;

    (void)state;
    text_read();
    for (;; n++) {
        long before = live;
        struct config *config = parse_with(n, &error);
        if (config) {
            assert_false(failed);
            config_unref(config);
            assert_int_equal(live, before);
            break;
        }
        assert_true(failed);
        assert_non_null(strstr(error.text, "out of memory"));
        assert_int_equal(live, before);
        assert_true(n < 10000);
    }
    printf("# %ld allocations\n", n);
    assert_true(n > 50);
}

static void
listeners_that_do_not_fit_are_an_error(void **state)
{
    const char *at[64];
    char texts[64][24];
    struct config_error error;
    long n = 0;

    (void)state;
    text_len = (size_t)snprintf(text, sizeof(text), "{}");
    for (unsigned i = 0; i < 64; i++) {
        snprintf(texts[i], sizeof(texts[i]), "127.0.0.%u:1080", i + 1);
        at[i] = texts[i];
    }
    long before = live;
    struct config *config = parse_with(-1, &error);
    assert_non_null(config);
    /* The first ones fit into what the snapshot has left. */
    until_fail = 0;
    while (config_set_listeners(config, at, 64, false, &error) == 0)
        assert_true(++n < 100);
    until_fail = -1;
    assert_non_null(strstr(error.text, "out of memory"));
    assert_int_equal(config->listener_count, n ? 64 : 1);
    assert_int_equal(config_set_listeners(config, at, 64, false, &error), 0);
    config_unref(config);
    assert_int_equal(live, before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_that_does_not_fit_is_an_error),
        cmocka_unit_test(listeners_that_do_not_fit_are_an_error),
    };

    until_fail = -1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
