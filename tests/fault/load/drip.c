#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/list.h"
#include "bench/histogram.h"
#include "bench/socket.h"
#include "tests/fault/load/client.h"

/* A request up to its USERID, of which there will be no end. */
static const uint8_t beginning[] = {4, 1, 0, 80, 10, 2, 0, 2};

#define TURN_MS 5

struct drops;

struct dripper {
    struct watch watch;  /* first */
    struct drops *drops; /* borrowed */
    bool connected;
    uint64_t began_ns, next_ns;
    size_t sent;
    uint8_t reply[8];
    size_t heard;
};

struct drops {
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
    struct drops *drops = dripper->drops;

    watch_close(&dripper->watch);
    drops->over++;
    if (refused)
        drops->refused++;
    else
        drops->cut++;
    histogram_add(&drops->lives, clock_now_ns() - dripper->began_ns);
}

static void
dripper_hear(struct dripper *dripper)
{
    uint8_t octets[16];
    ssize_t count = recv(dripper->watch.fd, octets, sizeof octets, 0);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    for (ssize_t i = 0; i < count && dripper->heard < 8; i++)
        dripper->reply[dripper->heard++] = octets[i];
    if (count <= 0)
        dripper_end(dripper, count == 0 && dripper->heard == 8 &&
                                 dripper->reply[1] == 91);
}

static void
dripper_ready(struct watch *watch, uint32_t events)
{
    struct dripper *dripper = (struct dripper *)watch;

    if (dripper->connected || (events & (EPOLLERR | EPOLLHUP))) {
        dripper_hear(dripper);
        return;
    }
    dripper->connected = true;
    dripper->drops->connected++;
    (void)poller_modify(dripper->drops->poller, watch, EPOLLIN);
}

static void
dripper_begin(struct drops *drops)
{
    const struct orders *orders = drops->orders;
    struct dripper *dripper = &drops->drippers[drops->begun];
    int fd = socket_connect(spread_at(&orders->sources, drops->begun),
                            orders->gateway_ip, orders->gateway_port, 0);

    drops->begun++;
    dripper->drops = drops;
    dripper->began_ns = clock_now_ns();
    dripper->watch = (struct watch){.fd = fd, .ready = dripper_ready};
    if (fd < 0 || poller_add(drops->poller, &dripper->watch, EPOLLOUT) < 0)
        dripper_end(dripper, false);
}

static void
dripper_drip(struct dripper *dripper, uint64_t now_ns)
{
    uint8_t octet =
        dripper->sent < sizeof beginning ? beginning[dripper->sent] : 'a';

    if (dripper->watch.fd < 0 || !dripper->connected || dripper->heard > 0 ||
        now_ns < dripper->next_ns)
        return;
    dripper->next_ns = now_ns + dripper->drops->orders->gap_ms * 1000000ull;
    if (send(dripper->watch.fd, &octet, 1, MSG_NOSIGNAL) == 1)
        dripper->sent++;
}

static void
drops_turn(struct drops *drops)
{
    uint64_t now_ns = clock_now_ns();

    while (drops->begun < drops->orders->slots &&
           drops->begun - drops->connected - drops->cut <
               drops->orders->opening)
        dripper_begin(drops);
    for (unsigned i = 0; i < drops->begun; i++)
        dripper_drip(&drops->drippers[i], now_ns);
    if (!drops->told_open && drops->connected == drops->orders->slots) {
        drops->told_open = true;
        printf("open\n");
        fflush(stdout);
    }
}

static void
drops_print(const struct drops *drops)
{
    printf("{\"clients\": %u, \"connected\": %u, \"refused\": %u, "
           "\"cut\": %u, \"late\": %u, \"lives\": {\"p50\": %.3f, "
           "\"max\": %.3f}}\n",
           drops->orders->slots, drops->connected, drops->refused, drops->cut,
           drops->orders->slots - drops->over,
           (double)histogram_at(&drops->lives, 0.5) / 1e6,
           (double)drops->lives.max_ns / 1e6);
}

int
drip_run(const struct orders *orders)
{
    static struct drops drops;
    uint64_t limit_ns = clock_now_ns() + orders->limit_ms * 1000000;
    int error = 0;

    drops.orders = orders;
    drops.poller = poller_open();
    drops.drippers = calloc(orders->slots, sizeof *drops.drippers);
    if (drops.poller < 0 || !drops.drippers)
        return -ENOMEM;
    while (drops.over < orders->slots && !error && clock_now_ns() < limit_ns) {
        drops_turn(&drops);
        error = poller_turn(drops.poller, TURN_MS);
    }
    drops_print(&drops);
    free(drops.drippers);
    return error;
}
