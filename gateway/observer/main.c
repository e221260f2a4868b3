#include "gateway/observer/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/observer/commands.h"
#include "gateway/observer/observer.h"
#include "gateway/observer/top.h"
#include "gateway/readiness.h"

/* How long connections that have their answer may take to read it. */
#define OBSERVER_STOP_MS 1000

/*
 * What it may map beside the segment. MiB for itself, its libraries and its
 * answers; for every connection, the sums of all sessions (top.h); and for each
 * octet of the configuration's text what it takes while the next one is read.
 * Measured: 40 MiB with 9 800 sessions and all connections asking for sums, and
 * 32 octets for each of a text of 600 000 networks.
 */
#define OBSERVER_MIB 256
#define OBSERVER_TEXT_OCTETS 64

/* There is room for a text twice as long as that of the start, or so long. */
#define OBSERVER_TEXT_LEAST ((size_t)4 << 20)

enum {
    OBSERVER_ARG_OWNER = ROLE_OWN,
    OBSERVER_ARG_SESSIONS,
    OBSERVER_ARG_TEXT,
    OBSERVER_ARG_END
};

struct observer_process {
    struct observer observer;
    struct timer stop;
    size_t text_most; /* of a configuration: there is memory for no more */
    /* The sockets of the config version to come. */
    struct observer_received {
        int fd; /* owned, -1 */
        struct channel_file file;
    } control, page, agent;
};

static struct observer_process process;

static int
observer_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: observer: %s: %s\n", what, strerror(-error));
    return 1;
}

bool
observer_tell_monitor(const struct channel_message *message)
{
    return channel_send(CHANNEL_FD_CONTROL, message, -1) == 0;
}

/* --- configurations ------------------------------------------------------ */

static void
observer_keep_socket(struct observer_received *socket,
                     const struct channel_file *file, int fd)
{
    if (socket->fd != -1)
        close(socket->fd);
    socket->fd = fd;
    socket->file = *file;
}

static void
observer_drop_sockets(void)
{
    static const struct channel_file none;
    observer_keep_socket(&process.control, &none, -1);
    observer_keep_socket(&process.page, &none, -1);
    observer_keep_socket(&process.agent, &none, -1);
}

/* The text comes last: the sockets that belong to it have come before. */
static void
observer_take_config(struct observer *observer,
                     const struct channel_message *message, int fd)
{
    struct config_error error;
    size_t len = (size_t)message->file.len;
    if (len > process.text_most)
        exit(0); /* another one has memory for it */
    struct config *config = config_load_sealed(fd, len, &error);
    const char *text = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (config == NULL || text == MAP_FAILED) {
        fprintf(stderr, "socks4d: observer: %s\n",
                config == NULL ? error.text : strerror(errno));
        exit(1); /* another one is sent all of it */
    }
    config_text_id(text, len, observer->config_id);
    config_hash(text, len, observer->config_sha256);
    munmap((void *)(uintptr_t)text, len);
    if (observer->config != NULL)
        config_unref(observer->config);
    observer->config = config;
    observer->config_version = message->arg;
    if (observer->draining) {
        observer_drop_sockets();
        return;
    }
    control_listen(&observer->control, process.control.fd,
                   process.control.file.index,
                   (uint32_t)process.control.file.len);
    http_listen(&observer->http, process.page.fd, process.page.file.index);
    agent_listen(&observer->agent, process.agent.fd, process.agent.file.index);
    process.control.fd = process.page.fd = process.agent.fd = -1;
}

static void
observer_take_file(struct observer *observer,
                   const struct channel_message *message, int fd)
{
    switch (message->file.kind) {
    case CHANNEL_FILE_CONTROL:
        observer_keep_socket(&process.control, &message->file, fd);
        break;
    case CHANNEL_FILE_PAGE:
        observer_keep_socket(&process.page, &message->file, fd);
        break;
    case CHANNEL_FILE_AGENT:
        observer_keep_socket(&process.agent, &message->file, fd);
        break;
    case CHANNEL_FILE_TEXT:
        observer_take_config(observer, message, fd);
        close(fd);
        break;
    default:
        close(fd);
        break;
    }
}

/* --- messages from the monitor ------------------------------------------- */

static void
observer_take_outcome(struct observer *observer,
                      const struct channel_message *message, int fd)
{
    struct stat status;
    size_t len = fstat(fd, &status) == 0 ? (size_t)status.st_size : 0;
    void *text =
        len > 0 ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool has_text = text != MAP_FAILED;
    commands_finish(&observer->control, message->arg, message->id == 1,
                    has_text ? text : "", has_text ? len : 0);
    if (has_text)
        munmap(text, len);
}

static void
observer_on_stop(struct timer *timer)
{
    (void)timer;
    loop_stop(&process.observer.loop);
}

/* The next observer is there. Those who wait for the upgrade wait here. */
static void
observer_drain(struct observer *observer)
{
    observer->draining = true;
    control_drain(&observer->control);
    http_listen(&observer->http, -1, 0);
    agent_listen(&observer->agent, -1, 0);
    page_drain(&observer->page);
}

static void
observer_handle_message(struct observer *observer,
                        const struct channel_message *message, int fd)
{
    if (message->kind == CHANNEL_FILE && fd != -1) {
        observer_take_file(observer, message, fd);
        return;
    }
    if (message->kind == CHANNEL_LINK && fd != -1 &&
        message->arg < SEGMENT_SLOTS) {
        workers_open_link(&observer->workers, message->arg, fd);
        return;
    }
    switch (message->kind) {
    case CHANNEL_OUTCOME:
        observer_take_outcome(observer, message, fd);
        break;
    case CHANNEL_DRAIN:
        observer_drain(observer);
        break;
    case CHANNEL_STOP:
        observer_drain(observer);
        loop_start_timer(&observer->loop, &process.stop, OBSERVER_STOP_MS);
        break;
    case CHANNEL_PING:
        channel_tell(CHANNEL_FD_CONTROL,
                     &(struct channel_message){.kind = CHANNEL_PONG});
        break;
    default: /* not for an observer */
        break;
    }
    if (fd != -1)
        close(fd);
}

/* Where a descriptor was lost, or the monitor is gone, the process ends:
   another one is sent all of it. */
static void
observer_channel_ready(struct watch *watch, uint32_t events)
{
    struct observer *observer = container_of(watch, struct observer, channel);
    struct channel_message message;
    int fd;
    (void)events;
    int got = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);
    if (got == 1)
        observer_handle_message(observer, &message, fd);
    else if (got == -EMFILE && message.kind == CHANNEL_LINK)
        channel_tell(CHANNEL_FD_CONTROL,
                     &(struct channel_message){.kind = CHANNEL_ASK_LINK,
                                               .arg = message.arg});
    else if (got != -EAGAIN)
        loop_stop(&observer->loop);
}

/* --- start --------------------------------------------------------------- */

/* jansson would read a file for it, later. */
static int
observer_seed_hashes(struct observer *observer)
{
    uint64_t *secret = observer->workers.secret;
    size_t seed, size = sizeof(observer->workers.secret);
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
        getrandom(secret, size, 0) != (ssize_t)size)
        return -errno;
    json_object_seed(seed | 1);
    return 0;
}

static int
observer_prepare(struct observer *observer)
{
    config_look(); /* while there are files to be read */
    int error = observer_seed_hashes(observer);
    if (error == 0)
        error = segment_show(CHANNEL_FD_SHOWN, &observer->segment);
    if (error == 0)
        error = loop_init(&observer->loop);
    if (error < 0)
        return error;
    void *kept = mmap(NULL, CHANNEL_KEPT_SIZE, PROT_READ | PROT_WRITE,
                      MAP_SHARED, CHANNEL_FD_KEPT, 0);
    if (kept == MAP_FAILED)
        return -errno;
    _Static_assert(sizeof(struct page_kept) <= CHANNEL_KEPT_SIZE, "it fits");
    close(CHANNEL_FD_KEPT);
    close(CHANNEL_FD_SHOWN);
    process.control.fd = process.page.fd = process.agent.fd = -1;
    timer_init(&process.stop, observer_on_stop);
    workers_init(&observer->workers, &observer->loop);
    control_init(&observer->control, observer);
    agent_init(&observer->agent, observer);
    page_init(&observer->page, observer, kept);
    error = http_init(&observer->http, observer);
    if (error < 0)
        return error;
    return loop_watch(&observer->loop, &observer->channel, CHANNEL_FD_CONTROL,
                      EPOLLIN, observer_channel_ready);
}

static uint64_t
observer_mib(uint64_t sessions)
{
    uint64_t octets = sizeof(struct segment) + CHANNEL_KEPT_SIZE +
                      CONTROL_CONNECTIONS_MAX * top_octets(sessions) +
                      OBSERVER_TEXT_OCTETS * process.text_most;

    return OBSERVER_MIB + (octets >> 20);
}

int
observer_main(int argc, char **argv)
{
    struct observer *observer = &process.observer;
    if (argc != OBSERVER_ARG_END)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    observer->owner = (uid_t)strtoul(argv[OBSERVER_ARG_OWNER], NULL, 10);
    observer->user = (uid_t)strtoul(argv[ROLE_UID], NULL, 10);
    process.text_most = 2 * strtoul(argv[OBSERVER_ARG_TEXT], NULL, 10);
    if (process.text_most < OBSERVER_TEXT_LEAST)
        process.text_most = OBSERVER_TEXT_LEAST;
    int error = observer_prepare(observer);
    if (error < 0)
        return observer_fail("cannot start", error);
    uint64_t sessions = strtoull(argv[OBSERVER_ARG_SESSIONS], NULL, 10);
    if (readiness_reach_within(&roles[ROLE_OBSERVER], argv,
                               observer_mib(sessions)) < 0)
        return 1;
    while (!observer->loop.stopped &&
           !(observer->draining && control_is_idle(&observer->control)))
        loop_turn(&observer->loop, -1);
    control_fini(&observer->control);
    page_end_readers(&observer->page);
    http_fini(&observer->http);
    page_fini(&observer->page);
    agent_listen(&observer->agent, -1, 0);
    workers_fini(&observer->workers);
    if (observer->config != NULL)
        config_unref(observer->config);
    return 0;
}
