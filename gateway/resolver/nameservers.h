#ifndef GATEWAY_RESOLVER_NAMESERVERS_H
#define GATEWAY_RESOLVER_NAMESERVERS_H

#include <ares.h>

#include "base/addr.h"
#include "gateway/lookup_proto.h"
#include "gateway/resolver/system_file.h"

/*
 * The DNS servers that are asked, in order: those of the configuration, or else
 * the nameserver lines of resolv.conf, read when it has changed. A file without
 * such a line, or no file, means 127.0.0.1. Search domains and options are not
 * followed.
 */
#define NAMESERVERS_MAX LOOKUP_SERVERS_MAX
#define NAMESERVERS_PORT 53
#define NAMESERVERS_OCTETS_MAX (64u * 1024)

struct nameservers {
    struct system_file file; /* path NULL: the configuration names them */
    struct ares_addr_port_node nodes[NAMESERVERS_MAX]; /* linked, in order */
    uint32_t
        scopes[NAMESERVERS_MAX]; /* interfaces of link-local ones; 0: none */
    size_t count;
};

enum nameservers_news {
    NAMESERVERS_SAME,
    NAMESERVERS_CHANGED,
    NAMESERVERS_START_AGAIN /* the process must, to read the file */
};

/* Call before the process is confined. `path`: of resolv.conf; NULL: add them
   one by one. */
void nameservers_init(struct nameservers *servers, const char *path);

/* 0, or -E2BIG beyond NAMESERVERS_MAX. */
int nameservers_add(struct nameservers *servers, struct endpoint at,
                    uint32_t scope);

/* The interface by which this address is a server; 0: any. */
uint32_t nameservers_scope(const struct nameservers *servers,
                           const struct in6_addr *addr);

/* Reads the file where it has changed. */
enum nameservers_news nameservers_refresh(struct nameservers *servers);

/* Takes the servers of `text`, `len` octets, which it changes. */
void nameservers_parse(struct nameservers *servers, char *text, size_t len);

#endif
