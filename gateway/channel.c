#include "gateway/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ancillary data for one descriptor; the padding may hold a second. */
union channel_ancillary {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

int
channel_pair(int ends[2])
{
    int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return socketpair(AF_UNIX, type, 0, ends) == 0 ? 0 : -errno;
}

static void
channel_attach(struct msghdr *header, union channel_ancillary *ancillary,
               int fd)
{
    memset(ancillary, 0, sizeof(*ancillary));
    header->msg_control = ancillary->room;
    header->msg_controllen = sizeof(ancillary->room);
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
}

/* By sendmsg only where a descriptor goes along: no child may call that. */
static ssize_t
channel_send_once(int channel, const struct channel_message *message, int fd)
{
    struct channel_message copy = *message;
    struct iovec octets = {&copy, sizeof(copy)};
    struct msghdr header = {.msg_iov = &octets, .msg_iovlen = 1};
    union channel_ancillary ancillary;
    if (fd == -1)
        return send(channel, &copy, sizeof(copy), MSG_NOSIGNAL);
    channel_attach(&header, &ancillary, fd);
    return sendmsg(channel, &header, MSG_NOSIGNAL);
}

int
channel_send(int channel, const struct channel_message *message, int fd)
{
    while (channel_send_once(channel, message, fd) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

void
channel_tell(int channel, const struct channel_message *message)
{
    int error = channel_send(channel, message, -1);

    (void)error;
}

/* Keeps the first descriptor, closes all others. */
static int
channel_detach(struct msghdr *header)
{
    int kept = -1;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg != NULL;
         cmsg = CMSG_NXTHDR(header, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t len = cmsg->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= len; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof(fd));
            if (kept == -1)
                kept = fd;
            else
                close(fd);
        }
    }
    return kept;
}

/* What the kernel's answer means; 1 for a message of the right size. A
   descriptor is lost at the limit, or where there was no room for any. */
static int
channel_check(ssize_t received, int flags, bool has_room)
{
    if (received == 0)
        return 0;
    if (received != sizeof(struct channel_message) || (flags & MSG_TRUNC))
        return -EBADMSG;
    if (flags & MSG_CTRUNC)
        return has_room ? -EMFILE : -EBADMSG;
    return 1;
}

int
channel_receive(int channel, struct channel_message *message, int *fd)
{
    union channel_ancillary ancillary;
    struct iovec octets = {message, sizeof(*message)};
    struct msghdr header = {.msg_iov = &octets, .msg_iovlen = 1};
    ssize_t received;
    if (fd != NULL) {
        *fd = -1;
        header.msg_control = ancillary.room;
        header.msg_controllen = sizeof(ancillary.room);
    }
    do {
        received = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return errno == ECONNRESET ? 0 : -errno;
    int came = fd != NULL ? channel_detach(&header) : -1;
    int result = channel_check(received, header.msg_flags, fd != NULL);
    if (result == 1 && fd != NULL)
        *fd = came;
    else if (came != -1)
        close(came);
    return result;
}

/* Since Linux 6.16; the headers of the machine that builds may be older. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

int
channel_refuse_fds(int end)
{
    int off = 0;
    if (setsockopt(end, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) == 0)
        return 0;
    return errno == ENOPROTOOPT ? 1 : -errno;
}
