#include "tests/fault/load/orders.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/wire.h"

const char orders_usage[] =
    "usage: fault-load serve --plan PLAN... [--port N]\n"
    "       fault-load sessions --plan PLAN... --gateway ADDR:PORT "
    "[OPTION]...\n"
    "       fault-load drip --gateway ADDR:PORT [OPTION]...\n"
    "\n"
    "  --plan PLAN         see tests/fault/load/plan.h\n"
    "  --port N            of the first plan's server, the next has the next\n"
    "  --gateway ADDR:PORT\n"
    "  --tls CA[,CERT,KEY] PEM files: whom to trust, and who one is\n"
    "  --direct            no SOCKS: the gateway listens on the servers' "
    "ports\n"
    "  --targets ADDR/N    N addresses of servers, from ADDR on\n"
    "  --sources ADDR/N    N addresses of clients\n"
    "  --server-network F  the namespace a BIND's peer comes from\n"
    "  --slots N           sessions at once\n"
    "  --count N           sessions in all; 0: until a line on stdin\n"
    "  --rate N            new ones a second at most\n"
    "  --opening N         requests under way at once\n"
    "  --hold              each stands until a line on stdin\n"
    "  --gap-ms N          drip: between octets\n"
    "  --limit-ms N        everything ends by then\n";

enum {
    OPT_PLAN = 1,
    OPT_PORT,
    OPT_GATEWAY,
    OPT_TLS,
    OPT_DIRECT,
    OPT_TARGETS,
    OPT_SOURCES,
    OPT_SERVER_NETWORK,
    OPT_SLOTS,
    OPT_COUNT,
    OPT_RATE,
    OPT_OPENING,
    OPT_HOLD,
    OPT_GAP_MS,
    OPT_LIMIT_MS
};

static const struct option long_options[] = {
    {"plan", required_argument, NULL, OPT_PLAN},
    {"port", required_argument, NULL, OPT_PORT},
    {"gateway", required_argument, NULL, OPT_GATEWAY},
    {"tls", required_argument, NULL, OPT_TLS},
    {"direct", no_argument, NULL, OPT_DIRECT},
    {"targets", required_argument, NULL, OPT_TARGETS},
    {"sources", required_argument, NULL, OPT_SOURCES},
    {"server-network", required_argument, NULL, OPT_SERVER_NETWORK},
    {"slots", required_argument, NULL, OPT_SLOTS},
    {"count", required_argument, NULL, OPT_COUNT},
    {"rate", required_argument, NULL, OPT_RATE},
    {"opening", required_argument, NULL, OPT_OPENING},
    {"hold", no_argument, NULL, OPT_HOLD},
    {"gap-ms", required_argument, NULL, OPT_GAP_MS},
    {"limit-ms", required_argument, NULL, OPT_LIMIT_MS},
    {0},
};

static bool
orders_take_plan(const char *text, struct orders *orders)
{
    struct plan *plan = &orders->plans[orders->plan_count];

    if (orders->plan_count == PLANS_MAX || !plan_parse(plan, text))
        return false;
    orders->plan_count++;
    orders->shares += plan->share;
    return true;
}

static bool
orders_take_count(int option, const char *text, struct orders *orders)
{
    uint64_t value;

    if (!argument_number(text, 0, 1u << 30, &value))
        return false;
    switch (option) {
    case OPT_PORT:
        orders->port = (uint16_t)value;
        return value > 0 && value < 65000;
    case OPT_SLOTS:
        orders->slots = (unsigned)value;
        return value > 0;
    case OPT_COUNT:
        orders->count = value;
        return true;
    case OPT_RATE:
        orders->rate = (unsigned)value;
        return true;
    case OPT_OPENING:
        orders->opening = (unsigned)value;
        return value > 0;
    case OPT_GAP_MS:
        orders->gap_ms = (unsigned)value;
        return value > 0;
    default:
        orders->limit_ms = value;
        return value > 0;
    }
}

static bool
orders_take_tls(const char *text, struct orders *orders)
{
    char *copy = strdup(text), *rest = copy;
    const char *ca = strsep(&rest, ","), *certificate = strsep(&rest, ",");

    orders->tls = copy != NULL && wire_use_tls(ca, certificate, rest);
    free(copy);
    return orders->tls;
}

static bool
orders_take(int option, const char *text, struct orders *orders)
{
    switch (option) {
    case OPT_PLAN:
        return orders_take_plan(text, orders);
    case OPT_GATEWAY:
        return argument_endpoint(text, &orders->gateway_ip,
                                 &orders->gateway_port);
    case OPT_TARGETS:
        return argument_spread(text, &orders->targets);
    case OPT_SOURCES:
        return argument_spread(text, &orders->sources);
    case OPT_SERVER_NETWORK:
        orders->server_network = open(text, O_RDONLY | O_CLOEXEC);
        return orders->server_network >= 0;
    case OPT_TLS:
        return orders_take_tls(text, orders);
    case OPT_DIRECT:
        return orders->direct = true;
    case OPT_HOLD:
        return orders->holds = true;
    case '?':
        return false;
    default:
        return orders_take_count(option, text, orders);
    }
}

bool
orders_parse(struct orders *orders, int argc, char **argv)
{
    int option;

    *orders = (struct orders){.port = 2000,
                              .server_network = -1,
                              .slots = 1,
                              .opening = 64,
                              .gap_ms = 1000,
                              .limit_ms = 60000};
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!orders_take(option, optarg ? optarg : "", orders)) {
            if (optarg)
                fprintf(stderr, "fault-load: %s: not understood\n", optarg);
            return false;
        }
    }
    return true;
}

unsigned
orders_plan(const struct orders *orders, uint64_t serial)
{
    uint64_t ticket = serial % orders->shares;
    unsigned plan = 0;

    while (ticket >= orders->plans[plan].share)
        ticket -= orders->plans[plan++].share;
    return plan;
}
