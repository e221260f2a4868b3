#include "gateway/config/local_ports.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_FIRST 32768
#define DEFAULT_LAST 60999

/* More than every other port takes, written one by one. */
#define TEXT_MAX ((size_t)256 << 10)

/* Of the list of reserved ports the kernel has no more for a second read(2),
   so that there is only one, and it is not left to stdio, which asks for 1 KiB.
   Without such a file there is no octet. */
static void
local_ports_text(const char *root, const char *name, char text[TEXT_MAX])
{
    char path[PATH_MAX];
    ssize_t got;

    snprintf(path, sizeof(path), "%s/proc/sys/net/ipv4/%s", root, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    text[0] = '\0';
    if (fd < 0)
        return;
    do
        got = read(fd, text, TEXT_MAX - 1);
    while (got < 0 && errno == EINTR);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
}

static struct local_ports
local_ports_range(const char *text)
{
    unsigned first, last;

    if (sscanf(text, "%u %u", &first, &last) != 2 || first == 0 ||
        first > last || last > UINT16_MAX)
        return (struct local_ports){DEFAULT_FIRST, DEFAULT_LAST};
    return (struct local_ports){(uint16_t)first, (uint16_t)last};
}

/* The text is one line, as 8080,9000-9010. */
static void
local_ports_reserve(const char *text, bool reserved[UINT16_MAX + 1])
{
    char *end;

    for (;; text = end + 1) {
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (end == text)
            return;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (; first <= last && first <= UINT16_MAX; first++)
            reserved[first] = true;
        if (*end != ',')
            return;
    }
}

struct local_ports
local_ports_read(const char *root, unsigned *count)
{
    static const struct local_ports none;
    bool reserved[UINT16_MAX + 1] = {false};
    struct local_ports longest = none;
    unsigned run = 0, most = 0;
    static char text[TEXT_MAX];

    local_ports_text(root, "ip_local_port_range", text);
    const struct local_ports range = local_ports_range(text);
    local_ports_text(root, "ip_local_reserved_ports", text);
    local_ports_reserve(text, reserved);
    *count = 0;
    for (unsigned port = range.last; port >= range.first; port--) {
        *count += !reserved[port];
        run = reserved[port] ? 0 : run + 1;
        if (run <= most || run > LOCAL_PORTS_MAX)
            continue;
        most = run;
        longest.first = (uint16_t)port;
        longest.last = (uint16_t)(port + run - 1);
    }
    return longest;
}
