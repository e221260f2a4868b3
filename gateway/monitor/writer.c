#include "gateway/monitor/writer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/channel.h"
#include "gateway/readiness.h"

struct writer {
    int out;      /* owned; -1: none came yet */
    bool alone;   /* the monitor's end of the control channel is gone */
    bool torn;    /* the last octet written was not a newline */
    bool leaving; /* another goes on where we stop */
    int error;    /* errno that was in the way of the last batch, or 0 */
    char batch[CHANNEL_BATCH_MAX];
};

static void
tell(uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_send(CHANNEL_FD_CONTROL, &message, -1);
}

static void
obey(struct writer *writer)
{
    struct channel_message message;
    int fd;
    int came = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);
    if (came == 0)
        writer->alone = true;
    if (came == 1 && message.kind == CHANNEL_DRAIN)
        writer->leaving = true;
    if (came != 1 || message.kind != CHANNEL_REOPEN || fd == -1)
        return;
    if (writer->out != -1)
        close(writer->out);
    writer->out = fd;
    writer->torn = false;
}

/* Whoever shares a pipe or terminal with us may have made it non-blocking. */
static void
wait_for_room(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    poll(&one, 1, -1);
}

/* Octets written; fewer than len, with errno, where it went no further. */
static size_t
write_all(int fd, const char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t count = write(fd, text + done, len - done);
        if (count >= 0)
            done += (size_t)count;
        else if (errno == EAGAIN)
            wait_for_room(fd);
        else if (errno != EINTR)
            break;
    }
    return done;
}

/* Takes half a line back from a file, unless others write to it too. */
static bool
take_back(int fd, off_t count)
{
    struct stat status;
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (end < count || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size != end)
        return false;
    return ftruncate(fd, end - count) == 0 &&
           lseek(fd, end - count, SEEK_SET) >= 0;
}

/* The line in which the writing broke off is lost with those behind it. */
static void
drop(struct writer *writer, size_t len, size_t done)
{
    writer->error = errno;
    const char *line = memrchr(writer->batch, '\n', done);
    size_t from = line == NULL ? 0 : (size_t)(line - writer->batch) + 1;
    if (done > from)
        writer->torn = !take_back(writer->out, (off_t)(done - from));
    tell(CHANNEL_DROPPED,
         (uint32_t)log_count_records(writer->batch + from, len - from));
}

static void
write_batch(struct writer *writer, size_t len)
{
    if (writer->torn && write_all(writer->out, "\n", 1) == 1)
        writer->torn = false;
    size_t done = writer->torn ? 0 : write_all(writer->out, writer->batch, len);
    if (done < len) {
        drop(writer, len, done);
        return;
    }
    if (writer->error != 0)
        tell(CHANNEL_WRITES, (uint32_t)writer->error);
    writer->error = 0;
}

/* False at the end of the stream. */
static bool
take_batch(struct writer *writer)
{
    ssize_t len = recv(CHANNEL_FD_LOG, writer->batch, sizeof(writer->batch), 0);
    if (len > 0)
        write_batch(writer, (size_t)len);
    return len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR));
}

/* A turn; false when nothing will come any more. */
static bool
serve(struct writer *writer)
{
    struct pollfd watched[] = {
        {.fd = writer->alone ? -1 : CHANNEL_FD_CONTROL, .events = POLLIN},
        {.fd = writer->out == -1 ? -1 : CHANNEL_FD_LOG, .events = POLLIN},
    };
    if (writer->alone && writer->out == -1)
        return false;
    if (poll(watched, 2, -1) < 0)
        return errno == EINTR;
    if (watched[0].revents != 0)
        obey(writer);
    if (writer->leaving)
        return false;
    return watched[1].revents == 0 || take_batch(writer);
}

int
writer_main(int argc, char **argv)
{
    static struct writer writer = {.out = -1};
    if (argc != 5)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    if (readiness_reach(CONFINE_WRITER,
                        (enum confine_mode)strtoul(argv[4], NULL, 10),
                        (uid_t)strtoul(argv[2], NULL, 10),
                        (gid_t)strtoul(argv[3], NULL, 10)) != 0)
        return 1;
    while (serve(&writer))
        ;
    return 0;
}
