#include "tools/preload/socket_table.h"

#include <pthread.h>
#include <sys/socket.h>

static struct socket_entry entries[SOCKET_TABLE_MAX];
static uint64_t cookies[SOCKET_TABLE_MAX]; /* of the entries; searched */
static unsigned next;                      /* the next to be replaced */
static struct last_connect last_connect;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
socket_table_lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
socket_table_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child of fork gets the table as it is, and unlocked. */
static void __attribute__((constructor)) socket_table_open(void)
{
    pthread_atfork(socket_table_lock, socket_table_unlock, socket_table_unlock);
}

/* 0: it is not a socket. */
static uint64_t
socket_table_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0)
        return 0;
    return cookie;
}

/* The index of the entry; SOCKET_TABLE_MAX: there is none. */
static unsigned
socket_table_seek(uint64_t cookie)
{
    unsigned i = 0;

    while (i < SOCKET_TABLE_MAX && cookies[i] != cookie)
        i++;
    return i;
}

bool
socket_table_find(int fd, struct socket_entry *entry)
{
    uint64_t cookie = socket_table_cookie(fd);
    unsigned at = SOCKET_TABLE_MAX;

    if (cookie == 0)
        return false;
    socket_table_lock();
    at = socket_table_seek(cookie);
    if (at < SOCKET_TABLE_MAX)
        *entry = entries[at];
    socket_table_unlock();
    return at < SOCKET_TABLE_MAX;
}

void
socket_table_keep(int fd, const struct socket_entry *entry)
{
    uint64_t cookie = socket_table_cookie(fd);
    unsigned at;

    if (cookie == 0)
        return;
    socket_table_lock();
    at = socket_table_seek(cookie);
    if (at == SOCKET_TABLE_MAX) {
        at = next;
        next = (next + 1) % SOCKET_TABLE_MAX;
    }
    entries[at] = *entry;
    entries[at].cookie = cookies[at] = cookie;
    socket_table_unlock();
}

void
socket_table_keep_last(const struct last_connect *last)
{
    socket_table_lock();
    last_connect = *last;
    socket_table_unlock();
}

bool
socket_table_find_last(struct last_connect *last)
{
    socket_table_lock();
    *last = last_connect;
    socket_table_unlock();
    return last->known;
}
