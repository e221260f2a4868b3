#include "gateway/observer/row_json.h"

#include <stdio.h>
#include <string.h>

/* What a text may take as UTF-8, and what says that it was cut. */
#define ROW_TEXT_MAX (3 * OBSERVER_TEXT_MAX + 24)

/* No text of an honest worker has a NUL, and readers of JSON do not like it: it
   becomes its picture, U+2400. */
static char *
row_json_encode(char *at, const char *octets, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)octets[i];
        if (octet == 0) {
            at = mempcpy(at, "\xe2\x90\x80", 3);
            continue;
        }
        if (octet >= 0x80)
            *at++ = (char)(0xc0 | octet >> 6);
        *at++ = (char)(octet >= 0x80 ? 0x80 | (octet & 0x3f) : octet);
    }
    return at;
}

json_t *
row_json_octets(const char *octets, size_t len)
{
    char text[ROW_TEXT_MAX];
    if (len > OBSERVER_TEXT_MAX)
        len = OBSERVER_TEXT_MAX;
    char *end = row_json_encode(text, octets, len);
    return json_stringn(text, (size_t)(end - text));
}

/* What a worker says may be any octets: a length that is too long is cut. */
static json_t *
row_json_name(const struct observer_name *name)
{
    size_t len = name->len < OBSERVER_NAME_MAX ? name->len : OBSERVER_NAME_MAX;
    return len > 0 ? row_json_octets(name->octets, len) : json_null();
}

/* A longer one ends as in a record: an ellipsis, and the length of the whole.
 */
json_t *
row_json_text(const struct observer_text *text)
{
    char encoded[ROW_TEXT_MAX];
    if (text->len == 0)
        return json_null();
    char *end = row_json_encode(encoded, text->octets, text->len);
    if (text->whole > text->len)
        end += sprintf(end, "\xe2\x80\xa6(%u)", text->whole);
    return json_stringn(encoded, (size_t)(end - encoded));
}

/* USERID may be empty, and is then known. */
static json_t *
row_json_userid(const struct observer_row *row)
{
    return row->userid.len == 0 && row->version.len > 0
               ? json_string("")
               : row_json_text(&row->userid);
}

static json_t *
row_json_endpoint(const struct endpoint *endpoint)
{
    char text[ENDPOINT_TEXT_MAX];
    return endpoint->port != 0 ? json_string(endpoint_format(endpoint, text))
                               : json_null();
}

static json_t *
row_json_address(const struct endpoint *endpoint)
{
    char text[ADDR_TEXT_MAX];
    return json_string(addr_format(endpoint->addr, text));
}

static json_t *
row_json_number(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static json_t *
row_json_ms(const struct observer_row *row)
{
    static const char *const phases[] = {
#define X(symbol, name) name,
        PHASES(X)
#undef X
    };
    json_t *ms = json_object();
    for (size_t i = 0; i < PHASE_COUNT; i++)
        json_object_set_new(ms, phases[i], row_json_number(row->ms[i]));
    return ms;
}

static json_t *
row_json_rate(const uint64_t *rates, int which)
{
    return rates != NULL ? row_json_number(rates[which]) : json_null();
}

/* json_object_set_new takes NULL where there was no memory, and fails. */
json_t *
row_json(const struct observer_row *row, unsigned worker,
         const uint64_t rates[2])
{
    json_t *json = json_object();
    bool failed = false;
#define PUT(key, value) failed |= json_object_set_new(json, key, value) != 0
    PUT("id", row_json_number(row->id));
    PUT("worker", row_json_number(worker));
    PUT("listener", row_json_name(&row->listener));
    PUT("client", row_json_endpoint(&row->client));
    PUT("userid", row_json_userid(row));
    PUT("command", row_json_name(&row->command));
    PUT("dest", row_json_endpoint(&row->dest));
    PUT("name", row_json_text(&row->name));
    PUT("rule", row_json_name(&row->rule));
    PUT("ident", row_json_text(&row->ident));
    PUT("verdict", row_json_name(&row->verdict));
    PUT("code", row_json_number(row->code));
    PUT("up", row_json_number(row->up));
    PUT("down", row_json_number(row->down));
    PUT("ms", row_json_ms(row));
    PUT("ended_by", row_json_name(&row->ended_by));
    PUT("end", row_json_name(&row->end));
    PUT("version", row_json_name(&row->version));
    PUT("proxy", row_json_endpoint(&row->proxy));
    PUT("tls", row_json_name(&row->tls));
    PUT("certificate", row_json_text(&row->certificate));
    PUT("via", row_json_name(&row->via));
    PUT("hint", row_json_text(&row->hint));
    PUT("local", row_json_endpoint(&row->local));
    PUT("peer", row_json_endpoint(&row->peer));
    PUT("client_ip", row_json_address(&row->client));
    PUT("client_port", row_json_number(row->client.port));
    PUT("state", row_json_name(&row->state));
    PUT("age", row_json_number(row->age_ms / 1000));
    PUT("rate_up", row_json_rate(rates, 0));
    PUT("rate_down", row_json_rate(rates, 1));
#undef PUT
    if (!failed)
        return json;
    json_decref(json);
    return NULL;
}
