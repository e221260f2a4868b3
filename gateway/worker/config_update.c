#include "gateway/worker/config_update.h"

#include "base/sys.h"

static void
config_update_forget_sockets(struct config_update *config_update)
{
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
        config_update->fds[i] = -1;
}

void
config_update_init(struct config_update *config_update)
{
    config_update->number = 0;
    config_update->config = NULL;
    config_update->files = (struct tls_files){0};
    config_update->has_files = false;
    config_update_forget_sockets(config_update);
}

static void
config_update_forget_files(struct config_update *config_update)
{
    tls_files_unmap(&config_update->files);
    config_update->has_files = false;
}

void
config_update_begin(struct config_update *config_update, uint32_t number,
                    struct config *config)
{
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
        if (config_update->fds[i] != -1)
            sys_close(config_update->fds[i]);
    config_update_forget_sockets(config_update);
    config_update_forget_files(config_update);
    config_unref(config_update->config);
    config_update->config = config;
    config_update->number = number;
}

void
config_update_add_files(struct config_update *config_update, uint32_t number,
                        int fd, uint64_t len)
{
    if (config_update->config != NULL && config_update->number == number &&
        !config_update->has_files)
        config_update->has_files =
            tls_files_map(&config_update->files, fd, len) == 0;
    sys_close(fd);
}

static bool
config_update_lacks(const struct config_update *config_update,
                    const struct worker *worker, size_t index)
{
    return config_update->fds[index] == -1 &&
           worker_lacks(worker, &config_update->config->listeners[index].at);
}

void
config_update_add(struct config_update *config_update,
                  const struct worker *worker, uint32_t number, uint32_t index,
                  int fd)
{
    if (config_update->config != NULL && config_update->number == number &&
        index < config_update->config->listener_count &&
        config_update_lacks(config_update, worker, index))
        config_update->fds[index] = fd;
    else
        sys_close(fd);
}

bool
config_update_complete(const struct config_update *config_update,
                       const struct worker *worker)
{
    if (config_update->config == NULL || !config_update->has_files)
        return false;
    for (size_t i = 0; i < config_update->config->listener_count; i++)
        if (config_update_lacks(config_update, worker, i))
            return false;
    return true;
}

int
config_update_apply(struct config_update *config_update, struct worker *worker)
{
    struct config *config = config_update->config;

    config_update->config = NULL;
    int error = worker_reconfigure(worker, config, &config_update->files,
                                   config_update->fds);
    config_update_forget_sockets(config_update);
    config_update_forget_files(config_update);
    return error;
}
