#include <string.h>

#include "octets.h"
#include "socks4/codec.h"

/* The state of a field that ends with a NUL. */
enum field {
    FIELD_MORE,
    FIELD_WHOLE,
    FIELD_LONG,
};

/*
 * Reads a field of at most `max` octets that begins at octets[from], of `len`
 * octets that are there in all. Sets *size to its octets, without NUL: those so
 * far for MORE, `max` for LONG. It may be empty [V4-2-2]; the first NUL ends it
 * [V4-2-3, 4A-A.2.2-1].
 */
static enum field
request_read_field(const uint8_t *octets, size_t from, size_t len, size_t max,
                   size_t *size)
{
    size_t count = 0;

    /*@ loop invariant count <= max && from + count <= len;
      @ loop invariant no_nul(octets, from, count);
      @ loop assigns count;
      @ loop variant len - count;
      @*/
    while (count < max && from + count < len && octets[from + count] != 0)
        count++;
    *size = count;
    if (from + count == len)
        return FIELD_MORE;
    return octets[from + count] == 0 ? FIELD_WHOLE : FIELD_LONG;
}

/* Both commands have the same layout [V4-1-7, V4-4.1-1..3]. */
static int
request_knows_command(uint8_t command)
{
    return command == SOCKS4_CONNECT || command == SOCKS4_BIND;
}

/* Field by field: the proof cannot follow memset. */
static void
request_clear(struct socks4_request *request)
{
    request->version = request->command = 0;
    request->dstport = 0;
    request->dstip = 0;
    request->userid = request->domain = NULL;
    request->userid_len = request->domain_len = 0;
}

/* Reads the fields VN to DSTIP that are complete [V4-3.1-1]. */
static void
request_read_header(const uint8_t *octets, size_t len,
                    struct socks4_request *request)
{
    if (len >= 1)
        request->version = octets[0];
    if (request->version != SOCKS4_VERSION)
        return;
    if (len >= 2)
        request->command = octets[1];
    if (len >= 4)
        request->dstport = octets_get16(octets + 2);
    if (len >= SOCKS4_HEADER_SIZE)
        request->dstip = octets_get32(octets + 4);
}

/* DOMAIN, right behind USERID's NUL [4A-3.1-1, 4A-3.1.2-1]; `used` are
   the octets before it. */
static ssize_t
request_read_domain(const uint8_t *octets, size_t len, size_t used,
                    struct socks4_request *request)
{
    request->domain = (const char *)octets + used;
    switch (request_read_field(octets, used, len, SOCKS4_DOMAIN_MAX,
                               &request->domain_len)) {
    case FIELD_MORE:
        return 0;
    case FIELD_LONG:
        return SOCKS4_E_DOMAIN_LONG; /* [4A-3.1.2-6, 4A-B.4-3] */
    case FIELD_WHOLE:
        break;
    }
    if (request->domain_len == 0)
        return SOCKS4_E_DOMAIN_EMPTY;
    return (ssize_t)(used + request->domain_len + 1);
}

ssize_t
socks4_request_decode(const struct socks4_framing *framing,
                      const uint8_t *octets, size_t len,
                      struct socks4_request *request)
{
    size_t used = SOCKS4_HEADER_SIZE;

    request_clear(request);
    request_read_header(octets, len, request);
    if (len == 0)
        return 0;
    if (request->version != SOCKS4_VERSION)
        return SOCKS4_E_VERSION; /* [V4-3.1-2, 4A-4.1-2] */
    if (len < SOCKS4_HEADER_SIZE)
        return 0; /* [4A-4.1-1] */
    if (!request_knows_command(request->command))
        return SOCKS4_E_COMMAND; /* [V4-3.1-3, V4-D.2-1] */

    request->userid = (const char *)octets + used;
    switch (request_read_field(octets, used, len, framing->userid_max,
                               &request->userid_len)) {
    case FIELD_MORE:
        return 0;
    case FIELD_LONG:
        return SOCKS4_E_USERID_LONG; /* [4A-B.4-1] */
    case FIELD_WHOLE:
        break;
    }
    used += request->userid_len + 1;

    /* DSTIP selects the mode [4A-4.1-3]; 0.0.0.0 is plain [4A-4.2-2..3]. */
    if (!socks4_is_4a(request->dstip))
        return (ssize_t)used;
    if (!framing->socks4a)
        return SOCKS4_E_4A; /* [V4-A-1, V4-A-3] */
    /* [V4-A-2, 4A-4.2-1] */
    return request_read_domain(octets, len, used, request);
}

static int
request_has_nul(const char *field, size_t len)
{
    return len > 0 && memchr(field, 0, len) != NULL;
}

/* Returns why the request cannot be encoded, or 0. */
static int
request_fault(const struct socks4_request *request)
{
    if (!request_knows_command(request->command))
        return SOCKS4_E_COMMAND;
    if ((request->domain != NULL) != socks4_is_4a(request->dstip))
        return SOCKS4_E_4A; /* [4A-3.1.1-1] */
    if (request_has_nul(request->userid, request->userid_len))
        return SOCKS4_E_NUL;
    if (request->domain == NULL)
        return 0;
    if (request_has_nul(request->domain, request->domain_len))
        return SOCKS4_E_NUL;
    if (request->domain_len == 0)
        return SOCKS4_E_DOMAIN_EMPTY;
    if (request->domain_len > SOCKS4_DOMAIN_MAX)
        return SOCKS4_E_DOMAIN_LONG; /* [4A-3.1.2-5] */
    return 0;
}

/* Writes the field and its NUL; returns the place behind them. */
static uint8_t *
request_write_field(uint8_t *at, const char *field, size_t len)
{
    if (len > 0)
        memcpy(at, field, len);
    at[len] = 0;
    return at + len + 1;
}

ssize_t
socks4_request_encode(const struct socks4_request *request, uint8_t *octets,
                      size_t room)
{
    int fault = request_fault(request);
    size_t fixed = SOCKS4_HEADER_SIZE + 1; /* USERID's NUL */
    uint8_t *end;

    if (fault != 0)
        return fault;
    if (request->domain != NULL)
        fixed += request->domain_len + 1;
    if (room < fixed || room - fixed < request->userid_len)
        return SOCKS4_E_ROOM;

    octets[0] = SOCKS4_VERSION; /* [V4-D.1-1] */
    octets[1] = request->command;
    octets_put16(octets + 2, request->dstport);
    octets_put32(octets + 4, request->dstip);
    end = request_write_field(octets + SOCKS4_HEADER_SIZE, request->userid,
                              request->userid_len);
    if (request->domain != NULL)
        end = request_write_field(end, request->domain, request->domain_len);
    return end - octets;
}

int
socks4_is_4a(uint32_t dstip)
{
    return dstip != 0 && dstip <= 0xff;
}
