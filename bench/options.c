#include "bench/options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bench/wire.h"

const char options_usage[] =
    "usage: socks4-bench serve --echo PORT --source PORT --sink PORT\n"
    "       socks4-bench JOB [OPTION]...\n"
    "\n"
    "jobs: rate      connect, request, reply, one octet echoed, close\n"
    "      download  a source sends --octets to each session\n"
    "      upload    each session sends --octets to a sink\n"
    "      both      both ways at once, through an echo server\n"
    "      pingpong  messages of --octets there and back\n"
    "      udp       datagrams of --octets there and back (UDP ASSOCIATE)\n"
    "      idle      sessions are held, then each is tried once more\n"
    "      bind      BIND, a connection from the target, an octet each way\n"
    "      waiting   BINDs are held after the first reply, then as bind\n"
    "      connecting  requests whose target never answers are held\n"
    "\n"
    "  --protocol direct|socks4|socks5|socks5-password\n"
    "  --gateway ADDR:PORT       (direct: none)\n"
    "  --tls CA                  to the gateway; rate, pingpong, download, "
    "upload\n"
    "  --target ADDR:PORT        the first address of the server\n"
    "  --targets N --source-address ADDR --sources N    how many addresses\n"
    "  --sessions N  --octets N  --ms N  --limit-ms N\n"
    "  --unfinished              idle: requests without their last octet\n"
    "  --barrier                 print `open', wait for a line, then run\n";

enum {
    OPT_PROTOCOL = 1,
    OPT_GATEWAY,
    OPT_TLS,
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
    {"tls", required_argument, NULL, OPT_TLS},
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

static bool
options_unsigned(const char *text, unsigned *value)
{
    uint64_t wide;

    if (!argument_number(text, 1, 1000000, &wide))
        return false;
    *value = (unsigned)wide;
    return true;
}

static bool
options_protocol(const char *text, enum protocol *protocol)
{
    static const char *const names[] = {"direct", "socks4", "socks5",
                                        "socks5-password"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *protocol = (enum protocol)i;
            return true;
        }
    }
    return false;
}

static bool
options_take(struct options *o, int option, const char *text)
{
    switch (option) {
    case OPT_PROTOCOL:
        return options_protocol(text, &o->protocol);
    case OPT_GATEWAY:
        return argument_endpoint(text, &o->gateway_ip, &o->gateway_port);
    case OPT_TLS:
        return o->tls = wire_use_tls(text, NULL, NULL);
    case OPT_TARGET:
        return argument_endpoint(text, &o->targets.first, &o->target_port);
    case OPT_TARGETS:
        return options_unsigned(text, &o->targets.count);
    case OPT_SOURCE_ADDRESS:
        return argument_ip(text, &o->sources.first);
    case OPT_SOURCES:
        return options_unsigned(text, &o->sources.count);
    case OPT_SESSIONS:
        return options_unsigned(text, &o->sessions);
    case OPT_OCTETS:
        return argument_number(text, 1, UINT64_MAX / 2, &o->octets);
    case OPT_MS:
        return argument_number(text, 1, 3600000, &o->run_ms);
    case OPT_LIMIT_MS:
        return argument_number(text, 1, 3600000, &o->limit_ms);
    case OPT_UNFINISHED:
        return o->unfinished = true;
    case OPT_BARRIER:
        return o->barrier = true;
    case OPT_ECHO:
        return argument_port(text, &o->ports.echo);
    case OPT_SOURCE:
        return argument_port(text, &o->ports.source);
    case OPT_SINK:
        return argument_port(text, &o->ports.sink);
    default:
        return false;
    }
}

/* The options that have no sensible default. */
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
        if (!options_take(options, option, optarg)) {
            fprintf(stderr, "socks4-bench: bad %s\n", argv[optind - 1]);
            return false;
        }
    }
    return optind == argc && options_complete(options);
}
