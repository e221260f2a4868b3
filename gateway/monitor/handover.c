#include "gateway/monitor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/lookup_proto.h"
#include "gateway/monitor/memory.h"

#define MAGIC "socks4d handover"

/* More than a queue of lines and the CONNECTs of a full machine take. */
#define BLOB_MAX (256u << 20)

/* Of enum slot_state. */
#define STATE_MAX 3

/* --- what is in it, in order --------------------------------------------- */

static void
pass_child(struct archive *archive, struct handed_child *child)
{
    archive_number(archive, &child->pid, INT_MAX);
    archive_fd(archive, &child->control);
    archive_fd(archive, &child->stderr_fd);
    archive_text(archive, child->stderr_line, sizeof(child->stderr_line));
}

static void
pass_slot(struct archive *archive, struct handed_slot *slot)
{
    archive_number(archive, &slot->generation, UINT32_MAX);
    archive_number(archive, &slot->state, STATE_MAX);
    archive_number(archive, &slot->config_version, UINT32_MAX);
    archive_number(archive, &slot->records, UINT64_MAX);
    archive_text(archive, slot->id, sizeof(slot->id));
    pass_child(archive, &slot->child);
    archive_fd(archive, &slot->log);
    archive_number(archive, &slot->asked, 1);
    archive_number(archive, &slot->untold_config_version, 1);
    archive_number(archive, &slot->untold_drain, 1);
    archive_octets(archive, &slot->question, sizeof(slot->question));
}

static void
pass_log(struct archive *archive, struct handed_log *log)
{
    archive_number(archive, &log->told, UINT64_MAX);
    archive_number(archive, &log->error, INT_MAX);
    archive_number(archive, &log->stuck, 1);
    archive_blob(archive, &log->lines, 1, BLOB_MAX);
    archive_number(archive, &log->has_writer, 1);
    pass_child(archive, &log->writer);
    archive_fd(archive, &log->pair[0]);
    archive_fd(archive, &log->pair[1]);
    archive_fd(archive, &log->out);
}

static void
pass_head(struct archive *archive)
{
    char magic[sizeof(MAGIC)] = MAGIC;
    uint64_t version = HANDOVER_VERSION, shape = handover_shape();
    archive_octets(archive, magic, sizeof(magic));
    archive_number(archive, &version, UINT64_MAX);
    archive_number(archive, &shape, UINT64_MAX);
    if (archive->error == 0 &&
        (memcmp(magic, MAGIC, sizeof(magic)) != 0 ||
         version != HANDOVER_VERSION || shape != handover_shape()))
        archive->error = -EBADMSG;
}

static void
pass(struct archive *archive, struct handover *handover)
{
    pass_head(archive);
    archive_text(archive, handover->from, sizeof(handover->from));
    archive_text(archive, handover->program, sizeof(handover->program));
    archive_number(archive, &handover->since_us, UINT64_MAX);
    archive_number(archive, &handover->again, 1);
    archive_number(archive, &handover->uid, UINT32_MAX);
    archive_number(archive, &handover->gid, UINT32_MAX);
    archive_fd(archive, &handover->segment);
    archive_fd(archive, &handover->config);
    archive_number(archive, &handover->config_version, UINT32_MAX);
    archive_number(archive, &handover->listener_count, CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < handover->listener_count; i++)
        archive_fd(archive, &handover->listeners[i]);
    pass_log(archive, &handover->log);
    pass_child(archive, &handover->resolver);
    archive_number(archive, &handover->slot_count, SEGMENT_SLOTS);
    for (size_t i = 0; i < handover->slot_count; i++)
        pass_slot(archive, &handover->slots[i]);
    archive_blob(archive, &handover->live_connects,
                 sizeof(struct handed_connect), BLOB_MAX);
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
are_sound_live_connects(const struct archive_blob *blob)
{
    struct handed_connect one;
    for (size_t at = 0; at < blob->len; at += sizeof(one)) {
        memcpy(&one, blob->octets + at, sizeof(one));
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
    struct archive archive = archive_writing(out);
    pass(&archive, handover);
    int result = archive.error;
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
    struct archive archive = archive_reading(octets, len);
    pass(&archive, handover);
    int error = archive_end(&archive);
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
    struct archive archive = archive_for_each_fd(keep);
    pass(&archive, handover);
    return archive.error;
}

int
handover_release(struct handover *handover)
{
    struct archive archive = archive_for_each_fd(release);
    pass(&archive, handover);
    return archive.error;
}

uint64_t
handover_shape(void)
{
    static const uint64_t sizes[] = {
        sizeof(struct segment), sizeof(struct channel_message),
        sizeof(struct lookup_query), sizeof(struct lookup_answer),
        SEGMENT_COUNTER_COUNT, SEGMENT_GAUGE_COUNT, SEGMENT_CHARGE_COUNT};
    uint64_t shape = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        shape = shape * UINT64_C(1000003) + sizes[i];
    return shape;
}
