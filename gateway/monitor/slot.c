/* A worker as a service: its start, messages, lines of the log, and end. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/channel.h"
#include "gateway/monitor/batch.h"
#include "gateway/monitor/slots_parts.h"

/* More messages or batches than a channel holds. */
#define SLOT_MESSAGES_MAX 4096

/* --- start --------------------------------------------------------------- */

static int
slot_execute(struct slot *slot, int log)
{
    const struct slots *slots = slot->slots;
    const struct config_version *version = slots->config_version;
    const struct listeners *listeners = slots->listeners;
    int fds[5 + CONFIG_LISTENERS_MAX] = {log, slots->segment_fd, version->fd,
                                         slots->addresses_fd,
                                         version->certificates.fd};
    const struct local_ports local = config_local_ports();
    char number[16], ports[16];
    char *args[] = {number, ports};
    snprintf(number, sizeof(number), "%u", slot->service.number);
    snprintf(ports, sizeof(ports), "%u-%u", local.first, local.last);
    memcpy(fds + 5, listeners->fds, listeners->count * sizeof(fds[0]));
    return service_execute(&slot->service, args, 2, fds, 5 + listeners->count);
}

static int
slot_execute_with_log(struct slot *slot)
{
    int log[2];
    int error = channel_pair(log);
    if (error != 0)
        return error;
    channel_refuse_fds(log[0]); /* where this kernel can */
    error = slot_execute(slot, log[1]);
    close(log[1]);
    if (error == 0)
        slot->log = log[0];
    else
        close(log[0]);
    return error;
}

static int
slot_on_start(struct service *service)
{
    struct slot *slot = slot_of(service);
    int error = slot_execute_with_log(slot);
    if (error != 0)
        return error;
    slot->generation++;
    slot->started_ms = sys_wall_ms();
    slot->predecessor = slot->old = false;
    slot_note_config_version(slot);
    tcp_ports_find(slot->slots->config_version->config, &slot->ports);
    slot_watch_log(slot);
    slot->slots->wants_link(slot->slots, service->number,
                            CHANNEL_PEER_RESOLVER);
    slot->slots->wants_link(slot->slots, service->number, CHANNEL_PEER_SIGNER);
    slot->slots->wants_link(slot->slots, service->number,
                            CHANNEL_PEER_AUTHENTICATOR);
    slot->slots->wants_link(slot->slots, service->number,
                            CHANNEL_PEER_OBSERVER);
    return 0;
}

/* --- messages ------------------------------------------------------------ */

static void
slot_on_message(struct service *service, const struct channel_message *message)
{
    struct slot *slot = slot_of(service);
    struct live_connects *connects = &slot->slots->live_connects;
    if (message->kind == CHANNEL_REGISTER) {
        int error = live_connects_register(connects, service->number, message);
        if (error == -EDQUOT)
            service_break(service, "registered more CONNECTs than it has "
                                   "descriptors for");
    } else if (message->kind == CHANNEL_UNREGISTER) {
        live_connects_unregister(connects, service->number, message);
    } else if (message->kind == CHANNEL_ASK_CONNECT) {
        slot->question = *message;
        service->paused = true;
    } else if (message->kind == CHANNEL_ASK_LINK) {
        slot->slots->wants_link(slot->slots, service->number,
                                (enum channel_peer)message->id);
    } else if (message->kind == CHANNEL_CONFIGURED) {
        slot_on_configured(slot, message->arg);
    } else if (message->kind == CHANNEL_ASK_CONFIG) {
        slot_on_ask_config(slot);
    }
}

/*
 * Whether the CONNECT asked for lives is known only when the messages of all
 * workers have been read: a worker registers a CONNECT before its client hears
 * of it, so what was registered before the question was put is in some channel
 * by now. A worker that has asked itself is paused until it has its answer.
 */
static void
slot_receive_all(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct service *service = &slots->table[i].service;
        if (service->state == SERVICE_EMPTY)
            continue;
        for (int n = 0; n < SLOT_MESSAGES_MAX; n++)
            if (service_receive(service) != 1)
                break;
    }
}

static void
slot_answer(struct slot *slot)
{
    struct channel_message answer = slot->question;
    slot_receive_all(slot->slots);
    answer.kind = CHANNEL_ANSWER;
    answer.arg =
        live_connects_has(&slot->slots->live_connects, &slot->question);
    /* One whose channel is full gets no answer, and refuses the BIND. */
    service_tell(&slot->service, &answer);
    slot->service.paused = false;
}

/* To answer one worker is to read the others: those that turn out to ask, too,
   are answered in the next turn, since no event says so again. */
void
slots_answer(struct task *task)
{
    struct slots *slots = container_of(task, struct slots, answer);
    bool left = false;
    for (unsigned i = 0; i < slots->count; i++)
        if (slots->table[i].service.paused)
            slot_answer(&slots->table[i]);
    for (unsigned i = 0; i < slots->count; i++)
        left |= slots->table[i].service.paused;
    if (left)
        loop_defer(slots->services->loop, task);
}

static void
slot_on_received(struct service *service)
{
    slots_answer(&slot_of(service)->slots->answer);
}

/* --- lines of the log ---------------------------------------------------- */

/* Lines of that kind a second; a worker that writes more is ended. */
#define SLOT_WRAPPED_MAX 100

/* A line that no worker writes, as what it is: something that a child has said.
   None is written of a worker that was ended for it. */
static void
slot_wrap_line(struct slot *slot, const char *text, size_t len)
{
    struct service *service = &slot->service;
    struct sink *sink = service->services->sink;
    uint64_t second = loop_now_ms(service->services->loop) / 1000;
    struct log_line line;
    if (slot->wrapped_in != second)
        slot->wrapped = 0;
    slot->wrapped_in = second;
    if (service->current.broken || slot->wrapped++ > SLOT_WRAPPED_MAX)
        return;
    if (slot->wrapped > SLOT_WRAPPED_MAX) {
        service_break(service, "wrote too many lines that no worker writes "
                               "(event=child_said)");
        return;
    }
    sink_begin(sink, &line, "child_said", LOG_LEVEL_WARNING);
    log_number(&line, "worker", service->number);
    log_octets(&line, "text", text, len);
    sink_say(sink, &line);
}

/* Each line ends in a newline. Good lines go on as they are, all that stand
   together at once. */
static void
slot_take_lines(struct slot *slot, char *text, size_t len)
{
    struct sink *sink = slot->slots->services->sink;
    struct batch_origin origin;
    char *good = text, *end = text + len;
    batch_origin_init(&origin, slot->service.role->events, slot->service.number,
                      sys_wall_ms());
    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_len = (size_t)(newline - text);
        if (!batch_check_line(text, line_len, &origin, &slot->told)) {
            sink_lines(sink, good, (size_t)(text - good));
            slot_wrap_line(slot, text, line_len);
            good = newline + 1;
        }
        text = newline + 1;
    }
    sink_lines(sink, good, (size_t)(end - good));
}

/* Octets, 0 at the end, -1 when there is no batch now. */
static ssize_t
slot_take_batch(struct slot *slot)
{
    static char batch[CHANNEL_BATCH_MAX + 1];
    ssize_t len = recv(slot->log, batch, CHANNEL_BATCH_MAX, MSG_DONTWAIT);
    if (len <= 0)
        return len;
    if (batch[len - 1] != '\n') /* not one of an honest worker */
        batch[len++] = '\n';
    slot_take_lines(slot, batch, (size_t)len);
    return len;
}

/* Until the log queue is asked again whether it has room. */
#define SLOT_PAUSE_MS 5

static void
slot_log_ready(struct watch *watch, uint32_t events)
{
    struct slot *slot = container_of(watch, struct slot, log_watch);
    struct services *services = slot->slots->services;
    bool busy = sink_is_busy(services->sink);
    if (busy)
        loop_start_timer(services->loop, &slot->log_pause, SLOT_PAUSE_MS);
    if (!busy && slot_take_batch(slot) != 0)
        return;
    loop_unwatch(services->loop, watch);
    if (!busy && (events & EPOLLHUP) == 0) /* and nothing more would be read */
        service_break(&slot->service, "sent lines without octets");
}

static void
slot_on_log_pause(struct timer *timer)
{
    slot_watch_log(container_of(timer, struct slot, log_pause));
}

void
slot_watch_log(struct slot *slot)
{
    int error = loop_watch(slot->slots->services->loop, &slot->log_watch,
                           slot->log, EPOLLIN, slot_log_ready);
    if (error != 0)
        service_give_up(&slot->service, error);
}

/* --- end ----------------------------------------------------------------- */

static void
slot_on_drain(struct service *service)
{
    struct slot *slot = slot_of(service);
    for (int i = 0; i < SLOT_MESSAGES_MAX; i++)
        if (slot_take_batch(slot) <= 0)
            break;
}

static void
slot_close(struct slot *slot)
{
    loop_cancel_timer(slot->slots->services->loop, &slot->log_pause);
    loop_cancel_timer(slot->slots->services->loop, &slot->overdue);
    loop_unwatch(slot->slots->services->loop, &slot->log_watch);
    if (slot->log != -1)
        close(slot->log);
    slot->log = -1;
    slot->unsent.config_version = slot->unsent.drain = false;
    live_connects_drop(&slot->slots->live_connects, slot->service.number);
}

/* How many the worker's column counts beyond those in lines that the monitor
   has received (`told`): the worker died before it sent them. Sets `told` to
   the count. */
static uint64_t
slot_untold(const struct segment_column *column, enum segment_counter one,
            enum segment_counter other, uint64_t *told)
{
    uint64_t counted = atomic_load(&column->counters[one]);
    if (other != one)
        counted += atomic_load(&column->counters[other]);
    uint64_t untold = counted > *told ? counted - *told : 0;
    *told = counted;
    return untold;
}

static void
slot_report_untold(struct slot *slot, struct segment_column *column,
                   struct log_line *line)
{
    uint64_t records =
        slot_untold(column, SEGMENT_COUNTER_records, SEGMENT_COUNTER_records,
                    &slot->told.records);
    uint64_t suppressed =
        slot_untold(column, SEGMENT_COUNTER_suppressed,
                    SEGMENT_COUNTER_suppressed, &slot->told.suppressed);
    uint64_t limited = slot_untold(column, SEGMENT_COUNTER_limited,
                                   SEGMENT_COUNTER_shed, &slot->told.limited);
    segment_count(column, SEGMENT_COUNTER_dropped, records);
    if (suppressed > 0)
        log_number(line, "suppressed", suppressed);
    if (limited > 0)
        log_number(line, "limited", limited);
}

/* Clears the columns of free slots. Only a worker that was taken over can have
   written there, and the end of no other worker would clear them. */
static void
slots_clear_free(const struct slots *slots)
{
    struct segment *segment = slots->segment;
    unsigned served = 0;

    for (unsigned i = 0; i < slots->count; i++) {
        if (slots->table[i].service.state == SERVICE_EMPTY)
            continue;
        segment_clear(segment, slots->segment_fd, served, i);
        served = i + 1;
    }
    segment_clear(segment, slots->segment_fd, served, SEGMENT_SLOTS);
    segment_forget(segment, slots->segment_fd, slots->count);
    atomic_store(&segment->slots, served);
}

static void
slot_on_end(struct service *service, struct log_line *line)
{
    struct slot *slot = slot_of(service);
    struct segment *segment = slot->slots->segment;
    char since[LOG_TIME_MAX];
    slot_close(slot);
    lost_sessions_take(&slot->slots->lost_sessions, segment, service->number,
                       slot->started_ms);
    log_number(line, "lost", segment_retire(segment, service->number));
    slots_clear_free(slot->slots);
    if (service->wanted)
        segment_count(&segment->columns[service->number],
                      SEGMENT_COUNTER_restarts, 1);
    log_text(line, "since", log_time(slot->started_ms, since));
    slot_report_untold(slot, &segment->columns[service->number], line);
}

/* A session lives only in a worker that is ready. */
static const struct service_rule slot_rules[] = {
    {CHANNEL_REGISTER, SERVICE_ONCE_READY, 0}, /* see slot_on_message */
    {CHANNEL_UNREGISTER, SERVICE_ONCE_READY, 0},
    {CHANNEL_ASK_CONNECT, SERVICE_ONCE_READY, 0}, /* paused until answered */
    {CHANNEL_ASK_LINK, SERVICE_ONCE_READY, 100},
    {CHANNEL_CONFIGURED, SERVICE_ALWAYS, 10000},
    {CHANNEL_ASK_CONFIG, SERVICE_ONCE_READY, 100},
};

static const struct service_ops slot_ops = {
    .rules = slot_rules,
    .rule_count = sizeof(slot_rules) / sizeof(slot_rules[0]),
    .start = slot_on_start,
    .extra_pings = slot_extra_pings,
    .message = slot_on_message,
    .received = slot_on_received,
    .drain = slot_on_drain,
    .ended = slot_on_end,
    .send = slot_send,
};

void
slot_init(struct slot *slot, struct slots *slots, unsigned number)
{
    *slot = (struct slot){.slots = slots, .log = -1};
    slot->log_watch.fd = -1;
    timer_init(&slot->log_pause, slot_on_log_pause);
    timer_init(&slot->overdue, slot_on_overdue);
    service_init(&slot->service, slots->services, &roles[ROLE_WORKER],
                 &slot_ops, &slots->rate);
    slot->service.numbered = true;
    slot->service.number = number;
}

void
slot_fini(struct slot *slot)
{
    service_fini(&slot->service);
    slot_close(slot);
}
