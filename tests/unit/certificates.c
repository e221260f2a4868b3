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
        T(what_is_not_read_is_named_and_leaves_nothing_open),
#undef T
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"gw.pem", "gw.key", "ca.pem"};
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return failed;
}
