#include "gateway/monitor/service.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/confine/confine.h"
#include "gateway/monitor/confinement.h"
#include "gateway/monitor/sink.h"

/* How soon what could not be sent is sent again. */
#define SERVICE_SEND_AGAIN_MS 100

/* More messages than a channel holds. */
#define SERVICE_MESSAGES_MAX 4096

const char *const service_state_names[] = {
#define X(symbol, name) name,
    SERVICE_STATES(X)
#undef X
};

/* --- the log ------------------------------------------------------------- */

static void
service_log_number(const struct service *service, struct log_line *line)
{
    if (service->numbered)
        log_number(line, service->role->name, service->number);
}

void
service_begin(const struct service *service, struct log_line *line,
              const char *what, enum log_level level)
{
    char event[64];
    snprintf(event, sizeof(event), "%s_%s", service->role->name, what);
    sink_begin(service->services->sink, line, event, level);
    service_log_number(service, line);
}

static void
service_say(const struct service *service, const char *what,
            enum log_level level, pid_t pid)
{
    struct log_line line;
    service_begin(service, &line, what, level);
    log_number(&line, "pid", (uint64_t)pid);
    sink_say(service->services->sink, &line);
}

static void
service_break_process(struct service_process *process, const char *why)
{
    const struct service *service = process->service;
    struct log_line line;
    char message[256];
    snprintf(message, sizeof(message),
             "it %s, and was killed: it has a defect, or somebody has taken it "
             "over; keep this log and report it, as SECURITY.md says",
             why);
    service_begin(service, &line, "broken", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)process->child.pid);
    log_text(&line, "message", message);
    sink_say(service->services->sink, &line);
    process->broken = true;
    loop_unwatch(service->services->loop, &process->control_watch);
    child_kill(&process->child);
}

/* Lines that a child writes to stderr in a second: more than the report of a
   sanitizer has. A child that writes more would fill the log, or keep the
   monitor busy with empty lines. */
#define SERVICE_STDERR_LINES_MAX 1000

static bool
service_may_write(struct service_process *process)
{
    uint64_t second = loop_now_ms(process->service->services->loop) / 1000;
    if (process->stderr_second != second)
        process->stderr_lines = 0;
    process->stderr_second = second;
    if (process->broken || process->stderr_lines++ < SERVICE_STDERR_LINES_MAX)
        return !process->broken;
    service_break_process(process, "wrote more lines to stderr in a "
                                   "second than it may (event=stderr)");
    return false;
}

static void
service_on_stderr(struct child_stderr *child_stderr, const char *text)
{
    struct service_process *process =
        container_of(child_stderr, struct service_process, child_stderr);
    struct service *service = process->service;
    struct log_line line;
    if (service->once) {
        if (text[0] != '\0')
            service->ops->stderr_line(service, text);
        return;
    }
    if (!service_may_write(process) || text[0] == '\0')
        return;
    sink_begin(service->services->sink, &line, "stderr", LOG_LEVEL_ERROR);
    if (service->numbered)
        service_log_number(service, &line);
    else
        log_text(&line, "process", service->role->name);
    log_text(&line, "message", text);
    sink_say(service->services->sink, &line);
}

/* --- messages ------------------------------------------------------------ */

static void
service_on_ready(struct service *service, unsigned missing)
{
    service->services->missing |= missing;
    service->current.ready = true;
    heartbeat_pong(&service->current.heartbeat);
    if (service->state == SERVICE_STARTING)
        service->state = SERVICE_READY;
    service_say(service, "ready", LOG_LEVEL_DEBUG, service->current.child.pid);
    if (service->ops->ready != NULL)
        service->ops->ready(service);
    else
        service_retire_predecessor(service);
    service->services->changed(service->services);
}

/* The predecessor, too, answers pings and sends what its role may; of the first
   two only the current process is asked. */
static void
service_on_message(struct service_process *process,
                   const struct channel_message *message)
{
    struct service *service = process->service;
    struct services *services = service->services;
    bool current = process == &service->current;
    switch (message->kind) {
    case CHANNEL_READY:
        if (current)
            service_on_ready(service, message->arg);
        break;
    case CHANNEL_UNCONFINED:
        if (!current)
            break;
        confinement_report_failure(services->sink, message);
        services->unconfined = *message;
        services->changed(services);
        break;
    case CHANNEL_PONG:
        heartbeat_pong(&process->heartbeat);
        break;
    default:
        if (service->ops->message != NULL)
            service->ops->message(service, message);
        break;
    }
}

/* --- which messages ------------------------------------------------------ */

/* One that was stopped answers all pings at once when it goes on. */
#define SERVICE_PONGS_MAX (2 * HEARTBEAT_MISSED_FIRST)

/* A worker may be told to drain before it is ready. */
#define SERVICE_NOT_READY (1u << SERVICE_STARTING | 1u << SERVICE_DRAINING)

static const struct service_rule service_rules[] = {
    {CHANNEL_READY, SERVICE_NOT_READY, 4},
    {CHANNEL_UNCONFINED, SERVICE_NOT_READY, 4},
    {CHANNEL_PONG, SERVICE_ALWAYS, SERVICE_PONGS_MAX},
};

static const struct service_rule *
service_find_rule(const struct service_rule *rules, size_t count, uint32_t kind)
{
    for (size_t i = 0; i < count; i++)
        if (rules[i].kind == kind)
            return &rules[i];
    return NULL;
}

/* What it says once, or does not say any more. */
static bool
service_is_of_start(uint32_t kind)
{
    return kind == CHANNEL_READY || kind == CHANNEL_UNCONFINED;
}

/* The states are those of the current process; a predecessor has been ready, or
   was about to be. */
static bool
service_allows(struct service_process *process, uint32_t kind)
{
    const struct service *service = process->service;
    const struct service_ops *ops = service->ops;
    const struct service_rule *rule = service_find_rule(
        service_rules, sizeof(service_rules) / sizeof(service_rules[0]), kind);
    if (rule == NULL)
        rule = service_find_rule(ops->rules, ops->rule_count, kind);
    if (rule == NULL ||
        (process == &service->current &&
         (rule->states & 1u << service->state) == 0) ||
        (process->ready && service_is_of_start(kind)))
        return false;
    uint64_t second = loop_now_ms(service->services->loop) / 1000;
    if (process->second != second)
        memset(process->received, 0, sizeof(process->received));
    process->second = second;
    return process->received[kind]++ < rule->per_second ||
           rule->per_second == 0;
}

void
service_break(struct service *service, const char *why)
{
    service_break_process(&service->current, why);
}

static void
service_take_message(struct service_process *process,
                     const struct channel_message *message)
{
    struct service *service = process->service;
    if (service->once)
        service->ops->message(service, message);
    else if (!service_allows(process, message->kind))
        service_break_process(process, "sent a message that such a process "
                                       "never sends, or not now, or not so "
                                       "often");
    else
        service_on_message(process, message);
}

static int
service_receive_from(struct service_process *process)
{
    struct service *service = process->service;
    struct channel_message message;
    if (process->broken || (process == &service->current && service->paused))
        return -EAGAIN;
    int came = channel_receive(process->child.control, &message, NULL);
    if (came == 1)
        service_take_message(process, &message);
    else if (came == -EBADMSG && service->once)
        service->ops->broken(service, came);
    else if (came == -EBADMSG)
        service_break_process(process, "sent octets that are not a message");
    return came;
}

int
service_receive(struct service *service)
{
    return service_receive_from(&service->current);
}

/* Whether the process has closed its end of the channel: now, since the message
   that an event announced may have been read by slot_receive_all. */
static bool
service_has_hung_up(const struct service_process *process)
{
    struct pollfd end = {.fd = process->child.control};
    return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0;
}

/* The end of a process shows as SIGCHLD; here it only must not wake us for
   ever. What looks like an end while the process has its end of the channel is
   an empty message, or a half that it has closed. */
static void
service_control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct service_process *process =
        container_of(watch, struct service_process, control_watch);
    struct service *service = process->service;
    int came = service_receive_from(process);
    if (came == 0 && !service->once && !service_has_hung_up(process))
        service_break_process(process, "sent a message without octets");
    else if (came == 0)
        loop_unwatch(service->services->loop, watch);
    if (service->ops->received != NULL)
        service->ops->received(service);
}

int
service_send(struct service *service, const struct channel_message *message,
             int fd)
{
    return channel_send(service->current.child.control, message, fd);
}

void
service_tell(struct service *service, const struct channel_message *message)
{
    channel_tell(service->current.child.control, message);
}

static void
service_send_again(struct timer *timer)
{
    struct service *service = container_of(timer, struct service, send_again);
    service->ops->send(service);
}

void
service_send_later(struct service *service)
{
    loop_start_timer(service->services->loop, &service->send_again,
                     SERVICE_SEND_AGAIN_MS);
}

/* --- one process --------------------------------------------------------- */

static bool
service_on_lost(struct heartbeat *heartbeat)
{
    const struct service_process *process =
        container_of(heartbeat, struct service_process, heartbeat);
    const struct service *service = process->service;
    if (service->ops->extra_pings != NULL && process == &service->current &&
        heartbeat_overdue(heartbeat) < service->ops->extra_pings(service))
        return false;
    service_say(service, "hung", LOG_LEVEL_ERROR, process->child.pid);
    child_kill(&process->child);
    return true;
}

static void
service_process_init(struct service_process *process, struct service *service)
{
    process->service = service;
    process->control_watch.fd = process->child_stderr.watch.fd = -1;
    child_init(&process->child);
    heartbeat_init(&process->heartbeat, service->services->loop,
                   service_on_lost);
}

static int
service_process_watch(struct service_process *process)
{
    const struct service *service = process->service;
    struct loop *loop = service->services->loop;
    int error =
        loop_watch(loop, &process->control_watch, process->child.control,
                   EPOLLIN, service_control_ready);
    if (error == 0)
        error = child_stderr_start(&process->child_stderr, loop,
                                   process->child.stderr_fd, service_on_stderr);
    if (!service->once)
        heartbeat_start(&process->heartbeat, process->child.control);
    return error;
}

static void
service_process_close(struct service_process *process)
{
    struct loop *loop = process->service->services->loop;
    heartbeat_stop(&process->heartbeat);
    loop_unwatch(loop, &process->control_watch);
    child_stderr_end(&process->child_stderr);
    child_close(&process->child);
}

/* --- start --------------------------------------------------------------- */

/* A child that is confined needs nothing of it. Without confinement it stays,
   for what looks into a process: sanitizers, preloaded libraries. */
static char *const *
service_environment(const struct services *services)
{
    static char *const empty[] = {NULL};
    return services->sandbox == CONFINE_OFF ? environ : empty;
}

int
service_execute(struct service *service, char *const *args, size_t arg_count,
                const int *fds, size_t fd_count)
{
    const struct services *services = service->services;
    char uid[16], gid[16], mode[16];
    char **argv = calloc(ROLE_OWN + arg_count + 1, sizeof(*argv));
    if (argv == NULL)
        return -ENOMEM;
    snprintf(uid, sizeof(uid), "%u", services->user->uid);
    snprintf(gid, sizeof(gid), "%u", services->user->gid);
    snprintf(mode, sizeof(mode), "%u", services->sandbox);
    argv[0] = (char *)service->role->title;
    argv[1] = (char *)service->role->word;
    argv[ROLE_UID] = uid;
    argv[ROLE_GID] = gid;
    argv[ROLE_MODE] = mode;
    if (arg_count > 0)
        memcpy(argv + ROLE_OWN, args, arg_count * sizeof(*args));
    int program = service->program != -1 ? service->program : services->program;
    struct child_plan plan = {program, services->path,
                              argv,    service_environment(services),
                              fds,     fd_count};
    int error = child_start(&service->current.child, &plan);
    free(argv);
    if (error != 0)
        return error;
    service->state = SERVICE_STARTING;
    memset(service->current.received, 0, sizeof(service->current.received));
    service->current.ready = service->current.broken = false;
    error = service_process_watch(&service->current);
    if (error != 0)
        service_give_up(service, error);
    return 0;
}

void
service_give_up(struct service *service, int error)
{
    struct log_line line;
    if (service->once) {
        service->ops->broken(service, error);
        return;
    }
    service_begin(service, &line, "not_started", LOG_LEVEL_ERROR);
    log_text(&line, "message", strerror(-error));
    sink_say(service->services->sink, &line);
    child_kill(&service->current.child);
}

static uint64_t
service_retry(struct service *service, bool was_ready)
{
    struct loop *loop = service->services->loop;
    uint64_t in_ms = respawn_in_ms(&service->respawn, service->rate, was_ready,
                                   loop_now_ms(loop));
    loop_start_timer(loop, &service->retry, in_ms);
    return in_ms;
}

static void
service_spawn(struct timer *timer)
{
    struct service *service = container_of(timer, struct service, retry);
    struct log_line line;
    service->replaced = false;
    int error = service->ops->start != NULL
                    ? service->ops->start(service)
                    : service_execute(service, NULL, 0, NULL, 0);
    if (error == 0)
        return;
    service->services->not_started = service->role;
    service->services->error = error;
    service_begin(service, &line, "not_started", LOG_LEVEL_ERROR);
    log_number(&line, "retry_ms", service_retry(service, false));
    log_text(&line, "message", strerror(-error));
    sink_say(service->services->sink, &line);
}

void
service_init(struct service *service, struct services *services,
             const struct role *role, const struct service_ops *ops,
             struct respawn_rate *rate)
{
    *service = (struct service){
        .services = services, .role = role, .ops = ops, .program = -1};
    service->rate = rate != NULL ? rate : &service->own_rate;
    service_process_init(&service->current, service);
    service_process_init(&service->predecessor, service);
    timer_init(&service->retry, service_spawn);
    timer_init(&service->send_again, service_send_again);
    list_append(&services->all, &service->link);
}

void
service_start(struct service *service)
{
    service->wanted = true;
    service->respawn = (struct respawn){0};
    if (service->current.child.pid == 0) /* else when that one has ended */
        service_spawn(&service->retry);
}

/* --- across an upgrade --------------------------------------------------- */

static bool
service_take(struct service *service, struct service_process *process,
             struct handover *handover)
{
    struct handed_service *handed =
        handover_find(handover, service->role->word, service->number);
    if (handed == NULL)
        return false;
    process->child =
        (struct child){(pid_t)handed->pid, handed->control, handed->stderr_fd};
    if (process == &service->current)
        service->state = (enum service_state)handed->state;
    if (service_process_watch(process) != 0)
        child_kill(&process->child); /* another one starts anyway */
    process->ready = handed->state == SERVICE_READY;
    if (handed->state != SERVICE_STARTING)
        heartbeat_pong(&process->heartbeat); /* it has answered before */
    child_stderr_resume(&process->child_stderr, handed->stderr_line);
    handed->pid = 0;
    return true;
}

bool
service_adopt(struct service *service, struct handover *handover)
{
    return handover != NULL &&
           service_take(service, &service->predecessor, handover);
}

bool
service_resume(struct service *service, struct handover *handover)
{
    return service_take(service, &service->current, handover);
}

bool
service_has_predecessor(const struct service *service)
{
    return service->predecessor.child.pid != 0;
}

/* The predecessor, until it is retired. */
static const struct service_process *
service_working_process(const struct service *service)
{
    return service_has_predecessor(service) && !service->predecessor_retired
               ? &service->predecessor
               : &service->current;
}

const struct child *
service_working(const struct service *service)
{
    return &service_working_process(service)->child;
}

void
service_retire_predecessor(struct service *service)
{
    service->predecessor_retired = true;
    child_kill(&service->predecessor.child);
}

/* A predecessor that still works is handed over once more, as ready. */
static void
service_hand_over(const struct service *service, struct handover *handover)
{
    const struct service_process *process = service_working_process(service);
    const struct child *child = &process->child;
    if (child->pid == 0 || service->once)
        return;
    struct handed_service *handed =
        handover_add(handover, service->role->word, service->number);
    if (handed == NULL)
        return;
    handed->state =
        process == &service->current ? service->state : (uint64_t)SERVICE_READY;
    handed->pid = (uint64_t)child->pid;
    handed->control = child->control;
    handed->stderr_fd = child->stderr_fd;
    memcpy(handed->stderr_line, process->child_stderr.line,
           process->child_stderr.len);
    handed->stderr_line[process->child_stderr.len] = '\0';
}

/* --- end ----------------------------------------------------------------- */

static void
service_take_last(struct service_process *process,
                  const struct channel_message *message)
{
    if (!process->broken && service_allows(process, message->kind))
        service_on_message(process, message);
}

/* Why it could not serve is among its last messages. */
static void
service_receive_last(struct service *service)
{
    const struct service_ops *ops = service->ops;
    struct service_process *process = &service->current;
    struct channel_message message;
    for (int i = 0; i < SERVICE_MESSAGES_MAX; i++) {
        if (service->once) {
            if (service_receive(service) != 1)
                return;
            continue;
        }
        if (channel_receive(process->child.control, &message, NULL) != 1)
            return;
        if (message.kind == CHANNEL_UNCONFINED)
            service_take_last(process, &message);
        else if (ops->last_message != NULL)
            ops->last_message(service, &message);
    }
}

static void
service_report_end(struct service *service, pid_t pid, int status,
                   bool was_ready)
{
    struct log_line line;
    bool clean = service->replaced ||
                 (status == 0 && (!service->wanted || service->restarts));
    service_begin(service, &line, "ended",
                  clean ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    log_ending(&line, pid, status);
    if (service->ops->ended != NULL)
        service->ops->ended(service, &line);
    if (service->wanted)
        log_number(&line, "retry_ms", service_retry(service, was_ready));
    sink_say(service->services->sink, &line);
}

static void
service_on_end(struct service *service, int status)
{
    pid_t pid = service->current.child.pid;
    bool was_ready = service->state == SERVICE_READY;
    if (service->ops->drain != NULL)
        service->ops->drain(service);
    service_receive_last(service);
    service_process_close(&service->current);
    loop_cancel_timer(service->services->loop, &service->send_again);
    service->paused = false;
    service->state = SERVICE_EMPTY;
    if (service->once) {
        service->ops->exited(service, status);
        return;
    }
    service_report_end(service, pid, status, was_ready);
    service->services->changed(service->services);
}

static void
service_on_predecessor_end(struct service *service)
{
    struct service_process *process = &service->predecessor;
    for (int i = 0; i < SERVICE_MESSAGES_MAX; i++)
        if (service_receive_from(process) != 1)
            break;
    service_process_close(process);
    if (service->ops->predecessor_ended != NULL)
        service->ops->predecessor_ended(service);
    service->services->changed(service->services);
}

static bool
service_reap(struct service *service, pid_t pid, int status)
{
    if (pid <= 0)
        return false;
    if (service->current.child.pid == pid)
        service_on_end(service, status);
    else if (service->predecessor.child.pid == pid)
        service_on_predecessor_end(service);
    else
        return false;
    return true;
}

void
service_replace(struct service *service)
{
    service->replaced = true;
    child_kill(&service->current.child);
    service_retire_predecessor(service);
}

void
service_leave(struct service *service)
{
    service->wanted = false;
    loop_cancel_timer(service->services->loop, &service->retry);
}

void
service_stop(struct service *service)
{
    service_leave(service);
    service_replace(service);
}

bool
service_is_over(const struct service *service)
{
    return service->current.child.pid == 0 &&
           !service_has_predecessor(service) && !timer_running(&service->retry);
}

static void
service_finish(struct service *service)
{
    struct loop *loop = service->services->loop;
    struct service_process *process = &service->current;
    service_leave(service);
    loop_cancel_timer(loop, &service->send_again);
    heartbeat_stop(&process->heartbeat);
    loop_unwatch(loop, &process->control_watch);
    if (process->child.control != -1)
        close(process->child.control);
    process->child.control = -1;
    service_retire_predecessor(service);
}

void
service_fini(struct service *service)
{
    struct service_process *processes[] = {&service->current,
                                           &service->predecessor};
    service_leave(service);
    loop_cancel_timer(service->services->loop, &service->send_again);
    for (size_t i = 0; i < 2; i++) {
        child_kill(&processes[i]->child);
        if (processes[i]->child.pid != 0)
            service_process_close(processes[i]);
    }
    list_remove(&service->link);
}

/* --- all of them --------------------------------------------------------- */

#define services_each(at, services)                                            \
    list_each_safe (at, at##_next, (struct list *)&(services)->all)

static struct service *
service_of(struct list *at)
{
    return container_of(at, struct service, link);
}

void
services_init(struct services *services)
{
    list_init(&services->all);
    services->plain = NULL;
    services->plain_count = 0;
    services->missing = 0;
    services->unconfined = (struct channel_message){0};
    services->not_started = NULL;
}

static bool
services_have(const struct services *services, const struct role *role)
{
    services_each(at, services) if (service_of(at)->role == role) return true;
    return false;
}

static void
services_want(struct service *service, const struct config *config)
{
    bool needed = service->role->needed(config);
    service->awaited = needed;
    if (needed && !service->wanted)
        service_start(service);
    else if (!needed)
        service_stop(service);
}

int
services_start(struct services *services, const struct config *config,
               struct handover *handover)
{
    static const struct service_ops none;
    services->plain = calloc(role_count, sizeof(*services->plain));
    if (services->plain == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < role_count; i++) {
        if (roles[i].needed == NULL || services_have(services, &roles[i]))
            continue;
        struct service *service = &services->plain[services->plain_count++];
        service_init(service, services, &roles[i], &none, NULL);
        service->auxiliary = true;
        service_adopt(service, handover);
        services_want(service, config);
    }
    return 0;
}

void
services_reconfigure(struct services *services, const struct config *config)
{
    for (size_t i = 0; i < services->plain_count; i++)
        services_want(&services->plain[i], config);
}

bool
services_ready(const struct services *services)
{
    services_each(at, services)
    {
        const struct service *service = service_of(at);
        if (service->awaited && service->state != SERVICE_READY)
            return false;
    }
    return true;
}

unsigned
services_wanted(const struct services *services)
{
    unsigned count = 0;
    services_each(at, services) count += service_of(at)->wanted;
    return count;
}

bool
services_reap(struct services *services, pid_t pid, int status)
{
    services_each(at, services) if (service_reap(service_of(at), pid,
                                                 status)) return true;
    return false;
}

void
services_hand_over(const struct services *services, struct handover *handover)
{
    services_each(at, services) service_hand_over(service_of(at), handover);
}

void
services_finish(struct services *services)
{
    services_each(at, services) if (service_of(at)->auxiliary)
        service_finish(service_of(at));
}

bool
services_ended(const struct services *services)
{
    services_each(at,
                  services) if (service_of(at)->auxiliary &&
                                !service_is_over(service_of(at))) return false;
    return true;
}

void
services_kill(struct services *services)
{
    services_each(at, services)
    {
        if (!service_of(at)->auxiliary)
            continue;
        child_kill(&service_of(at)->current.child);
        child_kill(&service_of(at)->predecessor.child);
    }
}

void
services_fini(struct services *services)
{
    for (size_t i = 0; i < services->plain_count; i++)
        service_fini(&services->plain[i]);
    free(services->plain);
    services->plain = NULL;
    services->plain_count = 0;
}
