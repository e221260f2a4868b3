/* A stream over the simulated kernel, where the order of its calls and its
   events matters. */

#include "gateway/worker/stream.h"

#include <errno.h>

#include "tests/scenario/sim.h"
#include "tests/unit/unit.h"

static const struct endpoint gateway = {{0, 0xffff0a000001}, 1080};
static const struct endpoint client = {{0, 0xffff0a000009}, 40000};

static struct loop loop;

static void
served(struct watch *watch, uint32_t events)
{
    stream_event(watch, events);
}

/* A pipe with several pieces in it. */
static size_t
fill(int ends[2])
{
    static const char octets[20000];
    int fds[2];

    sim_pair(fds);
    assert_int_equal(sys_pipe(ends, 65536), 0);
    assert_int_equal(sys_send(fds[1], octets, sizeof(octets)), sizeof(octets));
    ssize_t count = sys_splice(fds[0], ends[1], sizeof(octets));
    assert_int_equal(count, sizeof(octets));
    sys_close(fds[0]);
    sys_close(fds[1]);
    return (size_t)count;
}

/* splice(2) meets the reset, returns what it moved, and nobody is told the
   error. A read before the event must not say that the stream has ended, and
   one after it says that it broke. */
static void
a_reset_whose_error_splice_has_taken_is_no_end(void **state)
{
    struct sim_options options = {.seed = 1};
    struct stream stream;
    struct endpoint peer;
    char octets[16];
    int ends[2];

    (void)state;
    sim_start(&options);
    sim_add_local(gateway.addr);
    assert_int_equal(loop_init(&loop), 0);
    int listener = sim_listen(&gateway);
    struct sim_sock *far = sim_connect(&client, &gateway);
    stream_init(&stream);
    assert_int_equal(
        stream_open(&stream, &loop, sys_accept(listener, &peer), served), 0);
    loop_turn(&loop, 0);
    assert_true(stream_is(&stream, STREAM_WRITABLE));

    size_t count = fill(ends);
    sim_sock_forget(far);
    ssize_t sent = stream_splice_out(&stream, ends[0], count);
    assert_true(sent > 0 && (size_t)sent < count);
    assert_int_equal(stream_recv(&stream, octets, sizeof(octets)), -EAGAIN);
    assert_false(stream_is(&stream, STREAM_BROKEN));

    loop_turn(&loop, 0);
    assert_true(stream_is(&stream, STREAM_BROKEN));
    assert_int_equal(stream_recv(&stream, octets, sizeof(octets)), -ECONNRESET);
    assert_true(stream_is(&stream, STREAM_DRAINED));

    stream_close(&stream);
    sys_close(ends[0]);
    sys_close(ends[1]);
    sys_close(listener);
    loop_fini(&loop);
    assert_null(sim_misuse());
    sim_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_whose_error_splice_has_taken_is_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
