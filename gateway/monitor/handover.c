#include "gateway/monitor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/monitor/memory.h"

#define MAGIC "socks4d handover"

/* More than a queue of lines and the CONNECTs of a full machine take. */
#define PIECE_MAX (256u << 20)

/* Of enum slot_state. */
#define STATE_MAX 3

/* --- what is in it, in order --------------------------------------------- */

static void
pass_child(struct ledger *ledger, struct handed_child *child)
{
    ledger_number(ledger, &child->pid, INT_MAX);
    ledger_fd(ledger, &child->control);
    ledger_fd(ledger, &child->stderr_fd);
    ledger_text(ledger, child->stderr_line, sizeof(child->stderr_line));
}

static void
pass_slot(struct ledger *ledger, struct handed_slot *slot)
{
    ledger_number(ledger, &slot->generation, UINT32_MAX);
    ledger_number(ledger, &slot->state, STATE_MAX);
    ledger_number(ledger, &slot->config_version, UINT32_MAX);
    ledger_number(ledger, &slot->records, UINT64_MAX);
    ledger_text(ledger, slot->id, sizeof(slot->id));
    pass_child(ledger, &slot->child);
    ledger_fd(ledger, &slot->log);
    ledger_number(ledger, &slot->asked, 1);
    ledger_number(ledger, &slot->untold_config_version, 1);
    ledger_number(ledger, &slot->untold_drain, 1);
    ledger_octets(ledger, &slot->question, sizeof(slot->question));
}

static void
pass_log(struct ledger *ledger, struct handed_log *log)
{
    ledger_number(ledger, &log->told, UINT64_MAX);
    ledger_number(ledger, &log->error, INT_MAX);
    ledger_number(ledger, &log->stuck, 1);
    ledger_piece(ledger, &log->lines, 1, PIECE_MAX);
    ledger_number(ledger, &log->has_writer, 1);
    pass_child(ledger, &log->writer);
    ledger_fd(ledger, &log->pair[0]);
    ledger_fd(ledger, &log->pair[1]);
    ledger_fd(ledger, &log->out);
}

static void
pass_head(struct ledger *ledger)
{
    char magic[sizeof(MAGIC)] = MAGIC;
    uint64_t version = HANDOVER_VERSION, shape = handover_shape();
    ledger_octets(ledger, magic, sizeof(magic));
    ledger_number(ledger, &version, UINT64_MAX);
    ledger_number(ledger, &shape, UINT64_MAX);
    if (ledger->error == 0 &&
        (memcmp(magic, MAGIC, sizeof(magic)) != 0 ||
         version != HANDOVER_VERSION || shape != handover_shape()))
        ledger->error = -EBADMSG;
}

static void
pass(struct ledger *ledger, struct handover *handover)
{
    pass_head(ledger);
    ledger_text(ledger, handover->from, sizeof(handover->from));
    ledger_text(ledger, handover->program, sizeof(handover->program));
    ledger_number(ledger, &handover->since_us, UINT64_MAX);
    ledger_number(ledger, &handover->again, 1);
    ledger_number(ledger, &handover->uid, UINT32_MAX);
    ledger_number(ledger, &handover->gid, UINT32_MAX);
    ledger_fd(ledger, &handover->segment);
    ledger_fd(ledger, &handover->config);
    ledger_number(ledger, &handover->config_version, UINT32_MAX);
    ledger_number(ledger, &handover->listener_count, CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < handover->listener_count; i++)
        ledger_fd(ledger, &handover->listeners[i]);
    pass_log(ledger, &handover->log);
    pass_child(ledger, &handover->resolver);
    ledger_number(ledger, &handover->slot_count, SEGMENT_SLOTS);
    for (size_t i = 0; i < handover->slot_count; i++)
        pass_slot(ledger, &handover->slots[i]);
    ledger_piece(ledger, &handover->live_connects,
                 sizeof(struct handed_connect), PIECE_MAX);
}

/* --- what must be so ----------------------------------------------------- */

static bool
is_sound_child(const struct handed_child *child)
{
    bool there = child->pid != 0;
    return there == (child->control != -1) && there == (child->stderr_fd != -1);
}

static bool
is_sound_slot(const struct handed_slot *slot)
{
    bool there = slot->state != 0;
    return is_sound_child(&slot->child) && there == (slot->child.pid != 0) &&
           there == (slot->log != -1);
}

static bool
is_sound_log(const struct handed_log *log)
{
    bool there = log->has_writer == 1;
    return is_sound_child(&log->writer) && there == (log->pair[0] != -1) &&
           there == (log->pair[1] != -1) && there == (log->out != -1) &&
           (there || log->writer.pid == 0);
}

static bool
are_sound_live_connects(const struct ledger_piece *piece)
{
    struct handed_connect one;
    for (size_t at = 0; at < piece->len; at += sizeof(one)) {
        memcpy(&one, piece->octets + at, sizeof(one));
        if (one.slot >= SEGMENT_SLOTS)
            return false;
    }
    return true;
}

static bool
is_sound(const struct handover *handover)
{
    if (handover->segment == -1 || handover->config == -1 ||
        !is_sound_log(&handover->log) || !is_sound_child(&handover->resolver))
        return false;
    for (size_t i = 0; i < handover->listener_count; i++)
        if (handover->listeners[i] == -1)
            return false;
    for (size_t i = 0; i < handover->slot_count; i++)
        if (!is_sound_slot(&handover->slots[i]))
            return false;
    return are_sound_live_connects(&handover->live_connects);
}

/* --- the file ------------------------------------------------------------ */

static void
clear_child(struct handed_child *child)
{
    *child = (struct handed_child){.control = -1, .stderr_fd = -1};
}

struct handover *
handover_new(void)
{
    struct handover *handover = calloc(1, sizeof(*handover));
    if (handover == NULL)
        return NULL;
    struct handed_log *log = &handover->log;
    handover->segment = handover->config = -1;
    log->pair[0] = log->pair[1] = log->out = -1;
    clear_child(&log->writer);
    clear_child(&handover->resolver);
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
        handover->listeners[i] = -1;
    for (size_t i = 0; i < SEGMENT_SLOTS; i++) {
        handover->slots[i].log = -1;
        clear_child(&handover->slots[i].child);
    }
    return handover;
}

void
handover_free(struct handover *handover)
{
    if (handover == NULL)
        return;
    free(handover->log.lines.octets);
    free(handover->live_connects.octets);
    free(handover);
}

int
handover_write(struct handover *handover)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return -errno;
    struct ledger ledger = ledger_writing(out);
    pass(&ledger, handover);
    int result = ledger.error;
    if (fclose(out) != 0 && result == 0)
        result = -errno;
    if (result == 0)
        result = memory_seal(MAGIC, text, len);
    free(text);
    return result;
}

static int
read_octets(struct handover *handover, const char *octets, size_t len)
{
    struct ledger ledger = ledger_reading(octets, len);
    pass(&ledger, handover);
    int error = ledger_end(&ledger);
    if (error == 0 && !is_sound(handover))
        error = -EBADMSG;
    return error;
}

int
handover_read(struct handover *handover, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return -EBADMSG;
    size_t len = (size_t)status.st_size;
    char *octets = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (octets == MAP_FAILED)
        return -errno;
    int error = read_octets(handover, octets, len);
    munmap(octets, len);
    return error;
}

static int
keep(int fd)
{
    return fcntl(fd, F_SETFD, 0) == 0 ? 0 : -errno;
}

static int
release(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
}

int
handover_keep(struct handover *handover)
{
    struct ledger ledger = ledger_visiting(keep);
    pass(&ledger, handover);
    return ledger.error;
}

int
handover_release(struct handover *handover)
{
    struct ledger ledger = ledger_visiting(release);
    pass(&ledger, handover);
    return ledger.error;
}

uint64_t
handover_shape(void)
{
    static const uint64_t sizes[] = {
        sizeof(struct segment), sizeof(struct channel_message),
        SEGMENT_COUNTER_COUNT, SEGMENT_GAUGE_COUNT, SEGMENT_CHARGE_COUNT};
    uint64_t shape = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        shape = shape * UINT64_C(1000003) + sizes[i];
    return shape;
}
