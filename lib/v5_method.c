#include <string.h>

#include "socks4/v5.h"
#include "v5_text.h"

ssize_t
socks4_v5_greeting_decode(const uint8_t *octets, size_t len,
                          struct socks4_v5_greeting *greeting)
{
    memset(greeting, 0, sizeof *greeting);
    if (len < 1)
        return 0;
    greeting->version = octets[0];
    if (greeting->version != SOCKS4_V5_VERSION)
        return SOCKS4_E_V5_VERSION;
    if (len < 2)
        return 0;
    greeting->count = octets[1];
    greeting->methods = octets + 2;
    greeting->methods_len = len - 2;
    if (greeting->methods_len < greeting->count)
        return 0;
    greeting->methods_len = greeting->count;
    return 2 + greeting->count;
}

ssize_t
socks4_v5_greeting_encode(const struct socks4_v5_greeting *greeting,
                          uint8_t *octets, size_t room)
{
    size_t count = greeting->methods_len;

    if (count < 1 || count > 255)
        return SOCKS4_E_V5_METHODS;
    if (room < 2 + count)
        return SOCKS4_E_ROOM;
    octets[0] = SOCKS4_V5_VERSION;
    octets[1] = (uint8_t)count;
    memcpy(octets + 2, greeting->methods, count);
    return (ssize_t)(2 + count);
}

int
socks4_v5_offers(const struct socks4_v5_greeting *greeting, int method)
{
    /*@ loop invariant 0 <= i <= greeting->methods_len;
      @ loop invariant \forall integer j; 0 <= j < i ==>
      @   greeting->methods[j] != method;
      @ loop assigns i;
      @ loop variant greeting->methods_len - i;
      @*/
    for (size_t i = 0; i < greeting->methods_len; i++)
        if (greeting->methods[i] == method)
            return 1;
    return 0;
}

ssize_t
socks4_v5_choice_decode(const uint8_t *octets, size_t len,
                        struct socks4_v5_choice *choice)
{
    memset(choice, 0, sizeof *choice);
    if (len < 1)
        return 0;
    choice->version = octets[0];
    if (choice->version != SOCKS4_V5_VERSION)
        return SOCKS4_E_V5_VERSION;
    if (len < 2)
        return 0;
    choice->method = octets[1];
    return SOCKS4_V5_CHOICE_SIZE;
}

ssize_t
socks4_v5_choice_encode(uint8_t method, uint8_t octets[SOCKS4_V5_CHOICE_SIZE])
{
    octets[0] = SOCKS4_V5_VERSION;
    octets[1] = method;
    return SOCKS4_V5_CHOICE_SIZE;
}

ssize_t
socks4_v5_password_decode(const uint8_t *octets, size_t len,
                          struct socks4_v5_password *password)
{
    size_t at = 2; /* behind VER and ULEN */
    int whole;

    memset(password, 0, sizeof *password);
    if (len < 1)
        return 0;
    password->version = octets[0];
    if (password->version != SOCKS4_V5_PASSWORD_VERSION)
        return SOCKS4_E_V5_PASSWORD_VERSION;
    if (len < at)
        return 0;
    whole = v5_read_text(octets, len, at, octets[1], &password->user,
                         &password->user_len);
    if (whole <= 0)
        return whole;
    at += octets[1];
    if (len == at)
        return 0;
    whole = v5_read_text(octets, len, at + 1, octets[at], &password->password,
                         &password->password_len);
    if (whole <= 0)
        return whole;
    return (ssize_t)(at + 1 + octets[at]);
}

ssize_t
socks4_v5_password_encode(const struct socks4_v5_password *password,
                          uint8_t *octets, size_t room)
{
    size_t user = password->user_len, secret = password->password_len;
    size_t at = 1;

    if (user < 1 || user > SOCKS4_V5_TEXT_MAX)
        return SOCKS4_E_V5_USER;
    if (secret < 1 || secret > SOCKS4_V5_TEXT_MAX)
        return SOCKS4_E_V5_PASSWORD;
    if (v5_text_has_nul(password->user, user) ||
        v5_text_has_nul(password->password, secret))
        return SOCKS4_E_NUL;
    if (room < 3 + user + secret)
        return SOCKS4_E_ROOM;
    octets[0] = SOCKS4_V5_PASSWORD_VERSION;
    at += v5_write_text(octets, at, password->user, user);
    at += v5_write_text(octets, at, password->password, secret);
    return (ssize_t)at;
}

ssize_t
socks4_v5_status_decode(const uint8_t *octets, size_t len,
                        struct socks4_v5_status *status)
{
    memset(status, 0, sizeof *status);
    if (len < 1)
        return 0;
    status->version = octets[0];
    if (status->version != SOCKS4_V5_PASSWORD_VERSION &&
        status->version != SOCKS4_V5_VERSION)
        return SOCKS4_E_V5_PASSWORD_VERSION;
    if (len < 2)
        return 0;
    status->status = octets[1];
    return SOCKS4_V5_STATUS_SIZE;
}

ssize_t
socks4_v5_status_encode(uint8_t status, uint8_t octets[SOCKS4_V5_STATUS_SIZE])
{
    octets[0] = SOCKS4_V5_PASSWORD_VERSION;
    octets[1] = status;
    return SOCKS4_V5_STATUS_SIZE;
}
