#include "socks4/client.h"
#include "socks4/codec.h"
#include "socks4/v5.h"
#include "socks4/version.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

struct text {
    int number;
    const char *sentence;
};

static const struct text codes[] = {
    /* [V4-3.3-4] */
    {SOCKS4_GRANTED, "request granted"},
    /* [V4-3.3-5] */
    {SOCKS4_REJECTED, "request rejected or failed"},
    /* [V4-3.3-6] */
    {SOCKS4_NO_IDENTD, "request rejected: no identd to ask on the client"},
    /* [V4-3.3-7] */
    {SOCKS4_OTHER_USER, "request rejected: identd names another user"},
};

/* RFC 1928, section 6. */
static const struct text v5_codes[] = {
    {SOCKS4_V5_SUCCEEDED, "request granted"},
    {SOCKS4_V5_FAILURE, "general failure of the server"},
    {SOCKS4_V5_NOT_ALLOWED, "not allowed by the server's rules"},
    {SOCKS4_V5_NETWORK_UNREACHABLE, "network unreachable"},
    {SOCKS4_V5_HOST_UNREACHABLE, "host unreachable"},
    {SOCKS4_V5_REFUSED, "connection refused by the destination"},
    {SOCKS4_V5_TTL_EXPIRED, "TTL expired"},
    {SOCKS4_V5_NO_COMMAND, "command not supported by the server"},
    {SOCKS4_V5_NO_TYPE, "address type not supported by the server"},
};

static const struct text errors[] = {
    {SOCKS4_E_VERSION, "the version is not that of SOCKS 4"},
    {SOCKS4_E_COMMAND, "the command is neither CONNECT nor BIND"},
    {SOCKS4_E_CODE, "the reply code is not 90 to 93"},
    {SOCKS4_E_USERID_LONG, "USERID is longer than its limit"},
    {SOCKS4_E_DOMAIN_LONG, "DOMAIN is longer than 255 octets"},
    {SOCKS4_E_DOMAIN_EMPTY, "DOMAIN is empty"},
    {SOCKS4_E_4A, "DSTIP 0.0.0.x belongs to SOCKS 4A and a DOMAIN"},
    {SOCKS4_E_NUL, "a field contains a NUL"},
    {SOCKS4_E_ROOM, "the buffer is too small"},
    {SOCKS4_E_IDENT_LONG, "identd's line is longer than 1000 octets"},
    {SOCKS4_E_IDENT_MALFORMED, "identd's line is not an answer of RFC 1413"},
    {SOCKS4_E_IDENT_PORTS, "identd answers about other ports"},
    {SOCKS4_E_NO_REPLY, "the connection ended without a reply"},
    {SOCKS4_E_SHORT, "the connection ended inside a reply"},
    {SOCKS4_E_EARLY, "a grant came before the request was sent"},
    {SOCKS4_E_ORDER, "this reply is not allowed now"},
    {SOCKS4_E_V5_VERSION, "the version is not that of SOCKS 5"},
    {SOCKS4_E_V5_METHODS, "a greeting offers 1 to 255 methods"},
    {SOCKS4_E_V5_PASSWORD_VERSION, "the version is not that of RFC 1929"},
    {SOCKS4_E_V5_USER, "the user name is empty or longer than 255 octets"},
    {SOCKS4_E_V5_PASSWORD, "the password is empty or longer than 255 octets"},
    {SOCKS4_E_V5_COMMAND, "the command is not CONNECT, BIND or UDP ASSOCIATE"},
    {SOCKS4_E_V5_TYPE, "the address is not an IPv4 or IPv6 address or a name"},
    {SOCKS4_E_V5_CODE, "the reply code is not 0 to 8"},
    {SOCKS4_E_V5_METHOD, "it chose a method that was not offered"},
    {SOCKS4_E_V5_UNACCEPTABLE, "it accepts none of the methods offered"},
    {SOCKS4_E_V5_DENIED, "it refused the user name or the password"},
};

static const struct text forgiven[] = {
    {SOCKS4_FORGAVE_VERSION, "a reply of version 4 instead of 0"},
    {SOCKS4_FORGAVE_CODE, "a reply code other than 90 to 93"},
    {SOCKS4_FORGAVE_SHORT, "a refusal of fewer than 8 octets"},
};

static const char *
error_find_text(const struct text *table, size_t count, int number,
                const char *unknown)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].number == number)
            return table[i].sentence;
    return unknown;
}

const char *
socks4_code_text(int code)
{
    return error_find_text(codes, COUNT(codes), code, "unknown reply code");
}

const char *
socks4_v5_code_text(int code)
{
    return error_find_text(v5_codes, COUNT(v5_codes), code,
                           "unknown reply code");
}

const char *
socks4_error_text(int error)
{
    return error_find_text(errors, COUNT(errors), error, "unknown error");
}

const char *
socks4_forgiven_text(unsigned one)
{
    return error_find_text(forgiven, COUNT(forgiven), (int)one, "unknown");
}

const char *
socks4_library_version(void)
{
    return SOCKS4_LIBRARY_VERSION;
}
