#include "gateway/monitor/voice.h"

#include <string.h>
#include <unistd.h>

static void
say(struct voice *voice)
{
    voice->line[voice->len] = '\0';
    if (voice->len > 0)
        voice->said(voice, voice->line);
    voice->len = 0;
}

static void
hear(struct voice *voice, const char *octets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (octets[i] == '\n' || octets[i] == '\0')
            say(voice);
        else
            voice->line[voice->len++] = octets[i];
        if (voice->len == VOICE_LINE_MAX - 1)
            say(voice);
    }
}

/* A piece a turn. Octets, 0 at the end, -1 when there is nothing now. */
static ssize_t
listen_once(struct voice *voice)
{
    char octets[VOICE_LINE_MAX];
    ssize_t count = read(voice->watch.fd, octets, sizeof(octets));
    if (count > 0)
        hear(voice, octets, (size_t)count);
    return count;
}

static void
voice_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct voice *voice = container_of(watch, struct voice, watch);
    if (listen_once(voice) == 0)
        loop_unwatch(voice->loop, watch);
}

int
voice_start(struct voice *voice, struct loop *loop, int fd, voice_said_fn *said)
{
    voice->loop = loop;
    voice->said = said;
    voice->len = 0;
    return loop_watch(loop, &voice->watch, fd, EPOLLIN, voice_ready);
}

void
voice_resume(struct voice *voice, const char *line)
{
    voice->len = strnlen(line, VOICE_LINE_MAX - 2);
    memcpy(voice->line, line, voice->len);
}

void
voice_end(struct voice *voice)
{
    /* Bounded by what a pipe holds: whoever wrote to it is dead. */
    for (int i = 0; i < 128 && voice->watch.fd >= 0; i++) {
        if (listen_once(voice) <= 0)
            break;
    }
    loop_unwatch(voice->loop, &voice->watch);
    say(voice);
}
