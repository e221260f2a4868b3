#include "tools/preload/sockutil.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/preload/settings.h"

static int
sockutil_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool
sockutil_is_tcp(int fd, int *domain)
{
    int protocol = sockutil_option(fd, SO_PROTOCOL);

    *domain = sockutil_option(fd, SO_DOMAIN);
    return (*domain == AF_INET || *domain == AF_INET6) &&
           sockutil_option(fd, SO_TYPE) == SOCK_STREAM &&
           (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

bool
sockutil_address_read(const struct sockaddr *sa, socklen_t len,
                      struct endpoint *at)
{
    struct sockaddr_storage copy = {0};

    if (sa == NULL || len < sizeof(sa->sa_family) || len > sizeof(copy))
        return false;
    memcpy(&copy, sa, len);
    if (!(copy.ss_family == AF_INET && len >= sizeof(struct sockaddr_in)) &&
        !(copy.ss_family == AF_INET6 && len >= 24))
        return false;
    endpoint_from_sockaddr(at, &copy);
    return true;
}

/* On an IPv6 socket an IPv4 address is mapped. */
static socklen_t
sockutil_address_form(const struct endpoint *at, int domain,
                      struct sockaddr_storage *form)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(at->port)};
    uint32_t ip = addr_is_v4(at->addr) ? htonl(addr_to_v4(at->addr)) : 0;

    if (domain == AF_INET || !addr_is_v4(at->addr))
        return endpoint_to_sockaddr(at, form);
    memset(v6.sin6_addr.s6_addr + 10, 0xff, 2);
    memcpy(v6.sin6_addr.s6_addr + 12, &ip, sizeof(ip));
    memcpy(form, &v6, sizeof(v6));
    return sizeof(v6);
}

int
sockutil_address_write(const struct endpoint *at, int domain,
                       struct sockaddr *sa, socklen_t *len)
{
    struct sockaddr_storage form;
    socklen_t size = sockutil_address_form(at, domain, &form);

    if (sa == NULL || len == NULL)
        RETURN_ERRNO(EFAULT);
    memcpy(sa, &form, *len < size ? *len : size);
    *len = size;
    return 0;
}

int
sockutil_replace(int to, int from)
{
    int status = fcntl(to, F_GETFL), descriptor = fcntl(to, F_GETFD);
    int flags = fcntl(from, F_GETFL);
    int error = 0;

    if (status < 0 || descriptor < 0 || flags < 0 ||
        fcntl(from, F_SETFL, (flags & ~O_NONBLOCK) | (status & O_NONBLOCK)) <
            0 ||
        dup3(from, to, descriptor & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
        error = -errno;
    close(from);
    return error;
}

int
sockutil_errno(int result, bool socks5)
{
    static const int errnos[] = {
        [SOCKS4_V5_FAILURE] = ECONNREFUSED,
        [SOCKS4_V5_NOT_ALLOWED] = EACCES,
        [SOCKS4_V5_NETWORK_UNREACHABLE] = ENETUNREACH,
        [SOCKS4_V5_HOST_UNREACHABLE] = EHOSTUNREACH,
        [SOCKS4_V5_REFUSED] = ECONNREFUSED,
        [SOCKS4_V5_TTL_EXPIRED] = ETIMEDOUT,
        [SOCKS4_V5_NO_COMMAND] = EOPNOTSUPP,
        [SOCKS4_V5_NO_TYPE] = EAFNOSUPPORT,
    };

    if (result > 0 && socks5)
        return errnos[result <= SOCKS4_V5_NO_TYPE ? result : SOCKS4_V5_FAILURE];
    if (result > SOCKS4_REJECTED) /* because of identd */
        return EACCES;
    return result > 0 ? ECONNREFUSED : -result;
}

struct socks4_dial
sockutil_dial(void)
{
    const struct settings *set = settings();

    return (struct socks4_dial){
        .gateway = (const struct sockaddr *)&set->route.first[0],
        .gateway_len = set->route.first[0].ss_family == AF_INET
                           ? sizeof(struct sockaddr_in)
                           : sizeof(struct sockaddr_in6),
        .deadline_ms = socks4_dial_deadline(set->timeout_ms),
        .cancel = -1,
        .lenient = set->lenient,
    };
}
