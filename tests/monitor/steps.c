#include "tests/monitor/steps.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/monitor/fake_children.h"

const char *steps_file, *steps_log;

/* The log as far as the script has looked at it. */
static size_t looked;

/* ---- Words ---- */

static unsigned
count_of(const char *text)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (end == text || *end != '\0')
        player_fail("'%s' is no number", text);
    return (unsigned)count;
}

static uint64_t
time_of(const char *text)
{
    uint64_t ms;

    if (text_duration(text, &ms) != 0)
        player_fail("'%s' is no time", text);
    return ms;
}

static int
signal_of(const char *name)
{
    for (int number = 1; number < 32; number++)
        if (sigabbrev_np(number) && strcmp(sigabbrev_np(number), name) == 0)
            return number;
    player_fail("'%s' is no signal", name);
}

static const struct {
    const char *name;
    int role;
} names[] = {{"worker", ROLE_WORKER},
             {"resolver", ROLE_RESOLVER},
             {"logwriter", ROLE_LOGWRITER},
             {"signer", ROLE_SIGNER},
             {"authenticator", ROLE_AUTHENTICATOR},
             {"upgrade_check", ROLE_UPGRADE_CHECK}};

/* "worker-1", "resolver", "logwriter", "signer", "authenticator",
   "upgrade_check". */
static struct fake_child *
child_or_none(const char *name)
{
    size_t len = strcspn(name, "-");
    unsigned number = name[len] == '-' ? count_of(name + len + 1) : 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i].name) == len &&
            strncmp(names[i].name, name, len) == 0)
            return fake_child_find(names[i].role, number);
    player_fail("nobody can be called '%s'", name);
}

static struct fake_child *
child_called(const char *name)
{
    struct fake_child *child = child_or_none(name);

    if (child == NULL)
        player_fail("there is no %s", name);
    return child;
}

/* ---- Children ---- */

static void
is_ready(char *const args[])
{
    fake_child_say_ready(child_called(args[0]));
}

/* Those that there are, newest first, until none is new. */
static void
all_are_ready(char *const args[])
{
    struct fake_child *child;

    (void)args;
    for (unsigned number = 0; number < SEGMENT_SLOTS; number++)
        if ((child = fake_child_find(ROLE_WORKER, number)) != NULL &&
            !child->ready)
            fake_child_say_ready(child);
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]) - 1; i++)
        if ((child = fake_child_find(names[i].role, 0)) != NULL &&
            !child->ready)
            fake_child_say_ready(child);
}

static void
dies_of(char *const args[])
{
    fake_child_die(child_called(args[0]), signal_of(args[1]));
}

static void
dies_meanwhile(char *const args[])
{
    child_called(args[0])->dies_meanwhile = true;
}

static void
exits_with(char *const args[])
{
    fake_child_die(child_called(args[0]), (int)count_of(args[1]) << 8);
}

static void
is_silent(char *const args[])
{
    child_called(args[0])->silent = true;
}

static void
is_busy(char *const args[])
{
    child_called(args[0])->busy = true;
}

static void
is_free(char *const args[])
{
    fake_child_take(child_called(args[0]));
}

static void
holds(char *const args[])
{
    fake_child_hold(child_called(args[0]), count_of(args[1]));
}

/* As one that was taken over: a column of nobody, who serves. */
static void
writes_into_slot(char *const args[])
{
    struct segment *segment = child_called(args[0])->segment;
    unsigned slot = count_of(args[2]);

    atomic_store(&segment->slots, SEGMENT_SLOTS);
    atomic_store(&segment->columns[slot].serving, 1);
    atomic_store(&segment->columns[slot].gauges[SEGMENT_GAUGE_live],
                 count_of(args[1]));
    atomic_store(&segment->charges[slot][0].count[SEGMENT_CHARGE_sessions], 1);
    atomic_store(&segment->sessions[slot][0].id, 1);
}

static void
slots_served(char *const args[])
{
    struct segment *segment = child_called("worker-0")->segment;
    unsigned served = atomic_load(&segment->slots);
    uint64_t charged = 0;

    for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
        charged +=
            atomic_load(&segment->charges[i][0].count[SEGMENT_CHARGE_sessions]);
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
        charged += atomic_load(&segment->sessions[i][0].id);
    if (served != count_of(args[0]) || charged != 0)
        player_fail("%u slots served, %u sessions charged", served,
                    (unsigned)charged);
}

/* Sessions have begun. */
static void
sessions_began(char *const args[])
{
    atomic_store(&child_called("worker-0")->segment->next_session,
                 count_of(args[0]));
}

/* As one that was taken over: ids are given again, nothing is shown, and the
   hash is another. */
static void
changes_the_head(char *const args[])
{
    struct segment *segment = child_called(args[0])->segment;

    atomic_store(&segment->next_session, 7);
    atomic_store(&segment->counted, 0);
    segment->secret[1] = ~segment->secret[1];
    segment->began_ms = ~segment->began_ms;
}

static void
next_session_is_behind(char *const args[])
{
    const struct segment *segment = child_called("worker-0")->segment;
    uint64_t next = atomic_load(&segment->next_session);

    if (next < count_of(args[0]) || next > UINT32_MAX ||
        segment->began_ms > UINT64_MAX / 2)
        player_fail("the next session is %llu", (unsigned long long)next);
}

static void
slots_are_shown(char *const args[])
{
    const struct segment *segment = child_called("worker-0")->segment;
    unsigned counted = atomic_load(&segment->counted);

    if (counted != count_of(args[0]))
        player_fail("%u are shown", counted);
}

static void
is_there(char *const args[])
{
    child_called(args[0]);
}

static void
is_gone(char *const args[])
{
    if (child_or_none(args[0]) != NULL)
        player_fail("%s is there", args[0]);
}

static void
drains(char *const args[])
{
    if (!child_called(args[0])->draining)
        player_fail("%s was not told to drain", args[0]);
}

static void
serves(char *const args[])
{
    const struct fake_child *child = child_called(args[0]);

    if (!child->ready || child->draining || child->stopping)
        player_fail("%s does not serve", args[0]);
}

static void
stops(char *const args[])
{
    if (!child_called(args[0])->stopping)
        player_fail("%s was not told to end at once", args[0]);
}

static void
was_offered(char *const args[])
{
    unsigned offered = child_called(args[0])->offered;

    if (offered != count_of(args[1]))
        player_fail("%s was last offered configuration %u", args[0], offered);
}

static void
was_given_links(char *const args[])
{
    unsigned links = child_called(args[0])->links;

    if (links != count_of(args[1]))
        player_fail("%s was given %u links", args[0], links);
}

static void
was_given_keys(char *const args[])
{
    unsigned keys = child_called(args[0])->keys;

    if (keys != count_of(args[1]))
        player_fail("%s was given %u keys", args[0], keys);
}

static void
was_given_users(char *const args[])
{
    unsigned users = child_called(args[0])->users;

    if (users != count_of(args[1]))
        player_fail("%s was given %u users files", args[0], users);
}

/* Always another file: the one before is replaced, as an editor does. */
void
steps_write_users(const char *text)
{
    char path[80], made[80];
    int folder = (int)(strrchr(steps_file, '/') - steps_file);

    snprintf(path, sizeof(path), "%.*s/users", folder, steps_file);
    snprintf(made, sizeof(made), "%.*s/made", folder, steps_file);
    FILE *to = fopen(made, "we");
    if (to == NULL || fprintf(to, "%s\n", text) < 0 || fclose(to) != 0 ||
        rename(made, path) != 0)
        player_fail("the users file cannot be written: %m");
}

static void
users_are(char *const args[])
{
    steps_write_users(args[0]);
}

static void
workers_are(char *const args[])
{
    unsigned count = fake_child_count(ROLE_WORKER);

    if (count != count_of(args[0]))
        player_fail("there are %u workers", count);
}

static void
sessions_live(char *const args[])
{
    uint64_t live = fake_children_live();

    if (live != count_of(args[0]))
        player_fail("%llu sessions live", (unsigned long long)live);
}

/* ---- The file, signals, time ---- */

void
steps_write_file(const char *lines)
{
    FILE *file = fopen(steps_file, "w");

    if (file == NULL)
        player_fail("%s: %m", steps_file);
    fchmod(fileno(file), 0600); /* it may be a key, too */
    fprintf(file, "log: {target: \"file:%s\", format: text}\n%s", steps_log,
            strstr(lines, "rules:") != NULL
                ? ""
                : "rules: [{action: allow, from: [any], to: [any]}]\n");
    for (const char *at = lines; *at != '\0';) {
        at += strspn(at, " ");
        size_t len = strcspn(at, "|");
        fprintf(file, "%.*s\n", (int)len, at);
        at += len + (at[len] == '|');
    }
    if (strstr(lines, "control:") == NULL)
        fputs("control: {socket: off}\n", file);
    fclose(file);
}

static void
file_says(char *const args[])
{
    steps_write_file(args[0]);
}

static void
file_has_set(char *const args[])
{
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    fputs("workers: 2 | sets: {a: [", to);
    for (int i = 0; i < atoi(args[0]); i++)
        fprintf(to, "10.%d.%d.%d, ", i >> 16, i >> 8 & 255, i & 255);
    fputs("10.0.0.0]}", to);
    fclose(to);
    steps_write_file(text);
    free(text);
}

static void
signal_comes(char *const args[])
{
    fake_signal(signal_of(args[0]));
}

static void
after(char *const args[])
{
    fake_pass(time_of(args[0]));
}

static void
all_stand_still(char *const args[])
{
    fake_jump(time_of(args[0]));
}

static void
exec_fails(char *const args[])
{
    for (int error = 1; error < 134; error++)
        if (strerrorname_np(error) &&
            strcmp(strerrorname_np(error), args[0]) == 0) {
            fake_refuse_exec(error);
            return;
        }
    player_fail("'%s' is no errno", args[0]);
}

static void
kernel_bounds_no_ports(char *const args[])
{
    (void)args;
    fake_bound_no_ports();
}

static void
watches_fail(char *const args[])
{
    household_refuse_watches((unsigned)strtoul(args[0], NULL, 10));
}

/* ---- The log ---- */

/* Whether the line has all these words. */
static bool
has_words(const char *line, size_t len, const char *words)
{
    while (*words != '\0') {
        size_t count = strcspn(words, " ");
        if (memmem(line, len, words, count) == NULL)
            return false;
        words += count + strspn(words + count, " ");
    }
    return true;
}

/* Behind the first such line, from where the script has looked; 0: none. */
static size_t
find_line(const char *words)
{
    const char *log = fake_log();

    for (size_t at = looked; log[at] != '\0';) {
        size_t len = strcspn(log + at, "\n");
        if (has_words(log + at, len, words))
            return at + len + 1;
        at += len + (log[at + len] == '\n');
    }
    return 0;
}

static void
log_has(char *const args[])
{
    size_t behind = find_line(args[0]);

    if (behind == 0)
        player_fail("no such line in:\n%s", fake_log() + looked);
    looked = behind;
}

static void
log_has_no(char *const args[])
{
    if (find_line(args[0]) != 0)
        player_fail("there is one in:\n%s", fake_log() + looked);
}

const struct monitor_step steps[] = {
    {"all are ready", all_are_ready},
    {"%w is ready", is_ready},
    {"%w dies of %w", dies_of},
    {"%w dies when it executes the binary", dies_meanwhile},
    {"%w exits with %w", exits_with},
    {"%w is silent", is_silent},
    {"%w is busy", is_busy},
    {"%w is free", is_free},
    {"%w holds %w sessions", holds},
    {"%w writes %w sessions into slot %w", writes_into_slot},
    {"%w slots were served", slots_served},
    {"%w sessions have begun", sessions_began},
    {"%w changes the head of the segment", changes_the_head},
    {"the next session is behind %w", next_session_is_behind},
    {"%w slots are shown", slots_are_shown},
    {"%w is there", is_there},
    {"%w is gone", is_gone},
    {"%w drains", drains},
    {"%w serves", serves},
    {"%w ends at once", stops},
    {"%w was offered configuration %w", was_offered},
    {"%w was given %w links", was_given_links},
    {"%w was given %w keys", was_given_keys},
    {"%w was given %w users files", was_given_users},
    {"the users file says %r", users_are},
    {"there are %w workers", workers_are},
    {"%w sessions live", sessions_live},
    {"the file says %r", file_says},
    {"the file has a set of %w networks", file_has_set},
    {"signal %w", signal_comes},
    {"after %w", after},
    {"all stand still for %w", all_stand_still},
    {"an exec fails with %w", exec_fails},
    {"the next %w watches fail", watches_fail},
    {"the kernel bounds no ports", kernel_bounds_no_ports},
    {"log has no %r", log_has_no},
    {"log has %r", log_has},
    {NULL, NULL},
};
