/*
 * Plays scenario files: each scenario several times, on kernels of growing
 * malice, and all must end as the script says.
 * Speaks TAP, a line a scenario.
 *
 *   player [-v] [-m MODE] [-s SEED] FILE...
 *   player --memory FILE...   every allocation fails once, then every k-th
 *   player --errors FILE...   every system call fails with every errno
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/scenario/heap.h"
#include "tests/scenario/play.h"

static const struct play_mode modes[] = {
    {.name = "plain"},
    {.name = "split", .split = true},
    {.name = "one-octet", .one_octet = true},
    {.name = "racy", .racy = true, .split = true, .times = 4},
    {.name = "flaky", .flaky = 3},
    {.name = "narrow", .room = 100},
    {.name = "copy", .splice = "never"},
    {.name = "splice", .splice = "always"},
    {.name = "no-pipes", .splice = "always", .pipes_refused = true},
    {.name = "copy-one-octet", .splice = "never", .one_octet = true},
    {.name = "splice-one-octet", .splice = "always", .one_octet = true},
    {.name = "splice-flaky-split",
     .splice = "always",
     .flaky = 3,
     .split = true},
    {.name = "splice-racy",
     .splice = "always",
     .racy = true,
     .split = true,
     .times = 4},
    {.name = "splice-narrow", .splice = "always", .room = 100},
    {.name = "socks5", .version_5 = true},
    {.name = "socks5-split", .version_5 = true, .split = true},
    {.name = "socks5-one-octet", .version_5 = true, .one_octet = true},
    {.name = "socks5-splice",
     .version_5 = true,
     .splice = "always",
     .racy = true,
     .split = true},
};

#define SPLICE_MODE 7
#define MODES (sizeof(modes) / sizeof(modes[0]))

static struct {
    bool loud;
    const char *mode;
    uint64_t seed;
    unsigned plays;
    unsigned faults; /* plays in which something was made to fail */
    unsigned scenarios;
} player;

static void
prepare(struct play *play, const struct script *script,
        const struct script_scenario *scenario, const struct play_mode *mode)
{
    memset(play, 0, sizeof(*play));
    play->script = script;
    play->scenario = scenario;
    play->mode = mode;
    play->seed = player.seed;
    play->loud = player.loud;
    player.plays++;
}

static void
report(const struct play *play, const char *how)
{
    fprintf(stderr, "%s\n    in '%s', played %s, seed %llu\n", play->failure,
            play->scenario->title, how, (unsigned long long)play->seed);
}

/* --- As the script says --- */

static bool
play_in_mode(const struct script *script,
             const struct script_scenario *scenario,
             const struct play_mode *mode, uint64_t seed)
{
    static struct play play;
    bool good;

    prepare(&play, script, scenario, mode);
    play.seed = seed;
    if (player.loud)
        printf("# %s: %s\n", mode->name, scenario->title);
    heap_start(0, 0);
    good = play_run(&play);
    if (good && heap_live() > 0)
        good = play_fail(&play, "%zu allocations are left", heap_live());
    if (!good)
        report(&play, mode->name);
    return good;
}

static unsigned
play_scenario(const struct script *script,
              const struct script_scenario *scenario)
{
    for (size_t i = 0; i < MODES; i++) {
        if (player.mode != NULL && strcmp(player.mode, modes[i].name) != 0)
            continue;
        if (i > 0 && scenario->plain)
            break;
        if (modes[i].version_5 && !scenario->any_version)
            continue;
        if ((modes[i].flaky != 0 || modes[i].racy) && scenario->never_flaky)
            continue;
        unsigned time = 0;
        do {
            if (!play_in_mode(script, scenario, &modes[i], player.seed + time))
                return 1;
        } while (++time < modes[i].times);
    }
    return 0;
}

/* --- With faults: nothing is expected but the laws and a next request --- */

static bool
play_with_fault(struct play *play, const struct sim_fault *fault)
{
    bool good;

    play->faulty = play->tolerant = play->spoilt = true;
    if (!play_open(play))
        good = false;
    else {
        if (fault != NULL)
            sim_fail(fault);
        play_script(play);
        good = play_probe(play) && law_check(play);
    }
    play_close(play);
    good = good && !play->failed;
    if (good && heap_live() > 0)
        good = play_fail(play, "%zu allocations are left", heap_live());
    return good;
}

static bool
play_without_memory(const struct script *script,
                    const struct script_scenario *scenario, unsigned skip,
                    unsigned at, unsigned every, unsigned *count)
{
    static struct play play;
    char how[64];
    bool good;

    prepare(&play, script, scenario, &modes[0]);
    heap_start(skip + at, every);
    good = play_with_fault(&play, NULL);
    *count = heap_count();
    player.faults += *count >= skip + at;
    snprintf(how, sizeof(how), "with allocation %u failing, then one in %u", at,
             every);
    if (!good)
        report(&play, how);
    return good;
}

/* How many allocations the worker makes before the first connection. */
static unsigned
allocations_of_start(const struct script *script,
                     const struct script_scenario *scenario)
{
    static struct play play;
    unsigned count;

    prepare(&play, script, scenario, &modes[0]);
    heap_start(0, 0);
    play_open(&play);
    count = heap_count();
    play_close(&play);
    return count;
}

/* So many allocations of a crowd's fail in turn: the others are more of the
   same. Together with later ones, so do those of a smaller one. */
#define CROWD_ALLOCATIONS 16
#define CROWD 200         /* allocations */
#define CROWD_REPEATED 80 /* likewise */

static unsigned
sweep_memory(const struct script *script,
             const struct script_scenario *scenario)
{
    unsigned skip = allocations_of_start(script, scenario);
    unsigned failures = 0;

    for (unsigned every = 0; every <= 3 && failures == 0; every++) {
        unsigned count = skip + 1, step = 1;
        for (unsigned at = 1; skip + at <= count && failures == 0; at += step) {
            failures =
                !play_without_memory(script, scenario, skip, at, every, &count);
            if (count - skip > (every == 0 ? CROWD : CROWD_REPEATED))
                step = (count - skip) / CROWD_ALLOCATIONS;
        }
    }
    return failures;
}

/* What each call may say of itself, by accept(2), connect(2) and so on. */
static const struct {
    enum sim_call call;
    int errors[14];
} plausible[] = {
    {SIM_CALL_poll_add, {ENOMEM, ENOSPC}},
    {SIM_CALL_poll_del, {ENOMEM}},
    {SIM_CALL_poll_wait, {EINTR}},
    {SIM_CALL_accept,
     {EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO,
      ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EOPNOTSUPP, ENETUNREACH}},
    {SIM_CALL_waiting, {ENOMEM}},
    {SIM_CALL_datagrams_within, {EMFILE, ENOBUFS, EADDRINUSE, EACCES}},
    {SIM_CALL_recv_datagrams, {EAGAIN, ENOBUFS, ENOMEM, ENETDOWN}},
    {SIM_CALL_send_datagram,
     {EAGAIN, ENOBUFS, ENETUNREACH, EHOSTUNREACH, EACCES, EPERM, EMSGSIZE,
      EINVAL}},
    {SIM_CALL_route, {ENETUNREACH, EMFILE}},
    {SIM_CALL_tcp, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
    {SIM_CALL_bind_source, {EADDRINUSE, EADDRNOTAVAIL, EACCES}},
    {SIM_CALL_connect,
     {EADDRNOTAVAIL, ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT, EACCES,
      EPERM, EAGAIN, ENOBUFS, EINVAL}},
    {SIM_CALL_error, {ECONNREFUSED, ENOBUFS}},
    {SIM_CALL_local, {ENOBUFS}},
    {SIM_CALL_is_local, {EMFILE}},
    {SIM_CALL_recv,
     {EAGAIN, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, ENOMEM, ENOBUFS}},
    {SIM_CALL_peek, {EAGAIN, ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS}},
    {SIM_CALL_send,
     {EAGAIN, ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, ENOMEM,
      ENOBUFS}},
    {SIM_CALL_send_urgent, {EAGAIN, ECONNRESET, EPIPE, ENOMEM}},
    {SIM_CALL_at_mark, {ENOTTY}},
    {SIM_CALL_unacked, {EINVAL}},
    {SIM_CALL_shutdown, {ENOTCONN, ENOBUFS}},
    {SIM_CALL_pipe, {EMFILE, ENFILE, EPERM, ENOMEM}},
    {SIM_CALL_splice,
     {EAGAIN, ECONNRESET, EPIPE, EINVAL, ENOMEM, ENOSYS, EPERM}},
};

/* False at the first failure; *reached: there was such a call. */
static bool
play_with_error(const struct script *script,
                const struct script_scenario *scenario, struct sim_fault fault,
                bool *reached)
{
    static struct play play;
    char how[96];
    bool good;

    prepare(&play, script, scenario,
            fault.call == SIM_CALL_splice || fault.call == SIM_CALL_pipe
                ? &modes[SPLICE_MODE]
                : &modes[0]);
    heap_start(0, 0);
    good = play_with_fault(&play, &fault);
    *reached = sim_calls(fault.call) >= fault.at;
    player.faults += *reached;
    snprintf(how, sizeof(how), "with call %u of %s failing with %s", fault.at,
             sim_call_name(fault.call), strerrorname_np(fault.error));
    if (!good)
        report(&play, how);
    return good;
}

/* Calls of one kind behind this one are more of the same. */
#define CALLS_MAX 60

static unsigned
sweep_error(const struct script *script, const struct script_scenario *scenario,
            enum sim_call call, int error)
{
    struct sim_fault fault = {.call = call, .times = 1, .error = error};
    bool reached = true;

    for (fault.at = 1; reached && fault.at <= CALLS_MAX; fault.at++)
        if (!play_with_error(script, scenario, fault, &reached))
            return 1;
    return 0;
}

static unsigned
sweep_errors(const struct script *script,
             const struct script_scenario *scenario)
{
    unsigned failures = 0;

    for (size_t i = 0; i < sizeof(plausible) / sizeof(plausible[0]); i++)
        for (size_t k = 0; plausible[i].errors[k] != 0; k++)
            failures += sweep_error(script, scenario, plausible[i].call,
                                    plausible[i].errors[k]);
    return failures;
}

/* --- Files --- */

typedef unsigned perform_fn(const struct script *script,
                            const struct script_scenario *scenario);

static unsigned
perform_file(const char *file, perform_fn *perform)
{
    struct script script;
    unsigned failures = 0;

    if (!script_load(&script, file)) {
        script_free(&script);
        printf("not ok %u - %s\n", ++player.scenarios, file);
        return 1;
    }
    for (size_t i = 0; i < script.count; i++) {
        const struct script_scenario *scenario = &script.scenarios[i];
        bool swept = scenario->config == NULL || scenario->config_adds ||
                     scenario->swept;
        if (perform != play_scenario && !swept)
            continue; /* the next request might not be allowed */
        unsigned failed = perform(&script, scenario);
        printf("%s %u - %s\n", failed > 0 ? "not ok" : "ok", ++player.scenarios,
               scenario->title);
        failures += failed;
    }
    script_free(&script);
    return failures;
}

/* Descriptors are simulated, but the gateway asks the real kernel how many
   there may be, and the 1024 of most shells are fewer than scripts need. */
static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max < 20000 ? limit.rlim_max : 20000;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char *argv[])
{
    perform_fn *perform = play_scenario;
    unsigned failures = 0;

    raise_descriptors();
    player.seed = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            player.loud = true;
        else if (strcmp(argv[i], "-m") == 0 && i + 1 < argc)
            player.mode = argv[++i];
        else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
            player.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--memory") == 0)
            perform = sweep_memory;
        else if (strcmp(argv[i], "--errors") == 0)
            perform = sweep_errors;
        else
            failures += perform_file(argv[i], perform);
    }
    printf("1..%u\n# %u plays, %u faults, %u failures, seed %llu\n",
           player.scenarios, player.plays, player.faults, failures,
           (unsigned long long)player.seed);
    fflush(stdout);
    return failures > 0 || player.plays == 0;
}
