#include "gateway/monitor/observer_links.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/memory.h"

#define OBSERVER_BACKLOG 128

/* How long the observer of the binary before may take to send what it has. */
#define OBSERVER_LEAVE_MS 2000

static struct observer_links *
observer_links_of(struct service *service)
{
    return container_of(service, struct observer_links, service);
}

static void observer_links_send(struct service *service);

/* --- sockets ------------------------------------------------------------- */

static const struct endpoint *
observer_endpoint(const struct config *config, enum observer_socket which)
{
    return which == OBSERVER_PAGE ? &config->observe.address
                                  : &config->observe.agent;
}

static void
observer_sockets_init(struct observer_sockets *sockets)
{
    memset(sockets, 0, sizeof(*sockets));
    sockets->control.fd = -1;
    for (size_t i = 0; i < OBSERVER_SOCKETS; i++)
        sockets->tcp[i] = -1;
}

static int
observer_sockets_fd(const struct observer_sockets *sockets,
                    enum observer_socket which)
{
    return which == OBSERVER_CONTROL ? sockets->control.fd
                                     : sockets->tcp[which];
}

/* Closes what `other` does not have. */
static void
observer_sockets_close(struct observer_sockets *sockets,
                       const struct observer_sockets *other)
{
    if (sockets->control.fd != -1 &&
        (other == NULL || sockets->control.fd != other->control.fd))
        control_socket_close(&sockets->control);
    for (size_t i = OBSERVER_PAGE; i < OBSERVER_SOCKETS; i++)
        if (sockets->tcp[i] != -1 &&
            (other == NULL || sockets->tcp[i] != other->tcp[i]))
            close(sockets->tcp[i]);
}

/* The observer has the segment by a description that it cannot write through,
   and only /proc gives that: without it there is no observer. */
static bool
observer_links_can_show(void)
{
    return access("/proc/self/fd", F_OK) == 0;
}

static int
observer_links_open_tcp(struct observer_links *links,
                        struct observer_sockets *next,
                        enum observer_socket which, const struct endpoint *at,
                        char why[OBSERVER_LINKS_WHY_MAX])
{
    static const char *const keys[OBSERVER_SOCKETS] = {
        [OBSERVER_PAGE] = "observe.address",
        [OBSERVER_AGENT] = "observe.agent"};
    char text[ENDPOINT_TEXT_MAX];

    next->tcp[which] = -1;
    if (at->port == 0)
        return 0;
    if (!observer_links_can_show()) {
        snprintf(why, OBSERVER_LINKS_WHY_MAX,
                 "%s needs /proc, which is not there: mount it, or write off",
                 keys[which]);
        return -1;
    }
    int fd = sys_listen(at, OBSERVER_BACKLOG, false);
    if (fd < 0) {
        snprintf(why, OBSERVER_LINKS_WHY_MAX,
                 "cannot listen on %s (%s): %s; choose another address, or off",
                 endpoint_format(at, text), keys[which], strerror(-fd));
        return -1;
    }
    next->tcp[which] = fd;
    next->serials[which] = ++links->serial;
    return 0;
}

/* As control_socket_open. */
static int
observer_links_open_control(const struct observer_links *links,
                            struct control_socket *control,
                            const struct control_socket *now,
                            const struct config *config,
                            char why[OBSERVER_LINKS_WHY_MAX])
{
    if (config->control.socket == CONFIG_CONTROL_OFF ||
        observer_links_can_show())
        return control_socket_open(control, now, config, links->user, why);
    snprintf(why, OBSERVER_LINKS_WHY_MAX,
             "there is no control socket, which needs /proc: mount it, or "
             "write control: {socket: off}");
    control->fd = -1;
    return config->control.socket == CONFIG_CONTROL_AUTO ? 0 : -1;
}

/* What it says of a control socket that auto goes without. */
static void
observer_links_say_without(const struct observer_links *links, const char *why)
{
    struct log_line line;
    sink_begin(links->sink, &line, "control", LOG_LEVEL_WARNING);
    log_text(&line, "message", why);
    sink_say(links->sink, &line);
}

int
observer_links_prepare(struct observer_links *links,
                       struct observer_sockets *next,
                       const struct config *config,
                       char why[OBSERVER_LINKS_WHY_MAX])
{
    const struct config *now = links->config_version->config;
    int error = 0;

    *next = links->sockets;
    for (unsigned i = OBSERVER_PAGE; i < OBSERVER_SOCKETS && error == 0; i++)
        if (!endpoint_equal(observer_endpoint(now, i),
                            observer_endpoint(config, i)))
            error = observer_links_open_tcp(links, next, i,
                                            observer_endpoint(config, i), why);
    if (error == 0 && !control_socket_is_same(now, config)) {
        error = observer_links_open_control(
            links, &next->control, &links->sockets.control, config, why);
        next->serials[OBSERVER_CONTROL] = ++links->serial;
        if (error == 0 && why[0] != '\0')
            observer_links_say_without(links, why);
    }
    if (error != 0)
        observer_links_drop(links, next);
    return error == 0 ? 0 : -1;
}

void
observer_links_drop(const struct observer_links *links,
                    struct observer_sockets *next)
{
    observer_sockets_close(next, &links->sockets);
}

int
observer_links_open(struct observer_links *links, const struct config *config)
{
    struct observer_sockets *sockets = &links->sockets;
    char why[OBSERVER_LINKS_WHY_MAX];
    int error = 0;

    links->shown = links->kept = -1;
    observer_sockets_init(sockets);
    for (unsigned i = OBSERVER_PAGE; i < OBSERVER_SOCKETS && error == 0; i++)
        error = observer_links_open_tcp(links, sockets, i,
                                        observer_endpoint(config, i), why);
    if (error == 0) {
        error = observer_links_open_control(links, &sockets->control, NULL,
                                            config, why);
        sockets->serials[OBSERVER_CONTROL] = ++links->serial;
        if (error == 0 && why[0] != '\0')
            snprintf(links->without, sizeof(links->without), "%s", why);
    }
    if (error == 0)
        return 0;
    fprintf(stderr, "socks4d: %s\n", why);
    observer_sockets_close(sockets, NULL);
    return -1;
}

void
observer_links_take(struct observer_links *links,
                    const struct handover *handover)
{
    const struct handed_observer *handed = &handover->observer;
    struct observer_sockets *sockets = &links->sockets;

    links->shown = -1;
    links->kept = handed->kept;
    if (links->kept != -1 && !memory_has_size(links->kept, CHANNEL_KEPT_SIZE)) {
        close(links->kept);
        links->kept = -1;
    }
    observer_sockets_init(sockets);
    control_socket_take(&sockets->control, handed->sockets[0], handed->path,
                        (uint32_t)handed->gid);
    for (size_t i = OBSERVER_PAGE; i < OBSERVER_SOCKETS; i++)
        sockets->tcp[i] = handed->sockets[i];
    for (size_t i = 0; i < OBSERVER_SOCKETS; i++)
        sockets->serials[i] = ++links->serial;
    for (size_t i = 0; i < handed->upgrade_count; i++)
        links->requests[i] = (struct observer_request){
            .number = (uint32_t)handed->upgrades[i], .action = CHANNEL_UPGRADE};
}

void
observer_links_hand_over(const struct observer_links *links,
                         struct handover *handover)
{
    struct handed_observer *handed = &handover->observer;
    const struct control_socket *control = &links->sockets.control;

    for (unsigned i = 0; i < OBSERVER_SOCKETS; i++)
        handed->sockets[i] = observer_sockets_fd(&links->sockets, i);
    if (control->fd != -1)
        memcpy(handed->path, control->path, sizeof(handed->path));
    handed->gid = control->gid;
    handed->kept = links->kept;
    for (size_t i = 0; i < HANDOVER_REQUESTS_MAX; i++)
        if (links->requests[i].number != 0 &&
            links->requests[i].action == CHANNEL_UPGRADE)
            handed->upgrades[handed->upgrade_count++] =
                links->requests[i].number;
}

/* --- sockets that an observer has ended ---------------------------------- */

/* Of a socket of files poll says so, and nothing makes it listen again. */
static bool
observer_links_has_ended(const struct observer_links *links,
                         enum observer_socket which)
{
    struct pollfd polled = {.fd = observer_sockets_fd(&links->sockets, which),
                            .events = POLLRDHUP};
    if (polled.fd == -1)
        return false;
    return which == OBSERVER_CONTROL
               ? poll(&polled, 1, 0) > 0 && (polled.revents & POLLRDHUP) != 0
               : listener_has_ended(polled.fd);
}

/* Another one in its place; the observer is sent it. */
static int
observer_links_make_control(struct observer_links *links,
                            char why[OBSERVER_LINKS_WHY_MAX])
{
    struct control_socket *control = &links->sockets.control, next;
    int error = observer_links_open_control(links, &next, control,
                                            links->config_version->config, why);
    if (error != 0 || next.fd == -1)
        return error != 0 ? error : -ENOENT;
    control_socket_replace(control, &next);
    links->sockets.serials[OBSERVER_CONTROL] = ++links->serial;
    links->unsent = true;
    observer_links_send(&links->service);
    return 0;
}

static void
observer_links_revive(struct observer_links *links, enum observer_socket which)
{
    static const char revived[] =
        "a process that has this socket had ended its listening: the observer "
        "may have been taken over; see SECURITY.md";
    const struct control_socket *control = &links->sockets.control;
    const struct endpoint *at =
        observer_endpoint(links->config_version->config, which);
    char text[ENDPOINT_TEXT_MAX], why[OBSERVER_LINKS_WHY_MAX] = "";
    struct log_line line;
    int error = which == OBSERVER_CONTROL
                    ? observer_links_make_control(links, why)
                    : listener_listen_again(links->sockets.tcp[which],
                                            OBSERVER_BACKLOG, true);

    if (error == 0 || !links->lost[which]) {
        sink_begin(links->sink, &line,
                   error == 0 ? "listener_revived" : "listener_lost",
                   LOG_LEVEL_ERROR);
        log_text(&line, "address",
                 which == OBSERVER_CONTROL ? control->path
                                           : endpoint_format(at, text));
        log_text(&line, "message",
                 error == 0       ? revived
                 : why[0] != '\0' ? why
                                  : strerror(-error));
        sink_say(links->sink, &line);
    }
    links->lost[which] = error != 0;
}

void
observer_links_check(struct observer_links *links)
{
    for (unsigned i = 0; i < OBSERVER_SOCKETS; i++)
        if (observer_links_has_ended(links, i))
            observer_links_revive(links, i);
}

/* --- what it is sent ----------------------------------------------------- */

static int
observer_links_send_socket(struct observer_links *links,
                           enum observer_socket which)
{
    static const uint32_t kinds[] = {[OBSERVER_CONTROL] = CHANNEL_FILE_CONTROL,
                                     [OBSERVER_PAGE] = CHANNEL_FILE_PAGE,
                                     [OBSERVER_AGENT] = CHANNEL_FILE_AGENT};
    int fd = observer_sockets_fd(&links->sockets, which);
    struct channel_message message = {
        .kind = CHANNEL_FILE,
        .arg = links->config_version->number,
        .file = {.kind = kinds[which], .index = links->sockets.serials[which]}};
    if (which == OBSERVER_CONTROL)
        message.file.len = links->sockets.control.gid;
    return fd == -1 ? 0 : service_send(&links->service, &message, fd);
}

/* The text last: then it is complete. */
static int
observer_links_send_config(struct observer_links *links)
{
    const struct config_version *version = links->config_version;
    struct channel_message text = {
        .kind = CHANNEL_FILE,
        .arg = version->number,
        .file = {.kind = CHANNEL_FILE_TEXT, .len = version->len}};
    for (unsigned i = 0; i < OBSERVER_SOCKETS; i++) {
        int error = observer_links_send_socket(links, i);
        if (error != 0)
            return error;
    }
    return service_send(&links->service, &text, version->fd);
}

static void
observer_links_send(struct service *service)
{
    struct observer_links *links = observer_links_of(service);
    if (links->unsent) /* one that is to come is sent it when it has begun */
        links->unsent = service->current.child.pid != 0 &&
                        observer_links_send_config(links) != 0;
    if (links->unsent)
        service_send_later(service);
    links_send(&links->links);
}

/* --- whether there is one ------------------------------------------------ */

static bool
observer_links_are_needed(const struct observer_links *links)
{
    for (unsigned i = 0; i < OBSERVER_SOCKETS; i++)
        if (observer_sockets_fd(&links->sockets, i) != -1)
            return true;
    return false;
}

static bool
observer_links_are_asked(const struct observer_links *links)
{
    for (size_t i = 0; i < HANDOVER_REQUESTS_MAX; i++)
        if (links->requests[i].number != 0)
            return true;
    return false;
}

/* It sends what it has, and ends. */
static void
observer_links_stop(struct observer_links *links, const struct child *child)
{
    struct channel_message stop = {.kind = CHANNEL_STOP};
    if (child->pid != 0 && child->control != -1)
        channel_tell(child->control, &stop);
    loop_start_timer(links->service.services->loop, &links->leave,
                     OBSERVER_LEAVE_MS);
}

/* Stops an observer that the new configuration does not need, but only after it
   has told waiting operators the outcome of the reload. */
static void
observer_links_stop_unneeded(struct observer_links *links)
{
    struct service *service = &links->service;
    if (service->awaited || observer_links_are_asked(links) ||
        (!service->wanted && !service_has_predecessor(service)))
        return;
    service_leave(service);
    service->replaced = true;
    observer_links_stop(links, &service->current.child);
    observer_links_stop(links, &service->predecessor.child);
}

static void
observer_links_want(struct observer_links *links)
{
    struct service *service = &links->service;
    service->awaited = observer_links_are_needed(links);
    if (service->awaited && !service->wanted)
        service_start(service);
    observer_links_stop_unneeded(links);
}

/* --- requests ------------------------------------------------------------ */

/* Both may have asked: their numbers differ. Where a channel is full the
   operator's wait times out. */
static void
observer_links_tell(struct observer_links *links, uint32_t number, bool done,
                    const char *text)
{
    const struct child *children[] = {&links->service.current.child,
                                      &links->service.predecessor.child};
    struct channel_message message = {
        .kind = CHANNEL_OUTCOME, .arg = number, .id = done};
    int fd = memory_seal("socks4d outcome", text, strlen(text));
    for (size_t i = 0; i < 2; i++)
        if (children[i]->pid != 0 && children[i]->control != -1)
            (void)!channel_send(children[i]->control, &message, fd);
    if (fd >= 0)
        close(fd);
}

void
observer_links_finish(struct observer_links *links, enum channel_action action,
                      uint32_t run, bool done, const char *text)
{
    for (size_t i = 0; i < HANDOVER_REQUESTS_MAX; i++) {
        struct observer_request *request = &links->requests[i];
        if (request->number == 0 || request->action != action ||
            request->run >= run)
            continue;
        observer_links_tell(links, request->number, done, text);
        request->number = 0;
    }
    observer_links_stop_unneeded(links);
}

/* The line about it, before anything comes of it. */
static void
observer_links_report(const struct observer_links *links,
                      const struct channel_operator *operator)
{
    static const char *const names[] = {
        [CHANNEL_RELOAD] = "reload",   [CHANNEL_DRAIN_ALL] = "drain",
        [CHANNEL_UPGRADE] = "upgrade", [CHANNEL_KILLED] = "kill",
        [CHANNEL_TRACED] = "trace",    [CHANNEL_DENIED] = "denied"};
    struct log_line line;
    uint32_t len = operator->len<CHANNEL_TEXT_MAX ? operator->len
        : CHANNEL_TEXT_MAX;
    sink_begin(links->sink, &line, "operator", LOG_LEVEL_NOTICE);
    log_text(&line, "action", names[operator->action]);
    log_number(&line, "uid", operator->uid);
    log_number(&line, "pid", (uint64_t)(uint32_t) operator->pid);
    if (operator->action == CHANNEL_KILLED)
        log_number(&line, "sessions", operator->count);
    if (operator->action == CHANNEL_TRACED)
        log_number(&line, "seconds", operator->count);
    if (len > 0)
        log_octets(&line, "filter", operator->text, len);
    sink_answer(links->sink, &line);
}

static void
observer_links_ask(struct observer_links *links,
                   const struct channel_message *message)
{
    enum channel_action action = (enum channel_action)message->operator.action;
    for (size_t i = 0; i < HANDOVER_REQUESTS_MAX; i++) {
        struct observer_request *request = &links->requests[i];
        if (request->number != 0)
            continue;
        *request = (struct observer_request){.number = message->arg,
                                             .action = action,
                                             .run = links->runs(links, action)};
        links->act(links, action);
        return;
    }
    observer_links_tell(links, message->arg, false,
                        "too many such requests are waiting; try again");
}

static void
observer_links_on_message(struct service *service,
                          const struct channel_message *message)
{
    struct observer_links *links = observer_links_of(service);
    if (message->kind != CHANNEL_OPERATOR) {
        links_on_message(&links->links, message);
        return;
    }
    uint32_t action = message->operator.action;
    if (action < CHANNEL_RELOAD || action > CHANNEL_DENIED)
        return;
    observer_links_report(links, &message->operator);
    if (action <= CHANNEL_UPGRADE && message->arg != 0)
        observer_links_ask(links, message);
    else if (action <= CHANNEL_UPGRADE) /* nobody waits for the outcome */
        links->act(links, (enum channel_action)action);
}

/* --- the service --------------------------------------------------------- */

static int
observer_links_on_start(struct service *service)
{
    struct observer_links *links = observer_links_of(service);
    const struct config_version *version = links->config_version;
    char owner[16], sessions[24], text[24];
    char *args[] = {owner, sessions, text};
    snprintf(owner, sizeof(owner), "%u", geteuid());
    snprintf(sessions, sizeof(sessions), "%" PRIu64,
             config_sessions(version->config));
    snprintf(text, sizeof(text), "%zu", version->len);
    if (links->kept == -1)
        links->kept = memory_make("socks4d history", CHANNEL_KEPT_SIZE);
    if (links->kept < 0) {
        int failed = links->kept;
        links->kept = -1;
        return failed;
    }
    int fds[] = {links->shown, links->kept};
    int error = service_execute(service, args, 3, fds, 2);
    if (error != 0)
        return error;
    links->unsent = true;
    if (!service_has_predecessor(service))
        for (unsigned i = 0; i < links->links.workers; i++)
            links->links.wants[i] = true;
    observer_links_send(service);
    return 0;
}

/* The predecessor works on for operators who wait there for the upgrade, and
   accepts no more. */
static void
observer_links_on_ready(struct service *service)
{
    struct observer_links *links = observer_links_of(service);
    struct channel_message drain = {.kind = CHANNEL_DRAIN};
    if (!service_has_predecessor(service))
        return;
    channel_tell(service->predecessor.child.control, &drain);
    service->predecessor_retired = true;
    links_connect_all(&links->links);
}

static void
observer_links_on_predecessor_end(struct service *service)
{
    if (service->state != SERVICE_READY)
        links_connect_all(&observer_links_of(service)->links);
}

static const struct service_rule observer_links_rules[] = {
    LINKS_RULE, {CHANNEL_OPERATOR, SERVICE_ONCE_READY, 1000}};

static const struct service_ops observer_links_ops = {
    .rules = observer_links_rules,
    .rule_count = 2,
    .start = observer_links_on_start,
    .ready = observer_links_on_ready,
    .message = observer_links_on_message,
    .predecessor_ended = observer_links_on_predecessor_end,
    .send = observer_links_send,
};

static void
observer_links_on_leave(struct timer *timer)
{
    struct observer_links *links =
        container_of(timer, struct observer_links, leave);
    service_retire_predecessor(&links->service);
    if (!links->service.wanted)
        child_kill(&links->service.current.child);
}

void
observer_links_upgraded(struct observer_links *links)
{
    if (!service_has_predecessor(&links->service))
        return;
    observer_links_stop(links, &links->service.predecessor.child);
}

/* --- configurations ------------------------------------------------------ */

/* Another description of the same memory, which cannot be written through. */
static int
observer_links_open_shown(int segment)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", segment);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int
observer_links_start(struct observer_links *links, struct services *services,
                     const struct config_version *version, int segment,
                     struct handover *handover)
{
    struct service *service = &links->service;
    service_init(service, services, &roles[ROLE_OBSERVER], &observer_links_ops,
                 NULL);
    links->links.service = service;
    links->links.peer = CHANNEL_PEER_OBSERVER;
    links->config_version = version;
    service->auxiliary = true;
    service->restarts = true; /* for memory to take a larger configuration */
    timer_init(&links->leave, observer_links_on_leave);
    if (links->without[0] != '\0')
        observer_links_say_without(links, links->without);
    links->shown = observer_links_open_shown(segment);
    if (links->shown < 0 && observer_links_are_needed(links))
        return links->shown;
    service_adopt(service, handover);
    observer_links_want(links);
    return 0;
}

void
observer_links_reconfigure(struct observer_links *links,
                           struct observer_sockets *next)
{
    struct observer_sockets *now = &links->sockets;
    for (size_t i = OBSERVER_PAGE; i < OBSERVER_SOCKETS; i++)
        if (now->tcp[i] != -1 && now->tcp[i] != next->tcp[i])
            close(now->tcp[i]);
    if (now->control.fd != next->control.fd)
        control_socket_replace(&now->control, &next->control);
    memcpy(now->tcp, next->tcp, sizeof(now->tcp));
    memcpy(now->serials, next->serials, sizeof(now->serials));
    links->unsent = true;
    observer_links_want(links);
    observer_links_send(&links->service);
}

void
observer_links_fini(struct observer_links *links)
{
    loop_cancel_timer(links->service.services->loop, &links->leave);
    observer_sockets_close(&links->sockets, NULL);
    if (links->shown >= 0)
        close(links->shown);
    if (links->kept >= 0)
        close(links->kept);
    service_fini(&links->service);
}
