#ifndef GATEWAY_WORKER_DIALER_H
#define GATEWAY_WORKER_DIALER_H

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/worker/stream.h"

/*
 * The connection to the application server [V4-3.2-2]. Two calls, no state
 * of its own: start, and what the next event on the stream means.
 */

/*
 * Opens `stream` to exactly `to`, from `source` if that is not NULL;
 * `serve` has its events. 0, or why not as a negative errno, and then the
 * stream is closed.
 */
int dialer_start(struct stream *stream, struct loop *loop,
                 const struct endpoint *to, const struct addr *source,
                 stream_fn *serve);

/*
 * After stream_event: 0 when the connection stands, with its local end in
 * `local`; -EINPROGRESS to go on waiting; -ELOOP when TCP has connected the
 * socket to itself, as it may on a closed port of this machine; or why it
 * failed. One that stood and was reset since stands, too: the stream is broken,
 * and what came before the reset can be read from it.
 */
int dialer_result(struct stream *stream, const struct endpoint *to,
                  struct endpoint *local);

#endif
