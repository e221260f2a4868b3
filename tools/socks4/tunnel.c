#include "tools/socks4/tunnel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/socks4/link.h"
#include "tools/stream/relay.h"

enum {
    LISTENER = 3,
    PROGRAM = 4, /* readable when the first program has ended */
    FREE = 16,   /* above these */
    QUEUE = 128,
    STACK = 262144,
    CALL_MS = 10000,   /* for the library's next word */
    LOOK_MS = 1000,    /* how often it looks whether it is still needed */
    RELIEF_US = 10000, /* when there is no descriptor for a call */
};

struct tunnel {
    const struct route *route;
    const struct tls_context *tls;
    uint64_t timeout_ms;
    char marker[2 * TUNNEL_NAME_MAX]; /* "VARIABLE=NAME" */
    atomic_uint live;                 /* threads */
};

/* One connection of a program, in a thread of its own. */
struct tunnel_call {
    struct tunnel *tunnel;
    int fd; /* owned: the library */
    struct stream near, far;
    struct relay relay;
};

/* --- One connection --- */

static bool
tunnel_await(int fd, unsigned ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, (int)ms) > 0;
}

/* Accepts the library's program on the listener, which others may find. */
static int
tunnel_accept(struct tunnel_call *call, int listener)
{
    struct tunnel_caller caller;

    if (!tunnel_await(call->fd, CALL_MS) ||
        recv(call->fd, &caller, sizeof(caller), 0) != sizeof(caller))
        return -ECONNABORTED;
    return relay_local_accept(listener, &caller.at);
}

static int
tunnel_open(struct tunnel_call *call)
{
    struct socks4_dial dial = {
        .deadline_ms = socks4_dial_deadline(call->tunnel->timeout_ms),
        .cancel = -1};
    struct tunnel_answer answer = {0};
    struct tls_fault fault = {""};
    struct endpoint at;
    int listener = -1;

    answer.error = link_open(&call->far, call->tunnel->route, &dial,
                             call->tunnel->tls, &fault);
    if (answer.error == 0)
        listener = answer.error = relay_local_listen(&at);
    if (listener >= 0) {
        answer.error = 0;
        answer.port = at.port;
    }
    memcpy(answer.text, fault.text, sizeof(answer.text));
    call->near.fd = -1;
    if (send(call->fd, &answer, sizeof(answer), MSG_NOSIGNAL) ==
            sizeof(answer) &&
        listener >= 0)
        call->near.fd = tunnel_accept(call, listener);
    if (listener >= 0)
        close(listener);
    close(call->fd);
    return call->near.fd < 0 ? -ECONNABORTED : 0;
}

static void *
tunnel_serve(void *argument)
{
    struct tunnel_call *call = argument;
    const struct relay_end *where;

    if (tunnel_open(call) == 0) {
        call->relay.near.stream = &call->near;
        call->relay.far.stream = &call->far;
        relay_streams(&call->relay, &where);
    }
    stream_reset(&call->near, STREAM_SENT, 0);
    stream_reset(&call->far, STREAM_SENT, 0);
    atomic_fetch_sub(&call->tunnel->live, 1);
    free(call);
    return NULL;
}

/* --- All of them --- */

static void
tunnel_take_call(struct tunnel *tunnel)
{
    int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
    struct tunnel_call *call = calloc(1, sizeof(*call));
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    pthread_attr_t attributes;
    pthread_t thread;

    if (fd < 0 || call == NULL ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        peer.uid != getuid()) {
        free(call);
        if (fd >= 0)
            close(fd);
        else
            usleep(RELIEF_US);
        return;
    }
    *call = (struct tunnel_call){
        .tunnel = tunnel, .fd = fd, .near = {.fd = -1}, .far = {.fd = -1}};
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    atomic_fetch_add(&tunnel->live, 1);
    if (pthread_create(&thread, &attributes, tunnel_serve, call) != 0) {
        atomic_fetch_sub(&tunnel->live, 1);
        close(fd);
        free(call);
    }
    pthread_attr_destroy(&attributes);
}

/* Whether the process was started with our name in its environment. */
static bool
tunnel_is_of(const char *pid, const char *marker)
{
    static char environment[1 << 20];
    char path[300];
    size_t len = 0;
    ssize_t got;
    int fd;

    snprintf(path, sizeof(path), "/proc/%s/environ", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (len < sizeof(environment) &&
           (got = read(fd, environment + len, sizeof(environment) - len)) > 0)
        len += (size_t)got;
    close(fd);
    return memmem(environment, len, marker, strlen(marker) + 1) != NULL;
}

static bool
tunnel_has_programs(const struct tunnel *tunnel)
{
    DIR *folder = opendir("/proc");
    bool found = false;

    for (struct dirent *one; folder != NULL && !found;) {
        one = readdir(folder);
        if (one == NULL)
            break;
        found = isdigit((unsigned char)one->d_name[0]) &&
                tunnel_is_of(one->d_name, tunnel->marker);
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}

/* It ends when it has looked in vain twice: a process that is between one
   program and the next has no environment for a moment. */
static void
tunnel_serve_all(struct tunnel *tunnel)
{
    int program = PROGRAM, look_ms = -1;
    bool in_vain = false;

    for (;;) {
        struct pollfd polled[2] = {{.fd = LISTENER, .events = POLLIN},
                                   {.fd = program, .events = POLLIN}};
        int count = poll(polled, 2, look_ms);

        if (count > 0 && polled[0].revents != 0) {
            tunnel_take_call(tunnel);
        } else if (count > 0 && polled[1].revents != 0) {
            program = -1, look_ms = 0;
        } else if (count == 0) {
            bool needed =
                atomic_load(&tunnel->live) > 0 || tunnel_has_programs(tunnel);
            if (!needed && in_vain)
                return;
            in_vain = !needed;
            look_ms = LOOK_MS;
        }
    }
}

/* --- The start --- */

static int
tunnel_listen(char name[TUNNEL_NAME_MAX])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint64_t random[2];
    int fd, len;

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    len =
        snprintf(name, TUNNEL_NAME_MAX, "socks4-run-%016llx%016llx",
                 (unsigned long long)random[0], (unsigned long long)random[1]);
    memcpy(at.sun_path + 1, name, (size_t)len);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        bind(fd, (struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                         (size_t)len)) == 0 &&
        listen(fd, QUEUE) == 0)
        return fd;
    return -errno;
}

/* Neither the program's files nor its terminal stay open here: a reader of its
   output need not wait for us. */
static void
tunnel_leave(int listener, int program)
{
    struct rlimit files;
    int null = open("/dev/null", O_RDWR);

    listener = fcntl(listener, F_DUPFD, FREE);
    program = fcntl(program, F_DUPFD, FREE);
    setsid();
    signal(SIGPIPE, SIG_IGN);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(listener, LISTENER);
    dup2(program, PROGRAM);
    syscall(SYS_close_range, PROGRAM + 1, ~0U, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)!chdir("/");
}

int
tunnel_start(const struct route *route, const struct tls_context *tls,
             uint64_t timeout_ms, const char *variable,
             char name[TUNNEL_NAME_MAX])
{
    struct tunnel tunnel = {
        .route = route, .tls = tls, .timeout_ms = timeout_ms};
    int program = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int listener = tunnel_listen(name);
    int status;
    pid_t pid;

    if (listener < 0)
        return listener;
    snprintf(tunnel.marker, sizeof(tunnel.marker), "%s=%s", variable, name);
    pid = fork();
    if (pid == 0) {
        pid = fork(); /* so that it is no child of the program */
        if (pid != 0)
            _exit(pid < 0);
        tunnel_leave(listener, program);
        tunnel_serve_all(&tunnel);
        _exit(0);
    }
    close(listener);
    close(program);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return -EAGAIN;
    return 0;
}
