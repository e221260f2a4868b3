#include "gateway/link_message.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

int
link_message_send(int fd, const void *message, size_t size)
{
    for (;;) {
        if (send(fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

int
link_message_receive(int fd, void *message, size_t size)
{
    ssize_t received;

    do {
        received = recv(fd, message, size, MSG_TRUNC | MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (received == 0)
        return 0;
    return (size_t)received == size ? 1 : -EBADMSG;
}
