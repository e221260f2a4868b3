#ifndef TOOLS_STREAM_STREAM_H
#define TOOLS_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "socks4/dial.h"

/*
 * A connection: TCP, or TLS over TCP. The two differ in what ends them:
 *
 *                                      TCP   TLS
 *     the end of a direction           FIN   close_notify
 *     an abort                         RST   RST, or FIN without close_notify
 *
 * With TLS the end of one direction leaves the other one open, as with TCP,
 * and no FIN is sent before both have ended.
 *
 * No call waits, except those that say so. Results are octets, 0, or a
 * negative errno. These have a meaning of their own:
 *
 *     -EAGAIN         poll `fd` for stream_read_events, stream_write_events
 *     -ECONNABORTED   the stream ended without close_notify: its end may be
 *                     missing
 *     -EBADMSG        TLS failed; stream_fault says how
 */

struct tls; /* tls.c */

/* What streams of TLS do wrong on purpose: for socks4-conform. */
enum stream_defect {
    STREAM_SOUND,
    STREAM_NO_CLOSE_NOTIFY, /* ends by FIN alone */
    STREAM_CUT_RECORD,      /* ends inside a record */
    STREAM_CUT_IS_END,      /* takes either for an end in order */
};

struct stream {
    int fd;          /* owned; -1: none */
    struct tls *tls; /* owned; NULL: TCP alone */
    enum stream_defect defect;
};

/* An end in order is 0. */
ssize_t stream_read(struct stream *stream, void *octets, size_t count);
ssize_t stream_write(struct stream *stream, const void *octets, size_t count);

/* Ends the sending direction. -EAGAIN: call it again. */
int stream_finish(struct stream *stream);

/* Sends small pieces at once: for a relay, whose sender has decided that. */
void stream_hurry(const struct stream *stream);

/* What to poll for before the call that returned -EAGAIN is repeated. */
short stream_read_events(const struct stream *stream);
short stream_write_events(const struct stream *stream);

/* Whether there are octets to read that poll does not know of. */
bool stream_is_pending(const struct stream *stream);

/* Closes it: the sending direction ends in order, if it has not ended yet.
   With octets unread it is a reset, as the kernel makes it one for TCP. */
void stream_close(struct stream *stream);

/* Ends the stream's TCP without an end of TLS. */
void stream_truncate(struct stream *stream);

/* Closes it by a reset. What has been written is waited for, at most `wait`
   milliseconds: until the kernel has sent it, or until the peer's has it. */
enum stream_reset_after { STREAM_SENT, STREAM_ACKNOWLEDGED };
void stream_reset(struct stream *stream, enum stream_reset_after after,
                  unsigned wait);

/* The sentence for an error of this stream; valid until its next call. */
const char *stream_fault(const struct stream *stream, int error);

/* The stream for dial.h; `stream` must outlive it. */
struct socks4_stream stream_for_dial(struct stream *stream);

#endif
