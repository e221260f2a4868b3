#include "gateway/signer/main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/readiness.h"
#include "gateway/segment.h"
#include "gateway/signer/keys.h"
#include "gateway/signer/link.h"

struct signer {
    struct loop loop;
    struct watch control;
    struct keys keys;
    struct signer_link links[SEGMENT_SLOTS];
};

static struct signer signer;

static int
signer_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: signer: %s: %s\n", what, strerror(-error));
    return 1;
}

static void
signer_tell(uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

/* --- messages from the monitor ------------------------------------------- */

static void
signer_take_key(const struct channel_message *message, int fd)
{
    size_t len = (size_t)message->file.len;
    void *pem = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = -errno;
    if (pem != MAP_FAILED) {
        error =
            keys_add(&signer.keys, message->arg, message->file.index, pem, len);
        munmap(pem, len);
    }
    if (error < 0)
        signer_fail("a private key cannot be used", error);
}

static void
signer_handle_message(const struct channel_message *message, int fd)
{
    if (message->kind == CHANNEL_LINK && fd != -1 &&
        message->arg < SEGMENT_SLOTS) {
        signer_link_open(&signer.links[message->arg], fd);
        return;
    }
    if (message->kind == CHANNEL_FILE && fd != -1 &&
        message->file.kind == CHANNEL_FILE_KEY)
        signer_take_key(message, fd);
    else if (message->kind == CHANNEL_KEYS_UNUSED)
        keys_drop_before(&signer.keys, message->arg);
    else if (message->kind == CHANNEL_PING)
        signer_tell(CHANNEL_PONG, 0);
    if (fd != -1)
        close(fd);
}

/* One message; false: there is none now. Where a descriptor was lost, or the
   monitor is gone, the process ends: another one is sent all of it. */
static bool
signer_receive(void)
{
    struct channel_message message;
    int fd;
    int got = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);
    if (got == 1)
        signer_handle_message(&message, fd);
    else if (got == -EMFILE && message.kind == CHANNEL_LINK)
        signer_tell(CHANNEL_ASK_LINK, message.arg);
    else if (got != -EAGAIN)
        loop_stop(&signer.loop);
    return got == 1;
}

static void
signer_control_ready(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    signer_receive();
}

/* --- requests ------------------------------------------------------------ */

/* The monitor sends a key before it tells a worker of it, but by another
   channel: it may not have been read yet. */
static void
signer_sign(struct signer_link *link, const struct signing_request *request,
            struct signing_answer *answer)
{
    (void)link;
    keys_sign(&signer.keys, request, answer);
    if (answer->outcome != SIGNING_NO_KEY)
        return;
    while (signer_receive())
        ;
    keys_sign(&signer.keys, request, answer);
}

/* --- start --------------------------------------------------------------- */

static int
signer_prepare(void)
{
    int error = loop_init(&signer.loop);
    if (error == 0)
        error = keys_prepare();
    for (size_t i = 0; i < SEGMENT_SLOTS; i++)
        signer_link_init(&signer.links[i], &signer.loop, signer_sign);
    if (error == 0)
        error = loop_watch(&signer.loop, &signer.control, CHANNEL_FD_CONTROL,
                           EPOLLIN, signer_control_ready);
    return error;
}

int
signer_main(int argc, char **argv)
{
    if (argc != ROLE_OWN)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    int error = signer_prepare();
    if (error < 0)
        return signer_fail("cannot start", error);
    if (readiness_reach(&roles[ROLE_SIGNER], argv, NULL) < 0)
        return 1;
    loop_run(&signer.loop);
    keys_drop_before(&signer.keys, UINT32_MAX);
    return 0;
}
