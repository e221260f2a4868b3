#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/monitor/handover.h"
#include "gateway/monitor/memory.h"
#include "tests/fuzz/fuzz.h"

/*
 * A hand-over file as another binary may have left it. The input says what is
 * changed in one that is good: offset (two octets, the first bit: from the end)
 * and octet, again and again; a last octet alone cuts so much off the end. So
 * the inputs that were kept stay of use when sizes change. What is read is
 * refused as a whole, or is sound: it can be written, and reads as the same.
 */

static char *good;
static size_t good_len;

static char *
octets_of(int fd, size_t *len)
{
    struct stat status;
    assert(fd >= 0 && fstat(fd, &status) == 0);
    *len = (size_t)status.st_size;
    char *octets = malloc(*len);
    assert(octets != NULL && pread(fd, octets, *len, 0) == (ssize_t)*len);
    close(fd);
    return octets;
}

static void
name_service(struct handover *handover, const char *role, unsigned number)
{
    struct handed_service *service = handover_add(handover, role, number);
    service->state = 2;
    service->pid = 4711;
    service->control = 20;
    service->stderr_fd = 21;
    strcpy(service->stderr_line, "half a line");
}

/* Numbers stand for descriptors: none is used here. */
static void
make_good(void)
{
    struct handed_connect connect = {.slot = 1};
    struct handover *handover = handover_new();
    assert(handover != NULL);
    strcpy(handover->from, "0.1.0");
    strcpy(handover->program, "/usr/bin/socks4d");
    handover->uid = handover->gid = 65534;
    handover->segment = 10;
    handover->config = 11;
    handover->certificates = 17;
    handover->key_count = 1;
    handover->keys[0].fd = 18;
    handover->listener_count = 1;
    handover->listeners[0] = 12;
    handover->log.has_writer = 1;
    handover->log.pair[0] = 13;
    handover->log.pair[1] = 14;
    handover->log.out = 15;
    handover->log.lines.octets = strdup("a line\n");
    handover->log.lines.len = 7;
    name_service(handover, "--logwriter", 0);
    name_service(handover, "--worker", 0);
    handover->slot_count = 1;
    handover->slots[0].log = 16;
    handover->live_connects.octets = malloc(sizeof(connect));
    memcpy(handover->live_connects.octets, &connect, sizeof(connect));
    handover->live_connects.len = sizeof(connect);
    good = octets_of(handover_write(handover), &good_len);
    handover_free(handover);
}

/* Whatever the file says, the monitor takes these as they are. */
static void
check_numbers(const struct handover *handover)
{
    struct handed_connect one;
    assert(handover->slot_count <= SEGMENT_SLOTS &&
           handover->listener_count <= CONFIG_LISTENERS_MAX &&
           handover->parent_count <= CONFIG_PARENTS_MAX &&
           handover->service_count <= HANDOVER_SERVICES_MAX);
    for (size_t at = 0; at < handover->live_connects.len; at += sizeof(one)) {
        memcpy(&one, handover->live_connects.octets + at, sizeof(one));
        assert(one.slot < SEGMENT_SLOTS);
    }
}

static void
check_sound(struct handover *handover)
{
    size_t len, again_len;
    check_numbers(handover);
    char *once = octets_of(handover_write(handover), &len);
    struct handover *copy = handover_new();
    int fd = memory_seal("fuzz", once, len);
    assert(copy != NULL && fd >= 0 && handover_read(copy, fd) == 0);
    close(fd);
    char *again = octets_of(handover_write(copy), &again_len);
    assert(len == again_len && memcmp(once, again, len) == 0);
    handover_free(copy);
    free(once);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (good == NULL)
        make_good();
    char *octets = malloc(good_len);
    size_t len = good_len;
    memcpy(octets, good, len);
    for (; size >= 3; input += 3, size -= 3) {
        size_t at = (size_t)((input[0] & 127) << 8 | input[1]) % good_len;
        octets[input[0] < 128 ? at : good_len - 1 - at] = (char)input[2];
    }
    if (size == 1)
        len -= input[0] < len ? input[0] : len - 1;
    int fd = memory_seal("fuzz", octets, len);
    struct handover *handover = handover_new();
    assert(fd >= 0 && handover != NULL);
    int error = handover_read(handover, fd);
    close(fd);
    assert(error == 0 || error == -EBADMSG || error == -ENOMEM);
    if (error == 0)
        check_sound(handover);
    handover_free(handover);
    free(octets);
    return 0;
}
