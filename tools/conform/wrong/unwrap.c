/* TLS in front of a server that knows nothing of it. */

#include "unwrap.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "tools/stream/relay.h"

struct unwrap {
    struct stream near, far;
    struct relay relay;
};

static void *
unwrap_relay(void *argument)
{
    struct unwrap *unwrap = argument;
    const struct relay_end *where;

    unwrap->relay.near.stream = &unwrap->near;
    unwrap->relay.far.stream = &unwrap->far;
    relay_streams(&unwrap->relay, &where);
    stream_reset(&unwrap->near, STREAM_SENT, 0);
    stream_reset(&unwrap->far, STREAM_SENT, 0);
    free(unwrap);
    return NULL;
}

static enum stream_defect
unwrap_defect(void)
{
    if (defect_is(DEFECT_TLS_NO_END))
        return STREAM_NO_CLOSE_NOTIFY;
    if (defect_is(DEFECT_TLS_CUT_RECORD))
        return STREAM_CUT_RECORD;
    return defect_is(DEFECT_TLS_CUT_ENDS) ? STREAM_CUT_IS_END : STREAM_SOUND;
}

static bool
unwrap_is_plain(int fd)
{
    uint8_t octet = 0;

    return (defect_is(DEFECT_TLS_PLAIN) || defect_is(DEFECT_5_TLS_PLAIN)) &&
           recv(fd, &octet, 1, MSG_PEEK) == 1 && (octet == 4 || octet == 5);
}

static int
unwrap_start(struct unwrap *unwrap, const struct tls_context *tls)
{
    struct tls_fault fault;
    pthread_t thread;
    int fds[2];
    int error =
        tls_start(&unwrap->far, tls, NULL, session_now() + REQUEST_MS, &fault);

    if (error == 0)
        error = relay_pair(fds);
    if (error != 0)
        return error;
    unwrap->far.defect = unwrap_defect();
    unwrap->near.fd = fds[1];
    if (pthread_create(&thread, NULL, unwrap_relay, unwrap) == 0) {
        pthread_detach(thread);
        return fds[0];
    }
    close(fds[0]);
    return -EAGAIN;
}

int
unwrap(int fd, const struct tls_context *tls)
{
    struct unwrap *unwrap;
    int result;

    if (unwrap_is_plain(fd))
        return fd;
    unwrap = calloc(1, sizeof *unwrap);
    if (unwrap == NULL) {
        close(fd);
        return -ENOMEM;
    }
    unwrap->near.fd = -1;
    unwrap->far.fd = fd;
    result = unwrap_start(unwrap, tls);
    if (result < 0) {
        stream_reset(&unwrap->near, STREAM_SENT, 0);
        stream_close(&unwrap->far);
        free(unwrap);
    }
    return result;
}
