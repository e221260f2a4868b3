#include "gateway/observer/agent.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gateway/observer/health.h"
#include "gateway/observer/observer.h"

#define AGENT_ACCEPT_TURN 64

/* What HAProxy may have sent (agent-send) is read, so that no reset destroys
   the line. The line fits any socket's queue. */
static void
agent_answer(const struct observer *observer, int fd)
{
    char line[HEALTH_LINE_MAX], drop[1024];
    size_t len = health_agent_line(observer->segment, observer->config, line);

    (void)!send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    (void)!recv(fd, drop, sizeof(drop), MSG_DONTWAIT);
    close(fd);
}

static void
agent_ready(struct watch *watch, uint32_t events)
{
    struct agent *agent = container_of(watch, struct agent, listener);

    (void)events;
    for (int i = 0; i < AGENT_ACCEPT_TURN; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        agent_answer(agent->observer, fd);
    }
}

void
agent_init(struct agent *agent, struct observer *observer)
{
    agent->observer = observer;
    agent->listener.fd = -1;
}

void
agent_listen(struct agent *agent, int fd, uint32_t serial)
{
    struct loop *loop = &agent->observer->loop;
    int old = agent->listener.fd;

    if (fd != -1 && old != -1 && agent->serial == serial) {
        close(fd);
        return;
    }
    if (old != -1) {
        loop_unwatch(loop, &agent->listener);
        close(old);
        agent->listener.fd = -1;
    }
    agent->serial = serial;
    if (fd != -1 &&
        loop_watch(loop, &agent->listener, fd, EPOLLIN, agent_ready) < 0)
        close(fd);
}
