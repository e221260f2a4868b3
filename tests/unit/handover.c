#include "gateway/monitor/handover.h"
#include "gateway/monitor/lost_sessions.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/monitor/memory.h"
#include "tests/unit/unit.h"

static struct handover *sample, *got;
static int first_fd; /* of those that the sample names, all open */

static void
name_service(struct handover *handover, const char *role, unsigned number,
             int *fd)
{
    struct handed_service *service = handover_add(handover, role, number);
    service->state = 2;
    service->pid = 4711 + handover->service_count;
    service->control = (*fd)++;
    service->stderr_fd = (*fd)++;
    snprintf(service->stderr_line, sizeof(service->stderr_line),
             "half a line of %s", role);
}

static void
name_slot(struct handed_slot *slot, int *fd)
{
    slot->generation = 7;
    slot->config_version = 3;
    slot->told = (struct batch_tally){1ull << 40, 2, 3};
    strcpy(slot->id, "0123abcd");
    slot->log = (*fd)++;
    slot->asked = slot->unsent_drain = 1;
    slot->question =
        (struct channel_message){.kind = CHANNEL_ASK_CONNECT, .id = 99};
}

static void
name_log(struct handed_log *log, int *fd)
{
    log->reported = 5;
    log->error = ENOSPC;
    log->has_writer = 1;
    log->pair[0] = (*fd)++;
    log->pair[1] = (*fd)++;
    log->out = (*fd)++;
    log->lines.octets = strdup("one\ntwo\n");
    log->lines.len = 8;
}

static void
name_live_connects(struct archive_blob *blob)
{
    struct handed_connect two[2];
    memset(two, 0, sizeof(two));
    two[0].slot = SEGMENT_SLOTS - 1;
    two[1].to = addr_v4(0x0a000001);
    blob->octets = malloc(sizeof(two));
    memcpy(blob->octets, two, sizeof(two));
    blob->len = sizeof(two);
}

static void
name_lost_sessions(struct archive_blob *blob)
{
    const struct handed_session one = {.id = 77, .worker = 1};
    blob->octets = malloc(sizeof(one));
    memcpy(blob->octets, &one, sizeof(one));
    blob->len = sizeof(one);
}

/* A slot that is in use, one that is not. */
static int
name_all(struct handover *handover, int fd)
{
    strcpy(handover->from, "0.1.0");
    strcpy(handover->program, "/usr/bin/socks4d");
    handover->since_us = 12345678;
    handover->again = 1;
    handover->uid = handover->gid = 65534;
    handover->segment = fd++;
    handover->config = fd++;
    handover->config_version = 3;
    handover->certificates = fd++;
    handover->certificates_identity = UINT64_MAX;
    handover->key_count = 1;
    handover->keys[0] = (struct handed_key){.fd = fd++, .version = 2};
    handover->expires_s[1] = 1800000000;
    handover->listener_count = 2;
    handover->listeners[0] = fd++;
    handover->listeners[1] = fd++;
    handover->backlogs[1] = 4096;
    handover->inherited[1].values[INHERITED_BUFFER_IN] = 131072;
    name_log(&handover->log, &fd);
    name_service(handover, "--logwriter", 0, &fd);
    name_service(handover, "--resolver", 0, &fd);
    name_service(handover, "--worker", 1, &fd);
    handover->slot_count = 2;
    name_slot(&handover->slots[1], &fd);
    name_live_connects(&handover->live_connects);
    name_lost_sessions(&handover->lost_sessions);
    return fd;
}

enum { NAMED = 16 };

/* What each descriptor is that name_all names: a file, the socket of a
   listener, a channel, a pipe or anything. */
static const char kinds[NAMED + 1] = "ffffllccacpcpcpc";

static int
open_kind(char kind)
{
    int ends[2];
    if (kind == 'f')
        return memory_seal("test", "x", 1);
    if (kind == 'l')
        return socket(AF_UNIX, SOCK_STREAM, 0);
    if (kind == 'a')
        return open("/dev/null", O_RDONLY);
    if (kind == 'd')
        return open("/", O_RDONLY | O_DIRECTORY);
    if (kind == 'p')
        assert_int_equal(pipe(ends), 0);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    close(ends[1]);
    return ends[0];
}

static void
put_kind(int fd, char kind)
{
    int opened = open_kind(kind);
    assert_true(opened >= 0);
    assert_int_equal(dup3(opened, fd, O_CLOEXEC), fd);
    close(opened);
}

static int
begin(void **state)
{
    (void)state;
    sample = handover_new();
    got = handover_new();
    first_fd = 200;
    for (int i = 0; i < NAMED; i++)
        put_kind(first_fd + i, kinds[i]);
    assert_int_equal(name_all(sample, first_fd), first_fd + NAMED);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    for (int i = 0; i < NAMED; i++)
        close(first_fd + i);
    handover_free(sample);
    handover_free(got);
    return 0;
}

/* What the file holds, and how much that is. */
static char *
written(size_t *len)
{
    struct stat status;
    int fd = handover_write(sample);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    *len = (size_t)status.st_size;
    char *octets = malloc(*len);
    assert_int_equal(pread(fd, octets, *len, 0), *len);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1); /* sealed */
    close(fd);
    return octets;
}

static int
read_octets(const char *octets, size_t len)
{
    int fd = memory_seal("test", octets, len);
    assert_true(fd >= 0);
    handover_free(got);
    got = handover_new();
    int error = handover_read(got, fd);
    close(fd);
    return error;
}

static void
reads_what_was_written(void **state)
{
    (void)state;
    size_t len, again_len;
    char *octets = written(&len);
    assert_int_equal(read_octets(octets, len), 0);
    assert_string_equal(got->program, "/usr/bin/socks4d");
    assert_int_equal(got->listeners[1], sample->listeners[1]);
    assert_int_equal(got->backlogs[1], 4096);
    assert_memory_equal(&got->inherited[1], &sample->inherited[1],
                        sizeof(struct inherited));
    assert_int_equal(got->slots[0].log, -1);
    assert_int_equal(got->keys[0].fd, sample->keys[0].fd);
    assert_int_equal(got->keys[0].version, 2);
    assert_int_equal(got->expires_s[1], 1800000000);
    const struct handed_service *worker = handover_find(got, "--worker", 1);
    assert_non_null(worker);
    assert_string_equal(worker->stderr_line, "half a line of --worker");
    assert_null(handover_find(got, "--worker", 0));
    assert_int_equal(got->slots[1].question.id, 99);
    assert_memory_equal(got->log.lines.octets, "one\ntwo\n", 8);
    assert_int_equal(got->lost_sessions.len, sizeof(struct handed_session));
    assert_memory_equal(got->lost_sessions.octets,
                        sample->lost_sessions.octets,
                        sizeof(struct handed_session));
    struct handover *kept = sample;
    sample = got;
    char *again = written(&again_len);
    sample = kept;
    assert_int_equal(again_len, len);
    assert_memory_equal(again, octets, len);
    free(again);
    free(octets);
}

static void
refuses_it_cut_anywhere_and_with_more_behind(void **state)
{
    (void)state;
    size_t len;
    char *octets = written(&len);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(read_octets(octets, cut), -EBADMSG);
    char *more = calloc(1, len + 1);
    memcpy(more, octets, len);
    assert_int_equal(read_octets(more, len + 1), -EBADMSG);
    free(more);
    free(octets);
}

static bool
is_fd(int fd)
{
    return fd == -1 || fd > STDERR_FILENO;
}

/* What a monitor relies on, whatever it read. */
static bool
is_fit(const struct handover *handover)
{
    bool fit = handover->slot_count <= SEGMENT_SLOTS &&
               handover->listener_count <= CONFIG_LISTENERS_MAX &&
               handover->parent_count <= CONFIG_PARENTS_MAX &&
               strnlen(handover->program, PATH_MAX) < PATH_MAX &&
               is_fd(handover->log.out) &&
               handover->service_count <= HANDOVER_SERVICES_MAX;
    for (size_t i = 0; i < handover->slot_count; i++)
        fit &= is_fd(handover->slots[i].log);
    for (size_t i = 0; i < handover->service_count; i++) {
        const struct handed_service *service = &handover->services[i];
        fit &= service->state >= 1 && service->state <= 3 &&
               service->pid != 0 && is_fd(service->control) &&
               is_fd(service->stderr_fd) && service->control != -1;
    }
    return fit;
}

static void
takes_nothing_unfit_whatever_octet_is_another(void **state)
{
    (void)state;
    size_t len, refused = 0;
    char *octets = written(&len);
    for (size_t at = 0; at < len; at++) {
        char kept = octets[at];
        static const char masks[] = {1, (char)0x80, (char)0xff};
        for (size_t i = 0; i < COUNT(masks); i++) {
            octets[at] = (char)(kept ^ masks[i]);
            int error = read_octets(octets, len);
            assert_true(error == -EBADMSG || (error == 0 && is_fit(got)));
            refused += error != 0;
        }
        octets[at] = kept;
    }
    printf("# %zu of %zu refused\n", refused, 3 * len);
    assert_true(refused > len);
    free(octets);
}

/* Its name, its version and the sizes come first. */
static void
refuses_what_another_version_wrote(void **state)
{
    (void)state;
    size_t len, head = sizeof("socks4d handover") + 2 * sizeof(uint64_t);
    char *octets = written(&len);
    for (size_t at = 0; at < head; at++) {
        octets[at] ^= 1;
        assert_int_equal(read_octets(octets, len), -EBADMSG);
        octets[at] ^= 1;
    }
    free(octets);
}

static void
refuses_what_is_no_memory_file(void **state)
{
    (void)state;
    int folder = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(handover_read(got, first_fd + 8), -EBADMSG);
    assert_int_equal(handover_read(got, folder), -EBADMSG);
    assert_int_equal(handover_read(got, 9999), -EBADF);
    close(folder);
}

static int
stays_open(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

static void
keeps_what_is_named_and_nothing_else(void **state)
{
    (void)state;
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(handover_keep(sample), 0);
    for (int i = 0; i < NAMED; i++)
        assert_true(stays_open(first_fd + i));
    assert_false(stays_open(other));
    assert_int_equal(handover_release(sample), 0);
    for (int i = 0; i < NAMED; i++)
        assert_false(stays_open(first_fd + i));
    close(other);
    close(first_fd + 3);
    assert_int_equal(handover_release(sample), -EBADF);
}

/* Both monitors look: the one before it executes the other, which can only
   end. */
static void
refuses_a_descriptor_that_is_missing_or_of_another_kind(void **state)
{
    char unfit[64];
    (void)state;
    for (int i = 0; i < NAMED; i++) {
        snprintf(unfit, sizeof(unfit), "descriptor %d is not ", first_fd + i);
        for (const char *other = "flcpda"; *other != '\0'; other++) {
            if (*other == kinds[i] || kinds[i] == 'a')
                continue;
            put_kind(first_fd + i, *other);
            assert_int_equal(handover_keep(sample), -EBADMSG);
            assert_int_equal(handover_release(sample), -EBADMSG);
            assert_memory_equal(sample->unfit, unfit, strlen(unfit));
        }
        close(first_fd + i);
        assert_int_equal(handover_keep(sample), -EBADF);
        assert_memory_equal(sample->unfit, unfit, strlen(unfit));
        put_kind(first_fd + i, kinds[i]);
        assert_int_equal(handover_release(sample), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(reads_what_was_written),
        TEST(refuses_it_cut_anywhere_and_with_more_behind),
        TEST(takes_nothing_unfit_whatever_octet_is_another),
        TEST(refuses_what_another_version_wrote),
        TEST(refuses_what_is_no_memory_file),
        TEST(keeps_what_is_named_and_nothing_else),
        TEST(refuses_a_descriptor_that_is_missing_or_of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
