#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/link_message.h"
#include "gateway/observer/commands.h"
#include "gateway/observer/observer.h"
#include "tests/fuzz/fuzz.h"

/*
 * The observer, between an operator and a worker, either of whom may send
 * anything: the input up to its first NUL is what comes by the control socket;
 * with what is behind it the worker's replies are filled. Every line that the
 * operator gets is a JSON object.
 */

/* More than the longest wait: a connection that has nothing asked. */
#define TURNS_MAX 2000
#define STEP_US 100000

static uint64_t clock_us = 1000000;

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

static struct stage {
    struct observer observer;
    int operator, worker; /* their ends */
    const uint8_t *pattern;
    size_t pattern_len;
    uint32_t asked; /* the monitor, by that number */
    char out[1 << 20];
    size_t out_len;
} stage;

bool
observer_tell_monitor(const struct channel_message *message)
{
    assert(message->kind == CHANNEL_OPERATOR);
    assert(message->operator.len <= CHANNEL_TEXT_MAX);
    stage.asked = message->arg;
    return true;
}

/* --- the stage ----------------------------------------------------------- */

static void
open_socket(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(at.sun_family); /* the kernel names it */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert(bind(listener, (struct sockaddr *)&at, len) == 0 &&
           listen(listener, 4) == 0);
    len = sizeof(at);
    assert(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    stage.operator= socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert(connect(stage.operator,(struct sockaddr *) & at, len) == 0);
    control_listen(&stage.observer.control, listener, 1, 0);
}

static void
begin(void)
{
    static struct segment *segment;
    static struct config *config;
    struct config_error error;
    struct observer *observer = &stage.observer;
    int link[2];

    if (segment == NULL) {
        segment = calloc(1, sizeof(*segment));
        const struct config_source source = {0}; /* the built-in one */
        config = config_open(&source, false, &error, NULL);
        assert(segment != NULL && config != NULL);
        json_object_seed(1);
    }
    observer->segment = segment;
    observer->config = config;
    observer->owner = getuid();
    assert(loop_init(&observer->loop) == 0);
    workers_init(&observer->workers, &observer->loop);
    control_init(&observer->control, observer);
    open_socket();
    assert(channel_pair(link) == 0);
    workers_open_link(&observer->workers, 3, link[0]);
    stage.worker = link[1];
    stage.out_len = 0;
    stage.asked = 0;
}

static void
end(void)
{
    struct observer *observer = &stage.observer;
    control_fini(&observer->control);
    workers_fini(&observer->workers);
    loop_fini(&observer->loop);
    close(stage.operator);
    close(stage.worker);
}

/* --- who plays ----------------------------------------------------------- */

/* A reply of its own to each ask, and the end of it, most of the time. */
static void
play_worker(void)
{
    struct observer_ask ask;
    struct observer_reply reply;
    while (link_message_receive(stage.worker, &ask, sizeof(ask)) == 1) {
        uint8_t *octets = (uint8_t *)&reply;
        for (size_t i = 0; i < sizeof(reply); i++)
            octets[i] = stage.pattern_len > 0
                            ? stage.pattern[i % stage.pattern_len]
                            : 0;
        reply.id = ask.id;
        (void)!link_message_send(stage.worker, &reply, sizeof(reply));
        reply.kind = ask.kind == OBSERVER_TOP ? OBSERVER_ENTRIES : OBSERVER_ROW;
        (void)!link_message_send(stage.worker, &reply, sizeof(reply));
        if (stage.pattern_len % 3 == 2)
            continue;
        reply.kind = OBSERVER_END;
        (void)!link_message_send(stage.worker, &reply, sizeof(reply));
    }
}

static void
play_monitor(void)
{
    uint32_t number = stage.asked;
    stage.asked = 0;
    if (number != 0)
        commands_finish(&stage.observer.control, number,
                        stage.pattern_len % 2 == 1, (const char *)stage.pattern,
                        stage.pattern_len);
}

/* False: the connection is over. */
static bool
play_operator(void)
{
    ssize_t got = recv(stage.operator, stage.out + stage.out_len,
                       sizeof(stage.out) - stage.out_len, MSG_DONTWAIT);
    if (got > 0)
        stage.out_len += (size_t)got;
    assert(stage.out_len < sizeof(stage.out));
    return got > 0 || (got < 0 && errno == EAGAIN);
}

static void
check_lines(void)
{
    json_error_t error;
    const char *at = stage.out, *last = stage.out + stage.out_len;
    while (at < last) {
        const char *newline = memchr(at, '\n', (size_t)(last - at));
        assert(newline != NULL);
        json_t *line = json_loadb(at, (size_t)(newline - at), 0, &error);
        assert(json_is_object(line));
        json_decref(line);
        at = newline + 1;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    const uint8_t *split = memchr(input, 0, size);
    size_t len = split != NULL ? (size_t)(split - input) : size;
    if (size > FUZZ_INPUT_MAX)
        return 0;
    stage.pattern = input + len + (split != NULL);
    stage.pattern_len = split != NULL ? size - len - 1 : 0;
    begin();
    (void)!send(stage.operator, input, len, MSG_NOSIGNAL);
    (void)!send(stage.operator, "\n", 1, MSG_NOSIGNAL);
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        loop_turn(&stage.observer.loop, 0);
        play_worker();
        play_monitor();
        if (!play_operator())
            break;
        if (turn > 20)
            clock_us += STEP_US;
        if (turn == 100)
            shutdown(stage.operator, SHUT_RDWR);
    }
    check_lines();
    end();
    return 0;
}
