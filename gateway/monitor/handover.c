#include "gateway/monitor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/authentication_proto.h"
#include "gateway/lookup_proto.h"
#include "gateway/monitor/memory.h"
#include "gateway/observer_proto.h"
#include "gateway/signing_proto.h"
#include "gateway/users_file.h"

#define MAGIC "socks4d handover"

/* More than a queue of lines and the CONNECTs of a full machine take. */
#define BLOB_MAX (256u << 20)

/* Of enum service_state. */
#define STATE_MAX 3

/* --- what is in it, in order --------------------------------------------- */

static void
handover_pass_service(struct archive *archive, struct handed_service *service)
{
    archive_text(archive, service->role, sizeof(service->role));
    archive_number(archive, &service->number, UINT32_MAX);
    archive_number(archive, &service->state, STATE_MAX);
    archive_number(archive, &service->pid, INT_MAX);
    archive_fd(archive, &service->control, ARCHIVE_CHANNEL);
    archive_fd(archive, &service->stderr_fd, ARCHIVE_PIPE);
    archive_text(archive, service->stderr_line, sizeof(service->stderr_line));
}

/* What such a message holds of a CONNECT. */
static void
handover_pass_question(struct archive *archive,
                       struct channel_message *question)
{
    archive_number(archive, &question->id, UINT64_MAX);
    archive_octets(archive, &question->client, sizeof(question->client));
    archive_octets(archive, &question->to, sizeof(question->to));
}

static void
handover_pass_slot(struct archive *archive, struct handed_slot *slot)
{
    archive_number(archive, &slot->generation, UINT32_MAX);
    archive_number(archive, &slot->started_ms, UINT64_MAX);
    archive_number(archive, &slot->config_version, UINT32_MAX);
    archive_octets(archive, &slot->told, sizeof(slot->told));
    archive_text(archive, slot->id, sizeof(slot->id));
    archive_fd(archive, &slot->log, ARCHIVE_CHANNEL);
    archive_number(archive, &slot->asked, 1);
    archive_number(archive, &slot->unsent_config_version, 1);
    archive_number(archive, &slot->unsent_drain, 1);
    handover_pass_question(archive, &slot->question);
}

static void
handover_pass_log(struct archive *archive, struct handed_log *log)
{
    archive_number(archive, &log->reported, UINT64_MAX);
    archive_number(archive, &log->error, INT_MAX);
    archive_number(archive, &log->stuck, 1);
    archive_blob(archive, &log->lines, 1, BLOB_MAX);
    archive_number(archive, &log->has_writer, 1);
    archive_fd(archive, &log->pair[0], ARCHIVE_CHANNEL);
    archive_fd(archive, &log->pair[1], ARCHIVE_CHANNEL);
    archive_fd(archive, &log->out, ARCHIVE_ANY);
}

static void
handover_pass_observer(struct archive *archive,
                       struct handed_observer *observer)
{
    for (size_t i = 0; i < 3; i++)
        archive_fd(archive, &observer->sockets[i], ARCHIVE_LISTENER);
    archive_text(archive, observer->path, sizeof(observer->path));
    archive_fd(archive, &observer->kept, ARCHIVE_FILE);
    archive_number(archive, &observer->gid, UINT32_MAX);
    archive_number(archive, &observer->upgrade_count, HANDOVER_REQUESTS_MAX);
    for (size_t i = 0; i < observer->upgrade_count; i++)
        archive_number(archive, &observer->upgrades[i], UINT32_MAX);
}

static void
handover_pass_head(struct archive *archive)
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
handover_pass(struct archive *archive, struct handover *handover)
{
    handover_pass_head(archive);
    archive_text(archive, handover->from, sizeof(handover->from));
    archive_text(archive, handover->program, sizeof(handover->program));
    archive_number(archive, &handover->since_us, UINT64_MAX);
    archive_number(archive, &handover->again, 1);
    archive_number(archive, &handover->uid, UINT32_MAX);
    archive_number(archive, &handover->gid, UINT32_MAX);
    archive_fd(archive, &handover->segment, ARCHIVE_FILE);
    archive_fd(archive, &handover->config, ARCHIVE_FILE);
    archive_number(archive, &handover->config_version, UINT32_MAX);
    archive_fd(archive, &handover->certificates, ARCHIVE_FILE);
    archive_number(archive, &handover->certificates_identity, UINT64_MAX);
    archive_fd(archive, &handover->users, ARCHIVE_FILE);
    archive_number(archive, &handover->users_len, USERS_FILE_MAX);
    archive_number(archive, &handover->users_identity, UINT64_MAX);
    archive_number(archive, &handover->key_count, HANDOVER_KEYS_MAX);
    for (size_t i = 0; i < handover->key_count; i++) {
        archive_fd(archive, &handover->keys[i].fd, ARCHIVE_FILE);
        archive_number(archive, &handover->keys[i].version, UINT32_MAX);
        archive_number(archive, &handover->keys[i].client, 1);
    }
    archive_number(archive, &handover->listener_count, CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < handover->listener_count; i++) {
        archive_fd(archive, &handover->listeners[i], ARCHIVE_LISTENER);
        archive_number(archive, &handover->backlogs[i], INT_MAX);
        archive_octets(archive, &handover->inherited[i],
                       sizeof(handover->inherited[i]));
    }
    archive_number(archive, &handover->parent_count, CONFIG_PARENTS_MAX);
    for (size_t i = 0; i < handover->listener_count; i++)
        archive_number(archive, &handover->expires_s[i], UINT64_MAX);
    for (size_t i = 0; i < handover->parent_count; i++)
        archive_number(archive, &handover->expires_s[CONFIG_LISTENERS_MAX + i],
                       UINT64_MAX);
    handover_pass_log(archive, &handover->log);
    handover_pass_observer(archive, &handover->observer);
    archive_number(archive, &handover->service_count, HANDOVER_SERVICES_MAX);
    for (size_t i = 0; i < handover->service_count; i++)
        handover_pass_service(archive, &handover->services[i]);
    archive_number(archive, &handover->slot_count, SEGMENT_SLOTS);
    for (size_t i = 0; i < handover->slot_count; i++)
        handover_pass_slot(archive, &handover->slots[i]);
    archive_blob(archive, &handover->live_connects,
                 sizeof(struct handed_connect), BLOB_MAX);
    archive_blob(archive, &handover->lost_sessions,
                 sizeof(struct handed_session),
                 HANDOVER_SESSIONS_MAX * sizeof(struct handed_session));
}

/* --- what must be so ----------------------------------------------------- */

static bool
handover_is_sound_service(const struct handed_service *service)
{
    return service->role[0] != '\0' && service->state != 0 &&
           service->pid != 0 && service->control != -1 &&
           service->stderr_fd != -1;
}

static bool
handover_is_sound_log(const struct handed_log *log)
{
    bool there = log->has_writer == 1;
    return there == (log->pair[0] != -1) && there == (log->pair[1] != -1) &&
           there == (log->out != -1);
}

static bool
handover_are_sound_live_connects(const struct archive_blob *blob)
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
handover_is_sound(const struct handover *handover)
{
    if (handover->segment == -1 || handover->config == -1 ||
        handover->certificates == -1 ||
        (handover->users != -1) != (handover->users_len != 0) ||
        !handover_is_sound_log(&handover->log) ||
        (handover->observer.sockets[0] != -1) !=
            (handover->observer.path[0] != '\0'))
        return false;
    for (size_t i = 0; i < handover->listener_count; i++)
        if (handover->listeners[i] == -1)
            return false;
    for (size_t i = 0; i < handover->key_count; i++)
        if (handover->keys[i].fd == -1)
            return false;
    for (size_t i = 0; i < handover->service_count; i++)
        if (!handover_is_sound_service(&handover->services[i]))
            return false;
    return handover_are_sound_live_connects(&handover->live_connects);
}

/* --- the file ------------------------------------------------------------ */

struct handover *
handover_new(void)
{
    struct handover *handover = calloc(1, sizeof(*handover));
    if (handover == NULL)
        return NULL;
    struct handed_log *log = &handover->log;
    handover->segment = handover->config = handover->certificates = -1;
    handover->users = -1;
    for (size_t i = 0; i < HANDOVER_KEYS_MAX; i++)
        handover->keys[i].fd = -1;
    log->pair[0] = log->pair[1] = log->out = -1;
    for (size_t i = 0; i < 3; i++)
        handover->observer.sockets[i] = -1;
    handover->observer.kept = -1;
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
        handover->listeners[i] = -1;
    for (size_t i = 0; i < SEGMENT_SLOTS; i++)
        handover->slots[i].log = -1;
    for (size_t i = 0; i < HANDOVER_SERVICES_MAX; i++)
        handover->services[i].control = handover->services[i].stderr_fd = -1;
    return handover;
}

void
handover_free(struct handover *handover)
{
    if (handover == NULL)
        return;
    free(handover->log.lines.octets);
    free(handover->live_connects.octets);
    free(handover->lost_sessions.octets);
    free(handover);
}

struct handed_service *
handover_add(struct handover *handover, const char *role, unsigned number)
{
    if (handover->service_count == HANDOVER_SERVICES_MAX)
        return NULL;
    struct handed_service *service =
        &handover->services[handover->service_count++];
    snprintf(service->role, sizeof(service->role), "%s", role);
    service->number = number;
    return service;
}

struct handed_service *
handover_find(struct handover *handover, const char *role, unsigned number)
{
    for (size_t i = 0; i < handover->service_count; i++) {
        struct handed_service *service = &handover->services[i];
        if (service->pid != 0 && service->number == number &&
            strcmp(service->role, role) == 0)
            return service;
    }
    return NULL;
}

void
handover_close_rest(struct handover *handover)
{
    for (size_t i = 0; i < handover->service_count; i++) {
        struct handed_service *service = &handover->services[i];
        if (service->pid == 0)
            continue;
        close(service->control);
        close(service->stderr_fd);
        service->pid = 0;
    }
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
    handover_pass(&archive, handover);
    int result = archive.error;
    if (fclose(out) != 0 && result == 0)
        result = -errno;
    if (result == 0)
        result = memory_seal(MAGIC, text, len);
    free(text);
    return result;
}

static int
handover_read_octets(struct handover *handover, const char *octets, size_t len)
{
    struct archive archive = archive_reading(octets, len);
    handover_pass(&archive, handover);
    int error = archive_end(&archive);
    if (error == 0 && !handover_is_sound(handover))
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
    int error = handover_read_octets(handover, octets, len);
    munmap(octets, len);
    return error;
}

/* --- its descriptors ----------------------------------------------------- */

/* A listener need not listen now: a worker that was taken over could stop it
   again and again, and with it every upgrade. */
static const struct handover_kind {
    const char *name;
    mode_t mode; /* 0: any */
    int socket;
} handover_kinds[] = {
    [ARCHIVE_ANY] = {"an open file", 0, 0},
    [ARCHIVE_FILE] = {"a memory file", S_IFREG, 0},
    [ARCHIVE_PIPE] = {"a pipe", S_IFIFO, 0},
    [ARCHIVE_LISTENER] = {"the socket of a listener", S_IFSOCK, SOCK_STREAM},
    [ARCHIVE_CHANNEL] = {"the channel of a process", S_IFSOCK, SOCK_SEQPACKET},
};

static int
handover_check_fd(int fd, enum archive_kind kind)
{
    const struct handover_kind *wanted = &handover_kinds[kind];
    struct stat status;
    int type = 0;
    socklen_t size = sizeof(type);
    if (fstat(fd, &status) != 0)
        return -errno;
    if (wanted->mode != 0 && (status.st_mode & S_IFMT) != wanted->mode)
        return -EBADMSG;
    if (wanted->mode == S_IFSOCK &&
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return -errno;
    return type == wanted->socket ? 0 : -EBADMSG;
}

static int
handover_set_fd(int fd, enum archive_kind kind, int flags)
{
    int error = handover_check_fd(fd, kind);
    return error == 0 && fcntl(fd, F_SETFD, flags) != 0 ? -errno : error;
}

static int
handover_keep_fd(int fd, enum archive_kind kind)
{
    return handover_set_fd(fd, kind, 0);
}

static int
handover_release_fd(int fd, enum archive_kind kind)
{
    return handover_set_fd(fd, kind, FD_CLOEXEC);
}

static int
handover_for_each_fd(struct handover *handover, archive_fd_fn *on_fd)
{
    struct archive archive = archive_for_each_fd(on_fd);
    handover_pass(&archive, handover);
    if (archive.unfit != 0)
        snprintf(handover->unfit, sizeof(handover->unfit),
                 "descriptor %d is not %s", archive.unfit,
                 handover_kinds[archive.unfit_kind].name);
    return archive.error;
}

int
handover_keep(struct handover *handover)
{
    return handover_for_each_fd(handover, handover_keep_fd);
}

int
handover_release(struct handover *handover)
{
    return handover_for_each_fd(handover, handover_release_fd);
}

uint64_t
handover_shape(void)
{
    static const uint64_t sizes[] = {sizeof(struct segment),
                                     sizeof(struct channel_message),
                                     sizeof(struct lookup_query),
                                     sizeof(struct lookup_answer),
                                     sizeof(struct signing_request),
                                     sizeof(struct signing_answer),
                                     sizeof(struct authentication_question),
                                     sizeof(struct authentication_answer),
                                     sizeof(struct observer_ask),
                                     sizeof(struct observer_reply),
                                     sizeof(struct inherited),
                                     sizeof(struct handed_session),
                                     sizeof(struct batch_tally),
                                     SEGMENT_COUNTER_COUNT,
                                     SEGMENT_GAUGE_COUNT,
                                     SEGMENT_CHARGE_COUNT};
    uint64_t shape = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        shape = shape * UINT64_C(1000003) + sizes[i];
    return shape;
}
