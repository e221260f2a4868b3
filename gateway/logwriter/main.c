#include "gateway/logwriter/main.h"

#include <errno.h>
#include <limits.h>
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
#include "gateway/logwriter/journal.h"
#include "gateway/readiness.h"

/* How often the monitor hears that the journal is gone. */
#define JOURNAL_RETRY_MS 1000

struct logwriter {
    int out;         /* owned; -1: none came yet */
    unsigned places; /* how many `out` were there; a number comes again */
    bool alone;      /* the monitor's end of the control channel is gone */
    bool torn;       /* the last octet written was not a newline */
    bool is_file;    /* it has room always; anything else is waited for */
    bool is_journal; /* it takes an entry a line */
    bool leaving;    /* another goes on where we stop */
    int error;       /* errno that was in the way of the last batch, or 0 */
    char batch[CHANNEL_BATCH_MAX];
    char entry[JOURNAL_ENTRY_MAX];
};

static void
logwriter_tell(uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

static void
logwriter_reopen(struct logwriter *writer, int fd, bool is_journal)
{
    struct stat status;
    if (writer->out != -1)
        close(writer->out);
    writer->out = fd;
    writer->places++;
    writer->torn = false;
    writer->is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    writer->is_journal = is_journal;
}

/* False when there is no message now. */
static bool
logwriter_receive(struct logwriter *writer)
{
    struct channel_message message;
    int fd;
    int came = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);
    if (came == 0)
        writer->alone = true;
    if (came != 1)
        return false;
    if (message.kind == CHANNEL_PING)
        logwriter_tell(CHANNEL_PONG, 0);
    else if (message.kind == CHANNEL_DRAIN)
        writer->leaving = true;
    else if (message.kind == CHANNEL_REOPEN && fd != -1)
        logwriter_reopen(writer, fd, message.arg == CHANNEL_OUT_JOURNAL);
    return true;
}

/* All that there are. */
static void
logwriter_receive_all(struct logwriter *writer)
{
    while (logwriter_receive(writer))
        ;
}

/*
 * A pipe or terminal whose reader stands still makes us wait, and meanwhile
 * the monitor gets its pongs: here, and not in a write that does
 * not return. With room announced a pipe takes PIPE_BUF octets at once. A
 * file always has room; where its disk stands still, so do we, and are
 * replaced.
 */
static void
logwriter_wait_for_room(struct logwriter *writer)
{
    struct pollfd watched[] = {
        {.fd = writer->out, .events = POLLOUT},
        {.fd = writer->alone ? -1 : CHANNEL_FD_CONTROL, .events = POLLIN},
    };
    unsigned place = writer->places;
    while (poll(watched, 2, -1) >= 0 || errno == EINTR) {
        if (watched[1].revents != 0)
            logwriter_receive_all(writer);
        if (watched[0].revents != 0 || writer->places != place)
            return;
        watched[1].fd = writer->alone ? -1 : CHANNEL_FD_CONTROL;
        watched[0].revents = watched[1].revents = 0;
    }
}

/* Octets written; fewer than len where it went no further: with errno, or
   because the lines go elsewhere by now. */
static size_t
logwriter_write(struct logwriter *writer, const char *text, size_t len)
{
    unsigned place = writer->places;
    size_t done = 0;
    while (done < len) {
        if (!writer->is_file)
            logwriter_wait_for_room(writer);
        if (writer->places != place)
            break;
        size_t most = writer->is_file ? SIZE_MAX : PIPE_BUF;
        size_t piece = len - done < most ? len - done : most;
        ssize_t count = write(writer->out, text + done, piece);
        if (count >= 0)
            done += (size_t)count;
        else if (errno != EINTR && errno != EAGAIN)
            break;
    }
    return done;
}

/* Takes half a line back from a file, unless others write to it too. */
static bool
logwriter_take_back(int fd, off_t count)
{
    struct stat status;
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (end < count || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size != end)
        return false;
    return ftruncate(fd, end - count) == 0 &&
           lseek(fd, end - count, SEEK_SET) >= 0;
}

/* Where the line begins in which the writing broke off. */
static size_t
logwriter_line_start(const struct logwriter *writer, size_t done)
{
    const char *line = memrchr(writer->batch, '\n', done);
    return line == NULL ? 0 : (size_t)(line - writer->batch) + 1;
}

/* The line in which the writing broke off is lost with those behind it. */
static void
logwriter_drop(struct logwriter *writer, size_t len, size_t done)
{
    writer->error = errno;
    size_t from = logwriter_line_start(writer, done);
    if (done > from)
        writer->torn = !logwriter_take_back(writer->out, (off_t)(done - from));
    logwriter_tell(CHANNEL_DROPPED, (uint32_t)log_count_records(
                                        writer->batch + from, len - from));
}

/* --- the journal --------------------------------------------------------- */

/* Nobody listens there. A descriptor of whoever comes next comes from the
   monitor, which hears of it again and again: a message may be lost. */
static void
logwriter_wait_for_journal(struct logwriter *writer)
{
    struct pollfd watched = {.fd = CHANNEL_FD_CONTROL, .events = POLLIN};
    unsigned place = writer->places;
    writer->error = errno;
    while (writer->places == place && !writer->alone) {
        logwriter_tell(CHANNEL_DROPPED, 0);
        poll(&watched, 1, JOURNAL_RETRY_MS);
        logwriter_receive_all(writer);
    }
}

/* False where it went elsewhere, or cannot: with errno. */
static bool
logwriter_send_entry(struct logwriter *writer, size_t len)
{
    unsigned place = writer->places;
    for (;;) {
        logwriter_wait_for_room(writer);
        if (writer->places != place)
            return false;
        if (send(writer->out, writer->entry, len, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET)
            break;
        if (errno != EINTR && errno != EAGAIN)
            return false;
    }
    logwriter_wait_for_journal(writer);
    return false;
}

static size_t
logwriter_write_entries(struct logwriter *writer, size_t from, size_t len)
{
    const char *line = writer->batch + from, *end = writer->batch + len;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;
        size_t entry =
            journal_format(line, (size_t)(stop - line), writer->entry);
        if (!logwriter_send_entry(writer, entry))
            break;
        line = newline != NULL ? newline + 1 : end;
    }
    return (size_t)(line - writer->batch);
}

/* --- a batch ------------------------------------------------------------- */

/* From the octet `from` on, to what is written to at the moment. */
static size_t
logwriter_write_rest(struct logwriter *writer, size_t from, size_t len)
{
    if (writer->is_journal)
        return logwriter_write_entries(writer, from, len);
    if (writer->torn && logwriter_write(writer, "\n", 1) == 1)
        writer->torn = false;
    return writer->torn ? from
                        : from + logwriter_write(writer, writer->batch + from,
                                                 len - from);
}

/* Where the lines go elsewhere in the middle of it, a line that was begun
   goes there whole. */
static void
logwriter_write_batch(struct logwriter *writer, size_t len)
{
    unsigned place = writer->places;
    size_t done = logwriter_write_rest(writer, 0, len);
    while (done < len && writer->places != place) {
        place = writer->places;
        done = logwriter_write_rest(writer, logwriter_line_start(writer, done),
                                    len);
    }
    if (done < len) {
        logwriter_drop(writer, len, done);
        return;
    }
    if (writer->error != 0)
        logwriter_tell(CHANNEL_WRITES, (uint32_t)writer->error);
    writer->error = 0;
}

/* False at the end of the stream. Where lines go was said before they were:
   it is heard before they are written. */
static bool
logwriter_take_batch(struct logwriter *writer)
{
    ssize_t len = recv(CHANNEL_FD_LOG, writer->batch, sizeof(writer->batch), 0);
    if (len > 0) {
        logwriter_receive_all(writer);
        logwriter_write_batch(writer, (size_t)len);
    }
    return len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR));
}

/* A turn; false when nothing will come any more. */
static bool
logwriter_serve(struct logwriter *writer)
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
        logwriter_receive_all(writer);
    if (writer->leaving)
        return false;
    return watched[1].revents == 0 || logwriter_take_batch(writer);
}

int
logwriter_main(int argc, char **argv)
{
    static struct logwriter writer = {.out = -1};
    if (argc != ROLE_OWN)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    if (readiness_reach(&roles[ROLE_LOGWRITER], argv, NULL) != 0)
        return 1;
    while (logwriter_serve(&writer))
        ;
    return 0;
}
