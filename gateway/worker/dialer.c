#include "gateway/worker/dialer.h"

#include <errno.h>

#include "base/sys.h"

int
dialer_start(struct stream *stream, struct loop *loop,
             const struct endpoint *to, const struct addr *source,
             stream_fn *serve)
{
    int fd = sys_tcp(addr_is_v4(to->addr));
    if (fd < 0)
        return fd;

    int error = source != NULL ? sys_bind_source(fd, *source) : 0;
    if (error == 0)
        error = sys_connect(fd, to);
    if (error != 0 && error != -EINPROGRESS) {
        sys_close(fd);
        return error;
    }
    return stream_open(stream, loop, fd, serve);
}

/*
 * Linux says ECONNREFUSED where the handshake was answered by a reset. Either
 * of these means that the connection stood, was reset already, and may have
 * brought octets before that: it is relayed as any other.
 */
static bool
dialer_stood(int error)
{
    return error == -ECONNRESET || error == -EPIPE;
}

int
dialer_result(struct stream *stream, const struct endpoint *to,
              struct endpoint *local)
{
    if (stream_is(stream, STREAM_BROKEN)) {
        int error = stream_error(stream);
        if (!dialer_stood(error))
            return error < 0 ? error : -ECONNABORTED;
    } else if (!stream_is(stream, STREAM_WRITABLE)) {
        return -EINPROGRESS;
    }
    int error = stream_local(stream, local);
    if (error < 0)
        return error;
    if (addr_equal(local->addr, to->addr) && local->port == to->port)
        return -ELOOP;
    return 0;
}
