#include "tests/scenario/play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/scenario/authenticator.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/monitor.h"
#include "tests/scenario/resolver.h"

/* A loop that is still busy after so many turns will never rest. */
#define TURNS_MAX 2000000
#define TIMERS_MAX 1000000

/* What scenarios run on that do not say otherwise: one listener, everybody
   may go anywhere. */
static const char house_config[] = "listen:\n"
                                   "  - address: 10.0.0.1:1080\n"
                                   "    name: inside\n"
                                   "    insecure_plaintext: true\n"
                                   "workers: 1\n"
                                   "rules:\n"
                                   "  - name: open\n"
                                   "    action: allow\n"
                                   "    from: [any]\n"
                                   "    command: [connect, bind]\n"
                                   "    to: [any]\n";

bool
play_fail(struct play *play, const char *format, ...)
{
    va_list args;
    size_t len;

    if (play->failed)
        return false;
    play->failed = true;
    len = (size_t)snprintf(play->failure, sizeof(play->failure),
                           "%s:%u: ", play->script->file, play->line);
    va_start(args, format);
    vsnprintf(play->failure + len, sizeof(play->failure) - len, format, args);
    va_end(args);
    return false;
}

/* --- Actors --- */

struct actor *
play_actor(struct play *play, const char *name)
{
    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        if (strcmp(actor->name, name) == 0)
            return actor;
    return NULL;
}

/* The newest stands first, so that a name used again means the newest. */
struct actor *
play_add_actor(struct play *play, const char *name, bool client)
{
    struct actor *actor = actor_new(name, client);

    actor->next = play->actors;
    play->actors = actor;
    return actor;
}

static bool
move_actors(struct play *play)
{
    bool moved = false;

    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        moved |= actor_move(actor, play->mode->split);
    return moved;
}

static void
move_meanwhile(void *with)
{
    bool was = heap_suspend();

    move_actors(with);
    heap_resume(was);
}

/* --- Running --- */

static bool
turn(struct play *play)
{
    struct loop *loop = &play->worker.loop;

    if (loop->stopped)
        return false;
    heap_watch(true);
    loop_turn(loop, 0);
    heap_watch(false);
    return sim_take_events() > 0 || !list_empty(&loop->tasks) ||
           timer_next_ms(&loop->timers) <= sim_now_us() / 1000;
}

/* What a worker's process does when its loop has ended. */
static void
finish_worker(struct play *play)
{
    if (!play->working || !play->worker.loop.stopped)
        return;
    heap_watch(true);
    worker_fini(&play->worker);
    heap_watch(false);
    play->working = false;
}

void
play_settle(struct play *play)
{
    unsigned quiet = 0;
    uint64_t turns = 0;

    while (quiet < 2 && !play->failed) {
        quiet = turn(play) ? 0 : quiet + 1;
        finish_worker(play);
        if (quiet == 2 && move_actors(play))
            quiet = 0;
        if (++turns == TURNS_MAX)
            play_fail(play, "the loop does not come to rest");
    }
    if (turns > play->most_turns)
        play->most_turns = turns;
    law_held(play);
    law_setup(play);
}

void
play_advance(struct play *play, uint64_t ms)
{
    uint64_t end_us = sim_now_us() + ms * 1000;

    for (unsigned fired = 0; !play->failed; fired++) {
        uint64_t next_ms = timer_next_ms(&play->worker.loop.timers);
        if (next_ms > end_us / 1000 || play->worker.loop.stopped)
            break;
        if (next_ms * 1000 > sim_now_us())
            sim_advance_us(next_ms * 1000 - sim_now_us());
        play_settle(play);
        if (fired == TIMERS_MAX)
            play_fail(play, "timers without end");
    }
    if (end_us > sim_now_us())
        sim_advance_us(end_us - sim_now_us());
    play_settle(play);
}

/* --- Before and after --- */

static char *
config_text(const struct play *play)
{
    const struct script_scenario *scenario = play->scenario;
    const char *own = scenario->config != NULL ? scenario->config : "";
    const char *house =
        scenario->config == NULL || scenario->config_adds ? house_config : "";
    const char *splice = play->mode->splice;
    char *text = NULL;

    if (splice != NULL && strstr(own, "relay:") != NULL)
        splice = NULL;
    if (asprintf(&text, "%s%s%s%s%s", house, own,
                 splice != NULL ? "relay: {splice: " : "",
                 splice != NULL ? splice : "", splice != NULL ? "}\n" : "") < 0)
        abort();
    return text;
}

static bool
parse_config(struct play *play)
{
    struct config_error error = {.text = ""};
    char *text;

    if (play->lent != NULL) {
        play->config = config_ref(play->lent);
        return true;
    }
    text = config_text(play);
    play->config = config_parse("config", text, strlen(text), &error, NULL);
    free(text);
    if (play->config == NULL)
        return play_fail(play, "%s", error.text);
    for (size_t i = 0; i < play->config->listener_count; i++)
        if (play->mode->version_5 || play->scenario->version_5)
            play->config->listeners[i].socks5 = CONFIG_SOCKS5_ON;
    play_take_passwords(play, play->config);
    return true;
}

static bool
open_listeners(struct play *play)
{
    for (size_t i = 0; i < play->config->listener_count; i++) {
        int fd = sim_listen(&play->config->listeners[i].at);
        heap_watch(true);
        int error = worker_listen(&play->worker, fd);
        heap_watch(false);
        if (error < 0)
            return play_fail(play, "worker_listen: %s", strerror(-error));
    }
    return true;
}

/* As the monitor does before a worker has the configuration. */
void
play_publish(struct play *play, const struct config *config)
{
    struct series_names *names = &play->segment->names;

    for (size_t i = 0; i < config->listener_count; i++)
        series_names_add(names, SERIES_LISTENER, config->listeners[i].name);
    for (size_t i = 0; i < config->parent_count; i++)
        series_names_add(names, SERIES_PARENT, config->parents[i].name);
    series_names_add(names, SERIES_RULE, "default");
    for (size_t i = 0; i < config->policy.rule_count; i++)
        series_names_add(names, SERIES_RULE, config->policy.rules[i].name);
}

void
play_take_passwords(struct play *play, struct config *config)
{
    struct {
        struct tls_block block;
        char line[64];
    } file;

    for (uint32_t i = 0; i < config->parent_count; i++) {
        const char *path = config->parents[i].password_file.path;
        if (path == NULL)
            continue;
        file.block = (struct tls_block){.kind = TLS_FILE_PASSWORD,
                                        .listener = CONFIG_LISTENERS_MAX + i,
                                        .len = sizeof(file.line)};
        memset(file.line, '\n', sizeof(file.line));
        memcpy(file.line, path, strnlen(path, sizeof(file.line) - 1));
        const struct tls_files files = {(const uint8_t *)&file, sizeof(file)};
        if (parents_take_passwords(config, &files) != 0)
            play_fail(play, "no memory for passwords");
    }
}

bool
play_open(struct play *play)
{
    struct sim_options options = {
        .seed = play->seed,
        .one_octet = play->mode->one_octet,
        .flaky = play->mode->flaky,
        .room = play->mode->room,
        .pipes_refused = play->mode->pipes_refused,
        .meanwhile = play->mode->racy ? move_meanwhile : NULL,
        .with = play,
    };

    play->line = play->scenario->line;
    sim_start(&options);
    monitor_start();
    resolver_start();
    authenticator_start();
    sim_add_local(addr_v4(0x0a000001));
    play->start_us = sim_now_us();
    if (!parse_config(play))
        return false;
    play->segment = mmap(NULL, sizeof(*play->segment), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (play->segment == MAP_FAILED)
        abort();
    play_publish(play, play->config);
    heap_watch(true);
    int error = worker_init(&play->worker, config_ref(play->config),
                            play->segment, 0, sim_log(), monitor_hear);
    if (error == 0)
        error = worker_take_tls(&play->worker, NULL);
    heap_watch(false);
    if (error < 0)
        return play_fail(play, "worker_init: %s", strerror(-error));
    play->working = true;
    segment_serve(play->segment, 0, 1);
    return open_listeners(play);
}

static void
free_actors(struct play *play)
{
    while (play->actors != NULL) {
        struct actor *actor = play->actors;
        play->actors = actor->next;
        actor_free(actor);
    }
}

void
play_close(struct play *play)
{
    free_actors(play);
    if (play->working) {
        heap_watch(true);
        worker_stop(&play->worker);
        loop_turn(&play->worker.loop, 0);
        worker_fini(&play->worker);
        heap_watch(false);
    }
    reload_forget(play);
    unsigned ours = play->lent != NULL && play->config == play->lent ? 2 : 1;
    if (play->config != NULL && play->config->refs != ours)
        play_fail(play, "%u references to the configuration are left",
                  play->config->refs - ours);
    config_unref(play->config);
    if (play->segment != NULL)
        munmap(play->segment, sizeof(*play->segment));
    for (size_t i = 0; i < play->record_count; i++)
        free(play->records[i]);
    for (size_t i = 0; i < play->message_count; i++)
        free(play->messages[i]);
    sim_stop();
}

/* --- The script --- */

static bool
play_statement(struct play *play, const struct script_statement *statement)
{
    play->line = statement->line;
    if (play->loud)
        printf("# %4u  %s\n", statement->line, statement->text);
    if (!step_run(play, statement->text) && !play->tolerant)
        return false;
    if (!statement->joined)
        play_settle(play);
    return !play->failed;
}

bool
play_script(struct play *play)
{
    const struct script_scenario *scenario = play->scenario;

    for (size_t i = 0; i < scenario->count; i++)
        if (!play_statement(play, &scenario->statements[i]))
            return play_fail(play, "not understood");
    return true;
}

bool
play_run(struct play *play)
{
    bool good = play_open(play) && play_script(play) && law_check(play);

    play_close(play);
    return good && !play->failed;
}

/* --- The next request --- */

static const char *const probe_script[] = {
    "probe connects from 10.0.0.77:41000",
    "probe sends CONNECT 10.0.0.99:80 \"probe\"",
    "gateway connects to 10.0.0.99:80 as target",
    "target accepts",
    "probe receives a reply 90",
    "probe sends \"ping\"",
    "target receives \"ping\"",
    "target sends \"pong\"",
    "probe receives \"pong\"",
    "target closes",
    "probe sees end",
    "probe closes",
};

/* After faults: everybody else leaves, and one more session must work. */
bool
play_probe(struct play *play)
{
    struct sim_dial unclaimed;

    sim_heal();
    heap_heal();
    play->failed = false;
    play->tolerant = false;
    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        actor_reset(actor);
    play_settle(play);
    play_advance(play, 200000);
    while (sim_take_dial(&unclaimed))
        if (sim_far_end(unclaimed.id) != NULL)
            sim_sock_reset(sim_far_end(unclaimed.id));
    play_settle(play);
    if (play->stopped)
        return !play->failed;
    for (size_t i = 0; i < sizeof(probe_script) / sizeof(*probe_script); i++) {
        if (!step_run(play, probe_script[i]))
            return play_fail(play, "the next request: not understood");
        play_settle(play);
    }
    return !play->failed;
}
