/*
 * A program in the place of the next socks4d, that is none, or a bad one.
 * What it does is the last word of its own file, behind the program.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/monitor/handover.h"

static char word[4096];

static void
read_word(void)
{
    FILE *file = fopen("/proc/self/exe", "re");
    fseek(file, -(long)sizeof(word) + 1, SEEK_END);
    size_t len = fread(word, 1, sizeof(word) - 1, file);
    fclose(file);
    char *last = memrchr(word, ' ', len);
    memmove(word, last + 1, len - (size_t)(last + 1 - word) + 1);
}

static void
say(uint32_t kind, uint32_t arg, uint64_t id)
{
    struct channel_message message = {.kind = kind, .arg = arg, .id = id};
    send(CHANNEL_FD_CONTROL, &message, sizeof(message), 0);
}

/* Until others may not execute our file any more; four seconds at most. */
static int
nap(void)
{
    struct stat status;
    for (int i = 0; i < 400; i++) {
        if (stat("/proc/self/exe", &status) != 0 ||
            (status.st_mode & S_IXOTH) == 0)
            return 0;
        usleep(10000);
    }
    return 1;
}

int
main(void)
{
    read_word();
    if (strcmp(word, "exits") == 0)
        return 3;
    if (strcmp(word, "obliges") == 0) { /* and takes its time */
        say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION, handover_shape());
        say(CHANNEL_READY, 0, 0);
        return nap();
    }
    if (strcmp(word, "naps") == 0)
        return nap() == 0 ? 3 : 4;
    if (strcmp(word, "dies") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(word, "speaks-another") == 0)
        say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION + 1, handover_shape());
    if (strcmp(word, "other-sizes") == 0)
        say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION, handover_shape() + 1);
    if (strcmp(word, "babbles") == 0)
        send(CHANNEL_FD_CONTROL, word, strlen(word), 0);
    if (strcmp(word, "skips") == 0)
        say(CHANNEL_READY, 0, 0);
    if (strcmp(word, "complains") == 0)
        return fprintf(stderr, "first\nno mood for it\n") < 0 ? 0 : 1;
    for (;;)
        pause();
}
