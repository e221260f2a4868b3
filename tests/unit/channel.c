#include "gateway/channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];

static int
setup(void **state)
{
    (void)state;
    return channel_pair(ends);
}

static int
teardown(void **state)
{
    (void)state;
    if (ends[0] != -1)
        close(ends[0]);
    return close(ends[1]);
}

static int
open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void
carries_messages_in_order_both_ways(void **state)
{
    (void)state;
    struct channel_message got;
    struct channel_message ready = {.kind = CHANNEL_READY, .arg = 7};
    struct channel_message drain = {.kind = CHANNEL_DRAIN, .arg = 0};
    assert_int_equal(channel_send(ends[0], &ready, -1), 0);
    assert_int_equal(channel_send(ends[0], &drain, -1), 0);
    assert_int_equal(channel_send(ends[1], &drain, -1), 0);
    assert_int_equal(channel_receive(ends[1], &got, NULL), 1);
    assert_memory_equal(&got, &ready, sizeof(got));
    assert_int_equal(channel_receive(ends[1], &got, NULL), 1);
    assert_memory_equal(&got, &drain, sizeof(got));
    assert_int_equal(channel_receive(ends[0], &got, NULL), 1);
    assert_memory_equal(&got, &drain, sizeof(got));
    assert_int_equal(channel_receive(ends[1], &got, NULL), -EAGAIN);
}

static void
passes_a_descriptor_that_is_closed_on_exec(void **state)
{
    (void)state;
    struct channel_message message = {.kind = CHANNEL_REOPEN, .arg = 0};
    int pipe_ends[2], fd;
    char octet = 0;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(channel_send(ends[0], &message, pipe_ends[1]), 0);
    assert_int_equal(channel_receive(ends[1], &message, &fd), 1);
    assert_true(fd >= 0 && fd != pipe_ends[1]);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipe_ends[0], &octet, 1), 1);
    assert_int_equal(octet, 'x');
    close(fd);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void
says_that_no_descriptor_came(void **state)
{
    (void)state;
    struct channel_message message = {.kind = CHANNEL_READY, .arg = 0};
    int fd = 99;
    assert_int_equal(channel_send(ends[0], &message, -1), 0);
    assert_int_equal(channel_receive(ends[1], &message, &fd), 1);
    assert_int_equal(fd, -1);
}

static void
has_no_room_for_a_descriptor_nobody_asked_for(void **state)
{
    (void)state;
    struct channel_message message = {.kind = CHANNEL_READY, .arg = 0};
    int before = open_descriptors();
    assert_int_equal(channel_send(ends[0], &message, ends[0]), 0);
    assert_int_equal(channel_receive(ends[1], &message, NULL), -EBADMSG);
    assert_int_equal(open_descriptors(), before);
}

/* The sender is told: the receiver never has to close what was sent. */
static void
lets_no_descriptor_through_where_it_refuses_them(void **state)
{
    (void)state;
    struct channel_message message = {.kind = CHANNEL_READY, .arg = 0};
    int refused = channel_refuse_fds(ends[1]);
    assert_true(refused == 0 || refused == 1);
    int sent = channel_send(ends[0], &message, ends[0]);
    assert_int_equal(sent, refused == 0 ? -EPERM : 0);
    if (sent == 0) /* a kernel of before 6.16 */
        assert_int_equal(channel_receive(ends[1], &message, NULL), -EBADMSG);
    assert_int_equal(channel_send(ends[0], &message, -1), 0);
    assert_int_equal(channel_receive(ends[1], &message, NULL), 1);
    assert_int_equal(channel_send(ends[1], &message, ends[1]), 0);
}

/* What a hostile child could do: several descriptors in one message. */
static void
closes_what_comes_beyond_one_descriptor(void **state)
{
    (void)state;
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } ancillary;
    struct channel_message message = {.kind = CHANNEL_READY, .arg = 0};
    struct iovec octets = {&message, sizeof(message)};
    struct msghdr header = {.msg_iov = &octets,
                            .msg_iovlen = 1,
                            .msg_control = ancillary.room,
                            .msg_controllen = sizeof(ancillary.room)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(4 * sizeof(int));
    memcpy(CMSG_DATA(cmsg), (int[4]){0, 1, 2, ends[0]}, 4 * sizeof(int));
    int before = open_descriptors(), fd;
    assert_int_equal(sendmsg(ends[0], &header, 0), sizeof(message));
    assert_int_equal(channel_receive(ends[1], &message, &fd), -EMFILE);
    assert_int_equal(fd, -1);
    assert_int_equal(open_descriptors(), before);
}

static void
refuses_a_message_of_another_size(void **state)
{
    (void)state;
    struct channel_message message;
    char octets[2 * sizeof(message)] = {0};
    for (size_t len = 1; len <= sizeof(octets); len++) {
        if (len == sizeof(message))
            continue;
        assert_int_equal(send(ends[0], octets, len, 0), len);
        assert_int_equal(channel_receive(ends[1], &message, NULL), -EBADMSG);
    }
}

static void
tells_the_end_of_the_stream(void **state)
{
    (void)state;
    struct channel_message message = {.kind = CHANNEL_STOP, .arg = 0};
    assert_int_equal(channel_send(ends[0], &message, -1), 0);
    close(ends[0]);
    ends[0] = -1;
    assert_int_equal(channel_receive(ends[1], &message, NULL), 1);
    assert_int_equal(channel_receive(ends[1], &message, NULL), 0);
    assert_int_equal(channel_send(ends[1], &message, -1), -EPIPE);
}

static void
never_waits_when_it_is_full(void **state)
{
    (void)state;
    struct channel_message message = {.kind = CHANNEL_READY, .arg = 0};
    int sent = 0, error = 0;
    while (sent < 1000000 && error == 0) {
        error = channel_send(ends[0], &message, -1);
        sent++;
    }
    assert_int_equal(error, -EAGAIN);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(carries_messages_in_order_both_ways),
        T(passes_a_descriptor_that_is_closed_on_exec),
        T(says_that_no_descriptor_came),
        T(has_no_room_for_a_descriptor_nobody_asked_for),
        T(lets_no_descriptor_through_where_it_refuses_them),
        T(closes_what_comes_beyond_one_descriptor),
        T(refuses_a_message_of_another_size),
        T(tells_the_end_of_the_stream),
        T(never_waits_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
