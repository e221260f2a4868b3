/* socks4ctl's connection to a gateway; the test is the gateway. */

#include "tools/socks4ctl/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char folder[] = "/tmp/unit-gateway-XXXXXX";
static char path[sizeof(folder) + 8];
static int listener;

static int
setup(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/control", folder);
    strcpy(address.sun_path, path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(listener);
    unlink(path);
    return rmdir(folder);
}

/* A gateway whose observer dies again and again never accepts: it is given up,
   also where its answer would be waited for without end. */
static void
an_answer_is_not_waited_for_without_end(void **state)
{
    struct gateway gateway;

    (void)state;
    assert_int_equal(gateway_open(&gateway, path, 20), 0);
    assert_null(gateway_answer(&gateway));
    gateway_close(&gateway);
    close(accept(listener, NULL, NULL));
    assert_int_equal(gateway_open(&gateway, path, 20), 0);
    int patient = gateway_be_patient(&gateway);
    gateway_close(&gateway);
    close(accept(listener, NULL, NULL));
    assert_int_equal(patient, -1);
}

static void
what_may_last_is_waited_for(void **state)
{
    static const char both[] = "{\"workers\":1}\n{\"done\":\"x\"}\n";
    struct timeval patience = {.tv_sec = 1};
    socklen_t len = sizeof(patience);
    struct gateway gateway;
    char asked[64] = "";

    (void)state;
    assert_int_equal(gateway_open(&gateway, path, 60000), 0);
    int peer = accept(listener, NULL, NULL);
    assert_int_equal(write(peer, both, strlen(both)), strlen(both));
    assert_int_equal(gateway_be_patient(&gateway), 0);
    assert_true(read(peer, asked, sizeof(asked) - 1) > 0);
    assert_string_equal(asked, "{\"command\":\"status\"}\n");
    getsockopt(gateway.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, &len);
    assert_int_equal(patience.tv_sec, 0); /* for ever */
    json_t *answer = gateway_answer(&gateway);
    assert_string_equal(json_string_value(json_object_get(answer, "done")),
                        "x");
    json_decref(answer);
    close(peer);
    gateway_close(&gateway);
}

static void
an_observer_that_refuses_is_not_waited_for(void **state)
{
    struct gateway gateway;

    (void)state;
    assert_int_equal(gateway_open(&gateway, path, 60000), 0);
    int peer = accept(listener, NULL, NULL);
    assert_int_equal(write(peer, "{\"error\":\"full\"}\n", 17), 17);
    assert_int_equal(gateway_be_patient(&gateway), -1);
    close(peer);
    gateway_close(&gateway);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_not_waited_for_without_end),
        cmocka_unit_test(what_may_last_is_waited_for),
        cmocka_unit_test(an_observer_that_refuses_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
