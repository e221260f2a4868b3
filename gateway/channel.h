#ifndef GATEWAY_CHANNEL_H
#define GATEWAY_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/must_check.h"

/*
 * What the processes say to each other: small fixed messages on a
 * SOCK_SEQPACKET pair, descriptors as ancillary data; and beside it a
 * second pair on which a worker sends its log lines in batches.
 *
 * A child is executed with its descriptors at fixed numbers:
 */
enum channel_fd {
    CHANNEL_FD_CONTROL = 3,   /* messages, both ways */
    CHANNEL_FD_LOG = 4,       /* worker -> monitor: batches of whole lines;
                                 monitor -> log writer: the same */
    CHANNEL_FD_SHOWN = 4,     /* observer: the segment, to be read only */
    CHANNEL_FD_KEPT = 5,      /* observer: what outlives it, see below */
    CHANNEL_FD_SEGMENT = 5,   /* workers: the shared segment */
    CHANNEL_FD_CONFIG = 6,    /* workers: the configuration's text, sealed */
    CHANNEL_FD_ADDRESSES = 7, /* workers: this machine's (addresses.h) */
    CHANNEL_FD_TLS = 8,       /* workers: the files of TLS listeners, sealed
                                 (tls_files.h) */
    CHANNEL_FD_FIRST_LISTENER = 9, /* workers: one each, in the order of
                                      config->listeners */
};

/*
 * What the observer keeps beyond its own life: a memory file that the monitor
 * makes, never looks into, and gives to each observer, those of the next binary
 * included. No process can change its size. The next observer relies on nothing
 * in it.
 */
#define CHANNEL_KEPT_SIZE (256 << 10)

enum channel_kind {
    CHANNEL_READY = 1,   /* child: I serve; `arg`: bits of confine.h's
                            layers that I do without */
    CHANNEL_DRAIN,       /* monitor: accept no more, let sessions finish;
                            log writer: end, another goes on */
    CHANNEL_STOP,        /* monitor: end every session now, then yourself */
    CHANNEL_REOPEN,      /* monitor -> log writer: write to the descriptor
                            that comes with this; `arg`: enum channel_out */
    CHANNEL_DROPPED,     /* log writer: `arg` records could not be written; 0:
                            none yet, but nobody listens at the journal's
                            socket any more: connect anew */
    CHANNEL_REGISTER,    /* worker: this CONNECT lives */
    CHANNEL_UNREGISTER,  /* worker: it is over */
    CHANNEL_ASK_CONNECT, /* worker: does one live from `client` to `to`? */
    CHANNEL_ANSWER,      /* monitor: to the question of session `id`; `arg`:
                            1 yes, 0 no */
    CHANNEL_WRITES,      /* log writer: it can be written again; `arg`: the
                            errno that was in the way */
    CHANNEL_LINK,        /* monitor -> worker: your link to `id`, of enum
                            channel_peer, comes with this; -> that process:
                            the link of worker `arg`. In place of any before */
    CHANNEL_ASK_LINK,    /* worker: mine to `id` did not arrive; resolver,
                            signer, authenticator: that of worker `arg` did
                            not */
    CHANNEL_UNCONFINED,  /* child: I must not serve; `arg`: the layer of
                            confine.h that failed, or CONFINE_NOT_EXECUTED;
                            `id`: the errno */
    CHANNEL_FILE,        /* monitor: a file of config version `arg` comes with
                            this; `file` says which. To a worker the text is
                            the first, in place of any version before */
    CHANNEL_CONFIGURED,  /* worker: config version `arg` is in force */
    CHANNEL_ASK_CONFIG,  /* worker: some of it did not arrive */
    CHANNEL_PING,        /* monitor -> any service: does your loop turn? */
    CHANNEL_PONG,        /* it does */
    CHANNEL_KEYS_UNUSED, /* monitor -> signer: no config version before `arg`
                            is in use any more */
    CHANNEL_UPGRADE_CHECK = 20, /* upgrade check, before all else: I speak
                                   handover version `arg`, of shape `id`
                                   (monitor/handover.h). Its number stays,
                                   for binaries of other versions */
    CHANNEL_OPERATOR = 21, /* observer: an operator asks for `operator.action`,
                              or it was done; `arg`: the observer's own number
                              of it */
    CHANNEL_OUTCOME,       /* monitor -> observer: what came of request `arg`;
                              `id`: 1 done, 0 failed; its text, in a memory
                              file, comes with this */
};

#define CHANNEL_KINDS (CHANNEL_OUTCOME + 1)

/* What the log writer writes to. */
enum channel_out {
    CHANNEL_OUT_STREAM, /* lines: file, pipe, terminal */
    CHANNEL_OUT_JOURNAL /* datagrams: an entry of the journal a line */
};

/* The files that go with a config version. */
enum channel_file_kind {
    CHANNEL_FILE_TEXT = 1, /* `len` octets, sealed */
    CHANNEL_FILE_LISTENER, /* the socket of listener `index` */
    CHANNEL_FILE_TLS, /* the files of TLS listeners, sealed (tls_files.h) */
    CHANNEL_FILE_KEY, /* -> signer: `len` octets of PEM, sealed: the
                         private key of a listener */
    /* -> observer: a listening socket; `index`: another one has another. They
       come before the text, and those that do not come are closed. */
    CHANNEL_FILE_CONTROL, /* `len`: the id of control.group and 1; 0: none */
    CHANNEL_FILE_PAGE,
    CHANNEL_FILE_AGENT,
    CHANNEL_FILE_USERS, /* -> authenticator: `len` octets of the users file,
                           sealed, in place of any before */
};

/* Whom a worker has a link to besides the monitor. */
enum channel_peer {
    CHANNEL_PEER_RESOLVER,
    CHANNEL_PEER_SIGNER,
    CHANNEL_PEER_OBSERVER,
    CHANNEL_PEER_AUTHENTICATOR
};

struct channel_file {
    uint32_t kind;
    uint32_t index;
    uint64_t len;
};

/* What an operator may do by way of the observer. Of the first three the
   monitor sends the outcome. */
enum channel_action {
    CHANNEL_RELOAD = 1,
    CHANNEL_DRAIN_ALL,
    CHANNEL_UPGRADE,
    CHANNEL_KILLED, /* `count` sessions that match `text` */
    CHANNEL_TRACED, /* for `count` seconds, those that match `text` */
    CHANNEL_DENIED, /* may not do what `text` says */
};

#define CHANNEL_TEXT_MAX 128

struct channel_operator {
    uint32_t action;
    uint32_t uid;
    int32_t pid;
    uint32_t len;
    uint64_t count;
    char text[CHANNEL_TEXT_MAX]; /* `len` octets of it; of a client's, too */
};

struct channel_message {
    uint32_t kind;
    uint32_t arg;
    union {
        /* Of the messages on CONNECTs: the session, its client, its
           destination; `id` also where it is said above. */
        struct {
            uint64_t id;
            struct addr client;
            struct addr to;
        };
        struct channel_file file;
        struct channel_operator operator;
    };
};

/* Longest batch on CHANNEL_FD_LOG. */
#define CHANNEL_BATCH_MAX 65536

/* A pair, non-blocking, close-on-exec. 0 or a negative errno. */
MUST_CHECK int channel_pair(int ends[2]);

/* Sends one message, with a descriptor where fd is not -1 (still the
   caller's). 0, -EAGAIN, or another negative errno. */
MUST_CHECK int channel_send(int channel, const struct channel_message *message,
                            int fd);

/* Sends one that the receiver can do without, or finds out otherwise: where its
   channel is full or gone it is lost. */
void channel_tell(int channel, const struct channel_message *message);

/* 1 and a message (and a descriptor that is now ours, or -1), 0 at end of
   stream, -EAGAIN, or another negative errno; -EMFILE where a descriptor
   came that we have no room for, -EBADMSG where it was no message. `fd` NULL:
   there is room for none, and a message with one is no message. */
MUST_CHECK int channel_receive(int channel, struct channel_message *message,
                               int *fd);

/*
 * From now on the kernel lets no descriptor through to this end: to close one
 * that a child had sent would wait for whatever that child has prepared in it
 * (a socket that lingers). 0; 1: this kernel cannot; or a negative errno.
 */
int channel_refuse_fds(int end);

#endif
