#ifndef GATEWAY_MONITOR_HANDOVER_H
#define GATEWAY_MONITOR_HANDOVER_H

#include <limits.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/channel.h"
#include "gateway/config/config.h"
#include "gateway/monitor/archive.h"
#include "gateway/monitor/batch.h"
#include "gateway/monitor/certificates.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/inherited.h"
#include "gateway/segment.h"

/*
 * What one binary hands over to the next, which is executed in its place: a
 * sealed memory file that names the descriptors, and says what else the
 * monitor knows and must not lose. Its number stands in the environment.
 *
 * Both must agree about the file, the shared segment and the messages of
 * channel.h, since workers of the one go on under the monitor of the other.
 * HANDOVER_VERSION counts up when any of them changes its meaning; a change
 * of size is seen without that (handover_shape). Those that do not agree are
 * never joined: that needs a restart.
 */
#ifndef HANDOVER_VERSION
#define HANDOVER_VERSION 4
#endif
#define HANDOVER_VARIABLE "SOCKS4D_HANDOVER"

/* The name of a version, as in "0.1.0". */
#define HANDOVER_NAME_MAX 64

/* A service's process that works on (service.h). */
#define HANDOVER_ROLE_MAX 32
struct handed_service {
    char role[HANDOVER_ROLE_MAX]; /* its word */
    uint64_t number, state;       /* enum service_state */
    uint64_t pid;                 /* 0: taken over already */
    int control, stderr_fd;
    char stderr_line[CHILD_STDERR_LINE_MAX]; /* the line it has begun on its
                                                stderr */
};

/* Workers, and what else there may be. */
#define HANDOVER_SERVICES_MAX (SEGMENT_SLOTS + 32)

/* What is known of the worker in a slot besides. */
struct handed_slot {
    uint64_t generation, started_ms, config_version;
    struct batch_tally told;
    char id[CONFIG_VERSION_ID_MAX];
    int log; /* -1: there is no worker in it */
    uint64_t asked, unsent_config_version, unsent_drain; /* yes or no */
    struct channel_message question;
};

/* A live CONNECT, as its worker registered it. */
struct handed_connect {
    uint64_t slot, id;
    struct addr client, to;
};

/* A session whose worker has died, and of which the log does not say so
   yet. */
#define HANDOVER_SESSIONS_MAX (4 * SEGMENT_SESSIONS)
struct handed_session {
    uint64_t id, since_ms;
    uint64_t worker;
    struct endpoint client, dest;
};

struct handed_log {
    uint64_t reported, error, stuck;
    struct archive_blob lines; /* not written yet */
    uint64_t has_writer;
    int pair[2], out;
};

/* A private key, in a memory file, and the config version that has it. */
struct handed_key {
    int fd;
    uint64_t version;
    uint64_t client; /* 1: a parent's; 0: a listener's */
};

#define HANDOVER_KEYS_MAX (4 * CONFIG_LISTENERS_MAX)

/* What operators have asked for and wait for, by the observer's numbers. */
#define HANDOVER_REQUESTS_MAX 16

/* The observer's sockets: control, page, agent. */
struct handed_observer {
    int sockets[3];
    char path[CONFIG_CONTROL_PATH_MAX + 1]; /* of the first */
    int kept;                               /* CHANNEL_FD_KEPT; -1 */
    uint64_t gid;
    uint64_t upgrade_count;
    uint64_t upgrades[HANDOVER_REQUESTS_MAX];
};

struct handover {
    char from[HANDOVER_NAME_MAX];
    char program[PATH_MAX]; /* where the next binary is looked for */
    uint64_t since_us;      /* when it was asked for, monotonic */
    uint64_t again;         /* and was asked for once more meanwhile */
    uint64_t uid, gid;      /* whom the children run as */
    int segment;
    int config; /* the text in force */
    uint64_t config_version;
    int certificates; /* the files of TLS listeners, without keys; -1 */
    uint64_t certificates_identity;
    int users; /* the users file; -1: none */
    uint64_t users_len, users_identity;
    uint64_t key_count;
    struct handed_key keys[HANDOVER_KEYS_MAX];
    uint64_t listener_count; /* in the order of that text */
    int listeners[CONFIG_LISTENERS_MAX];
    uint64_t backlogs[CONFIG_LISTENERS_MAX];
    struct inherited inherited[CONFIG_LISTENERS_MAX];
    uint64_t parent_count;
    uint64_t expires_s[CONFIG_TLS_MAX]; /* their certificates */
    struct handed_log log;
    struct handed_observer observer;
    uint64_t service_count;
    struct handed_service services[HANDOVER_SERVICES_MAX];
    uint64_t slot_count;
    struct handed_slot slots[SEGMENT_SLOTS];
    struct archive_blob live_connects; /* struct handed_connect */
    struct archive_blob lost_sessions; /* struct handed_session */
    char unfit[64]; /* which descriptor is not what it is to be; not in it */
};

/* Nothing in it: no descriptor, no octets. NULL: no memory. */
struct handover *handover_new(void);
/* Descriptors stay open. */
void handover_free(struct handover *handover);

/* A new entry for that service; NULL: there are too many. */
struct handed_service *handover_add(struct handover *handover, const char *role,
                                    unsigned number);
/* The entry that was not taken over yet, or NULL. */
struct handed_service *handover_find(struct handover *handover,
                                     const char *role, unsigned number);

/* Closes the channels that no service has taken over: those processes end. */
void handover_close_rest(struct handover *handover);

/* The memory file, or a negative errno. */
MUST_CHECK int handover_write(struct handover *handover);

/* 0; -EBADMSG where it is not one of ours, whole; another negative errno. */
MUST_CHECK int handover_read(struct handover *handover, int fd);

/* Whether the descriptors that are named outlive an exec. 0, or a negative
   errno: one of them is not open, or of another kind (-EBADMSG), and `unfit`
   says which. */
MUST_CHECK int handover_keep(struct handover *handover);
int handover_release(struct handover *handover); /* after _keep always 0 */

/* What the sizes of segment and messages come to: equal, or not to be
   joined. */
uint64_t handover_shape(void);

#endif
