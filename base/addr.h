#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An IP address in host order, 128 bits. IPv4 addresses are kept IPv4-mapped
 * (::ffff:a.b.c.d), so that both families share one order, one comparison and
 * one kind of range, and so that a mapped address from an IPv6 socket equals
 * the IPv4 address it stands for.
 */
struct addr {
    uint64_t hi;
    uint64_t lo;
};

/* An address and a port, both in host order. */
struct endpoint {
    struct addr addr;
    uint16_t port;
};

/* Longest text: "[" + 45 octets of IPv6 + "]:65535" + NUL. */
#define ADDR_TEXT_MAX 46
#define ENDPOINT_TEXT_MAX 56

/* Inline: a request compares addresses some hundred times. */

static inline struct addr
addr_v4(uint32_t ip)
{
    return (struct addr){.hi = 0, .lo = UINT64_C(0xffff00000000) | ip};
}

static inline bool
addr_is_v4(struct addr addr)
{
    return addr.hi == 0 && addr.lo >> 32 == 0xffff;
}

/* The IPv4 address in host order; only for an addr that is one. */
static inline uint32_t
addr_to_v4(struct addr addr)
{
    return (uint32_t)addr.lo;
}

static inline bool
addr_equal(struct addr a, struct addr b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* -1, 0, 1 by numeric order. */
static inline int
addr_cmp(struct addr a, struct addr b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(struct addr addr);
/* 0.0.0.0 or ::, which name no host. */
bool addr_is_any(struct addr addr);

/* The sixteen octets of IPv6, in network order. */
struct addr addr_from_octets(const uint8_t octets[16]);
void addr_to_octets(struct addr addr, uint8_t octets[16]);

/*
 * Accepts a dotted quad (four decimal numbers, no leading zeros) or RFC 4291
 * text, nothing else. Returns 0 or -EINVAL.
 */
int addr_parse(const char *text, struct addr *addr);

/*
 * Whether a C library might read the text as an IPv4 address, in any spelling
 * (127.1, 0x7f.1, 2130706433, 127.0.0.1.): its last label, final dots aside, is
 * a number. The last label of a name never is.
 */
bool addr_is_number(const char *text, size_t len);

/*
 * "10.0.0.0/8", "fe80::/10", or a bare address for itself: the first and
 * the last address. Returns 0; -EINVAL where it is not a CIDR; -EDOM where
 * bits behind the prefix are set ("10.0.0.1/8"): first..last is then the
 * network it lies in.
 */
int addr_parse_cidr(const char *text, struct addr *first, struct addr *last);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* "1.2.3.4:80" or "[::1]:80". Returns 0 or -EINVAL. */
int endpoint_parse(const char *text, struct endpoint *endpoint);

/* Both write at most the size named above, NUL included; return `text`. */
char *addr_format(struct addr addr, char text[ADDR_TEXT_MAX]);
char *endpoint_format(const struct endpoint *endpoint,
                      char text[ENDPOINT_TEXT_MAX]);
/* The same without the NUL, where there is as much room; returns the end. */
char *endpoint_write(const struct endpoint *endpoint, char *at);

/* To and from the kernel's form. endpoint_to_sockaddr returns the length, a
   socklen_t: this header includes no socket header, so that what decides about
   addresses needs none. */
struct sockaddr_storage;
unsigned endpoint_to_sockaddr(const struct endpoint *endpoint,
                              struct sockaddr_storage *sa);
void endpoint_from_sockaddr(struct endpoint *endpoint,
                            const struct sockaddr_storage *sa);

#endif
