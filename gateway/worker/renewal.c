#include "gateway/worker/renewal.h"

#include "base/sys.h"

static void
forget_sockets(struct renewal *renewal)
{
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
        renewal->fds[i] = -1;
}

void
renewal_init(struct renewal *renewal)
{
    renewal->number = 0;
    renewal->config = NULL;
    forget_sockets(renewal);
}

void
renewal_begin(struct renewal *renewal, uint32_t number, struct config *config)
{
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
        if (renewal->fds[i] != -1)
            sys_close(renewal->fds[i]);
    forget_sockets(renewal);
    config_unref(renewal->config);
    renewal->config = config;
    renewal->number = number;
}

static bool
is_lacking(const struct renewal *renewal, const struct worker *worker,
           size_t index)
{
    return renewal->fds[index] == -1 &&
           worker_lacks(worker, &renewal->config->listeners[index].at);
}

void
renewal_add(struct renewal *renewal, const struct worker *worker,
            uint32_t number, uint32_t index, int fd)
{
    if (renewal->config != NULL && renewal->number == number &&
        index < renewal->config->listener_count &&
        is_lacking(renewal, worker, index))
        renewal->fds[index] = fd;
    else
        sys_close(fd);
}

bool
renewal_complete(const struct renewal *renewal, const struct worker *worker)
{
    if (renewal->config == NULL)
        return false;
    for (size_t i = 0; i < renewal->config->listener_count; i++)
        if (is_lacking(renewal, worker, i))
            return false;
    return true;
}

int
renewal_apply(struct renewal *renewal, struct worker *worker)
{
    struct config *config = renewal->config;

    renewal->config = NULL;
    int error = worker_reconfigure(worker, config, renewal->fds);
    forget_sockets(renewal);
    return error;
}
