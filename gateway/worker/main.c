#include "gateway/worker/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/addresses.h"
#include "gateway/channel.h"
#include "gateway/readiness.h"
#include "gateway/tcp_ports.h"
#include "gateway/worker/config_update.h"
#include "gateway/worker/peer_link.h"
#include "gateway/worker/signing.h"
#include "gateway/worker/worker.h"

struct worker_process {
    struct worker worker;
    const struct addresses *addresses; /* of this machine; NULL: not known */
    struct watch control;
    struct signing signing;
    struct config_update config_update;
    struct task config_task; /* everything of it has come */
    struct timer ask_config; /* when it is asked for again */
    uint32_t number;         /* of the configuration in force; 0: the first */
    uint32_t acknowledged;   /* the monitor knows of this one */
};

static int
worker_main_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: worker: %s: %s\n", what, strerror(-error));
    return 1;
}

/* The text the monitor sealed, through the same parser as its own. */
static struct config *
worker_main_parse(int fd, size_t size)
{
    struct config_error error;
    struct config *config = config_load_sealed(fd, size, &error);
    if (config == NULL)
        fprintf(stderr, "socks4d: worker: %s\n", error.text);
    return config;
}

static struct config *
worker_main_config(void)
{
    struct stat stat;

    if (fstat(CHANNEL_FD_CONFIG, &stat) < 0)
        return NULL;
    return worker_main_parse(CHANNEL_FD_CONFIG, (size_t)stat.st_size);
}

static int
worker_main_send(const struct channel_message *message)
{
    return channel_send(CHANNEL_FD_CONTROL, message, -1);
}

/* What has no room is sent when worker_main_control_ready is told of room. */
static int
worker_main_send_or_wait(struct worker_process *process,
                         const struct channel_message *message)
{
    int error = worker_main_send(message);

    if (error == -EAGAIN)
        loop_rewatch(&process->worker.loop, &process->control,
                     EPOLLIN | EPOLLOUT | EPOLLET);
    return error;
}

static int
worker_main_send_live(struct live_link *link,
                      const struct channel_message *message)
{
    return worker_main_send_or_wait(
        container_of(link, struct worker_process, worker.sessions.live_link),
        message);
}

/* --- another configuration ---------------------------------------------- */

/* How soon one that did not arrive whole is asked for again. */
#define ASK_CONFIG_MS 100

static void
worker_main_ask_config(struct timer *timer)
{
    struct worker_process *process =
        container_of(timer, struct worker_process, ask_config);
    struct channel_message message = {.kind = CHANNEL_ASK_CONFIG};

    if (worker_main_send(&message) == -EAGAIN)
        loop_start_timer(&process->worker.loop, &process->ask_config,
                         ASK_CONFIG_MS);
}

/* If the channel is full, worker_main_control_ready calls this again when there
   is room. */
static void
worker_main_acknowledge(struct worker_process *process)
{
    struct channel_message message = {.kind = CHANNEL_CONFIGURED,
                                      .arg = process->number};

    if (process->acknowledged != process->number &&
        worker_main_send_or_wait(process, &message) == 0)
        process->acknowledged = process->number;
}

/* Runs as a task: no pending event of this turn can refer to a listener that is
   about to be closed. If the worker cannot apply the configuration it does not
   acknowledge it, and the monitor replaces the worker. */
static void
worker_main_config_update_take(struct task *task)
{
    struct worker_process *process =
        container_of(task, struct worker_process, config_task);
    uint32_t number = process->config_update.number;

    if (!config_update_complete(&process->config_update, &process->worker))
        return;
    if (config_update_apply(&process->config_update, &process->worker) < 0)
        return;
    process->number = number;
    worker_main_acknowledge(process);
}

/* The monitor has parsed the same text, so this worker fails to parse it only
   without memory. Files of other kinds are closed. */
static void
worker_main_take_file(struct worker_process *process,
                      const struct channel_message *message, int fd)
{
    struct config_update *update = &process->config_update;
    struct worker *worker = &process->worker;

    switch (message->file.kind) {
    case CHANNEL_FILE_TEXT:
        config_update_begin(update, message->arg,
                            worker_main_parse(fd, (size_t)message->file.len));
        close(fd);
        loop_cancel_timer(&worker->loop, &process->ask_config);
        break;
    case CHANNEL_FILE_TLS:
        config_update_add_files(update, message->arg, fd, message->file.len);
        break;
    case CHANNEL_FILE_LISTENER:
        config_update_add(update, worker, message->arg, message->file.index,
                          fd);
        break;
    default:
        close(fd);
        break;
    }
    loop_defer(&worker->loop, &process->config_task);
}

/* --- messages from the monitor ----------------------------------------------
 */

/* NULL: another process than this binary knows. */
static struct peer_link *
worker_main_link(struct worker_process *process,
                 const struct channel_message *message)
{
    if (message->id == CHANNEL_PEER_RESOLVER)
        return &process->worker.sessions.lookups.asked.link;
    if (message->id == CHANNEL_PEER_AUTHENTICATOR)
        return &process->worker.sessions.authentications.asked.link;
    if (message->id == CHANNEL_PEER_OBSERVER)
        return &process->worker.sessions.observed.link;
    return message->id == CHANNEL_PEER_SIGNER ? &process->signing.link : NULL;
}

/* `fd`, which came with it or is -1, is ours. */
static void
worker_main_handle_message(struct worker_process *process,
                           const struct channel_message *message, int fd)
{
    struct peer_link *link = worker_main_link(process, message);

    if (message->kind == CHANNEL_LINK && fd != -1 && link != NULL) {
        peer_link_open(link, fd);
        return;
    }
    if (message->kind == CHANNEL_FILE && fd != -1) {
        worker_main_take_file(process, message, fd);
        return;
    }
    if (fd != -1)
        close(fd);
    switch (message->kind) {
    case CHANNEL_DRAIN:
        worker_drain(&process->worker);
        break;
    case CHANNEL_STOP:
        worker_stop(&process->worker);
        break;
    case CHANNEL_ANSWER:
        live_link_receive(&process->worker.sessions.live_link, message);
        break;
    case CHANNEL_PING:
        worker_main_send(&(struct channel_message){.kind = CHANNEL_PONG});
        break;
    default: /* not for a worker */
        break;
    }
}

/* The message came without its descriptor, since this process has reached its
   limit of descriptors: asks the monitor to send it again. */
static void
worker_main_on_lost_fd(struct worker_process *process,
                       const struct channel_message *message)
{
    struct loop *loop = &process->worker.loop;

    if (message->kind != CHANNEL_LINK)
        loop_start_timer(loop, &process->ask_config, ASK_CONFIG_MS);
    else if (worker_main_link(process, message))
        peer_link_ask(worker_main_link(process, message));
}

static void
worker_main_control_ready(struct watch *watch, uint32_t events)
{
    struct worker_process *process =
        container_of(watch, struct worker_process, control);
    struct channel_message message;
    int fd, got;

    if (events & EPOLLOUT) {
        loop_rewatch(&process->worker.loop, watch, EPOLLIN | EPOLLET);
        live_link_flush(&process->worker.sessions.live_link);
        worker_main_acknowledge(process);
    }
    do {
        got = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);
        if (got == 1)
            worker_main_handle_message(process, &message, fd);
        else if (got == -EMFILE)
            worker_main_on_lost_fd(process, &message);
    } while (got == 1 || got == -EMFILE);
    if (got == -EAGAIN)
        return;
    /* The monitor is gone, or what it sends is not a message. */
    loop_unwatch(&process->worker.loop, watch);
    worker_drain(&process->worker);
}

/* OpenSSL is loaded in any case: a reload may bring TLS, and what it needs for
   that it must have before it is confined. */
static int
worker_main_take_tls(struct worker_process *process)
{
    struct worker *worker = &process->worker;
    struct tls_files files;

    int error = tls_bound_memory();
    if (error == 0)
        error = signing_init(&process->signing, &worker->loop);
    if (error == 0)
        error = tls_files_map_all(&files, CHANNEL_FD_TLS);
    if (error < 0)
        return error;
    close(CHANNEL_FD_TLS);
    worker->sessions.tls.signing = &process->signing;
    error = worker_take_tls(worker, &files);
    tls_files_unmap(&files);
    return error;
}

/* All that needs a file or a right: what comes after it is confined. */
static int
worker_main_prepare(struct worker_process *process, unsigned slot,
                    struct config *config, size_t listeners,
                    struct segment *segment)
{
    struct worker *worker = &process->worker;
    int error = worker_init(worker, config, segment, slot, CHANNEL_FD_LOG,
                            worker_main_send_live);

    worker->sessions.addresses = process->addresses;
    process->control.fd = -1;
    config_update_init(&process->config_update);
    task_init(&process->config_task, worker_main_config_update_take);
    timer_init(&process->ask_config, worker_main_ask_config);
    if (error == 0)
        error = worker_main_take_tls(process);
    for (size_t i = 0; i < listeners && error == 0; i++)
        error = worker_listen(worker, CHANNEL_FD_FIRST_LISTENER + (int)i);
    if (error == 0)
        error = loop_watch(&worker->loop, &process->control, CHANNEL_FD_CONTROL,
                           EPOLLIN | EPOLLET, worker_main_control_ready);
    if (error == 0) /* the links are there already */
        worker_main_control_ready(&process->control, 0);
    return error;
}

static void
worker_main_serve(struct worker_process *process)
{
    struct worker *worker = &process->worker;

    loop_run(&worker->loop);
    segment_serve(worker->segment, worker->slot, 0);
    peer_link_close(&worker->sessions.lookups.asked.link);
    peer_link_close(&process->signing.link);
    peer_link_close(&worker->sessions.authentications.asked.link);
    peer_link_close(&worker->sessions.observed.link);
    loop_cancel_timer(&worker->loop, &process->ask_config);
    task_cancel(&process->config_task);
    config_update_begin(&process->config_update, 0, NULL);
    worker_fini(worker);
    signing_fini(&process->signing);
    addresses_unmap(process->addresses);
}

static void
worker_main_use_ports(const char *text)
{
    unsigned first = 0, last = 0;

    if (sscanf(text, "%u-%u", &first, &last) == 2)
        config_use_ports((struct local_ports){(uint16_t)first, (uint16_t)last});
}

static int
worker_main_run(const struct role *role, unsigned slot, char **argv)
{
    bool listens = role == &roles[ROLE_WORKER];
    struct segment *segment;
    int error = segment_map(CHANNEL_FD_SEGMENT, &segment);

    config_look(); /* while there are files to be read */
    if (listens)
        worker_main_use_ports(argv[ROLE_OWN + 1]);
    if (error < 0)
        return worker_main_fail("shared segment", error);
    struct config *config = worker_main_config();
    if (config == NULL)
        return 1;
    struct worker_process *process = calloc(1, sizeof(*process));
    if (process == NULL)
        return worker_main_fail("cannot begin", -ENOMEM);
    if (listens && addresses_map(CHANNEL_FD_ADDRESSES, &process->addresses) < 0)
        process->addresses = NULL; /* the kernel is asked for each */
    if (listens)
        close(CHANNEL_FD_ADDRESSES);
    error = worker_main_prepare(process, slot, config,
                                listens ? config->listener_count : 0, segment);
    if (error < 0)
        return worker_main_fail("cannot begin", error);
    struct confine_tcp ports;
    tcp_ports_find(config, &ports);
    /* Whoever hears that the gateway is ready finds its workers counted. */
    segment_serve(segment, slot, 1);
    if (readiness_reach(role, argv, &ports) < 0)
        return 1;
    worker_main_serve(process);
    free(process);
    return 0;
}

int
worker_main(int argc, char **argv)
{
    if (argc != ROLE_OWN + 2)
        return 2;
    return worker_main_run(&roles[ROLE_WORKER],
                           (unsigned)strtoul(argv[ROLE_OWN], NULL, 10), argv);
}

int
worker_check(char **argv)
{
    return worker_main_run(&roles[ROLE_UPGRADE_CHECK], 0, argv);
}
