#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint32_t LOOPBACK[ROLE_COUNT] = {
    [ROLE_CLIENT] = 0x7f000002,   [ROLE_LONELY] = 0x7f000005,
    [ROLE_SERVER] = 0x7f000003,   [ROLE_SERVER2] = 0x7f000007,
    [ROLE_STRANGER] = 0x7f000004, [ROLE_NAMED] = 0x7f000001,
    [ROLE_FAR] = 0x7f01027f,      [ROLE_RAF] = 0x7f02017f,
    [ROLE_DNS] = 0x7f000006,
};

static const uint32_t NETWORK[ROLE_COUNT] = {
    [ROLE_CLIENT] = 0x0a010002,   [ROLE_LONELY] = 0x0a010005,
    [ROLE_SERVER] = 0x0a020003,   [ROLE_SERVER2] = 0x0a020007,
    [ROLE_STRANGER] = 0x0a040004, [ROLE_NAMED] = 0x0a020003,
    [ROLE_FAR] = 0x0a05060a,      [ROLE_RAF] = 0x0a06050a,
    [ROLE_DNS] = 0x0a020003,
};

static void
place_fill(struct place *place, const uint32_t addr[ROLE_COUNT])
{
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        place->addr[i] = addr_v4(addr[i]);
}

static void
place_set_six(struct place *place, const char *text)
{
    addr_parse(text, &place->addr[ROLE_SIX]);
}

void
place_init(struct place *place, const struct endpoint *gateway)
{
    *place = (struct place){.gateway = *gateway,
                            .outside = gateway->addr,
                            .home = -1,
                            .name = "localhost"};
    place_fill(place, LOOPBACK);
    place_set_six(place, "::1");
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        place->network[i] = -1;
}

static int
place_write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t count;

    if (fd < 0)
        return -errno;
    count = write(fd, text, strlen(text));
    close(fd);
    return count < 0 ? -errno : 0;
}

/* Root of a user namespace with that one user, where we are not root. */
static int
place_enter_user_namespace(void)
{
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();

    if (uid == 0)
        return 0;
    if (unshare(CLONE_NEWUSER) < 0)
        return -errno;
    int error = place_write_file("/proc/self/setgroups", "deny");
    if (error < 0)
        return error;
    snprintf(map, sizeof map, "0 %u 1", uid);
    error = place_write_file("/proc/self/uid_map", map);
    if (error < 0)
        return error;
    snprintf(map, sizeof map, "0 %u 1", gid);
    return place_write_file("/proc/self/gid_map", map);
}

/* A new network namespace, which we are in then; its descriptor. */
static int
place_new_network(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int
place_run_ip(int network, const char *commands)
{
    if (setns(network, CLONE_NEWNET) < 0)
        return -errno;
    FILE *ip = popen("ip -batch -", "we");
    if (ip == NULL)
        return -errno;
    fputs(commands, ip);
    return pclose(ip) == 0 ? 0 : -EIO;
}

static int
place_wire(int home, int client, int server, int stranger)
{
    char commands[1024];
    int self = (int)getpid();

    snprintf(commands, sizeof commands,
             "link set lo up\n"
             "link add inside type veth peer name wire netns /proc/%d/fd/%d\n"
             "link add outside type veth peer name wire netns /proc/%d/fd/%d\n"
             "link add third type veth peer name wire netns /proc/%d/fd/%d\n"
             "address add 10.1.0.1/24 dev inside\n"
             "address add 10.2.0.1/24 dev outside\n"
             "address add 10.4.0.1/24 dev third\n"
             "link set inside up\nlink set outside up\nlink set third up\n"
             "route add 10.5.6.10 via 10.2.0.3\n"
             "route add 10.6.5.10 via 10.2.0.3\n",
             self, client, self, server, self, stranger);
    int error = place_run_ip(home, commands);
    if (error == 0)
        error = place_run_ip(client, "link set lo up\n"
                                     "address add 10.1.0.2/24 dev wire\n"
                                     "address add 10.1.0.5/24 dev wire\n"
                                     "link set wire up\n");
    if (error == 0)
        error = place_run_ip(server, "link set lo up\n"
                                     "address add 10.2.0.3/24 dev wire\n"
                                     "address add 10.2.0.7/24 dev wire\n"
                                     "address add 10.5.6.10/32 dev wire\n"
                                     "address add 10.6.5.10/32 dev wire\n"
                                     "link set wire up\n");
    if (error == 0) /* a stranger can reach what the server can */
        error = place_run_ip(stranger, "link set lo up\n"
                                       "address add 10.4.0.4/24 dev wire\n"
                                       "link set wire up\n"
                                       "route add 10.2.0.0/24 via 10.4.0.1\n");
    return error;
}

/* Of version 5 alone; a kernel may have none, and then those cases say so. */
static void
place_wire_six(int home, int server)
{
    if (access("/proc/net/if_inet6", F_OK) < 0)
        return;
    place_run_ip(home, "address add fd00:2::1/64 dev outside nodad\n");
    place_run_ip(server, "address add fd00:2::3/64 dev wire nodad\n");
}

/* The four networks, each made while we are in it. */
static int
place_make_networks(int networks[4])
{
    for (unsigned i = 0; i < 4; i++) {
        networks[i] = place_new_network();
        if (networks[i] < 0)
            return networks[i];
    }
    int error = place_wire(networks[0], networks[1], networks[2], networks[3]);
    if (error == 0)
        place_wire_six(networks[0], networks[2]);
    if (setns(networks[0], CLONE_NEWNET) < 0)
        return -errno;
    return error;
}

int
place_make_namespaces(struct place *place)
{
    int networks[4];
    int error = place_enter_user_namespace();

    if (error == 0 && unshare(CLONE_NEWNS) < 0)
        error = -errno;
    if (error == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        error = -errno;
    if (error == 0)
        error = place_make_networks(networks);
    if (error < 0) {
        fprintf(stderr,
                "socks4-conform: no namespaces: %s; they need ip(8), and root "
                "or user namespaces\n",
                strerror(-error));
        return error;
    }
    place->namespaces = true;
    place->outside = addr_v4(0x0a020001);
    place->name = "one.socks4.test";
    place_fill(place, NETWORK);
    place_set_six(place, "fd00:2::3");
    place->home = networks[0];
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        place->network[i] = networks[2];
    place->network[ROLE_CLIENT] = place->network[ROLE_LONELY] = networks[1];
    place->network[ROLE_STRANGER] = networks[3];
    return 0;
}

/* Puts a file with this text over `path`, for the server alone. */
static void
place_cover(const char *path, const char *text)
{
    char name[] = "/tmp/socks4-conform.XXXXXX";
    int fd = mkstemp(name);

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0 || fchmod(fd, 0644) < 0)
        perror("socks4-conform");
    close(fd);
    if (mount(name, path, NULL, MS_BIND, NULL) < 0)
        fprintf(stderr, "socks4-conform: %s: %s\n", path, strerror(errno));
    unlink(name);
}

static void
place_become_server(const char *command, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || unshare(CLONE_NEWNS) < 0)
        _exit(127);
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    place_cover("/etc/resolv.conf",
                "nameserver 10.2.0.3\noptions timeout:1 attempts:2\n");
    place_cover("/etc/hosts", "127.0.0.1 localhost\n");
    dup2(STDERR_FILENO, STDOUT_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

int
place_start_server(struct place *place, const char *command)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0)
        place_become_server(command, parent);
    setpgid(pid, pid);
    place->server = pid;
    return 0;
}

void
place_fini(struct place *place)
{
    tls_context_free(place->tls);
    place->tls = NULL;
    if (place->server == 0)
        return;
    kill(-place->server, SIGTERM);
    for (unsigned i = 0; i < 100; i++) {
        if (waitpid(place->server, NULL, WNOHANG) != 0)
            break;
        usleep(20000);
    }
    kill(-place->server, SIGKILL);
    place->server = 0;
}

int
place_socket(const struct place *place, enum role role, int type)
{
    int network = place->network[role];

    if (network >= 0 && setns(network, CLONE_NEWNET) < 0)
        return -errno;
    int family = addr_is_v4(place->addr[role]) ? AF_INET : AF_INET6;
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? -errno : 0;
    if (network >= 0 && setns(place->home, CLONE_NEWNET) < 0) {
        close(fd);
        return -errno;
    }
    return error < 0 ? error : fd;
}
