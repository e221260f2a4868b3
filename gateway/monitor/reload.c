#include "gateway/monitor/reload.h"
#include "gateway/monitor/log_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"

/*
 * How many ticks a worker may take before it is replaced, and how many the
 * reload may take in all; both are more if the configuration is large. Ticks
 * are counted, not time: when the whole gateway was stopped and goes on, the
 * workers have had no more time than there were ticks.
 */
#define TICK_MS 1000
#define TICKS_REPLACE 5
#define TICKS_OVER 10

/* --- the log, the service manager ---------------------------------------- */

static void
reload_notify(const struct reload *reload)
{
    char state[NOTIFY_STATE_MAX];
    snprintf(state, sizeof(state),
             "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
             sys_now_us());
    notify_send(reload->notify, state);
}

/* Told until the next good one; what is too long for it ends in "...". */
static void
reload_keep_failure(struct reload *reload, const char *why)
{
    char *failure = reload->failure;
    int len = snprintf(failure, RELOAD_FAILURE_MAX, "%s", why);
    if (len >= RELOAD_FAILURE_MAX)
        memcpy(failure + RELOAD_FAILURE_MAX - 4, "...", 4);
    for (char *at = failure; *at != '\0'; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
}

static void
reload_report_failure(struct reload *reload, const char *why)
{
    struct log_line line;
    reload_keep_failure(reload, why);
    if (reload->sink->target != CONFIG_LOG_STDERR)
        sink_print("reload failed", why);
    sink_begin(reload->sink, &line, "reload_failed", LOG_LEVEL_ERROR);
    log_text(&line, "config", reload->config_version->id);
    log_text(&line, "message", why);
    sink_say(reload->sink, &line);
}

/* What the parser found odd, a line each. */
static void
reload_report_warnings(const struct reload *reload, char *text)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, "\n", &rest); word != NULL;
         word = strtok_r(NULL, "\n", &rest)) {
        struct log_line line;
        sink_begin(reload->sink, &line, "reload_warning", LOG_LEVEL_WARNING);
        log_text(&line, "message", word);
        sink_say(reload->sink, &line);
    }
}

static void
reload_report_unchanged(struct reload *reload)
{
    struct log_line line;
    reload->failure[0] = '\0';
    sink_begin(reload->sink, &line, "unchanged", LOG_LEVEL_NOTICE);
    log_text(&line, "config", reload->config_version->id);
    sink_say(reload->sink, &line);
}

static void
reload_report_done(struct reload *reload)
{
    struct log_line line;
    reload->failure[0] = '\0';
    unsigned behind = slots_behind(reload->slots);
    sink_begin(reload->sink, &line, "reloaded",
               behind == 0 ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR);
    log_text(&line, "config", reload->config_version->id);
    log_number(&line, "workers", slots_count(reload->slots, SERVICE_READY));
    if (behind > 0)
        log_number(&line, "behind", behind);
    log_number(&line, "ms", loop_now_ms(reload->loop) - reload->since_ms);
    sink_say(reload->sink, &line);
}

/* What the file has to say, the first error first; whoever asked for the reload
   reads all of it. */
static void
reload_keep_diagnostics(struct reload *reload, const char *first,
                        const char *rest)
{
    size_t len;
    free(reload->diagnostics);
    reload->diagnostics = NULL;
    FILE *text = open_memstream(&reload->diagnostics, &len);
    if (text == NULL)
        return;
    fprintf(text, "%s%s%s", first, first[0] != '\0' ? "\n" : "",
            rest != NULL ? rest : "");
    fclose(text);
}

const char *
reload_outcome(struct reload *reload)
{
    unsigned behind = slots_behind(reload->slots);
    char first[160];
    const char *id = reload->config_version->id;
    if (reload->failure[0] != '\0')
        return reload->diagnostics != NULL ? reload->diagnostics
                                           : reload->failure;
    if (reload->unchanged)
        snprintf(first, sizeof(first),
                 "unchanged; configuration %s is in force", id);
    else if (behind == 0)
        snprintf(first, sizeof(first), "reloaded; configuration %s is in force",
                 id);
    else
        snprintf(first, sizeof(first),
                 "configuration %s is in force, but %u workers do not have it "
                 "yet; see the log",
                 id, behind);
    char *warned = reload->diagnostics;
    reload->diagnostics = NULL;
    reload_keep_diagnostics(reload, first, warned);
    free(warned);
    return reload->diagnostics != NULL ? reload->diagnostics : "reloaded";
}

/* --- before anything is changed ------------------------------------------ */

/* What is to be, opened and not yet in use. */
struct reload_plan {
    struct config_version config_version;
    struct listeners listeners;
    struct observer_sockets observer;
    int log;
};

/* The first error is in `error`; the others are among the warnings. */
static void
reload_count_errors(const char *text, struct config_error *error)
{
    size_t count = 0, len = strlen(error->text);
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        const char *warning = strstr(line, ": warning: ");
        count += warning == NULL || warning > end;
    }
    if (count > 0)
        snprintf(error->text + len, sizeof(error->text) - len,
                 " (and %zu more; `socks4d -t' shows all)", count);
}

/* Certificates are checked if something is another; 0, or -1 and why in
   `error`. */
static int
reload_read_files(const struct reload *reload, struct config_version *next,
                  struct config_error *error, FILE *warnings)
{
    const struct config_version *now = reload->config_version;
    struct certificates *certificates = &next->certificates;
    int failed = certificates_read(certificates, next->config,
                                   &now->certificates, error);
    if (failed == 0)
        failed = users_copy_read(&next->users, next->config, error, warnings);
    if (failed == 0 && !config_version_equal(now, next))
        failed = certificates_check(certificates, next->config, reload->program,
                                    reload->user, CERTIFICATES_RELOAD_MS, error,
                                    warnings);
    return failed;
}

/* 0, or -1 and why in `error`. */
static int
reload_read_config_version(struct reload *reload, struct config_version *next,
                           struct config_error *error)
{
    char *warned = NULL;
    size_t len;
    FILE *warnings = open_memstream(&warned, &len);
    struct config *config = config_open(reload->source, true, error, warnings);
    int failed = -1;
    if (config != NULL)
        failed = config_version_make(next, config,
                                     reload->config_version->number + 1);
    if (config != NULL && failed != 0) {
        snprintf(error->text, sizeof(error->text),
                 "cannot keep the configuration: %s", strerror(-failed));
        config_unref(config);
    }
    if (failed == 0 && reload_read_files(reload, next, error, warnings) != 0) {
        config_version_free(next);
        failed = -1;
    }
    if (warnings != NULL)
        fclose(warnings);
    reload_keep_diagnostics(reload, failed != 0 ? error->text : "", warned);
    if (config == NULL && warned != NULL)
        reload_count_errors(warned, error);
    else if (warned != NULL)
        reload_report_warnings(reload, warned);
    free(warned);
    return failed == 0 ? 0 : -1;
}

static int
reload_open_listeners(const struct reload *reload, struct reload_plan *next,
                      struct config_error *error)
{
    char why[LISTENERS_WHY_MAX];
    int failed = listeners_prepare(&next->listeners, reload->listeners,
                                   reload->config_version->config,
                                   next->config_version.config, why);
    if (failed != 0)
        snprintf(error->text, sizeof(error->text), "%s. Nothing was changed",
                 why);
    return failed;
}

static int
reload_open_observed(const struct reload *reload, struct reload_plan *next,
                     struct config_error *error)
{
    char why[OBSERVER_LINKS_WHY_MAX];
    int failed = observer_links_prepare(reload->observer_links, &next->observer,
                                        next->config_version.config, why);
    if (failed != 0)
        snprintf(error->text, sizeof(error->text), "%s; nothing is changed",
                 why);
    return failed;
}

static int
reload_open_log(const struct reload *reload, struct reload_plan *next,
                struct config_error *error)
{
    const struct config *config = next->config_version.config;
    int failed = sink_prepare(reload->sink, config, &next->log);
    if (failed != 0)
        snprintf(error->text, sizeof(error->text),
                 "cannot open the log %.200s: %s. Nothing was changed",
                 config->log.target == CONFIG_LOG_FILE ? config->log.path
                                                       : "on stderr",
                 log_file_error(failed));
    return failed;
}

static int
reload_prepare(const struct reload *reload, struct reload_plan *next,
               struct config_error *error)
{
    const char *fixed =
        config_version_fixed(reload->config_version, &next->config_version);
    if (fixed != NULL) {
        snprintf(error->text, sizeof(error->text),
                 "%s: cannot be changed by reload; restart to apply. Nothing "
                 "was changed",
                 fixed);
        return -1;
    }
    uint64_t needed = config_descriptors_needed(next->config_version.config);
    if (needed > config_descriptors()) {
        snprintf(error->text, sizeof(error->text),
                 "%" PRIu64 " open files are needed, and the limit is %" PRIu64
                 "; raise LimitNOFILE= and restart. Nothing was changed",
                 needed, config_descriptors());
        return -1;
    }
    if (reload_open_listeners(reload, next, error) != 0)
        return -1;
    if (reload_open_observed(reload, next, error) == 0) {
        if (reload_open_log(reload, next, error) == 0)
            return 0;
        observer_links_drop(reload->observer_links, &next->observer);
    }
    listeners_close_rest(&next->listeners, reload->listeners);
    return -1;
}

/* --- the change ---------------------------------------------------------- */

/* Nothing here can fail: workers that die of it are replaced. */
static void
reload_swap(struct reload *reload, struct reload_plan *next)
{
    struct config_version old = *reload->config_version;
    const struct config *config = next->config_version.config;
    config_look_at_ports();
    sink_reconfigure(reload->sink, config, next->log);
    listeners_report_change(reload->listeners, old.config, &next->listeners,
                            config, reload->sink);
    listeners_replace(reload->listeners, &next->listeners);
    listeners_set_keepalive(reload->listeners, config, true);
    *reload->config_version = next->config_version;
    config_version_publish(reload->config_version, reload->slots->segment);
    authenticator_links_reconfigure(reload->authenticator_links,
                                    reload->config_version);
    signer_links_reconfigure(reload->signer_links, reload->config_version);
    slots_reconfigure(reload->slots);
    slots_resize(reload->slots);
    services_reconfigure(reload->services, config);
    observer_links_reconfigure(reload->observer_links, &next->observer);
    resolver_links_reconfigure(reload->resolver_links, config,
                               reload->slots->count);
    config_version_free(&old);
}

static void reload_run(struct reload *reload);

static void
reload_finish(struct reload *reload)
{
    loop_cancel_timer(reload->loop, &reload->timeout);
    reload->running = false;
    reload->done(reload);
    if (reload->again && !reload->held)
        reload_run(reload);
}

static void
reload_await_workers(struct reload *reload)
{
    reload->running = true;
    reload->ticks = 0;
    reload->since_ms = loop_now_ms(reload->loop);
    loop_start_timer(reload->loop, &reload->timeout, TICK_MS);
}

static void
reload_run(struct reload *reload)
{
    struct config_error error;
    struct reload_plan next;
    reload->again = reload->unchanged = false;
    reload->runs++;
    reload_notify(reload);
    sink_reopen(reload->sink);
    if (reload_read_config_version(reload, &next.config_version, &error) != 0) {
        reload_report_failure(reload, error.text);
        reload_finish(reload);
        return;
    }
    bool same =
        config_version_equal(reload->config_version, &next.config_version);
    if (!same && reload_prepare(reload, &next, &error) == 0) {
        reload_swap(reload, &next);
        reload_await_workers(reload);
        return;
    }
    reload->unchanged = same;
    if (same) {
        reload_report_unchanged(reload);
    } else {
        reload_keep_diagnostics(reload, error.text, NULL);
        reload_report_failure(reload, error.text);
    }
    config_version_free(&next.config_version);
    reload_finish(reload);
}

/* --- the wait ------------------------------------------------------------ */

/* Workers that have not answered are replaced, once. A worker that is not ready
   by the last tick has the config version from its start. */
static void
reload_on_tick(struct timer *timer)
{
    struct reload *reload = container_of(timer, struct reload, timeout);
    unsigned extra = config_version_read_seconds(reload->config_version);
    if (++reload->ticks == TICKS_OVER + extra) {
        reload_report_done(reload);
        reload_finish(reload);
        return;
    }
    if (reload->ticks == TICKS_REPLACE + extra)
        slots_replace_behind(reload->slots);
    loop_start_timer(reload->loop, &reload->timeout, TICK_MS);
}

void
reload_progress(struct reload *reload)
{
    if (!reload->running || slots_behind(reload->slots) > 0)
        return;
    reload_report_done(reload);
    reload_finish(reload);
}

/* --- its life ------------------------------------------------------------ */

void
reload_init(struct reload *reload)
{
    reload->held = true;
    reload->running = reload->again = false;
    timer_init(&reload->timeout, reload_on_tick);
}

void
reload_release(struct reload *reload)
{
    reload->held = false;
    if (reload->again && !reload->running)
        reload_run(reload);
}

void
reload_hold(struct reload *reload)
{
    reload->held = true;
}

void
reload_request(struct reload *reload)
{
    if (!reload->held && !reload->running) {
        reload_run(reload);
        return;
    }
    reload->again = true;
    if (reload->held)
        sink_reopen(reload->sink);
}

void
reload_cancel(struct reload *reload)
{
    loop_cancel_timer(reload->loop, &reload->timeout);
    reload->running = reload->again = false;
    reload->held = true;
    free(reload->diagnostics);
    reload->diagnostics = NULL;
}
