#include "gateway/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int
segment_map_fd(int fd, int protection, struct segment **segment)
{
    void *at =
        mmap(NULL, sizeof(struct segment), protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    *segment = at;
    return 0;
}

/* Sized once and for all: no process can make another fault on a page. */
static int
segment_size(int fd)
{
    if (ftruncate(fd, sizeof(struct segment)) != 0)
        return -errno;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return fcntl(fd, F_ADD_SEALS, seals) == 0 ? 0 : -errno;
}

/* Without base/sys.h, whose clock is a script's in the scenarios. */
static uint64_t
segment_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int
segment_create(struct segment **segment)
{
    int fd = memfd_create("socks4d segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int error = segment_size(fd);
    if (error == 0)
        error = segment_map_fd(fd, PROT_READ | PROT_WRITE, segment);
    if (error == 0 && getrandom((*segment)->secret, sizeof((*segment)->secret),
                                0) != sizeof((*segment)->secret))
        error = -errno;
    if (error == 0) {
        (*segment)->began_ms = segment_wall_ms();
        return fd;
    }
    close(fd);
    return error;
}

static int
segment_check(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    return status.st_size == (off_t)sizeof(struct segment) ? 0 : -EINVAL;
}

int
segment_map(int fd, struct segment **segment)
{
    int error = segment_check(fd);
    return error != 0 ? error
                      : segment_map_fd(fd, PROT_READ | PROT_WRITE, segment);
}

int
segment_show(int fd, const struct segment **segment)
{
    struct segment *shown = NULL;
    int error = segment_check(fd);
    if (error == 0)
        error = segment_map_fd(fd, PROT_READ, &shown);
    if (error == 0)
        *segment = shown;
    return error;
}

uint64_t
segment_gauge_sum(const struct segment *segment, enum segment_gauge which)
{
    uint64_t sum = 0;
    for (int i = 0; i < SEGMENT_COLUMNS; i++)
        sum += atomic_load_explicit(&segment->columns[i].gauges[which],
                                    memory_order_relaxed);
    return sum;
}

uint64_t
segment_counter_sum(const struct segment *segment, enum segment_counter which)
{
    uint64_t sum = 0;
    for (int i = 0; i < SEGMENT_COLUMNS; i++)
        sum += atomic_load_explicit(&segment->columns[i].counters[which],
                                    memory_order_relaxed);
    return sum;
}

void
segment_serve(struct segment *segment, unsigned slot, int serves)
{
    uint32_t slots = atomic_load(&segment->slots);

    atomic_store(&segment->columns[slot].paused, 0);
    atomic_store(&segment->columns[slot].serving, (uint32_t)serves);
    while (slots <= slot &&
           !atomic_compare_exchange_weak(&segment->slots, &slots, slot + 1))
        ;
    slots = atomic_load(&segment->counted);
    while (slots <= slot &&
           !atomic_compare_exchange_weak(&segment->counted, &slots, slot + 1))
        ;
}

struct segment_share
segment_share(const struct segment *segment)
{
    struct segment_share share = {0};
    uint32_t slots =
        atomic_load_explicit(&segment->slots, memory_order_relaxed);

    for (uint32_t i = 0; i < slots && i < SEGMENT_SLOTS; i++) {
        const struct segment_column *column = &segment->columns[i];
        if (!atomic_load_explicit(&column->serving, memory_order_relaxed))
            continue;
        share.workers++;
        share.unpaused +=
            atomic_load_explicit(&column->paused, memory_order_relaxed) == 0;
        share.live += atomic_load_explicit(&column->gauges[SEGMENT_GAUGE_live],
                                           memory_order_relaxed);
    }
    return share;
}

uint64_t
segment_served_sum(struct segment *segment, enum segment_gauge which)
{
    uint32_t slots =
        atomic_load_explicit(&segment->slots, memory_order_relaxed);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < slots && i < SEGMENT_SLOTS; i++)
        sum += atomic_load_explicit(&segment->columns[i].gauges[which],
                                    memory_order_relaxed);
    return sum;
}

/* --- what only the monitor may change ------------------------------------ */

/* From one look to the next no more sessions begin than the first, and a worker
   that counts so many each time takes 24 days to where JSON's numbers end; of
   those that have begun since the last look the second is more than there
   are. */
#define SEGMENT_IDS_AHEAD (UINT64_C(1) << 32)
#define SEGMENT_IDS_SINCE (UINT64_C(1) << 24)

void
segment_keep(const struct segment *segment, struct segment_head *head)
{
    memcpy(head->secret, segment->secret, sizeof(head->secret));
    head->began_ms = segment->began_ms;
    head->next_session = atomic_load(&segment->next_session);
}

bool
segment_restore(struct segment *segment, struct segment_head *head)
{
    uint64_t next = atomic_load(&segment->next_session);
    bool changed = next - head->next_session > SEGMENT_IDS_AHEAD;

    if (changed)
        atomic_store(&segment->next_session,
                     head->next_session + SEGMENT_IDS_SINCE);
    if (memcmp(segment->secret, head->secret, sizeof(head->secret)) != 0 ||
        segment->began_ms != head->began_ms) {
        memcpy(segment->secret, head->secret, sizeof(head->secret));
        segment->began_ms = head->began_ms;
        changed = true;
    }
    head->next_session = atomic_load(&segment->next_session);
    return changed;
}

/* Backwards: a place is its source's until its sessions are given back. */
static void
segment_retire_charges(struct segment_charges *charges)
{
    for (int i = SEGMENT_CHARGE_COUNT - 1; i >= 0; i--)
        if (atomic_load(&charges->count[i]) != 0)
            atomic_store(&charges->count[i], 0);
}

/* A hole is zeros, and the pages that it was are given back. */
static void
segment_clear_rows(int fd, size_t table, size_t row, unsigned first,
                   unsigned end)
{
    if (first < end)
        (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)(table + first * row),
                        (off_t)((end - first) * row));
}

/* Where nothing is, nothing is written: a page that was never used takes no
   memory. */
static void
segment_retire_live(struct series_live *live)
{
    for (int i = 0; i < SERIES_LISTENER_PLACES; i++)
        for (int j = 0; j < SESSION_STATE_COUNT; j++)
            if (atomic_load(&live->count[i][j]) != 0)
                atomic_store(&live->count[i][j], 0);
}

static void
segment_clear_column(struct segment_column *column)
{
    atomic_store(&column->serving, 0);
    atomic_store(&column->paused, 0);
    for (int i = 0; i < SEGMENT_GAUGE_COUNT; i++)
        atomic_store(&column->gauges[i], 0);
}

void
segment_clear(struct segment *segment, int fd, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        segment_clear_column(&segment->columns[i]);
    segment_clear_rows(fd, offsetof(struct segment, lives),
                       sizeof(segment->lives[0]), first, end);
    segment_clear_rows(fd, offsetof(struct segment, charges),
                       sizeof(segment->charges[0]), first, end);
    segment_clear_rows(fd, offsetof(struct segment, sessions),
                       sizeof(segment->sessions[0]), first, end);
}

void
segment_forget(struct segment *segment, int fd, unsigned first)
{
    for (unsigned i = first; i < SEGMENT_SLOTS; i++)
        for (int j = 0; j < SEGMENT_COUNTER_COUNT; j++)
            if (atomic_load(&segment->columns[i].counters[j]) != 0)
                atomic_store(&segment->columns[i].counters[j], 0);
    segment_clear_rows(fd, offsetof(struct segment, series),
                       sizeof(segment->series[0]), first, SEGMENT_SLOTS);
    segment_clear_rows(fd, offsetof(struct segment, speakers),
                       sizeof(segment->speakers[0]), first, SEGMENT_SLOTS);
    atomic_store(&segment->counted, first);
}

uint64_t
segment_retire(struct segment *segment, unsigned slot)
{
    struct segment_column *column = &segment->columns[slot];
    uint64_t live = atomic_load(&column->gauges[SEGMENT_GAUGE_live]);
    segment_clear_column(column);
    segment_retire_live(&segment->lives[slot]);
    for (int i = 0; i < SEGMENT_SOURCES; i++)
        segment_retire_charges(&segment->charges[slot][i]);
    segment_count(column, SEGMENT_COUNTER_lost, live);
    return live;
}
