#include "tools/preload/book.h"

#include <pthread.h>
#include <sys/socket.h>

static struct book_entry entries[BOOK_MAX];
static uint64_t cookies[BOOK_MAX]; /* of the entries, close together */
static unsigned next;              /* the oldest, once all are taken */
static struct book_primary primary_of_all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
book_lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
book_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child gets the book as it is, and unlocked. */
static void __attribute__((constructor)) book_open(void)
{
    pthread_atfork(book_lock, book_unlock, book_unlock);
}

/* 0: it is no socket. */
static uint64_t
cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0)
        return 0;
    return cookie;
}

/* Where it stands; BOOK_MAX: nowhere. */
static unsigned
book_seek(uint64_t cookie)
{
    unsigned i = 0;

    while (i < BOOK_MAX && cookies[i] != cookie)
        i++;
    return i;
}

bool
book_find(int fd, struct book_entry *entry)
{
    uint64_t cookie = cookie_of(fd);
    unsigned at = BOOK_MAX;

    if (cookie == 0)
        return false;
    book_lock();
    at = book_seek(cookie);
    if (at < BOOK_MAX)
        *entry = entries[at];
    book_unlock();
    return at < BOOK_MAX;
}

void
book_keep(int fd, const struct book_entry *entry)
{
    uint64_t cookie = cookie_of(fd);
    unsigned at;

    if (cookie == 0)
        return;
    book_lock();
    at = book_seek(cookie);
    if (at == BOOK_MAX) {
        at = next;
        next = (next + 1) % BOOK_MAX;
    }
    entries[at] = *entry;
    entries[at].cookie = cookies[at] = cookie;
    book_unlock();
}

void
book_keep_primary(const struct book_primary *primary)
{
    book_lock();
    primary_of_all = *primary;
    book_unlock();
}

bool
book_find_primary(struct book_primary *primary)
{
    book_lock();
    *primary = primary_of_all;
    book_unlock();
    return primary->known;
}
