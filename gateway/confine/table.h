#ifndef GATEWAY_CONFINE_TABLE_H
#define GATEWAY_CONFINE_TABLE_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "gateway/confine/ports.h"

/*
 * What a role may still do once it is confined: one of these a role, each
 * in a file of its own, and declared in confine.h. What a table does not name is
 * not allowed.
 */

/* An argument of a call, as far as `mask` covers it, must be `value`. Only
   the lower half: the kernel takes these arguments as int. */
struct confine_condition {
    unsigned argument;
    uint32_t mask; /* 0: no condition */
    uint32_t value;
};

#define CONFINE_CONDITIONS_MAX 3

/* A call, and all the conditions under which it is allowed. Several rows
   for one call: any of them allows it. */
struct confine_permission {
    int call; /* a number of libseccomp's: SCMP_SYS(name) */
    struct confine_condition when[CONFINE_CONDITIONS_MAX];
    int error; /* it does not end the process, but fails with this errno; 0: it
                  is allowed */
};

#define CONFINE_WHOLE UINT32_MAX /* mask: the whole argument */
#define CONFINE_SELF UINT32_MAX  /* value: our own process id */

/* For the tables. */
#define CALL(name) .call = SCMP_SYS(name)
/* clang-format off */
#define IS(number, wanted) {number, CONFINE_WHOLE, (uint32_t)(wanted)}
#define WITHOUT(number, bits) {number, (uint32_t)(bits), 0}
/* clang-format on */

/* Below it everything may be read and nothing changed. */
struct confine_folder {
    const char *path; /* may be missing */
    bool is_file;     /* the file that it leads to now; a folder: nothing */
};

struct confine_ceiling {
    unsigned resource; /* RLIMIT_… */
    unsigned long most;
};

/* Of the address space: whatever the process maps, private or shared.
   Sanitizers have mapped more already. */
#define CONFINE_MEMORY(mib)                                                    \
    {                                                                          \
        RLIMIT_AS, CONFINE_SANITIZED ? RLIM_INFINITY : (rlim_t)(mib) << 20     \
    }

#if defined(__SANITIZE_ADDRESS__)
#define CONFINE_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONFINE_SANITIZED true
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED false
#endif

#define CONFINE_CEILINGS_MAX 4

struct confine_table {
    const struct confine_permission *calls;
    size_t call_count;
    const struct confine_folder *folders;
    size_t folder_count;
    bool tcp; /* may bind and connect TCP; else landlock forbids it too */
    const struct confine_tcp *ports; /* those alone; NULL: any */
    struct confine_ceiling ceilings[CONFINE_CEILINGS_MAX];
    size_t ceiling_count;
};

/* Calls that every role may make besides its own. */
extern const struct confine_permission confine_common[];
extern const size_t confine_common_count;

#endif
