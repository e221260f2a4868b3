#include "gateway/resolver/nameservers.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

int
nameservers_add(struct nameservers *servers, struct endpoint at, uint32_t scope)
{
    struct sockaddr_storage sa;

    if (servers->count == NAMESERVERS_MAX)
        return -E2BIG;
    struct ares_addr_port_node *node = &servers->nodes[servers->count];
    *node =
        (struct ares_addr_port_node){.udp_port = at.port, .tcp_port = at.port};
    endpoint_to_sockaddr(&at, &sa);
    node->family = sa.ss_family;
    if (sa.ss_family == AF_INET)
        node->addr.addr4 = ((struct sockaddr_in *)&sa)->sin_addr;
    else
        memcpy(&node->addr.addr6, &((struct sockaddr_in6 *)&sa)->sin6_addr,
               sizeof(node->addr.addr6));
    servers->scopes[servers->count] = scope;
    if (servers->count++ > 0)
        node[-1].next = node;
    return 0;
}

uint32_t
nameservers_scope(const struct nameservers *servers,
                  const struct in6_addr *addr)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct ares_addr_port_node *node = &servers->nodes[i];
        if (node->family == AF_INET6 &&
            memcmp(&node->addr.addr6, addr, sizeof(*addr)) == 0)
            return servers->scopes[i];
    }
    return 0;
}

/* --- resolv.conf -------------------------------------------------------- */

/* The number of an interface, or its name. 0: there is none. */
static uint32_t
nameservers_read_scope(const char *text)
{
    struct ifreq request = {.ifr_ifindex = 0};
    uint64_t number;

    if (text_number(text, &number) == 0)
        return number <= INT_MAX ? (uint32_t)number : 0;
    if (strlen(text) >= sizeof(request.ifr_name))
        return 0;
    memcpy(request.ifr_name, text, strlen(text));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    int failed = ioctl(fd, SIOCGIFINDEX, &request);
    close(fd);
    return failed ? 0 : (uint32_t)request.ifr_ifindex;
}

/* An address, or one with its interface. No port, which nothing else that reads
   this file knows, and which a confined resolver could not connect to. */
static bool
nameservers_read_endpoint(char *text, struct endpoint *at, uint32_t *scope)
{
    char *percent = strchr(text, '%');

    at->port = NAMESERVERS_PORT;
    *scope = 0;
    if (percent != NULL) {
        *percent = '\0';
        *scope = nameservers_read_scope(percent + 1);
        return *scope != 0 && addr_parse(text, &at->addr) == 0 &&
               !addr_is_v4(at->addr);
    }
    return addr_parse(text, &at->addr) == 0;
}

static void
nameservers_read_line(struct nameservers *servers, char *line)
{
    static const char blanks[] = " \t\r\v\f";
    struct endpoint at;
    uint32_t scope;
    char *rest = NULL;
    char *word = strtok_r(line, blanks, &rest);

    if (word == NULL || strcmp(word, "nameserver") != 0)
        return;
    word = strtok_r(NULL, blanks, &rest);
    if (word != NULL && nameservers_read_endpoint(word, &at, &scope))
        nameservers_add(servers, at, scope); /* the first so many */
}

void
nameservers_parse(struct nameservers *servers, char *text, size_t len)
{
    char *end = text + len;

    servers->count = 0;
    for (char *line = text; line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *line_end = newline != NULL ? newline : end;
        *line_end = '\0';
        nameservers_read_line(servers, line);
        line = line_end + 1;
    }
    if (servers->count == 0)
        nameservers_add(
            servers,
            (struct endpoint){addr_v4(INADDR_LOOPBACK), NAMESERVERS_PORT}, 0);
}

void
nameservers_init(struct nameservers *servers, const char *path)
{
    char nothing[] = "";

    *servers = (struct nameservers){.count = 0};
    if (path == NULL)
        return;
    system_file_init(&servers->file, path);
    nameservers_parse(servers, nothing, 0);
}

enum nameservers_news
nameservers_refresh(struct nameservers *servers)
{
    struct system_file *file = &servers->file;
    char *text, nothing[] = "";
    size_t len;

    if (file->path == NULL || !system_file_changed(file))
        return NAMESERVERS_SAME;
    int error = system_file_read(file, NAMESERVERS_OCTETS_MAX, &text, &len);
    if (system_file_is_beyond_reach(file, error))
        return NAMESERVERS_START_AGAIN;
    system_file_complain(
        file, error,
        error == -ENOENT ? "127.0.0.1 is asked; resolver.servers names others"
                         : "the DNS servers stay as they were");
    if (error == -ENOENT)
        nameservers_parse(servers, nothing, 0);
    if (error != 0 && error != -ENOENT)
        return NAMESERVERS_SAME;
    if (error == 0) {
        nameservers_parse(servers, text, len);
        free(text);
    }
    return NAMESERVERS_CHANGED;
}
