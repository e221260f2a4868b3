#include "gateway/signer/link.h"

#include <errno.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/link_message.h"

/* Requests read from one link in one turn, and after how long no more: pings
   are answered between, and a signature by RSA of 8192 bits takes 50 ms. */
#define LINK_TURN 8
#define LINK_TURN_US 2000

static void
signer_link_close(struct signer_link *link)
{
    int fd = link->watch.fd;
    if (fd == -1)
        return;
    loop_unwatch(link->loop, &link->watch);
    close(fd);
    task_cancel(&link->again);
    link->waits = false;
}

static void signer_link_ready(struct watch *watch, uint32_t events);

/* EPOLLOUT only while an answer waits for room: else each answer that the
   worker reads would wake this process. */
static void
signer_link_watch(struct signer_link *link, int fd, uint32_t also)
{
    if (loop_watch(link->loop, &link->watch, fd, EPOLLIN | EPOLLET | also,
                   signer_link_ready) < 0)
        close(fd);
}

/* False: no room, EPOLLOUT will come. A worker that is gone shows when its link
   is read. */
static bool
signer_link_send(struct signer_link *link)
{
    bool waited = link->waits;
    link->waits = link_message_send(link->watch.fd, &link->answer,
                                    sizeof(link->answer)) == -EAGAIN;
    if (link->waits != waited) {
        int fd = link->watch.fd;
        loop_unwatch(link->loop, &link->watch);
        signer_link_watch(link, fd, link->waits ? EPOLLOUT : 0);
    }
    return !link->waits;
}

/* Edge-triggered: reads until nothing is left, or an answer has no room. While
   it signs the link may be opened anew, for a worker that has not asked. */
static void
signer_link_work(struct signer_link *link)
{
    struct signing_request request;
    if (link->waits && !signer_link_send(link))
        return;
    uint64_t until_us = sys_now_us() + LINK_TURN_US;
    for (int i = 0; i < LINK_TURN && (i == 0 || sys_now_us() < until_us); i++) {
        int got =
            link_message_receive(link->watch.fd, &request, sizeof(request));
        if (got == -EBADMSG)
            continue;
        if (got != 1) {
            if (got != -EAGAIN)
                signer_link_close(link);
            return;
        }
        unsigned opened = link->opened;
        link->sign(link, &request, &link->answer);
        if (link->opened != opened || !signer_link_send(link))
            return;
    }
    loop_defer(link->loop, &link->again);
}

static void
signer_link_again(struct task *task)
{
    signer_link_work(container_of(task, struct signer_link, again));
}

static void
signer_link_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    signer_link_work(container_of(watch, struct signer_link, watch));
}

void
signer_link_init(struct signer_link *link, struct loop *loop,
                 signer_link_sign_fn *sign)
{
    *link = (struct signer_link){.loop = loop, .sign = sign};
    link->watch.fd = -1;
    task_init(&link->again, signer_link_again);
}

void
signer_link_open(struct signer_link *link, int fd)
{
    signer_link_close(link);
    link->opened++;
    link->waits = false;
    signer_link_watch(link, fd, 0);
}
