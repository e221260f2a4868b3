#include "gateway/observer/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* All but the end, of which there is none to be seen. */
static const char *const filter_states[] = {
#define X(symbol, name) name,
    SESSION_STATE_NAMES(X)
#undef X
};

struct term {
    const char *key;
    char sign; /* what follows it */
    const char *example;
    int (*parse)(struct observer_filter *filter, const struct term *term,
                 const char *value, char *why);
    uint32_t bit;
    size_t at; /* of its field in the filter */
};

static void *
filter_field(struct observer_filter *filter, const struct term *term)
{
    return (char *)filter + term->at;
}

static int
filter_refuse(const struct term *term, const char *value, char *why)
{
    char shown[80];
    snprintf(why, FILTER_WHY_MAX,
             "%s%c: \"%s\" is not what it takes; write "
             "%s%c%s",
             term->key, term->sign,
             text_show(value, strlen(value), shown, sizeof(shown)), term->key,
             term->sign, term->example);
    return -1;
}

static int
filter_parse_net(struct observer_filter *filter, const struct term *term,
                 const char *value, char *why)
{
    struct addr *bounds = filter_field(filter, term);
    int error = addr_parse_cidr(value, &bounds[0], &bounds[1]);
    if (error == -EDOM) {
        char first[ADDR_TEXT_MAX];
        snprintf(why, FILTER_WHY_MAX,
                 "%s=%.64s: bits behind the prefix are set; write %s=%s%.8s",
                 term->key, value, term->key, addr_format(bounds[0], first),
                 strchr(value, '/'));
        return -1;
    }
    return error == 0 ? 0 : filter_refuse(term, value, why);
}

static int
filter_parse_port(struct observer_filter *filter, const struct term *term,
                  const char *value, char *why)
{
    uint64_t port;
    if (text_number(value, &port) != 0 || port == 0 || port > UINT16_MAX)
        return filter_refuse(term, value, why);
    filter->port = (uint16_t)port;
    return 0;
}

static int
filter_parse_name(struct observer_filter *filter, const struct term *term,
                  const char *value, char *why)
{
    struct observer_name *name = filter_field(filter, term);
    size_t len = strlen(value);
    if (len == 0 || len > OBSERVER_NAME_MAX)
        return filter_refuse(term, value, why);
    name->len = (uint8_t)len;
    memcpy(name->octets, value, len);
    return 0;
}

static const char *
filter_state_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

static int
filter_parse_state(struct observer_filter *filter, const struct term *term,
                   const char *value, char *why)
{
    char shown[80], hint[TEXT_HINT_MAX];
    size_t count = SESSION_STATE_COUNT - 1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(filter_states[i], value) == 0)
            return filter_parse_name(filter, term, value, why);
    const char *nearest =
        text_nearest(value, filter_states, count, filter_state_at);
    int len =
        snprintf(why, FILTER_WHY_MAX, "there is no state \"%s\"%s; known: ",
                 text_show(value, strlen(value), shown, sizeof(shown)),
                 text_hint(nearest, hint));
    for (size_t i = 0; i < count; i++)
        len += snprintf(why + len, FILTER_WHY_MAX - (size_t)len, "%s%s",
                        i > 0 ? ", " : "", filter_states[i]);
    return -1;
}

/* Octets as JSON has them: a character up to U+00FF is an octet. */
static int
filter_parse_text(struct observer_filter *filter, const struct term *term,
                  const char *value, char *why)
{
    struct observer_text *text = filter_field(filter, term);
    size_t len = 0;
    for (const char *at = value; *at != '\0'; len++) {
        uint32_t character;
        at += text_utf8_char(at, &character);
        if (character > 0xff || len == OBSERVER_TEXT_MAX)
            return filter_refuse(term, value, why);
        text->octets[len] = (char)character;
    }
    if (len == 0)
        return filter_refuse(term, value, why);
    text->len = (uint8_t)len;
    text->whole = (uint16_t)len;
    return 0;
}

static int
filter_parse_duration(struct observer_filter *filter, const struct term *term,
                      const char *value, char *why)
{
    return text_duration(value, filter_field(filter, term)) == 0
               ? 0
               : filter_refuse(term, value, why);
}

static int
filter_parse_size(struct observer_filter *filter, const struct term *term,
                  const char *value, char *why)
{
    return text_size(value, filter_field(filter, term)) == 0
               ? 0
               : filter_refuse(term, value, why);
}

static const char *const filter_versions[] = {"",
#define X(symbol, name) name,
                                              REQUEST_VERSIONS(X)
#undef X
};

/* One, or several with commas between. */
static int
filter_parse_versions(struct observer_filter *filter, const struct term *term,
                      const char *value, char *why)
{
    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ",");
        unsigned version = REQUEST_UNKNOWN + 1;
        while (version < REQUEST_VERSION_COUNT &&
               (strlen(filter_versions[version]) != len ||
                memcmp(filter_versions[version], at, len) != 0))
            version++;
        if (version == REQUEST_VERSION_COUNT)
            return filter_refuse(term, value, why);
        filter->versions |= UINT32_C(1) << version;
        at += len;
        if (*at == '\0')
            return 0;
    }
}

#define AT(field) offsetof(struct observer_filter, field)

static const struct term terms[] = {
    {"client", '=', "10.0.0.0/8 or an address", filter_parse_net,
     OBSERVER_CLIENT, AT(client_first)},
    {"dest", '=', "192.0.2.0/24 or an address", filter_parse_net, OBSERVER_DEST,
     AT(dest_first)},
    {"port", '=', "443", filter_parse_port, OBSERVER_PORT, 0},
    {"rule", '=', "NAME of a rule", filter_parse_name, OBSERVER_RULE, AT(rule)},
    {"userid", '=', "NAME, or the beginning and *", filter_parse_text,
     OBSERVER_USERID, AT(userid)},
    {"certificate", '=', "NAME, .suffix, or the beginning and *",
     filter_parse_text, OBSERVER_CERTIFICATE, AT(certificate)},
    {"version", '=', "4, 4a, 5, or 4,4a", filter_parse_versions,
     OBSERVER_VERSION, 0},
    {"listener", '=', "NAME of a listener", filter_parse_name,
     OBSERVER_LISTENER, AT(listener)},
    {"state", '=', "relay", filter_parse_state, OBSERVER_STATE, AT(state)},
    {"older", '=', "10m (500ms, 30s, 2h)", filter_parse_duration,
     OBSERVER_OLDER, AT(older_ms)},
    {"up", '>', "1M (64k, 2G)", filter_parse_size, OBSERVER_UP, AT(up)},
    {"down", '>', "1M (64k, 2G)", filter_parse_size, OBSERVER_DOWN, AT(down)},
};

#define TERM_COUNT (sizeof(terms) / sizeof(terms[0]))

_Static_assert(AT(client_last) == AT(client_first) + sizeof(struct addr) &&
                   AT(dest_last) == AT(dest_first) + sizeof(struct addr),
               "bounds stand beside each other");

static const char *
filter_key_at(const void *rows, size_t i)
{
    return ((const struct term *)rows)[i].key;
}

static int
filter_refuse_key(const char *text, char *why)
{
    char key[24], shown[80], hint[TEXT_HINT_MAX];
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(text, "=<>"), text);
    const char *nearest = text_nearest(key, terms, TERM_COUNT, filter_key_at);
    int len = snprintf(why, FILTER_WHY_MAX, "\"%s\" is not a filter%s; known: ",
                       text_show(text, strlen(text), shown, sizeof(shown)),
                       text_hint(nearest, hint));
    for (size_t i = 0; i < TERM_COUNT; i++)
        len += snprintf(why + len, FILTER_WHY_MAX - (size_t)len, "%s%s%c",
                        i > 0 ? " " : "", terms[i].key, terms[i].sign);
    return -1;
}

int
filter_add(struct observer_filter *filter, const char *text,
           char why[FILTER_WHY_MAX])
{
    for (size_t i = 0; i < TERM_COUNT; i++) {
        const struct term *term = &terms[i];
        size_t len = strlen(term->key);
        if (strncmp(text, term->key, len) != 0 || text[len] != term->sign)
            continue;
        if (filter->terms & term->bit) {
            snprintf(why, FILTER_WHY_MAX, "%s is given twice; once is enough",
                     term->key);
            return -1;
        }
        filter->terms |= term->bit;
        return term->parse(filter, term, text + len + 1, why);
    }
    return filter_refuse_key(text, why);
}

int
filter_add_id(struct observer_filter *filter, uint64_t id)
{
    unsigned at = filter->id_count;
    for (unsigned i = 0; i < filter->id_count; i++)
        if (filter->ids[i] == id)
            return 0;
    if (at == OBSERVER_IDS_MAX)
        return -1;
    for (; at > 0 && filter->ids[at - 1] > id; at--)
        filter->ids[at] = filter->ids[at - 1];
    filter->ids[at] = id;
    filter->id_count++;
    filter->terms |= OBSERVER_IDS;
    return 0;
}
