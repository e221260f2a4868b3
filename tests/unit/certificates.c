#include "gateway/monitor/certificates.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* The monitor does not look into the files: any octets will do. */
static char folder[] = "/tmp/socks4-certificates-XXXXXX";
static char path[256];

static const char *
place(const char *name, const char *text)
{
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0600);
    return path;
}

static struct config *
parse(const char *tickets)
{
    char file[256], text[512];
    struct config_error error;
    snprintf(file, sizeof(file), "%s/gw.yaml", folder);
    int len = snprintf(text, sizeof(text),
                       "listen:\n"
                       "  - address: 127.0.0.1:1\n"
                       "  - address: 127.0.0.1:2\n"
                       "    tls: {certificate: gw.pem, key: gw.key, client: "
                       "request, ca: ca.pem, tickets: %s}\n",
                       tickets);
    struct config *config =
        config_parse(file, text, (size_t)len, &error, NULL);
    if (config == NULL)
        fail_msg("%s", error.text);
    return config;
}

/* One listener, and a second parent with a password, both plain. */
static struct config *
parse_password(void)
{
    static const char text[] =
        "listen: [{address: 127.0.0.1:1}]\n"
        "parents:\n"
        "  - {name: a, address: 127.0.0.1:2}\n"
        "  - {name: b, address: 127.0.0.1:3, user: joe, password_file: pw}\n";
    char file[256];
    struct config_error error;
    snprintf(file, sizeof(file), "%s/gw.yaml", folder);
    struct config *config =
        config_parse(file, text, sizeof(text) - 1, &error, NULL);
    if (config == NULL)
        fail_msg("%s", error.text);
    return config;
}

static int
setup(void **state)
{
    *state = parse("2");
    place("gw.pem", "the certificate");
    place("gw.key", "the key");
    place("ca.pem", "the CA");
    return 0;
}

static int
teardown(void **state)
{
    config_unref(*state);
    return 0;
}

static void
read_all(struct certificates *certificates, struct config *config,
         const struct certificates *before)
{
    struct config_error error;
    if (certificates_read(certificates, config, before, &error) != 0)
        fail_msg("%s", error.text);
}

static struct tls_ticket_keys
tickets_of(const struct certificates *certificates)
{
    struct tls_files files;
    struct tls_ticket_keys keys = {0};
    size_t len = 0;
    assert_int_equal(tls_files_map_all(&files, certificates->fd), 0);
    const uint8_t *found = tls_files_find(&files, TLS_FILE_TICKETS, 0, &len);
    assert_non_null(found);
    assert_int_equal(len, sizeof(keys));
    memcpy(&keys, found, sizeof(keys));
    tls_files_unmap(&files);
    return keys;
}

static void
expect_file(const struct tls_files *files, enum tls_file_kind kind,
            const char *text)
{
    size_t len = 0;
    const uint8_t *found = tls_files_find(files, kind, 1, &len);
    assert_non_null(found);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(found, text, len);
    assert_null(tls_files_find(files, kind, 0, &len)); /* a plain listener */
}

static void
workers_are_given_all_but_the_key(void **state)
{
    struct certificates certificates;
    struct tls_files files;
    size_t len;
    read_all(&certificates, *state, NULL);
    assert_int_equal(tls_files_map_all(&files, certificates.fd), 0);
    expect_file(&files, TLS_FILE_CERTIFICATE, "the certificate");
    expect_file(&files, TLS_FILE_CA, "the CA");
    assert_null(tls_files_find(&files, TLS_FILE_CRL, 1, &len));
    assert_null(tls_files_find(&files, TLS_FILE_KEY, 1, &len));
    assert_null(memmem(files.octets, files.len, "the key", 7));
    assert_int_equal(pwrite(certificates.fd, "x", 1, 0), -1); /* sealed */
    assert_int_equal(certificates.keys[0], -1);
    char key[16] = "";
    assert_int_equal(pread(certificates.keys[1], key, sizeof(key), 0), 7);
    assert_string_equal(key, "the key");
    assert_int_equal(pwrite(certificates.keys[1], "x", 1, 0), -1);
    tls_files_unmap(&files);
    certificates_free(&certificates);
}

static void
blocks_that_make_no_sense_are_no_file(void **state)
{
    struct certificates certificates;
    struct tls_files files, cut;
    size_t len;
    read_all(&certificates, *state, NULL);
    assert_int_equal(tls_files_map_all(&files, certificates.fd), 0);
    for (size_t left = 0; left < files.len; left++) {
        uint8_t *copy = malloc(left + 1);
        memcpy(copy, files.octets, left);
        cut = (struct tls_files){copy, left};
        assert_null(tls_files_find(&cut, TLS_FILE_TICKETS, 0, &len));
        free(copy);
    }
    tls_files_unmap(&files);
    certificates_free(&certificates);
}

static void
other_files_are_told_by_what_the_kernel_says_of_them(void **state)
{
    struct certificates one, same, other;
    read_all(&one, *state, NULL);
    read_all(&same, *state, NULL);
    assert_true(certificates_equal(&one, &same));
    unlink(place("gw.key", "the key"));
    place("gw.key", "the key"); /* another file */
    read_all(&other, *state, NULL);
    assert_false(certificates_equal(&one, &other));
    certificates_free(&one);
    certificates_free(&same);
    certificates_free(&other);
}

static void
tickets_are_renewed_and_the_keys_before_still_taken(void **state)
{
    struct certificates first, second;
    read_all(&first, *state, NULL);
    struct tls_ticket_keys at_first = tickets_of(&first);
    assert_memory_not_equal(&at_first.current, &at_first.previous,
                            sizeof(at_first.current));
    read_all(&second, *state, &first);
    struct tls_ticket_keys then = tickets_of(&second);
    assert_memory_equal(&then.previous, &at_first.current,
                        sizeof(then.previous));
    assert_memory_not_equal(&then.current, &at_first.current,
                            sizeof(then.current));
    assert_int_equal(certificates_renew_tickets(&second), 0);
    struct tls_ticket_keys at_last = tickets_of(&second);
    assert_memory_equal(&at_last.previous, &then.current,
                        sizeof(then.current));
    struct tls_files files;
    assert_int_equal(tls_files_map_all(&files, second.fd), 0);
    expect_file(&files, TLS_FILE_CERTIFICATE, "the certificate");
    expect_file(&files, TLS_FILE_CA, "the CA");
    tls_files_unmap(&files);
    certificates_free(&first);
    certificates_free(&second);
}

static void
without_tickets_there_are_no_keys_for_them(void **state)
{
    struct config *config = parse("0");
    struct certificates certificates;
    struct tls_files files;
    size_t len;
    (void)state;
    read_all(&certificates, config, NULL);
    assert_int_equal(tls_files_map_all(&files, certificates.fd), 0);
    assert_null(tls_files_find(&files, TLS_FILE_TICKETS, 0, &len));
    tls_files_unmap(&files);
    certificates_free(&certificates);
    config_unref(config);
}

static void
workers_are_given_the_password_of_a_parent_as_its_file_has_it(void **state)
{
    struct config *config = parse_password();
    struct certificates certificates, other;
    struct tls_files files;
    size_t len;
    (void)state;
    chmod(place("pw", "secret\nof joe\n"), 0644);
    read_all(&certificates, config, NULL);
    assert_int_equal(certificates.keys[CONFIG_LISTENERS_MAX + 1], -1);
    assert_int_equal(certificates.exposed[CONFIG_LISTENERS_MAX + 1],
                     1 << TLS_FILE_PASSWORD);
    assert_int_equal(tls_files_map_all(&files, certificates.fd), 0);
    for (uint32_t i = 0; i < CONFIG_TLS_MAX; i++) {
        const uint8_t *found =
            tls_files_find(&files, TLS_FILE_PASSWORD, i, &len);
        if (i != CONFIG_LISTENERS_MAX + 1) {
            assert_null(found);
            continue;
        }
        assert_int_equal(len, 14);
        assert_memory_equal(found, "secret\nof joe\n", 14);
    }
    tls_files_unmap(&files);
    unlink(place("pw", "secret\nof joe\n"));
    place("pw", "another\n");
    read_all(&other, config, NULL);
    assert_false(certificates_equal(&certificates, &other));
    certificates_free(&certificates);
    certificates_free(&other);
    config_unref(config);
}

static void
a_password_that_is_not_read_is_named(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {NULL, "No such file or directory"},
        {"", "is empty; write the password into its first line"},
    };
    struct config *config = parse_password();
    struct certificates certificates;
    struct config_error error;
    char expected[400];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        place("pw", "");
        if (cases[i].text == NULL)
            unlink(path);
        assert_int_equal(certificates_read(&certificates, config, NULL, &error),
                         -1);
        snprintf(expected, sizeof(expected),
                 "%s/gw.yaml:4:63: password_file: %s/pw: %s", folder, folder,
                 cases[i].why);
        assert_string_equal(error.text, expected);
    }
    config_unref(config);
}

static void
a_password_is_the_first_line(void **state)
{
    static const struct {
        const char *file;
        size_t len, password; /* 0: none */
    } cases[] = {
        {"a", 1, 1},
        {"secret", 6, 6},
        {"secret\n", 7, 6},
        {"secret\r\n", 8, 6},
        {"secret\nmore", 11, 6},
        {"a b\t\n", 5, 4},
        {"a\rb\n", 4, 3},
        {"", 0, 0},
        {"\n", 1, 0},
        {"\r\n", 2, 0},
        {"\nsecret", 7, 0},
        {"a\0b\n", 4, 0},
        {"\xef\xbb\xbfsecret\n", 10, 0},
    };
    uint8_t long_line[300];
    size_t len;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        len = cases[i].len;
        const char *why =
            tls_files_password((const uint8_t *)cases[i].file, &len);
        assert_int_equal(why == NULL, cases[i].password > 0);
        if (why == NULL)
            assert_int_equal(len, cases[i].password);
    }
    memset(long_line, 'a', sizeof(long_line));
    len = 255;
    assert_null(tls_files_password(long_line, &len));
    assert_int_equal(len, 255);
    len = 256;
    assert_non_null(tls_files_password(long_line, &len));
    long_line[255] = '\n';
    len = sizeof(long_line);
    assert_null(tls_files_password(long_line, &len));
    assert_int_equal(len, 255);
}

static void
what_is_not_read_is_named_and_leaves_nothing_open(void **state)
{
    struct certificates certificates;
    struct config_error error;
    char expected[300];
    unlink(place("ca.pem", ""));
    int before = dup(0);
    close(before);
    assert_int_equal(certificates_read(&certificates, *state, NULL, &error),
                     -1);
    snprintf(expected, sizeof(expected),
             "%s/gw.yaml:4:66: tls.ca: %s/ca.pem: No such file or directory",
             folder, folder);
    assert_string_equal(error.text, expected);
    assert_int_equal(certificates.fd, -1);
    int after = dup(0);
    assert_int_equal(after, before);
    close(after);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(workers_are_given_all_but_the_key),
        T(blocks_that_make_no_sense_are_no_file),
        T(other_files_are_told_by_what_the_kernel_says_of_them),
        T(tickets_are_renewed_and_the_keys_before_still_taken),
        T(without_tickets_there_are_no_keys_for_them),
        T(workers_are_given_the_password_of_a_parent_as_its_file_has_it),
        T(a_password_that_is_not_read_is_named),
        T(a_password_is_the_first_line),
        T(what_is_not_read_is_named_and_leaves_nothing_open),
#undef T
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"gw.pem", "gw.key", "ca.pem", "pw"};
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return failed;
}
