#ifndef UNIT_POLICY_NAIVE_H
#define UNIT_POLICY_NAIVE_H

/*
 * A second reading of what a rule means, as plain as can be: it reads the
 * very words that the configuration is written in, and shares no code with
 * the gateway.
 */

#include <arpa/inet.h>
#include <ctype.h>

#include "gateway/config/config.h"
#include "gateway/policy/policy.h"
#include "tests/unit/unit.h"

#define WORD_MAX 48
#define LIST_MAX 4
#define RULES_MAX 24
#define ADDRESSES_MAX 4

/* A network, read from its word once. */
struct net {
    unsigned char octets[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;
    bool six; /* written as IPv6 */
};

enum kind {
    ANY,
    PUBLIC,
    PRIVATE,
    LOOPBACK,
    LINK_LOCAL,
    MULTICAST,
    THIS_NETWORK,
    SELF,
    NETWORK,
    NAME,
    SUFFIX,
    SET
};

/* A list of words, as it stands in the file. */
struct naive_list {
    char words[LIST_MAX][WORD_MAX];
    struct net nets[LIST_MAX]; /* of those that are networks */
    int kinds[LIST_MAX];       /* enum kind, or SET + number of the set */
    size_t count;
};

struct raw_rule {
    bool allow, connect, bind, any_peer;
    bool no_command; /* the rule does not say which */
    struct naive_list from, listener, to, port, user, version;
};

/* Listeners have the names below; set N may only name sets before it. */
struct raw {
    struct naive_list sets[3];
    struct raw_rule rules[RULES_MAX];
    size_t rule_count;
};

static const char *const set_names[] = {"set-a", "set-b", "set-c"};

static const struct {
    const char *name, *address;
    uint16_t port;
} listeners[] = {
    {"home", "127.0.0.1", 1080},
    {"office", "192.168.0.1", 1080},
    {"wide", "0.0.0.0", 80},
    {"six", "2001:db8::1", 1080},
};

static const char *const names[] = {
    "ftp.example.org",  "Example.ORG.",  "example.net", "host.",
    ".example.org",     ".EXAMPLE.net",  ".org.",       ".ftp.example.org",
    "a.b.example.net.", ".b.example.net"};

static const char *const built_in[] = {
    "any",        "public",    "private",      "loopback",
    "link-local", "multicast", "this-network", "self"};

static const char *const versions[] = {"4", "4a", "5"};

/* The naive evaluator. */

static void
read_address(const char *text, unsigned char octets[16])
{
    char mapped[64];

    if (!strchr(text, ':')) {
        snprintf(mapped, sizeof(mapped), "::ffff:%s", text);
        text = mapped;
    }
    assert_int_equal(inet_pton(AF_INET6, text, octets), 1);
}

static struct net
read_network(const char *word)
{
    struct net net = {.six = strchr(word, ':') != NULL};
    char text[WORD_MAX];

    snprintf(text, sizeof(text), "%s", word + (word[0] == '"'));
    text[strcspn(text, "\"")] = '\0';
    char *slash = strchr(text, '/');
    net.bits = slash ? atoi(slash + 1) : net.six ? 128 : 32;
    net.bits += net.six ? 0 : 96;
    if (slash)
        *slash = '\0';
    read_address(text, net.octets);
    return net;
}

static bool
bits_agree(const unsigned char *a, const unsigned char *b, int bits)
{
    int rest = bits % 8;

    if (memcmp(a, b, (size_t)bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static const unsigned char mapped[16] = {[10] = 0xff, [11] = 0xff};

/* An address, and what is said of it again and again. */
struct place {
    unsigned char octets[16];
    unsigned char asked[16]; /* as it was asked for */
    bool is_four;
    bool is_private;
    int special; /* which of the special ranges it is in; -1: none */
    bool own;    /* an address of this machine */
};

static bool
net_has(const struct net *net, const struct place *place)
{
    /* IPv6 words mean IPv4 only where they spell it out. */
    if (place->is_four && net->six && net->bits < 96)
        return false;
    return bits_agree(net->octets, place->octets, net->bits);
}

static const char *const special[] = {
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
    "::1",       "fe80::/10",   "ff00::/8",       "::",          "::/96",
    "2002::/16", "2001::/32",   "64:ff9b:1::/48"};
static const char *const private[] = {"10.0.0.0/8",     "172.16.0.0/12",
                                      "192.168.0.0/16", "100.64.0.0/10",
                                      "fc00::/7",       "fec0::/10"};
/* From here on `from' does not know them. */
#define TRANSLATED 9
static const unsigned char nat64[16] = {[1] = 0x64, [2] = 0xff, [3] = 0x9b};
static const unsigned char siit[16] = {[8] = 0xff, [9] = 0xff};

static struct net special_nets[COUNT(special)];
static struct net private_nets[COUNT(private)];

static void
nets_read(void)
{
    for (size_t i = 0; i < COUNT(special); i++)
        special_nets[i] = read_network(special[i]);
    for (size_t i = 0; i < COUNT(private); i++)
        private_nets[i] = read_network(private[i]);
}

/* The special range an address is in; -1: none. */
static int
special_of(const unsigned char address[16])
{
    for (size_t i = 0; i < COUNT(special); i++) {
        if (bits_agree(special_nets[i].octets, address, special_nets[i].bits))
            return (int)i;
    }
    return -1;
}

static bool
is_private(const unsigned char address[16])
{
    for (size_t i = 0; i < COUNT(private); i++) {
        if (bits_agree(private_nets[i].octets, address, private_nets[i].bits))
            return true;
    }
    return false;
}

static struct place
place_of(const unsigned char octets[16])
{
    struct place place = {.is_four = bits_agree(octets, mapped, 96),
                          .is_private = is_private(octets),
                          .special = special_of(octets)};

    memcpy(place.octets, octets, 16);
    return place;
}

/* A destination: where it is translated it is the IPv4 address. */
static struct place
to_place_of(const unsigned char octets[16])
{
    unsigned char meant[16];

    memcpy(meant, octets, 16);
    if (bits_agree(octets, nat64, 96) || bits_agree(octets, siit, 96))
        memcpy(meant, mapped, 12);
    struct place place = place_of(meant);
    memcpy(place.asked, octets, 16);
    return place;
}

static bool
is_special(const struct place *place, int which, int which6)
{
    return place->special >= 0 &&
           (place->special == which || place->special == which6);
}

static bool word_has(const struct raw *raw, const struct naive_list *list,
                     size_t at, const struct place *place, bool is_to);

static bool
list_has(const struct raw *raw, const struct naive_list *list,
         const struct place *place, bool is_to)
{
    for (size_t i = 0; i < list->count; i++)
        if (word_has(raw, list, i, place, is_to))
            return true;
    return false;
}

static bool
word_has(const struct raw *raw, const struct naive_list *list, size_t at,
         const struct place *place, bool is_to)
{
    /* What `to` of a rule that allows must name alone. */
    bool kept_out = is_to && place->own && place->special < 0;

    switch (list->kinds[at]) {
    case ANY:
        return !is_to || (place->special < 0 && !kept_out);
    case PUBLIC:
        return (place->special < 0 ||
                (!is_to && place->special >= TRANSLATED)) &&
               !place->is_private && !kept_out;
    case PRIVATE:
        return place->is_private && !kept_out;
    case SELF:
        return place->own && (!is_to || place->special < 0);
    case LOOPBACK:
        return is_special(place, 1, 5);
    case LINK_LOCAL:
        return is_special(place, 2, 6);
    case MULTICAST:
        return is_special(place, 3, 7);
    case THIS_NETWORK:
        return is_special(place, 0, 0);
    case NAME:
    case SUFFIX:
        return false;
    case NETWORK:
        break;
    default:
        return list_has(raw, &raw->sets[list->kinds[at] - SET], place, is_to);
    }
    if (!net_has(&list->nets[at], place))
        return false;
    if (kept_out)
        return list->nets[at].bits == 128;
    if (!is_to || place->special < 0)
        return true;
    /* ::/96 has two more in it. */
    return list->nets[at].bits >=
           special_nets[place->special].bits + (place->special == TRANSLATED);
}

static bool
list_names(const struct naive_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->words[i], name) == 0)
            return true;
    return list->count == 0;
}

static bool
list_has_port(const struct naive_list *list, unsigned port)
{
    for (size_t i = 0; i < list->count; i++) {
        unsigned first, last;
        int found = sscanf(list->words[i], "%u-%u", &first, &last);
        if (port >= first && port <= (found == 2 ? last : first))
            return true;
    }
    return list->count == 0;
}

static bool
list_has_user(const struct naive_list *list, const char *userid)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *word = list->words[i] + (list->words[i][0] == '"');
        size_t len = strcspn(word, "\"");
        if (strlen(userid) == len && strncmp(word, userid, len) == 0)
            return true;
        if (len > 0 && word[len - 1] == '*' &&
            strncmp(word, userid, len - 1) == 0)
            return true;
    }
    return list->count == 0;
}

/* Lower case, without a final dot. */
static char *
plain(const char *name, char text[WORD_MAX])
{
    size_t len = strlen(name);

    assert_true(len > 0 && len < WORD_MAX);
    for (size_t i = 0; i <= len; i++)
        text[i] = (char)tolower((unsigned char)name[i]);
    if (text[len - 1] == '.')
        text[len - 1] = '\0';
    return text;
}

static bool
list_has_name(const struct naive_list *list, int kind, const char *name)
{
    char wanted[WORD_MAX], word[WORD_MAX];
    size_t len = strlen(plain(name, wanted));

    for (size_t i = 0; i < list->count; i++) {
        if (list->kinds[i] != kind)
            continue;
        size_t tail = strlen(plain(list->words[i], word));
        if (kind == NAME && strcmp(word, wanted) == 0)
            return true;
        if (kind == SUFFIX && len > tail &&
            strcmp(wanted + len - tail, word) == 0)
            return true;
    }
    return false;
}

/* A rule matches by its networks, or by a name and not kept out of where
   the address is. */
enum term {
    ACTION,
    FROM,
    LISTENER,
    COMMAND,
    PORT,
    USER,
    VERSION,
    TO_NETWORK,
    TO_NAME,
    TO_SUFFIX,
    TO_KEPT_OUT,
    TERMS
};

static const char *const term_names[TERMS] = {
    "action",  "from", "listener", "command", "port",    "user",
    "version", "net",  "name",     "suffix",  "kept out"};

/* What is asked, in words too. */
struct asked {
    struct policy_question question;
    struct place from;
    struct place to[ADDRESSES_MAX];
    size_t to_count;
    const char *userid;
    char name[WORD_MAX]; /* empty: none */
};

/* Each term of the rule, by itself; ACTION: it allows. */
static unsigned
rule_terms(const struct raw *raw, const struct raw_rule *rule,
           const struct asked *asked)
{
    const struct policy_question *question = &asked->question;
    bool is_bind = question->command == RULE_BIND;
    bool named = asked->name[0] != '\0';

    return (unsigned)rule->allow << ACTION |
           (unsigned)list_has(raw, &rule->from, &asked->from, false) << FROM |
           (unsigned)list_names(&rule->listener,
                                listeners[question->listener].name)
               << LISTENER |
           (unsigned)(is_bind ? rule->bind : rule->connect) << COMMAND |
           (unsigned)list_has_port(&rule->port, question->port) << PORT |
           (unsigned)list_has_user(&rule->user, asked->userid) << USER |
           (unsigned)list_names(&rule->version, versions[question->version])
               << VERSION |
           (unsigned)(named && list_has_name(&rule->to, NAME, asked->name))
               << TO_NAME |
           (unsigned)(named && list_has_name(&rule->to, SUFFIX, asked->name))
               << TO_SUFFIX;
}

static bool
is_zero(const struct place *place)
{
    static const unsigned char zeros[16];

    return bits_agree(place->octets, zeros, 128) ||
           bits_agree(place->octets, mapped, 128);
}

/* And those that speak of the address. */
static unsigned
rule_terms_to(const struct raw *raw, const struct raw_rule *rule,
              const struct asked *asked, const struct place *to)
{
    /* A deny rule says what it means; only to allow is a matter of care. */
    bool reached = list_has(raw, &rule->to, to, rule->allow);

    if (asked->question.command == RULE_BIND && is_zero(to))
        reached = rule->any_peer || (!rule->allow && reached);
    return (unsigned)reached << TO_NETWORK |
           (unsigned)(rule->allow && (to->special >= 0 || to->own))
               << TO_KEPT_OUT;
}

#define OTHERS                                                                 \
    (1u << FROM | 1u << LISTENER | 1u << COMMAND | 1u << PORT | 1u << USER |   \
     1u << VERSION)
#define NAMED (1u << TO_NAME | 1u << TO_SUFFIX)

static bool
terms_match(unsigned terms)
{
    if ((terms & OTHERS) != OTHERS)
        return false;
    return terms >> TO_NETWORK & 1 ||
           (terms & NAMED && !(terms >> TO_KEPT_OUT & 1));
}

/* The rule that decides; -1: none. */
static int
first_match(const unsigned *terms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (terms_match(terms[i]))
            return (int)i;
    return -1;
}

static bool
grants(const unsigned *terms, size_t count)
{
    int rule = first_match(terms, count);

    return rule >= 0 && terms[rule] >> ACTION & 1;
}

/* Whether the term, had it come out the other way in some rule, would have
   turned the answer. */
static bool
is_decisive(unsigned *terms, size_t count, enum term term)
{
    bool granted = grants(terms, count);
    bool turned = false;

    for (size_t i = 0; i < count && !turned; i++) {
        terms[i] ^= 1u << term;
        turned = grants(terms, count) != granted;
        terms[i] ^= 1u << term;
    }
    return turned;
}

/* Some addresses are this machine's. */
static bool
is_local(const void *local, struct addr addr)
{
    (void)local;
    return (addr.hi == 0 && addr.lo == 0xffff0a010203) ||
           (addr.hi == 0 && addr.lo >> 8 == 0xffffcb0071);
}

static bool
is_own(const struct place *place, bool told)
{
    char text[INET_ADDRSTRLEN];

    if (is_special(place, 1, 5))
        return true;
    if (!told || !place->is_four)
        return false;
    inet_ntop(AF_INET, place->octets + 12, text, sizeof(text));
    return strcmp(text, "10.1.2.3") == 0 ||
           strncmp(text, "203.0.113.", 10) == 0;
}

/* Whether the list would have the address, were it like any other. */
static bool
list_would_have(const struct raw *raw, const struct naive_list *list,
                const struct place *place)
{
    for (size_t i = 0; i < list->count; i++) {
        int kind = list->kinds[i];
        if (kind == ANY || (kind == PUBLIC && !place->is_private) ||
            (kind == PRIVATE && place->is_private) ||
            (kind == NETWORK && net_has(&list->nets[i], place)) ||
            (kind >= SET &&
             list_would_have(raw, &raw->sets[kind - SET], place)))
            return true;
    }
    return false;
}

/* Why no rule matched: perhaps only since the address is special. */
static enum policy_reason
reason_of_none(const struct raw *raw, const struct asked *asked,
               const struct place *to, const unsigned *terms)
{
    static const enum policy_reason reasons[] = {
        POLICY_DENIED_RANGE,      POLICY_DENIED_LOOPBACK,
        POLICY_DENIED_LINK_LOCAL, POLICY_DENIED_RANGE,
        POLICY_DENIED_RANGE,      POLICY_DENIED_LOOPBACK,
        POLICY_DENIED_LINK_LOCAL, POLICY_DENIED_RANGE,
        POLICY_DENIED_RANGE,      POLICY_DENIED_RANGE,
        POLICY_DENIED_RANGE,      POLICY_DENIED_RANGE,
        POLICY_DENIED_RANGE};

    if (asked->question.command == RULE_BIND && is_zero(to))
        return POLICY_DENIED_DEFAULT;
    for (size_t i = 0; i < raw->rule_count; i++)
        if (raw->rules[i].allow && (terms[i] & OTHERS) == OTHERS &&
            (to->special >= 0 || to->own) &&
            (terms[i] & NAMED || list_would_have(raw, &raw->rules[i].to, to)))
            return to->special < 0 ? POLICY_DENIED_SELF : reasons[to->special];
    return POLICY_DENIED_DEFAULT;
}

/* What no rule can grant, in the order it is looked at. */
static enum policy_reason
never(const struct asked *asked, const struct place *place)
{
    const struct policy_question *question = &asked->question;
    int range = place->special;
    char to[INET6_ADDRSTRLEN];

    if (question->command == RULE_BIND)
        return (range == 0 || range == 8) && asked->name[0]
                   ? POLICY_DENIED_SPECIAL
                   : POLICY_ALLOWED;
    if (range == 0 || range == 3 || range == 4 || range == 7 || range == 8)
        return POLICY_DENIED_SPECIAL;
    if (question->port == 0)
        return POLICY_DENIED_PORT;
    if (place->is_four)
        inet_ntop(AF_INET, place->octets + 12, to, sizeof(to));
    else
        inet_ntop(AF_INET6, place->octets, to, sizeof(to));
    for (size_t i = 0; i < COUNT(listeners); i++)
        if (strcmp(listeners[i].address, to) == 0 &&
            listeners[i].port == question->port)
            return POLICY_DENIED_LISTENER;
    if (question->port == 80 && place->own && place->is_four)
        return POLICY_DENIED_LISTENER;
    return POLICY_ALLOWED;
}

struct answer {
    enum policy_reason reason;
    int rule; /* -1: none */
};

static struct answer
answer_to(const struct raw *raw, const struct asked *asked,
          const struct place *to, const unsigned *terms, size_t count)
{
    struct answer answer = {.reason = never(asked, to), .rule = -1};

    if (answer.reason != POLICY_ALLOWED)
        return answer;
    answer.rule = first_match(terms, count);
    answer.reason = answer.rule < 0 ? reason_of_none(raw, asked, to, terms)
                    : grants(terms, count) ? POLICY_ALLOWED
                                           : POLICY_DENIED_RULE;
    return answer;
}

#endif
