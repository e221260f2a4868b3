#include "tools/socks4/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
link_open(struct stream *stream, const struct route *route,
          struct socks4_dial *dial, const struct tls_context *tls,
          struct tls_fault *fault)
{
    int fd, error = route_dial(route, dial, &fd);

    *stream = (struct stream){.fd = fd};
    if (error == 0 && tls != NULL)
        error = tls_start(stream, tls, route->hops[0].host, dial->deadline_ms,
                          fault);
    if (error != 0 && error != -EBADMSG)
        snprintf(fault->text, sizeof(fault->text), "%s", strerror(-error));
    if (error != 0)
        stream_reset(stream, STREAM_SENT, 0);
    return error;
}
