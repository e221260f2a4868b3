#include "gateway/monitor/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/monitor/confinement.h"

/* How soon a line that could not be passed is tried again. */
#define RECONNECT_MS 100
/* How much longer than its time-outs an old session may take to ask. */
#define DISMISS_MS 1000

static void
say(struct oracle *oracle, const char *event, enum log_level level,
    const char *key, uint64_t value, const char *message)
{
    struct log_line line;
    sink_begin(oracle->sink, &line, event, level);
    log_number(&line, key, value);
    if (message != NULL)
        log_text(&line, "message", message);
    sink_say(oracle->sink, &line);
}

/* --- lines -------------------------------------------------------------- */

/* Who gets them: the predecessor, until the new one is ready. */
static const struct child *
answering(const struct oracle *oracle)
{
    bool waits = predecessor_is_there(&oracle->predecessor) && !oracle->ready;
    return waits ? &oracle->predecessor.child : &oracle->child;
}

/* Both ends or none: half a line is mended by the next. */
static int
pass_ends(struct oracle *oracle, unsigned slot, const int ends[2])
{
    struct channel_message message = {.kind = CHANNEL_LINK, .arg = slot};
    int error = oracle->pass(oracle, slot, ends[0]);
    if (error == 0)
        error = channel_send(answering(oracle)->control, &message, ends[1]);
    return error;
}

/* False where it has to be tried again. */
static bool
connect_slot(struct oracle *oracle, unsigned slot)
{
    int ends[2];
    if (channel_pair(ends) != 0)
        return false;
    int error = pass_ends(oracle, slot, ends);
    close(ends[0]);
    close(ends[1]);
    return error == 0 || error == -ENOENT;
}

static void
connect_all(struct oracle *oracle)
{
    bool left = false;
    if (answering(oracle)->pid == 0)
        return;
    for (unsigned i = 0; i < oracle->workers; i++) {
        oracle->wants[i] = oracle->wants[i] && !connect_slot(oracle, i);
        left |= oracle->wants[i];
    }
    if (left)
        loop_start_timer(oracle->loop, &oracle->reconnect, RECONNECT_MS);
}

static void
reconnect(struct timer *timer)
{
    connect_all(container_of(timer, struct oracle, reconnect));
}

void
oracle_connect(struct oracle *oracle, unsigned slot)
{
    oracle->wants[slot] = true;
    if (!timer_running(&oracle->reconnect))
        connect_all(oracle);
}

static void
connect_everybody(struct oracle *oracle)
{
    for (unsigned i = 0; i < oracle->workers; i++)
        oracle->wants[i] = true;
    connect_all(oracle);
}

/* --- what it says ------------------------------------------------------- */

/* The predecessor has nothing that would be missed: who waits asks again. */
static void
heard_ready(struct oracle *oracle, unsigned missing)
{
    oracle->ready = true;
    oracle->missing |= missing;
    heartbeat_pong(&oracle->heartbeat);
    say(oracle, "resolver_ready", LOG_LEVEL_DEBUG, "pid",
        (uint64_t)oracle->child.pid, NULL);
    if (predecessor_is_there(&oracle->predecessor)) {
        connect_everybody(oracle);
        predecessor_kill(&oracle->predecessor);
    }
    oracle->changed(oracle);
}

static void
heard(struct oracle *oracle, const struct channel_message *message)
{
    if (message->kind == CHANNEL_READY) {
        heard_ready(oracle, message->arg);
    } else if (message->kind == CHANNEL_UNCONFINED) {
        confinement_complain(oracle->sink, message);
        oracle->unconfined = *message;
        oracle->changed(oracle);
    } else if (message->kind == CHANNEL_PONG) {
        heartbeat_pong(&oracle->heartbeat);
    } else if (message->kind == CHANNEL_ASK_LINK &&
               message->arg < oracle->workers) {
        oracle->wants[message->arg] = true;
        loop_start_timer(oracle->loop, &oracle->reconnect, RECONNECT_MS);
    }
}

/* Its end shows as SIGCHLD; here it only must not wake us for ever. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    struct oracle *oracle = container_of(watch, struct oracle, control_watch);
    struct channel_message message;
    (void)events;
    int came = channel_receive(watch->fd, &message, NULL);
    if (came == 0)
        loop_unwatch(oracle->loop, watch);
    else if (came == 1)
        heard(oracle, &message);
}

static void
say_of_resolver(struct oracle *oracle, const char *text)
{
    struct log_line line;
    sink_begin(oracle->sink, &line, "stderr", LOG_LEVEL_ERROR);
    log_text(&line, "process", "resolver");
    log_text(&line, "message", text);
    sink_say(oracle->sink, &line);
}

static void
said(struct child_stderr *child_stderr, const char *text)
{
    say_of_resolver(container_of(child_stderr, struct oracle, child_stderr),
                    text);
}

static void
predecessor_heard(struct predecessor *predecessor,
                  const struct channel_message *message)
{
    if (message->kind == CHANNEL_ASK_LINK)
        heard(container_of(predecessor, struct oracle, predecessor), message);
}

static void
predecessor_said(struct child_stderr *child_stderr, const char *text)
{
    struct predecessor *predecessor =
        container_of(child_stderr, struct predecessor, child_stderr);
    say_of_resolver(container_of(predecessor, struct oracle, predecessor),
                    text);
}

/* Who waits for a name asks the next one. */
static void
hangs(struct heartbeat *heartbeat)
{
    struct oracle *oracle = container_of(heartbeat, struct oracle, heartbeat);
    say(oracle, "resolver_hung", LOG_LEVEL_ERROR, "pid",
        (uint64_t)oracle->child.pid, NULL);
    child_kill(&oracle->child);
}

/* --- start -------------------------------------------------------------- */

static void
note_servers(struct oracle *oracle)
{
    const struct config *config = oracle->config;
    oracle->server_count = config->resolver_server_count < LOOKUP_SERVERS_MAX
                               ? config->resolver_server_count
                               : LOOKUP_SERVERS_MAX;
    for (size_t i = 0; i < oracle->server_count; i++)
        oracle->servers[i] = config->resolver_servers[i];
}

static int
start_child(struct oracle *oracle)
{
    const struct config *config = oracle->config;
    char uid[16], gid[16], mode[16],
        servers[LOOKUP_SERVERS_MAX][ENDPOINT_TEXT_MAX];
    char *argv[6 + LOOKUP_SERVERS_MAX] = {"socks4d: resolver", "--resolver",
                                          uid, gid, mode};
    snprintf(uid, sizeof(uid), "%u", oracle->user->uid);
    snprintf(gid, sizeof(gid), "%u", oracle->user->gid);
    snprintf(mode, sizeof(mode), "%u", config->sandbox);
    note_servers(oracle);
    for (size_t i = 0; i < oracle->server_count; i++)
        argv[5 + i] = endpoint_format(&oracle->servers[i], servers[i]);
    struct child_plan plan = {oracle->program, argv, NULL, 0};
    return child_start(&oracle->child, &plan);
}

static uint64_t
retry(struct oracle *oracle, bool was_ready)
{
    uint64_t in_ms = respawn_in_ms(&oracle->respawn, &oracle->rate, was_ready,
                                   loop_now_ms(oracle->loop));
    loop_start_timer(oracle->loop, &oracle->retry, in_ms);
    return in_ms;
}

/* Every worker gets a line to the new one. */
static void
spawn(struct timer *timer)
{
    struct oracle *oracle = container_of(timer, struct oracle, retry);
    oracle->ready = oracle->dismissed = false;
    int error = start_child(oracle);
    if (error != 0) {
        say(oracle, "resolver_not_started", LOG_LEVEL_ERROR, "retry_ms",
            retry(oracle, false), strerror(-error));
        return;
    }
    error = loop_watch(oracle->loop, &oracle->control_watch,
                       oracle->child.control, EPOLLIN, control_ready);
    if (error == 0)
        error = child_stderr_start(&oracle->child_stderr, oracle->loop,
                                   oracle->child.stderr_fd, said);
    if (error != 0) { /* another one follows when it has ended */
        say(oracle, "resolver_not_started", LOG_LEVEL_ERROR, "pid",
            (uint64_t)oracle->child.pid, strerror(-error));
        child_kill(&oracle->child);
    }
    heartbeat_start(&oracle->heartbeat, oracle->child.control);
    if (!predecessor_is_there(&oracle->predecessor))
        connect_everybody(oracle);
}

bool
oracle_needed(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].socks4a != CONFIG_4A_OFF)
            return true;
    return false;
}

bool
oracle_ready(const struct oracle *oracle)
{
    return oracle->ready || !oracle_needed(oracle->config);
}

/* --- another configuration ---------------------------------------------- */

/* It has nothing that would be missed: who waits asks again. */
static void
dismiss(struct oracle *oracle)
{
    oracle->dismissed = true;
    child_kill(&oracle->child);
    predecessor_kill(&oracle->predecessor);
}

static void
dismissal_due(struct timer *timer)
{
    struct oracle *oracle = container_of(timer, struct oracle, dismissal);
    loop_cancel_timer(oracle->loop, &oracle->retry);
    dismiss(oracle);
}

static bool
has_other_servers(const struct oracle *oracle)
{
    const struct config *config = oracle->config;
    if (oracle->server_count != config->resolver_server_count)
        return true;
    for (size_t i = 0; i < oracle->server_count; i++)
        if (!endpoint_equal(&oracle->servers[i], &config->resolver_servers[i]))
            return true;
    return false;
}

static void
keep_running(struct oracle *oracle)
{
    loop_cancel_timer(oracle->loop, &oracle->dismissal);
    if (oracle->child.pid == 0 && !timer_running(&oracle->retry))
        spawn(&oracle->retry);
    else if (oracle->child.pid != 0 && has_other_servers(oracle))
        dismiss(oracle);
}

static void
dismiss_later(struct oracle *oracle, const struct config *before)
{
    loop_start_timer(oracle->loop, &oracle->dismissal,
                     before->timeouts.request_ms + before->timeouts.resolve_ms +
                         DISMISS_MS);
}

void
oracle_reconfigure(struct oracle *oracle, const struct config *config,
                   unsigned workers)
{
    const struct config *before = oracle->config;
    oracle->config = config;
    oracle->workers = workers;
    if (oracle_needed(config))
        keep_running(oracle);
    else if (oracle_needed(before))
        dismiss_later(oracle, before);
}

void
oracle_start(struct oracle *oracle, const struct handed_child *handed)
{
    oracle->control_watch.fd = oracle->child_stderr.watch.fd = -1;
    child_init(&oracle->child);
    timer_init(&oracle->retry, spawn);
    timer_init(&oracle->reconnect, reconnect);
    timer_init(&oracle->dismissal, dismissal_due);
    heartbeat_init(&oracle->heartbeat, oracle->loop, hangs);
    if (handed != NULL)
        predecessor_adopt(&oracle->predecessor, oracle->loop, handed,
                          predecessor_heard, predecessor_said);
    if (oracle_needed(oracle->config))
        spawn(&oracle->retry);
    else if (predecessor_is_there(&oracle->predecessor))
        dismiss_later(oracle, oracle->config);
}

void
oracle_hand_over(const struct oracle *oracle, struct handed_child *handed)
{
    bool waits = predecessor_is_there(&oracle->predecessor) && !oracle->ready;
    predecessor_hand_over(answering(oracle),
                          waits ? &oracle->predecessor.child_stderr
                                : &oracle->child_stderr,
                          handed);
}

/* --- end ---------------------------------------------------------------- */

static void
bury(struct oracle *oracle)
{
    heartbeat_stop(&oracle->heartbeat);
    loop_unwatch(oracle->loop, &oracle->control_watch);
    child_stderr_end(&oracle->child_stderr);
    child_bury(&oracle->child);
}

static void
report_end(struct oracle *oracle, pid_t pid, int status)
{
    struct log_line line;
    bool clean = oracle->dismissed || status == 0; /* it may start again */
    sink_begin(oracle->sink, &line, "resolver_ended",
               clean ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    log_ending(&line, pid, status);
    if (timer_running(&oracle->retry))
        log_number(&line, "retry_ms",
                   oracle->retry.deadline_ms - loop_now_ms(oracle->loop));
    sink_say(oracle->sink, &line);
}

/* Why it could not serve is in its last words. */
static void
hear_last(struct oracle *oracle)
{
    struct channel_message message;
    for (int i = 0; i < LOOKUP_LINKS_MAX; i++) {
        if (channel_receive(oracle->child.control, &message, NULL) != 1)
            return;
        if (message.kind == CHANNEL_UNCONFINED)
            heard(oracle, &message);
    }
}

/* Before its time: who wants a line waits for the next one. */
static bool
predecessor_ended(struct oracle *oracle)
{
    if (!oracle->ready)
        connect_everybody(oracle);
    return true;
}

bool
oracle_reap(struct oracle *oracle, pid_t pid, int status)
{
    if (predecessor_reap(&oracle->predecessor, pid))
        return predecessor_ended(oracle);
    if (oracle->child.pid != pid)
        return false;
    hear_last(oracle);
    bury(oracle);
    if (!oracle->finishing &&
        (oracle_needed(oracle->config) || timer_running(&oracle->dismissal)))
        retry(oracle, oracle->ready);
    report_end(oracle, pid, status);
    return true;
}

void
oracle_finish(struct oracle *oracle)
{
    oracle->finishing = true;
    loop_cancel_timer(oracle->loop, &oracle->retry);
    loop_cancel_timer(oracle->loop, &oracle->reconnect);
    loop_cancel_timer(oracle->loop, &oracle->dismissal);
    heartbeat_stop(&oracle->heartbeat);
    loop_unwatch(oracle->loop, &oracle->control_watch);
    if (oracle->child.control != -1)
        close(oracle->child.control);
    oracle->child.control = -1;
    predecessor_kill(&oracle->predecessor);
}

void
oracle_kill(struct oracle *oracle)
{
    child_kill(&oracle->child);
    predecessor_kill(&oracle->predecessor);
}

bool
oracle_ended(const struct oracle *oracle)
{
    return oracle->child.pid == 0 &&
           !predecessor_is_there(&oracle->predecessor);
}

void
oracle_fini(struct oracle *oracle)
{
    oracle_finish(oracle);
    predecessor_fini(&oracle->predecessor);
    child_kill(&oracle->child);
    if (oracle->child.pid != 0)
        bury(oracle);
}
