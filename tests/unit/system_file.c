#include "gateway/resolver/system_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/unit.h"

static char folder[] = "/tmp/unit-file-XXXXXX";
static char path[64], other[64], next[64];
static struct system_file file;

static int
setup(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "%s/path", folder);
    snprintf(other, sizeof(other), "%s/other", folder);
    snprintf(next, sizeof(next), "%s/next", folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    unlink(next);
    return 0;
}

static void
write_file(const char *name, const char *text, int flags)
{
    int fd = open(name, O_WRONLY | O_CREAT | flags, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void
assert_reads(const char *expected)
{
    char *text;
    size_t len;

    assert_int_equal(system_file_read(&file, 100, &text, &len), 0);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
    text[len] = '\0'; /* there is room for it */
    free(text);
}

static void
it_is_read_once_until_it_changes(void **state)
{
    (void)state;
    write_file(path, "one", 0);
    system_file_init(&file, path);
    assert_true(system_file_changed(&file));
    assert_reads("one");
    assert_false(system_file_changed(&file));
    write_file(path, "more", O_TRUNC);
    assert_true(system_file_changed(&file));
    assert_reads("more");
    assert_false(system_file_changed(&file));
}

static void
a_file_of_its_name_takes_its_place(void **state)
{
    (void)state;
    write_file(path, "one", 0);
    system_file_init(&file, path);
    assert_true(system_file_changed(&file));
    write_file(next, "two", 0);
    assert_int_equal(rename(next, path), 0);
    assert_true(system_file_changed(&file));
    assert_reads("two");
}

static void
a_link_is_followed_to_what_it_leads_to_now(void **state)
{
    (void)state;
    assert_int_equal(symlink(other, path), 0);
    system_file_init(&file, path);
    assert_true(system_file_changed(&file));
    assert_false(system_file_changed(&file));
    write_file(other, "one", 0);
    assert_true(system_file_changed(&file));
    assert_reads("one");
    unlink(other);
    assert_true(system_file_changed(&file));
    char *text;
    size_t len;
    assert_int_equal(system_file_read(&file, 100, &text, &len), -ENOENT);
}

static void
no_more_than_asked_for_is_read(void **state)
{
    char *text, many[150];
    size_t len;

    (void)state;
    memset(many, 'x', sizeof(many));
    many[149] = '\0';
    write_file(path, many, 0);
    system_file_init(&file, path);
    assert_int_equal(system_file_read(&file, 100, &text, &len), 0);
    assert_int_equal(len, 101);
    free(text);
    assert_int_equal(system_file_read(&file, 149, &text, &len), 0);
    assert_int_equal(len, 149);
    free(text);
}

/* Neither a pipe nobody writes to, nor a device without end, nor a folder. */
static void
what_is_not_a_file_ends_too(void **state)
{
    char *text;
    size_t len;

    (void)state;
    assert_int_equal(mkfifo(path, 0644), 0);
    system_file_init(&file, path);
    assert_reads("");
    file.path = "/dev/zero";
    assert_int_equal(system_file_read(&file, 100, &text, &len), 0);
    assert_int_equal(len, 101);
    free(text);
    file.path = folder;
    assert_int_equal(system_file_read(&file, 100, &text, &len), -EISDIR);
    file.path = "/proc/self/status";
    assert_int_equal(system_file_read(&file, 100000, &text, &len), 0);
    assert_true(len > 100);
    free(text);
}

static void
only_another_file_is_beyond_reach(void **state)
{
    (void)state;
    write_file(path, "one", 0);
    system_file_init(&file, path);
    system_file_changed(&file);
    assert_false(system_file_is_beyond_reach(&file, -EACCES));
    write_file(path, "more", O_TRUNC);
    system_file_changed(&file);
    assert_false(system_file_is_beyond_reach(&file, -EACCES));
    write_file(next, "two", 0);
    assert_int_equal(rename(next, path), 0);
    system_file_changed(&file);
    assert_true(system_file_is_beyond_reach(&file, -EACCES));
    assert_false(system_file_is_beyond_reach(&file, -EISDIR));
    unlink(path);
    system_file_changed(&file);
    assert_false(system_file_is_beyond_reach(&file, -EACCES));
}

/* What was written on stderr by it. */
static const char *
complaint(int error)
{
    static char text[256];
    int ends[2], kept = dup(2);

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], 2);
    system_file_complain(&file, error, "so");
    dup2(kept, 2);
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    close(ends[1]);
    close(kept);
    return text;
}

static void
an_error_is_told_once_until_it_is_another(void **state)
{
    char line[256];

    (void)state;
    system_file_init(&file, path);
    snprintf(line, sizeof(line),
             "socks4d: resolver: cannot read %s: Permission denied: so\n",
             path);
    assert_string_equal(complaint(-EACCES), line);
    assert_string_equal(complaint(-EACCES), "");
    assert_string_not_equal(complaint(-EISDIR), "");
    assert_string_equal(complaint(0), "");
    assert_string_equal(complaint(-EACCES), line);
}

static void
what_passes_by_itself_is_tried_again(void **state)
{
    (void)state;
    write_file(path, "one", 0);
    system_file_init(&file, path);
    assert_true(system_file_changed(&file));
    assert_string_equal(complaint(-EMFILE), "");
    assert_true(system_file_changed(&file));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_read_once_until_it_changes),
        TEST(a_file_of_its_name_takes_its_place),
        TEST(a_link_is_followed_to_what_it_leads_to_now),
        TEST(no_more_than_asked_for_is_read),
        TEST(what_is_not_a_file_ends_too),
        TEST(only_another_file_is_beyond_reach),
        TEST(an_error_is_told_once_until_it_is_another),
        TEST(what_passes_by_itself_is_tried_again),
    };

    if (mkdtemp(folder) == NULL)
        return 1;
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return result;
}
