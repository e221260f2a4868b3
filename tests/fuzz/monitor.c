#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/monitor/authenticator_links.h"
#include "gateway/monitor/resolver_links.h"
#include "gateway/monitor/signer_links.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/slots.h"
#include "gateway/role.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

/*
 * The monitor's side of every channel: its services, with children that are
 * none and may have been taken over. The input says what they do, a step after
 * the other, and the monitor takes it in after each: nothing that a child
 * sends, in whatever state, harms the monitor or outlives its child.
 */

#define CHILDREN_MAX 64
#define STEPS_MAX 64
#define FIRST_PID 1000000

static const char *const worker_events[] = {"session", "limit", NULL};

static bool
always(const struct config *config)
{
    (void)config;
    return true;
}

const struct role roles[] = {
    [ROLE_WORKER] = {"--worker", "w", "worker", NULL, NULL, NULL,
                     worker_events},
    [ROLE_RESOLVER] = {"--resolver", "r", "resolver", NULL, NULL, always, NULL},
    [ROLE_LOGWRITER] = {"--logwriter", "l", "writer", NULL, NULL, NULL, NULL},
    [ROLE_SIGNER] = {"--signer", "s", "signer", NULL, NULL, always, NULL},
    [ROLE_AUTHENTICATOR] = {"--authenticator", "a", "authenticator", NULL, NULL,
                            always, NULL},
};
const size_t role_count = sizeof(roles) / sizeof(roles[0]);

/* --- children ------------------------------------------------------------ */

static struct fake {
    bool alive, reaped;
    int control, stderr_fd, lines;
} fakes[CHILDREN_MAX];
static unsigned born;

void
child_init(struct child *child)
{
    *child = (struct child){.pid = 0, .control = -1, .stderr_fd = -1};
}

int
child_start(struct child *child, const struct child_plan *plan)
{
    int control[2], out[2];
    if (born == CHILDREN_MAX)
        return -EAGAIN;
    assert(channel_pair(control) == 0 && pipe2(out, O_NONBLOCK) == 0);
    fakes[born] = (struct fake){true, false, control[1], out[1], -1};
    if (plan->fd_count > 0)
        fakes[born].lines = dup(plan->fds[0]);
    *child = (struct child){FIRST_PID + (pid_t)born++, control[0], out[0]};
    return 0;
}

static void
fake_die(struct fake *fake)
{
    if (!fake->alive)
        return;
    fake->alive = false;
    close(fake->control);
    close(fake->stderr_fd);
    if (fake->lines != -1)
        close(fake->lines);
}

void
child_kill(const struct child *child)
{
    if (child->pid != 0)
        fake_die(&fakes[child->pid - FIRST_PID]);
}

void
child_close(struct child *child)
{
    if (child->control != -1)
        close(child->control);
    if (child->stderr_fd != -1)
        close(child->stderr_fd);
    child_init(child);
}

/* --- the monitor --------------------------------------------------------- */

static uint64_t clock_us = 1000000;

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

static struct stage {
    struct loop loop;
    struct user user;
    struct services services;
    struct config_version config_version;
    struct listeners listeners;
    struct sink sink;
    struct slots slots;
    struct resolver_links links;
    struct signer_links signer;
    struct authenticator_links authenticator;
} stage;

/* One for all inputs: most of the time would go into its pages. */
static struct segment *segment;
static int segment_fd;

static void
on_changed(struct services *services)
{
    (void)services;
    slots_fill(&stage.slots);
}

static void
on_link(struct slots *slots, unsigned number, enum channel_peer peer)
{
    (void)slots;
    if (peer == CHANNEL_PEER_RESOLVER)
        links_connect(&stage.links.links, number);
    else if (peer == CHANNEL_PEER_SIGNER)
        links_connect(&stage.signer.links, number);
    else if (peer == CHANNEL_PEER_AUTHENTICATOR)
        links_connect(&stage.authenticator.links, number);
}

static int
on_pass(struct links *links, unsigned number, int fd)
{
    return slots_pass_link(&stage.slots, number, links->peer, fd);
}

static void
stage_open(void)
{
    static const char text[] =
        "listen: [{address: '127.0.0.1:1', name: a, socks4a: true}]\n"
        "workers: 2\n";
    struct config_error error;
    memset(&stage, 0, sizeof(stage));
    born = 0;
    struct config *config =
        config_parse("f", text, sizeof(text) - 1, &error, NULL);
    assert(config != NULL && loop_init(&stage.loop) == 0);
    assert(config_version_make(&stage.config_version, config, 0) == 0);
    stage.services = (struct services){.loop = &stage.loop,
                                       .sink = &stage.sink,
                                       .user = &stage.user,
                                       .program = -1,
                                       .changed = on_changed};
    services_init(&stage.services);
    assert(sink_open(&stage.sink, &stage.services, config, segment, NULL) == 0);
    stage.links.config = config;
    assert(certificates_read(&stage.config_version.certificates, config, NULL,
                             &error) == 0);
    stage.links.links.workers = SEGMENT_SLOTS;
    stage.links.links.pass = on_pass;
    resolver_links_start(&stage.links, &stage.services, NULL);
    stage.signer.links.workers = SEGMENT_SLOTS;
    stage.signer.links.pass = on_pass;
    signer_links_start(&stage.signer, &stage.services, &stage.config_version,
                       NULL);
    stage.authenticator.links.workers = SEGMENT_SLOTS;
    stage.authenticator.links.pass = on_pass;
    authenticator_links_start(&stage.authenticator, &stage.services,
                              &stage.config_version, NULL);
    stage.slots.services = &stage.services;
    stage.slots.segment = segment;
    stage.slots.segment_fd = segment_fd;
    stage.slots.listeners = &stage.listeners;
    stage.slots.config_version = &stage.config_version;
    stage.slots.wants_link = on_link;
    assert(slots_start(&stage.slots) == 0);
}

static void
stage_close(void)
{
    slots_fini(&stage.slots);
    resolver_links_fini(&stage.links);
    signer_links_fini(&stage.signer);
    authenticator_links_fini(&stage.authenticator);
    services_fini(&stage.services);
    sink_close(&stage.sink);
    for (unsigned i = 0; i < born; i++)
        fake_die(&fakes[i]);
    loop_fini(&stage.loop);
    config_version_free(&stage.config_version);
}

/* What died is reaped when it is noticed, as after a SIGCHLD. */
static void
stage_turn(void)
{
    for (int i = 0; i < 4; i++)
        loop_turn(&stage.loop, 0);
    for (unsigned i = 0; i < born; i++) {
        if (fakes[i].alive || fakes[i].reaped)
            continue;
        fakes[i].reaped = true;
        services_reap(&stage.services, FIRST_PID + (pid_t)i, SIGKILL);
    }
    loop_turn(&stage.loop, 0);
}

/* --- what the input says ------------------------------------------------- */

/* One of those that live. */
static struct fake *
take_child(struct input *input)
{
    unsigned which = take(input), alive = 0;
    for (unsigned i = 0; i < born; i++)
        alive += fakes[i].alive;
    if (alive == 0)
        return NULL;
    which %= alive;
    for (unsigned i = 0; i < born; i++)
        if (fakes[i].alive && which-- == 0)
            return &fakes[i];
    return NULL;
}

static void
send_message(struct fake *fake, struct input *input)
{
    struct channel_message message = {.kind = take(input),
                                      .arg = (uint32_t)(int8_t)take(input)};
    uint8_t octets[256];
    size_t len = take_octets(input, octets);
    size_t room = sizeof(message) - offsetof(struct channel_message, id);
    memcpy(&message.id, octets, len < room ? len : room);
    for (unsigned count = 1 + take(input) % 8u * 8; count > 0; count--)
        send(fake->control, &message, sizeof(message),
             MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
take_step(struct input *input)
{
    uint8_t what = take(input), octets[256];
    struct fake *fake = take_child(input);
    size_t len;
    if (fake == NULL || what % 8 == 0) {
        clock_us += (uint64_t)take(input) * 100000;
        return;
    }
    switch (what % 8) {
    case 1:
    case 2:
        send_message(fake, input);
        break;
    case 3:
        len = take_octets(input, octets);
        send(fake->control, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 4:
        len = take_octets(input, octets);
        assert(write(fake->stderr_fd, octets, len) >= -1);
        break;
    case 5:
        len = take_octets(input, octets);
        if (fake->lines != -1)
            send(fake->lines, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 6:
        fake_die(fake);
        break;
    case 7:
        slots_reconfigure(&stage.slots);
        break;
    }
}

static int
lowest_free_fd(void)
{
    int fd = dup(STDIN_FILENO);
    close(fd);
    return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size)
{
    struct input input = {octets, size};
    signal(SIGPIPE, SIG_IGN);
    if (segment == NULL)
        segment_fd = segment_create(&segment);
    assert(segment_fd >= 0);
    int before = lowest_free_fd();
    stage_open();
    for (int i = 0; i < STEPS_MAX && input.left > 0; i++) {
        take_step(&input);
        stage_turn();
    }
    stage_close();
    assert(lowest_free_fd() == before);
    return 0;
}
