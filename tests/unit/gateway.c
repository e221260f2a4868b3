/* socks4ctl's connection to a gateway; the test is the gateway. */

#include "tools/socks4ctl/gateway.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

/* A gateway whose observer dies again and again never accepts. */
static void
an_answer_is_not_waited_for_without_end(void **state)
{
    struct gateway gateway;

    (void)state;
    assert_int_equal(gateway_open(&gateway, path, 20), 0);
    assert_null(gateway_answer(&gateway));
    gateway_close(&gateway);
    close(accept(listener, NULL, NULL));
}

static void *
answer_late(void *with)
{
    int peer = accept(listener, NULL, NULL);

    (void)with;
    usleep(100000);
    assert_int_equal(write(peer, "{\"done\":\"x\"}\n", 13), 13);
    close(peer);
    return NULL;
}

static void
what_may_last_is_waited_for(void **state)
{
    struct gateway gateway;
    pthread_t thread;
    json_t *answer;

    (void)state;
    assert_int_equal(gateway_open(&gateway, path, 10), 0);
    gateway_be_patient(&gateway);
    assert_int_equal(pthread_create(&thread, NULL, answer_late, NULL), 0);
    answer = gateway_answer(&gateway);
    pthread_join(thread, NULL);
    assert_non_null(answer);
    assert_string_equal(json_string_value(json_object_get(answer, "done")),
                        "x");
    json_decref(answer);
    gateway_close(&gateway);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_not_waited_for_without_end),
        cmocka_unit_test(what_may_last_is_waited_for),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
