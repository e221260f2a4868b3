/* Version 5 as a client that does everything right. */

#include "socks5.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/route/v5_address.h"

#define DRIP_US 3000
#define DRIPPED 12          /* octets of a greeting, at least */
#define SOCKS5_UNKNOWN 0xfe /* a method of private use */

static void
socks5_send(struct actor *actor, const uint8_t *octets, size_t len, bool drips)
{
    for (size_t i = 0; drips && i < len; i++) {
        actor_send(actor, octets + i, 1);
        usleep(DRIP_US);
    }
    if (!drips)
        actor_send(actor, octets, len);
}

/* Two octets, or none with the reason. */
static const uint8_t *
socks5_await_two(struct actor *actor, unsigned wait, const char *what,
                 char why[WHY_MAX])
{
    const uint8_t *octets = actor->octets + actor->looked;
    size_t there = actor_await(actor, 2, wait);

    actor->looked += there;
    if (there == 2)
        return octets;
    snprintf(why, WHY_MAX, "%s: %s", what,
             actor->ending != ENDING_NONE ? "the connection ends"
                                          : "no answer");
    return NULL;
}

static bool
socks5_send_password(const struct setting *setting, struct actor *actor,
                     bool drips, unsigned wait, char why[WHY_MAX])
{
    uint8_t octets[SOCKS4_V5_PASSWORD_MAX];
    struct socks4_v5_password password = {
        .user = setting->user,
        .user_len = strlen(setting->user),
        .password = setting->password,
        .password_len = strlen(setting->password),
    };
    ssize_t len = socks4_v5_password_encode(&password, octets, sizeof octets);

    socks5_send(actor, octets, (size_t)len, drips);
    const uint8_t *status =
        socks5_await_two(actor, wait, "no status of the password", why);
    if (status != NULL && status[1] != 0)
        snprintf(why, WHY_MAX, "the password is refused: status %u", status[1]);
    return status != NULL && status[1] == 0;
}

bool
socks5_negotiate(const struct setting *setting, struct actor *actor, bool drips,
                 unsigned wait, char why[WHY_MAX])
{
    uint8_t greeting[SOCKS4_V5_GREETING_MAX] = {SOCKS4_V5_VERSION};
    size_t len = 2;

    greeting[len++] = SOCKS4_V5_NONE;
    if (setting->user != NULL)
        greeting[len++] = SOCKS4_V5_PASSWORD;
    while (drips && len < DRIPPED) /* so that no server can miss it */
        greeting[len++] = SOCKS5_UNKNOWN;
    greeting[1] = (uint8_t)(len - 2);
    socks5_send(actor, greeting, len, drips);
    const uint8_t *choice =
        socks5_await_two(actor, wait, "no method is chosen", why);
    if (choice == NULL || choice[1] == SOCKS4_V5_NONE)
        return choice != NULL;
    if (choice[1] == SOCKS4_V5_PASSWORD && setting->user != NULL)
        return socks5_send_password(setting, actor, drips, wait, why);
    snprintf(why, WHY_MAX, "method %u is chosen", choice[1]);
    return false;
}

size_t
socks5_request(enum socks4_v5_command command, const struct endpoint *to,
               const char *name, uint8_t octets[SOCKS4_V5_REQUEST_MAX])
{
    struct socks4_v5_request request = {
        .command = (uint8_t)command,
        .address = v5_address(to),
    };

    if (name != NULL) {
        request.address.type = SOCKS4_V5_NAME;
        request.address.name = name;
        request.address.name_len = strlen(name);
    }
    return (size_t)socks4_v5_request_encode(&request, octets,
                                            SOCKS4_V5_REQUEST_MAX);
}
