/* What the monitor makes of the reports of a certificate check. The child is
   the test's: it sends its reports at its start, and waits to be ended. */

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "gateway/certificate_report.h"
#include "gateway/monitor/certificates.h"
#include "gateway/monitor/child.h"
#include "gateway/role.h"
#include "tests/unit/unit.h"

const struct role roles[] = {
    [ROLE_CERTIFICATE_CHECK] = {"--certificate-check", "certificate check",
                                "check", NULL, NULL, NULL, NULL},
};
const size_t role_count = COUNT(roles);

static struct certificate_report reports[4];
static size_t report_count;

int __wrap_child_start(struct child *child, const struct child_plan *plan);

int
__wrap_child_start(struct child *child, const struct child_plan *plan)
{
    for (size_t i = 0; i < report_count; i++)
        assert_int_equal(send(plan->fds[0], &reports[i], sizeof(reports[i]), 0),
                         sizeof(reports[i]));
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0)
        for (;;)
            pause();
    return 0;
}

static void
add_report(enum certificate_finding finding, uint32_t kind, uint32_t listener,
           const char *text)
{
    struct certificate_report *report = &reports[report_count++];
    *report = (struct certificate_report){
        .finding = finding, .kind = kind, .listener = listener};
    size_t len = strlen(text);
    assert_true(len <= sizeof(report->text));
    memcpy(report->text, text, len);
}

static struct config_error error;

/* The result, and what it warns of, which the caller frees. */
static int
check(char **said)
{
    static const char text[] =
        "listen: [{address: 127.0.0.1:1, tls: {certificate: gw.pem, key: "
        "gw.key}}]\n";
    static const struct user user;
    struct certificates certificates;
    size_t size;
    struct config *config =
        config_parse("/x/gw.yaml", text, sizeof(text) - 1, &error, NULL);
    FILE *warnings = open_memstream(said, &size);

    if (config == NULL)
        fail_msg("%s", error.text);
    error.text[0] = '\0';
    certificates_init(&certificates);
    int result = certificates_check(&certificates, config, -1, &user, 60000,
                                    &error, warnings);
    fclose(warnings);
    certificates_free(&certificates);
    config_unref(config);
    report_count = 0;
    return result;
}

/* It has parsed what others have written, and may have been taken over. */
static void
what_it_says_is_shown_as_text(void **state)
{
    char *said, whole[CERTIFICATE_TEXT_MAX + 1];
    (void)state;
    memset(whole, 'x', CERTIFICATE_TEXT_MAX);
    whole[CERTIFICATE_TEXT_MAX] = '\0'; /* which the report has no room for */
    add_report(CERTIFICATE_WARNING, TLS_FILE_CERTIFICATE, 0,
               "ends\nsocks4d: all is well \x1b[2J\xc3\xa9");
    add_report(CERTIFICATE_WARNING, TLS_FILE_CERTIFICATE, 0, whole);
    add_report(CERTIFICATE_ERROR, TLS_FILE_KEY, 0, "is\rnot\ta key");
    add_report(CERTIFICATE_DONE, 0, 0, "");
    assert_int_equal(check(&said), -1);
    assert_string_equal(
        error.text,
        "/x/gw.yaml:1:65: tls.key: /x/gw.key: is\\x0dnot\\x09a key");
    static const char begin[] =
        "/x/gw.yaml:1:52: tls.certificate: /x/gw.pem: warning: ends\\x0a"
        "socks4d: all is well \\x1b[2J\\xc3\\xa9\n"
        "/x/gw.yaml:1:52: tls.certificate: /x/gw.pem: warning: xxx";
    assert_memory_equal(said, begin, sizeof(begin) - 1);
    assert_string_equal(said + strlen(said) - 7, "xxx...\n");
    assert_ptr_equal(strchr(strchr(said, '\n') + 1, '\n'),
                     said + strlen(said) - 1);
    free(said);
}

/* Of a listener or a kind that there is not, it is believed nothing. */
static void
what_is_of_no_file_is_ignored(void **state)
{
    char *said;
    (void)state;
    add_report(CERTIFICATE_WARNING, TLS_FILE_CERTIFICATE, UINT32_MAX, "one");
    add_report(CERTIFICATE_ERROR, UINT32_MAX, 0, "two");
    add_report(CERTIFICATE_EXPIRES, TLS_FILE_CA, 0, "three");
    add_report(CERTIFICATE_DONE, 0, 0, "");
    assert_int_equal(check(&said), 0);
    assert_string_equal(said, "");
    free(said);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says_is_shown_as_text),
        cmocka_unit_test(what_is_of_no_file_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
