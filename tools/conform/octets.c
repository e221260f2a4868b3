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
    uint8_t octets[16];

    addr_to_octets(addr, octets);
    return addr_is_v4(addr) ? octets_put(out, octets + 12, 4)
                            : octets_put(out, octets, 16);
}

/* ATYP, DST.ADDR, DST.PORT of version 5. */
static bool
octets_put_destination(struct octets_output *out, const struct endpoint *at)
{
    uint8_t type = addr_is_v4(at->addr) ? SOCKS4_V5_IPV4 : SOCKS4_V5_IPV6;

    return octets_put(out, &type, 1) && octets_put_ip(out, at->addr) &&
           octets_put_port(out, at->port);
}

/* What a client offers: the method that this server must choose. */
static uint8_t
octets_method(const struct play *play)
{
    return play->setting->user != NULL ? SOCKS4_V5_PASSWORD : SOCKS4_V5_NONE;
}

/* <name>, <user>, <password>, <method>: what no actor has. Whether it was
   one, and *put whether there was room. */
static bool
octets_put_setting(const struct play *play, struct octets_output *out,
                   const char *name, bool *put)
{
    const struct setting *setting = play->setting;
    uint8_t method = octets_method(play);
    const char *text = strcmp(name, "name") == 0       ? setting->place.name
                       : strcmp(name, "user") == 0     ? setting->user
                       : strcmp(name, "password") == 0 ? setting->password
                                                       : NULL;

    if (strcmp(name, "method") == 0)
        *put = octets_put(out, &method, 1);
    else if (text != NULL)
        *put = octets_put(out, text, strlen(text));
    else
        return false;
    return true;
}

/* <server>, <server.port>, <server.ip>, <server.text>, <server.dst>,
   <server.udst>, <server.uport>, and what octets_put_setting has */
static bool
octets_put_place(struct play *play, struct octets_output *out, const char *word,
                 size_t len)
{
    char name[32], text[ADDR_TEXT_MAX];
    char *part;
    struct actor *actor;
    bool put = false;

    snprintf(name, sizeof name, "%.*s", (int)(len - 2), word + 1);
    if (octets_put_setting(play, out, name, &put))
        return put;
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
    if (strcmp(part, "dst") == 0)
        return octets_put_destination(out, &actor->at);
    if (strcmp(part, "udst") == 0) /* where it gets datagrams */
        return octets_put_destination(out, &actor->datagrams_at);
    if (strcmp(part, "uport") == 0)
        return octets_put_port(out, actor->datagrams_at.port);
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
    uint8_t *length = NULL;

    for (unsigned i = from; i < step->count; i++) {
        const char *word = step->words[i];
        bool good;
        if (strcmp(word, "[") == 0) { /* an octet with the length of ... ] */
            length = out.at;
            good = octets_put(&out, "", 1);
        } else if (strcmp(word, "]") == 0 && length != NULL) {
            good = out.at - length <= 256;
            *length = (uint8_t)(out.at - length - 1);
        } else {
            good = octets_put_word(play, &out, word);
        }
        if (!good) {
            play_fail(play, "the case is wrong: \"%s\"", word);
            return -1;
        }
    }
    return out.at - octets;
}
