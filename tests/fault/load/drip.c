#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/list.h"
#include "bench/histogram.h"
#include "bench/socket.h"
#include "tests/fault/load/client.h"

/* A request up to its USERID, which never ends. */
static const uint8_t beginning[] = {4, 1, 0, 80, 10, 2, 0, 2};

#define TURN_MS 5

struct drip;

struct dripper {
    struct watch watch; /* first */
    struct drip *drip;  /* borrowed */
    bool connected;
    uint64_t began_ns, next_ns;
    size_t sent;
    uint8_t reply[8];
    size_t reply_count;
};

struct drip {
    const struct orders *orders; /* borrowed */
    int poller;
    struct dripper *drippers; /* owned */
    unsigned begun, connected, over;
    unsigned refused; /* 91 and an orderly end */
    unsigned cut;     /* any other end */
    struct histogram lives;
    bool told_open;
};

static void
dripper_end(struct dripper *dripper, bool refused)
{
    struct drip *drip = dripper->drip;

    watch_close(&dripper->watch);
    drip->over++;
    if (refused)
        drip->refused++;
    else
        drip->cut++;
    histogram_add(&drip->lives, clock_now_ns() - dripper->began_ns);
}

static void
dripper_receive(struct dripper *dripper)
{
    uint8_t octets[16];
    ssize_t count = recv(dripper->watch.fd, octets, sizeof octets, 0);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    for (ssize_t i = 0; i < count && dripper->reply_count < 8; i++)
        dripper->reply[dripper->reply_count++] = octets[i];
    if (count <= 0)
        dripper_end(dripper, count == 0 && dripper->reply_count == 8 &&
                                 dripper->reply[1] == 91);
}

static void
dripper_ready(struct watch *watch, uint32_t events)
{
    struct dripper *dripper = (struct dripper *)watch;

    if (dripper->connected || (events & (EPOLLERR | EPOLLHUP))) {
        dripper_receive(dripper);
        return;
    }
    dripper->connected = true;
    dripper->drip->connected++;
    (void)poller_modify(dripper->drip->poller, watch, EPOLLIN);
}

static void
dripper_begin(struct drip *drip)
{
    const struct orders *orders = drip->orders;
    struct dripper *dripper = &drip->drippers[drip->begun];
    int fd = socket_connect(spread_at(&orders->sources, drip->begun),
                            orders->gateway_ip, orders->gateway_port, 0);

    drip->begun++;
    dripper->drip = drip;
    dripper->began_ns = clock_now_ns();
    dripper->watch = (struct watch){.fd = fd, .ready = dripper_ready};
    if (fd < 0 || poller_add(drip->poller, &dripper->watch, EPOLLOUT) < 0)
        dripper_end(dripper, false);
}

static void
dripper_drip(struct dripper *dripper, uint64_t now_ns)
{
    uint8_t octet =
        dripper->sent < sizeof beginning ? beginning[dripper->sent] : 'a';

    if (dripper->watch.fd < 0 || !dripper->connected ||
        dripper->reply_count > 0 || now_ns < dripper->next_ns)
        return;
    dripper->next_ns = now_ns + dripper->drip->orders->gap_ms * 1000000ull;
    if (send(dripper->watch.fd, &octet, 1, MSG_NOSIGNAL) == 1)
        dripper->sent++;
}

static void
drip_turn(struct drip *drip)
{
    uint64_t now_ns = clock_now_ns();

    while (drip->begun < drip->orders->slots &&
           drip->begun - drip->connected - drip->cut < drip->orders->opening)
        dripper_begin(drip);
    for (unsigned i = 0; i < drip->begun; i++)
        dripper_drip(&drip->drippers[i], now_ns);
    if (!drip->told_open && drip->connected == drip->orders->slots) {
        drip->told_open = true;
        printf("open\n");
        fflush(stdout);
    }
}

static void
drip_print(const struct drip *drip)
{
    printf("{\"clients\": %u, \"connected\": %u, \"refused\": %u, "
           "\"cut\": %u, \"late\": %u, \"lives\": {\"p50\": %.3f, "
           "\"max\": %.3f}}\n",
           drip->orders->slots, drip->connected, drip->refused, drip->cut,
           drip->orders->slots - drip->over,
           (double)histogram_at(&drip->lives, 0.5) / 1e6,
           (double)drip->lives.max_ns / 1e6);
}

int
drip_run(const struct orders *orders)
{
    static struct drip drip;
    uint64_t limit_ns = clock_now_ns() + orders->limit_ms * 1000000;
    int error = 0;

    drip.orders = orders;
    drip.poller = poller_open();
    drip.drippers = calloc(orders->slots, sizeof *drip.drippers);
    if (drip.poller < 0 || !drip.drippers)
        return -ENOMEM;
    while (drip.over < orders->slots && !error && clock_now_ns() < limit_ns) {
        drip_turn(&drip);
        error = poller_turn(drip.poller, TURN_MS);
    }
    drip_print(&drip);
    free(drip.drippers);
    return error;
}
