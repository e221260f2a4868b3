/* Another configuration, as the monitor would bring it. */

#include <string.h>

#include "gateway/worker/config_update.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/sim.h"
#include "tests/scenario/step.h"

static struct config_update config_update;
static uint32_t number;

static bool
remember(struct play *play)
{
    size_t room = sizeof(play->former) / sizeof(play->former[0]);

    if (play->former_count == room)
        return play_fail(play, "too many configurations");
    play->former[play->former_count++] = play->config;
    return true;
}

static struct config *
parse(struct play *play, const char *text)
{
    struct config_error error;
    struct config *config =
        config_parse("another", text, strlen(text), &error, NULL);

    if (config == NULL) {
        play_fail(play, "%s", error.text);
        return NULL;
    }
    play_publish(play, config);
    play_take_passwords(play, config);
    return config;
}

/* Its text has come, and no listener yet. */
static bool
hears_of(struct play *play, char *const args[])
{
    struct config *config = parse(play, args[0]);

    if (config == NULL || !remember(play)) {
        config_unref(config);
        return false;
    }
    if (number == 0)
        config_update_init(&config_update);
    play->config = config;
    heap_watch(true);
    config_update_begin(&config_update, ++number, config_ref(config));
    config_update.has_files = true; /* toy TLS needs none */
    heap_watch(false);
    return true;
}

/* Where the gateway did not ask for one it closes it. */
static void
bring_listeners(struct play *play)
{
    for (uint32_t i = 0; i < play->config->listener_count; i++) {
        const struct endpoint *at = &play->config->listeners[i].at;
        if (sim_listening(at))
            continue;
        int fd = sim_listen(at);
        config_update_add(&config_update, &play->worker, number, i, fd);
    }
}

static bool
apply(struct play *play)
{
    if (!config_update_complete(&config_update, &play->worker))
        return play_fail(play, "a listener is lacking");
    heap_watch(true);
    int error = config_update_apply(&config_update, &play->worker);
    heap_watch(false);
    return error == 0 || play_fail(play, "it is not taken");
}

static bool
takes_over(struct play *play, char *const args[])
{
    (void)args;
    if (!play->working)
        return play_fail(play, "it has ended");
    bring_listeners(play);
    return apply(play);
}

static bool
reloads(struct play *play, char *const args[])
{
    return hears_of(play, args) && takes_over(play, args);
}

static bool
lacks(struct play *play, char *const args[])
{
    (void)args;
    return !config_update_complete(&config_update, &play->worker) ||
           play_fail(play, "nothing is lacking");
}

/* The socket of a listener of a configuration that came before. */
static bool
hears_old(struct play *play, char *const args[])
{
    struct endpoint at;

    if (!step_endpoint(play, args[0], &at))
        return false;
    config_update_add(&config_update, &play->worker, number - 1, 1,
                      sim_listen(&at));
    return true;
}

void
reload_try(struct play *play, const char *text)
{
    char *args[] = {(char *)text};
    struct config *before = play->config;

    if (!play->working || play->worker.loop.stopped ||
        play->former_count == sizeof(play->former) / sizeof(play->former[0]) ||
        !hears_of(play, args))
        return;
    bring_listeners(play);
    heap_watch(true);
    bool taken = config_update_complete(&config_update, &play->worker) &&
                 config_update_apply(&config_update, &play->worker) == 0;
    if (!taken)
        config_update_begin(&config_update, number, NULL);
    heap_watch(false);
    if (taken)
        return;
    config_unref(play->config);
    play->config = before;
    play->former_count--;
}

const struct step reload_steps[] = {
    {"gateway reloads with %r", reloads},
    {"gateway hears of an old listener at %w", hears_old},
    {"gateway hears of %r", hears_of},
    {"gateway takes it over", takes_over},
    {"gateway lacks a listener", lacks},
    {NULL, NULL},
};

void
reload_forget(struct play *play)
{
    heap_watch(true);
    if (number > 0)
        config_update_begin(&config_update, number, NULL);
    heap_watch(false);
    number = 0;
    for (size_t i = 0; i < play->former_count; i++) {
        if (play->former[i]->refs != 1u + (play->former[i] == play->lent))
            play_fail(play, "a configuration is kept that is not in force");
        config_unref(play->former[i]);
    }
    play->former_count = 0;
}
