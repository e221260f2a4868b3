#include "bench/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_usage[] =
    "usage: socks4-bench serve --echo PORT --source PORT --sink PORT\n"
    "       socks4-bench JOB [OPTION]...\n"
    "\n"
    "jobs: rate      connect, request, reply, one octet echoed, close\n"
    "      download  a source sends --octets to each session\n"
    "      upload    each session sends --octets to a sink\n"
    "      both      both ways at once, through an echo server\n"
    "      pingpong  messages of --octets there and back\n"
    "      idle      sessions are held, then each is tried once more\n"
    "      bind      BIND, a connection from the target, an octet each way\n"
    "      waiting   BINDs are held after the first reply, then as bind\n"
    "      connecting  requests whose target never answers are held\n"
    "\n"
    "  --protocol direct|socks4|socks5\n"
    "  --gateway ADDR:PORT       (direct: none)\n"
    "  --target ADDR:PORT        the first address of the server\n"
    "  --targets N --source-address ADDR --sources N    how many addresses\n"
    "  --sessions N  --octets N  --ms N  --limit-ms N\n"
    "  --unfinished              idle: requests without their last octet\n"
    "  --barrier                 print `open', wait for a line, then run\n";

enum {
    OPT_PROTOCOL = 1,
    OPT_GATEWAY,
    OPT_TARGET,
    OPT_TARGETS,
    OPT_SOURCE_ADDRESS,
    OPT_SOURCES,
    OPT_SESSIONS,
    OPT_OCTETS,
    OPT_MS,
    OPT_LIMIT_MS,
    OPT_UNFINISHED,
    OPT_BARRIER,
    OPT_ECHO,
    OPT_SOURCE,
    OPT_SINK
};

static const struct option long_options[] = {
    {"protocol", required_argument, NULL, OPT_PROTOCOL},
    {"gateway", required_argument, NULL, OPT_GATEWAY},
    {"target", required_argument, NULL, OPT_TARGET},
    {"targets", required_argument, NULL, OPT_TARGETS},
    {"source-address", required_argument, NULL, OPT_SOURCE_ADDRESS},
    {"sources", required_argument, NULL, OPT_SOURCES},
    {"sessions", required_argument, NULL, OPT_SESSIONS},
    {"octets", required_argument, NULL, OPT_OCTETS},
    {"ms", required_argument, NULL, OPT_MS},
    {"limit-ms", required_argument, NULL, OPT_LIMIT_MS},
    {"unfinished", no_argument, NULL, OPT_UNFINISHED},
    {"barrier", no_argument, NULL, OPT_BARRIER},
    {"echo", required_argument, NULL, OPT_ECHO},
    {"source", required_argument, NULL, OPT_SOURCE},
    {"sink", required_argument, NULL, OPT_SINK},
    {0},
};

uint32_t
spread_at(const struct spread *spread, uint64_t number)
{
    return spread->first + (uint32_t)(number % spread->count);
}

static bool
parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *value >= least &&
           *value <= most;
}

static bool
parse_unsigned(const char *text, unsigned *value)
{
    uint64_t wide;

    if (!parse_number(text, 1, 1000000, &wide))
        return false;
    *value = (unsigned)wide;
    return true;
}

static bool
parse_port(const char *text, uint16_t *port)
{
    uint64_t wide;

    if (!parse_number(text, 1, 65535, &wide))
        return false;
    *port = (uint16_t)wide;
    return true;
}

static bool
parse_ip(const char *text, uint32_t *ip)
{
    struct in_addr wire;

    if (inet_pton(AF_INET, text, &wire) != 1)
        return false;
    *ip = ntohl(wire.s_addr);
    return true;
}

static bool
parse_endpoint(const char *text, uint32_t *ip, uint16_t *port)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : sizeof address;

    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    return parse_ip(address, ip) && parse_port(colon + 1, port);
}

static bool
parse_protocol(const char *text, enum protocol *protocol)
{
    static const char *const names[] = {"direct", "socks4", "socks5"};

    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *protocol = (enum protocol)i;
            return true;
        }
    }
    return false;
}

static bool
parse_option(struct options *o, int option, const char *text)
{
    switch (option) {
    case OPT_PROTOCOL:
        return parse_protocol(text, &o->protocol);
    case OPT_GATEWAY:
        return parse_endpoint(text, &o->gateway_ip, &o->gateway_port);
    case OPT_TARGET:
        return parse_endpoint(text, &o->targets.first, &o->target_port);
    case OPT_TARGETS:
        return parse_unsigned(text, &o->targets.count);
    case OPT_SOURCE_ADDRESS:
        return parse_ip(text, &o->sources.first);
    case OPT_SOURCES:
        return parse_unsigned(text, &o->sources.count);
    case OPT_SESSIONS:
        return parse_unsigned(text, &o->sessions);
    case OPT_OCTETS:
        return parse_number(text, 1, UINT64_MAX / 2, &o->octets);
    case OPT_MS:
        return parse_number(text, 1, 3600000, &o->run_ms);
    case OPT_LIMIT_MS:
        return parse_number(text, 1, 3600000, &o->limit_ms);
    case OPT_UNFINISHED:
        return o->unfinished = true;
    case OPT_BARRIER:
        return o->barrier = true;
    case OPT_ECHO:
        return parse_port(text, &o->ports.echo);
    case OPT_SOURCE:
        return parse_port(text, &o->ports.source);
    case OPT_SINK:
        return parse_port(text, &o->ports.sink);
    default:
        return false;
    }
}

/* What no default can be right for. */
static bool
options_complete(const struct options *o)
{
    if (strcmp(o->job, "serve") == 0)
        return o->ports.echo && o->ports.source && o->ports.sink;
    if (!o->target_port)
        return false;
    return o->protocol == PROTOCOL_DIRECT || o->gateway_port;
}

bool
options_parse(struct options *options, int argc, char **argv)
{
    int option;

    *options = (struct options){
        .protocol = PROTOCOL_SOCKS4,
        .sources = {INADDR_LOOPBACK, 1},
        .targets = {INADDR_LOOPBACK, 1},
        .sessions = 1,
        .octets = 64,
        .run_ms = 1000,
        .limit_ms = 60000,
    };
    if (argc < 2)
        return false;
    options->job = argv[1];
    optind = 2;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
        if (!parse_option(options, option, optarg)) {
            fprintf(stderr, "socks4-bench: bad %s\n", argv[optind - 1]);
            return false;
        }
    }
    return optind == argc && options_complete(options);
}
