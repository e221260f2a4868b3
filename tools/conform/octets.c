#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play.h"

/* Where octets go, and what is left of the room. */
struct octets_output {
    uint8_t *at;
    size_t left;
};

static bool
octets_put(struct octets_output *out, const void *octets, size_t len)
{
    if (len > out->left)
        return false;
    memcpy(out->at, octets, len);
    out->at += len;
    out->left -= len;
    return true;
}

static bool
octets_put_port(struct octets_output *out, uint16_t port)
{
    uint8_t octets[2] = {(uint8_t)(port >> 8), (uint8_t)port};
    return octets_put(out, octets, 2);
}

static bool
octets_put_ip(struct octets_output *out, struct addr addr)
{
    uint32_t ip = addr_to_v4(addr);
    uint8_t octets[4] = {(uint8_t)(ip >> 24), (uint8_t)(ip >> 16),
                         (uint8_t)(ip >> 8), (uint8_t)ip};
    return octets_put(out, octets, 4);
}

/* <server>, <server.port>, <server.ip>, <server.text>, <name> */
static bool
octets_put_place(struct play *play, struct octets_output *out, const char *word,
                 size_t len)
{
    char name[32], text[ADDR_TEXT_MAX];
    char *part;
    struct actor *actor;

    snprintf(name, sizeof name, "%.*s", (int)(len - 2), word + 1);
    if (strcmp(name, "name") == 0)
        return octets_put(out, play->setting->place.name,
                          strlen(play->setting->place.name));
    part = strchr(name, '.');
    if (part != NULL)
        *part++ = '\0';
    actor = play_actor(play, name);
    if (actor == NULL)
        return false;
    if (part == NULL)
        return octets_put_port(out, actor->at.port) &&
               octets_put_ip(out, actor->at.addr);
    if (strcmp(part, "port") == 0)
        return octets_put_port(out, actor->at.port);
    if (strcmp(part, "ip") == 0)
        return octets_put_ip(out, actor->at.addr);
    addr_format(actor->at.addr, text);
    return octets_put(out, text, strlen(text));
}

static bool
octets_put_hex(struct octets_output *out, const char *word)
{
    uint8_t octet;

    if (!isxdigit((unsigned char)word[0]) || !isxdigit((unsigned char)word[1]))
        return false;
    octet = (uint8_t)strtoul((char[]){word[0], word[1], '\0'}, NULL, 16);
    return octets_put(out, &octet, 1);
}

/* One unit of a word: what stands before "*N". */
static bool
octets_put_unit(struct play *play, struct octets_output *out, const char *word,
                size_t len)
{
    if (len >= 2 && word[0] == '"')
        return octets_put(out, word + 1, len - 2);
    if (len > 2 && word[0] == '<')
        return octets_put_place(play, out, word, len);
    return len == 2 && octets_put_hex(out, word);
}

static bool
octets_put_word(struct play *play, struct octets_output *out, const char *word)
{
    const char *times = strrchr(word, '*');
    size_t len = strlen(word);
    unsigned long count = 1;

    if (times != NULL && times > word && times[-1] != '"' && word[0] == '"')
        times = NULL; /* a star inside quotes */
    if (times != NULL) {
        count = strtoul(times + 1, NULL, 10);
        len = (size_t)(times - word);
    }
    for (unsigned long i = 0; i < count; i++)
        if (!octets_put_unit(play, out, word, len))
            return false;
    return true;
}

ssize_t
play_octets(struct play *play, const struct step *step, unsigned from,
            uint8_t *octets, size_t room)
{
    struct octets_output out = {octets, room};

    for (unsigned i = from; i < step->count; i++) {
        if (!octets_put_word(play, &out, step->words[i])) {
            play_fail(play, "the case is wrong: \"%s\"", step->words[i]);
            return -1;
        }
    }
    return out.at - octets;
}
