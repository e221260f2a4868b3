#include "tools/preload/names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST 0xc6120001u /* 198.18.0.1 */

static char *names[NAMES_MAX]; /* owned */
static unsigned count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
names_lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
names_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void __attribute__((constructor)) names_open(void)
{
    pthread_atfork(names_lock, names_unlock, names_unlock);
}

/* The index of the name, which is added if it is new; `count`: no room. */
static unsigned
names_place(const char *name)
{
    unsigned i = 0;

    while (i < count && strcasecmp(names[i], name) != 0)
        i++;
    if (i < count || count == NAMES_MAX)
        return i;
    names[count] = strdup(name);
    return names[count] != NULL ? count++ : count;
}

uint32_t
names_address(const char *name)
{
    size_t len = strlen(name);
    uint32_t ip = 0;
    unsigned at;

    if (len == 0 || len > SOCKS4_DOMAIN_MAX)
        return 0;
    names_lock();
    at = names_place(name);
    if (at < count)
        ip = FIRST + at;
    names_unlock();
    return ip;
}

bool
names_find(uint32_t ip, char name[SOCKS4_DOMAIN_MAX + 1])
{
    bool found;

    names_lock();
    found = ip >= FIRST && ip - FIRST < count;
    if (found)
        strcpy(name, names[ip - FIRST]);
    names_unlock();
    return found;
}
