#include "gateway/confine/seccomp.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/seccomp.h>

/*
 * What is not allowed kills the process. An error code instead would let
 * whoever has taken over a worker try one call after the other; this way
 * the first try is the last, the monitor writes `worker_ended signal=31'
 * and starts another worker. That a C library of tomorrow makes a call
 * which is not in the tables is found by the tests, all of which run
 * confined.
 */
#define DENIED SCMP_ACT_KILL_PROCESS

struct attribute {
    enum scmp_filter_attr name;
    uint32_t value;
};

static const struct attribute attributes[] = {
    {SCMP_FLTATR_ACT_BADARCH, DENIED},
    /*
     * Up to Linux 5.15 a filtered process is slowed down, so that code in
     * it cannot read by speculation what it should not (SSBD, STIBP). That
     * is meant for those who run code of others, a browser for instance. We
     * run none.
     */
    {SCMP_FLTATR_CTL_SSB, 1},
    /* A binary tree, not a list: few comparisons for any call. And since
       Linux 5.11 the filter is not run at all for calls that are allowed
       without conditions. */
    {SCMP_FLTATR_CTL_OPTIMIZE, 2},
    {SCMP_FLTATR_API_SYSRAWRC, 1}, /* errors as the kernel says them */
};

/* Killing a process, not a thread, is as old as Linux 4.14. */
static bool
seccomp_kernel_can(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int
seccomp_allow(scmp_filter_ctx filter,
              const struct confine_permission *permission)
{
    struct scmp_arg_cmp compare[CONFINE_CONDITIONS_MAX];
    unsigned count = 0;
    for (size_t i = 0; i < CONFINE_CONDITIONS_MAX; i++) {
        const struct confine_condition *when = &permission->when[i];
        if (when->mask == 0)
            continue;
        bool self = when->value == CONFINE_SELF;
        compare[count++] = (struct scmp_arg_cmp){
            .arg = when->argument,
            .op = SCMP_CMP_MASKED_EQ,
            .datum_a = when->mask,
            .datum_b = self ? (uint32_t)getpid() : when->value};
    }
    uint32_t action = permission->error != 0
                          ? SCMP_ACT_ERRNO((uint32_t)permission->error)
                          : SCMP_ACT_ALLOW;
    return seccomp_rule_add_array(filter, action, permission->call, count,
                                  compare);
}

static int
seccomp_allow_all(scmp_filter_ctx filter,
                  const struct confine_permission *calls, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = seccomp_allow(filter, &calls[i]);
    return error;
}

static int
seccomp_fill(scmp_filter_ctx filter, const struct confine_table *table)
{
    int error = 0;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        if (error == 0)
            error = seccomp_attr_set(filter, attributes[i].name,
                                     attributes[i].value);
    if (error == 0)
        error = seccomp_allow_all(filter, confine_common, confine_common_count);
    if (error == 0)
        error = seccomp_allow_all(filter, table->calls, table->call_count);
    return error;
}

int
seccomp_confine(const struct confine_table *table)
{
    if (!seccomp_kernel_can())
        return 1;
    scmp_filter_ctx filter = seccomp_init(DENIED);
    if (filter == NULL)
        return -ENOMEM;
    int error = seccomp_fill(filter, table);
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}
