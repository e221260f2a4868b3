/* What `auto` comes to on this machine. */

#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "gateway/config/cgroup.h"
#include "gateway/config/config.h"

#define SESSION_FDS 2
/* Standard streams; control, log, segment, configuration, resolver; the loop;
   eight free for messages, and one in reserve for what is open for a moment
   (a BIND's peer beside its listener, a question to the routing table). */
#define FIXED_FDS (3 + 5 + 1 + 8 + 1)

/* And the links to the signer, where a listener has TLS, and to the
   authenticator, where a rule asks for a password. */
static uint64_t
sizing_fixed(const struct config *config)
{
    uint64_t fixed = FIXED_FDS + (config->policy.asking_count > 0);

    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        if (config_tls_at(config, i))
            return fixed + 1;
    return fixed;
}

/* Pipes of all workers together: the kernel budgets them per user. They have
   at most an eighth of the descriptors, and of the memory. */
#define PIPES_MAX 200
#define PIPES_SHARE 8

/* The least sessions that auto leaves to a source. */
#define SOURCE_SESSIONS_LEAST 64

/* Of the memory, what slow readers may make us hold. */
#define HELD_SHARE 2

/* Of the memory, what stalled sessions may have in the kernel. The kernel's TCP
   comes under pressure at a sixteenth of the machine's memory, if net.ipv4.
   tcp_mem is as it was: half of that at most is for them. */
#define QUEUED_SHARE 4
#define QUEUED_MACHINE_SHARE 32

/* Of the memory, what the sockets of one session may have in the kernel. They
   have four queues. */
#define BUFFER_SHARE 2048
#define BUFFER_LEAST (UINT64_C(512) << 10)
#define QUEUES 4

/* What the machine allows; read once, since a confined process has no files. */
static struct machine {
    bool known;
    uint64_t processors;
    uint64_t memory;
    uint64_t installed; /* of memory, whatever the control group allows */
    uint64_t descriptors;
    struct queue_bounds {
        uint64_t tuned; /* to where the kernel's own tuning goes */
        uint64_t given; /* what setsockopt gives at most */
    } in, out;
    struct local_ports ports;
    unsigned chosen_ports; /* from so many the kernel chooses */
} machine;

static uint64_t
sizing_lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
sizing_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0
               ? (uint64_t)CPU_COUNT(&set)
               : 1;
}

/* Where nobody says how much there is. */
#define INSTALLED_UNKNOWN ((uint64_t)1 << 30)

static uint64_t
sizing_installed(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit
                               : INSTALLED_UNKNOWN;
}

/* The third figure of tcp_rmem or tcp_wmem; where it cannot be read, the kernel
   may go anywhere. */
static uint64_t
sizing_tuned(const char *path)
{
    unsigned long long least, first, most = UINT64_MAX;
    FILE *file = fopen(path, "re");

    if (!file)
        return UINT64_MAX;
    if (fscanf(file, "%llu %llu %llu", &least, &first, &most) != 3)
        most = UINT64_MAX;
    fclose(file);
    return most;
}

/* net.core.rmem_max is no file in a network namespace: ask for everything. */
static uint64_t
sizing_given(int option)
{
    int octets = 1 << 30, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(octets);

    if (fd < 0)
        return UINT64_MAX;
    setsockopt(fd, SOL_SOCKET, option, &octets, len);
    if (getsockopt(fd, SOL_SOCKET, option, &octets, &len) < 0)
        octets = 0;
    close(fd);
    return octets > 0 ? (uint64_t)octets : UINT64_MAX;
}

static uint64_t
sizing_descriptors(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

void
config_look(void)
{
    struct cgroup_quotas quotas = cgroup_read_quotas("");

    machine.known = true;
    machine.installed = sizing_installed();
    machine.processors = sizing_lesser(sizing_processors(), quotas.processors);
    machine.memory = sizing_lesser(machine.installed, quotas.memory);
    machine.in = (struct queue_bounds){
        sizing_tuned("/proc/sys/net/ipv4/tcp_rmem"), sizing_given(SO_RCVBUF)};
    machine.out = (struct queue_bounds){
        sizing_tuned("/proc/sys/net/ipv4/tcp_wmem"), sizing_given(SO_SNDBUF)};
    machine.descriptors = sizing_descriptors();
    machine.ports = local_ports_read("", &machine.chosen_ports);
}

static const struct machine *
sizing_look(void)
{
    if (!machine.known)
        config_look();
    return &machine;
}

void
config_look_at_ports(void)
{
    sizing_look();
    machine.ports = local_ports_read("", &machine.chosen_ports);
}

void
config_use_ports(struct local_ports ports)
{
    sizing_look();
    machine.ports = ports;
}

struct local_ports
config_local_ports(void)
{
    return sizing_look()->ports;
}

uint64_t
config_workers(const struct config *config)
{
    if (config->workers != CONFIG_AUTO)
        return config->workers;
    return sizing_lesser(sizing_look()->processors, CONFIG_WORKERS_MAX);
}

uint64_t
config_memory(const struct config *config)
{
    if (config->limits.memory != CONFIG_AUTO)
        return config->limits.memory;
    return sizing_look()->memory;
}

uint64_t
config_descriptors(void)
{
    return sizing_look()->descriptors;
}

struct local_ports
config_bind_ports(const struct config *config)
{
    if (config->bind.port_first != 0)
        return (struct local_ports){config->bind.port_first,
                                    config->bind.port_last};
    return config_local_ports();
}

unsigned
config_chosen_ports(void)
{
    return sizing_look()->chosen_ports;
}

/* A session has two legs. Asking identd without waiting for it makes three;
   waiting for it does not, since nothing is dialled before. */
static uint64_t
sizing_session_descriptors(const struct config *config)
{
    for (size_t i = 0; i < config->policy.rule_count; i++)
        if (config->policy.rules[i].ident == RULE_IDENT_LOG)
            return SESSION_FDS + 1;
    return SESSION_FDS;
}

/* The monitor's own, some of them for a moment; and for a worker its control
   channel, its log and its stderr. */
#define MONITOR_FDS 24
#define MONITOR_WORKER_FDS 3

/* Beside its listeners, a child that is being started has so many more. */
#define CHILD_START_FDS 12

static uint64_t
sizing_greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t
config_descriptors_needed(const struct config *config)
{
    uint64_t listeners = config->listener_count;
    uint64_t monitor =
        MONITOR_FDS + listeners + MONITOR_WORKER_FDS * config_workers(config);
    uint64_t start =
        sizing_greater(monitor, CONFIG_CHILD_FDS) + CHILD_START_FDS + listeners;
    uint64_t worker = sizing_fixed(config) + listeners + 2 +
                      sizing_session_descriptors(config);

    return sizing_greater(start, worker);
}

static uint64_t
sizing_worker_pipes(const struct config *config)
{
    uint64_t by_memory = config_memory(config) / PIPES_SHARE / CONFIG_PIPE;
    uint64_t by_fds = config_descriptors() / PIPES_SHARE / 2;
    uint64_t pipes =
        sizing_lesser(PIPES_MAX, by_memory) / config_workers(config);

    pipes = sizing_lesser(pipes, by_fds);
    return pipes ? pipes : 1;
}

uint64_t
config_buffer(const struct config *config)
{
    if (config->buffer != CONFIG_AUTO)
        return config->buffer;
    return sizing_greater(config_memory(config) / BUFFER_SHARE, BUFFER_LEAST);
}

/*
 * The bound of a queue; 0: none. The kernel's own tuning is better for long
 * paths, so that it stays where it goes no further, and with auto also where
 * the kernel would give less than the bound.
 */
static uint32_t
sizing_queue(const struct config *config, const struct queue_bounds *bounds)
{
    uint64_t bound = config_buffer(config) / QUEUES;
    bool too_much = config->buffer == CONFIG_AUTO && bound > bounds->given;

    return bound >= bounds->tuned || too_much ? 0 : (uint32_t)bound;
}

static uint64_t
sizing_queued(const struct config *config)
{
    return sizing_lesser(config_memory(config) / QUEUED_SHARE,
                         sizing_look()->installed / QUEUED_MACHINE_SHARE);
}

struct config_budget
config_budget(const struct config *config)
{
    struct config_budget budget = {
        .descriptors = config_descriptors(),
        .fixed = sizing_fixed(config) + config->listener_count,
        .pipes = sizing_worker_pipes(config),
        .session = sizing_session_descriptors(config),
        .held = config_memory(config) / HELD_SHARE / config_workers(config),
        .queued = sizing_queued(config) / config_workers(config),
        .buffer_in = sizing_queue(config, &sizing_look()->in),
        .buffer_out = sizing_queue(config, &sizing_look()->out),
        .out_given = sizing_look()->out.given,
    };
    uint64_t taken = budget.fixed + 2 * budget.pipes;

    budget.sessions = budget.descriptors > taken
                          ? (budget.descriptors - taken) / budget.session
                          : 0;
    if (budget.sessions == 0)
        budget.sessions = 1;
    return budget;
}

static uint64_t
sizing_session_octets(const struct config *config)
{
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        if (config_tls_at(config, i))
            return CONFIG_SESSION_OCTETS + CONFIG_TLS_OCTETS;
    return CONFIG_SESSION_OCTETS;
}

uint64_t
config_sessions(const struct config *config)
{
    if (config->limits.sessions != CONFIG_AUTO)
        return config->limits.sessions;
    uint64_t by_fds = config_budget(config).sessions * config_workers(config);
    uint64_t by_memory = config_memory(config) / sizing_session_octets(config);
    return sizing_lesser(by_fds, by_memory);
}

/* An eighth, so that a few sources together do not take everything; never so
   few that a browser or a terminal server would meet it. */
uint64_t
config_source_sessions(const struct config *config)
{
    uint64_t eighth = config_sessions(config) / 8;

    if (config->limits.per_source.sessions != CONFIG_AUTO)
        return config->limits.per_source.sessions;
    return eighth > SOURCE_SESSIONS_LEAST ? eighth : SOURCE_SESSIONS_LEAST;
}

uint64_t
config_source_rate(const struct config *config)
{
    uint64_t rate = config->limits.per_source.rate;
    return rate != CONFIG_AUTO ? rate : CONFIG_SOURCE_RATE;
}

uint64_t
config_pending(const struct config *config)
{
    if (config->limits.pending != CONFIG_AUTO)
        return config->limits.pending;
    uint64_t quarter = config_sessions(config) / 4;
    return quarter ? quarter : 1;
}
