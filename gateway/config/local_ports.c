#include "gateway/config/local_ports.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#define DEFAULT_FIRST 32768
#define DEFAULT_LAST 60999

static FILE *
local_ports_open(const char *root, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/proc/sys/net/ipv4/%s", root, name);
    return fopen(path, "re");
}

static struct local_ports
local_ports_range(const char *root)
{
    unsigned first, last;
    FILE *file = local_ports_open(root, "ip_local_port_range");
    bool read = file && fscanf(file, "%u %u", &first, &last) == 2 &&
                first > 0 && first <= last && last <= UINT16_MAX;

    if (file)
        fclose(file);
    if (!read)
        return (struct local_ports){DEFAULT_FIRST, DEFAULT_LAST};
    return (struct local_ports){(uint16_t)first, (uint16_t)last};
}

/* The file is one line, as 8080,9000-9010. */
static void
local_ports_reserve(const char *root, bool reserved[UINT16_MAX + 1])
{
    unsigned first, last;
    FILE *file = local_ports_open(root, "ip_local_reserved_ports");

    if (!file)
        return;
    while (fscanf(file, "%u", &first) == 1) {
        last = first;
        int next = getc(file);
        if (next == '-' && fscanf(file, "%u", &last) == 1)
            next = getc(file);
        for (unsigned port = first; port <= last && port <= UINT16_MAX; port++)
            reserved[port] = true;
        if (next != ',')
            break;
    }
    fclose(file);
}

struct local_ports
local_ports_read(const char *root)
{
    static const struct local_ports none;
    bool reserved[UINT16_MAX + 1] = {false};
    struct local_ports range = local_ports_range(root), longest = none;
    unsigned run = 0, most = 0;

    local_ports_reserve(root, reserved);
    for (unsigned port = range.last; port >= range.first; port--) {
        run = reserved[port] ? 0 : run + 1;
        if (run <= most)
            continue;
        most = run;
        longest.first = (uint16_t)port;
        longest.last = (uint16_t)(port + run - 1);
        if (most == LOCAL_PORTS_MAX)
            break;
    }
    return longest;
}
