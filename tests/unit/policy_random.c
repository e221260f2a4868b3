/*
 * The policy against a naive evaluator: random configurations and questions
 * drawn near their boundaries. The evaluator reads the very words that the
 * configuration is written in; it shares no code with the gateway.
 */

#include <arpa/inet.h>

#include "gateway/worker/policy.h"
#include "socks4/codec.h"
#include "tests/unit/unit.h"

#define CONFIGS 2500
#define QUESTIONS 420 /* each: more than a million in all */

#define WORD_MAX 48
#define LIST_MAX 4
#define RULES_MAX 24

/* A network, read from its word once. */
struct net {
    unsigned char octets[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;
    bool six; /* written as IPv6 */
};

/* A list of words, as it stands in the file. */
struct list {
    char words[LIST_MAX][WORD_MAX];
    struct net nets[LIST_MAX]; /* of those that are networks */
    size_t count;
};

struct raw_rule {
    bool allow, connect, bind, any_peer;
    struct list from, listener, to, port, user;
};

/* Listeners have the names below; set N may only name sets before it. */
struct raw {
    struct list sets[3];
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

/* Networks whose borders meet each other and those of special ranges. */
static const char *const networks[] = {
    "0.0.0.0/0",      "10.0.0.0/8",      "10.1.0.0/16",     "10.1.2.3/32",
    "127.0.0.0/8",    "127.0.0.2",       "126.0.0.0/7",     "192.168.0.0/24",
    "192.168.0.1",    "172.0.0.0/11",    "100.0.0.0/9",     "169.254.0.0/16",
    "169.254.0.0/15", "224.0.0.0/4",     "224.0.0.0/3",     "239.1.0.0/16",
    "128.0.0.0/1",    "0.0.0.0/8",       "0.0.0.0/7",       "203.0.113.0/25",
    "240.0.0.0/4",    "255.255.255.255", "203.0.113.128/25"};

static const char *const networks6[] = {
    "\"::/0\"",          "\"::1\"",           "\"fe80::/10\"",
    "\"fe80::/9\"",      "\"2001:db8::/32\"", "\"2001:db8::1\"",
    "\"::ffff:0:0/96\"", "\"ff00::/8\"",      "\"8000::/1\"",
};

static const char *const built_in[] = {"any",         "public",     "private",
                                       "loopback",    "link-local", "multicast",
                                       "this-network"};

static const char *const ports[] = {"80",        "0",     "1080",    "79-81",
                                    "1000-2000", "65535", "0-65535", "443"};

static const char *const users[] = {"ann",      "\"\"", "\"*\"",  "\"a*\"",
                                    "\"ann*\"", "bob",  "\"b*b\""};

static const char *const userids[] = {"",    "a",   "ann", "anna",
                                      "bob", "b*b", "zoe"};

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
    bool is_four;
    bool is_private;
    int special; /* which of the special ranges it is in; -1: none */
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
    "0.0.0.0/8",   "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",
    "240.0.0.0/4", "::1",         "fe80::/10",      "ff00::/8"};
static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12",
                                      "192.168.0.0/16", "100.64.0.0/10"};

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

static bool
is_special(const struct place *place, int which, int which6)
{
    return place->special >= 0 &&
           (place->special == which || place->special == which6);
}

static bool word_has(const struct raw *raw, const struct list *list, size_t at,
                     const struct place *place, bool is_to);

static bool
list_has(const struct raw *raw, const struct list *list,
         const struct place *place, bool is_to)
{
    for (size_t i = 0; i < list->count; i++)
        if (word_has(raw, list, i, place, is_to))
            return true;
    return false;
}

static bool
word_has(const struct raw *raw, const struct list *list, size_t at,
         const struct place *place, bool is_to)
{
    const char *word = list->words[at];

    if (strcmp(word, "any") == 0)
        return !is_to || place->special < 0;
    if (strcmp(word, "public") == 0)
        return place->special < 0 && !place->is_private;
    if (strcmp(word, "private") == 0)
        return place->is_private;
    if (strcmp(word, "loopback") == 0)
        return is_special(place, 1, 5);
    if (strcmp(word, "link-local") == 0)
        return is_special(place, 2, 6);
    if (strcmp(word, "multicast") == 0)
        return is_special(place, 3, 7);
    if (strcmp(word, "this-network") == 0)
        return is_special(place, 0, 0);
    for (size_t i = 0; i < COUNT(set_names); i++)
        if (strcmp(word, set_names[i]) == 0)
            return list_has(raw, &raw->sets[i], place, is_to);
    if (!net_has(&list->nets[at], place))
        return false;
    if (!is_to || place->special < 0)
        return true;
    return list->nets[at].bits >= special_nets[place->special].bits;
}

static bool
list_names(const struct list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->words[i], name) == 0)
            return true;
    return list->count == 0;
}

static bool
list_has_port(const struct list *list, unsigned port)
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
list_has_user(const struct list *list, const char *userid)
{
    for (size_t i = 0; i < list->count; i++) {
        char word[WORD_MAX];
        const char *raw_word = list->words[i];
        snprintf(word, sizeof(word), "%s", raw_word + (raw_word[0] == '"'));
        word[strcspn(word, "\"")] = '\0';
        size_t len = strlen(word);
        if (strcmp(word, userid) == 0)
            return true;
        if (len > 0 && word[len - 1] == '*' &&
            strncmp(word, userid, len - 1) == 0)
            return true;
    }
    return list->count == 0;
}

enum term { ACTION, FROM, LISTENER, COMMAND, TO, PORT, USER, TERMS };

static const char *const term_names[TERMS] = {
    "action", "from", "listener", "command", "to", "port", "user"};

/* What is asked, in words too. */
struct asked {
    struct policy_question question;
    unsigned char from[16], to[16];
    struct place from_place, to_place;
    const char *userid;
};

/* Each term of the rule, by itself; ACTION: it allows. */
static unsigned
rule_terms(const struct raw *raw, const struct raw_rule *rule,
           const struct asked *asked)
{
    const struct policy_question *question = &asked->question;
    bool is_bind = question->command == SOCKS4_BIND;
    bool to = list_has(raw, &rule->to, &asked->to_place, true);

    if (is_bind && question->to == 0)
        to = rule->any_peer || (!rule->allow && to);
    return (unsigned)rule->allow << ACTION |
           (unsigned)list_has(raw, &rule->from, &asked->from_place, false)
               << FROM |
           (unsigned)list_names(&rule->listener,
                                listeners[question->listener].name)
               << LISTENER |
           (unsigned)(is_bind ? rule->bind : rule->connect) << COMMAND |
           (unsigned)to << TO |
           (unsigned)list_has_port(&rule->port, question->port) << PORT |
           (unsigned)list_has_user(&rule->user, asked->userid) << USER;
}

#define MATCHES ((1u << TERMS) - 1 - (1u << ACTION))

/* The rule that decides; -1: none. */
static int
first_match(const unsigned *terms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((terms[i] & MATCHES) == MATCHES)
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

/* What no rule can grant, in the order it is looked at. */
static enum policy_reason
never(const struct asked *asked)
{
    const struct policy_question *question = &asked->question;
    int range = asked->to_place.special;
    char to[INET_ADDRSTRLEN];

    if (question->command == SOCKS4_BIND)
        return POLICY_ALLOWED;
    if (range == 0 || range == 3 || range == 4)
        return POLICY_DENIED_SPECIAL;
    if (question->port == 0)
        return POLICY_DENIED_PORT;
    inet_ntop(AF_INET, asked->to + 12, to, sizeof(to));
    for (size_t i = 0; i < COUNT(listeners); i++)
        if (strcmp(listeners[i].address, to) == 0 &&
            listeners[i].port == question->port)
            return POLICY_DENIED_LISTENER;
    return POLICY_ALLOWED;
}

/* Random configurations. */

static struct random dice;

static bool
chance(unsigned percent)
{
    return random_below(&dice, 100) < percent;
}

static void
list_add(struct list *list, const char *word)
{
    assert_true(strlen(word) < WORD_MAX);
    if (list->count == LIST_MAX)
        return;
    if (strpbrk(word, "./:"))
        list->nets[list->count] = read_network(word);
    strcpy(list->words[list->count++], word);
}

static void
list_pick(struct list *list, const char *const *words, size_t count)
{
    size_t wanted = 1 + random_below(&dice, LIST_MAX - 1);

    list->count = 0;
    while (list->count < wanted)
        list_add(list, words[random_below(&dice, count)]);
}

static void
list_pick_networks(struct list *list, size_t sets)
{
    size_t wanted = 1 + random_below(&dice, LIST_MAX);

    list->count = 0;
    while (list->count < wanted) {
        unsigned kind = (unsigned)random_below(&dice, 10);
        if (kind < 5)
            list_add(list, networks[random_below(&dice, COUNT(networks))]);
        else if (kind < 6)
            list_add(list, networks6[random_below(&dice, COUNT(networks6))]);
        else if (kind < 8 || sets == 0)
            list_add(list, built_in[random_below(&dice, COUNT(built_in))]);
        else
            list_add(list, set_names[random_below(&dice, sets)]);
    }
}

static void
rule_make(struct raw_rule *rule)
{
    static const char *const names[] = {"home", "office", "wide", "six"};

    memset(rule, 0, sizeof(*rule));
    rule->allow = chance(75);
    rule->connect = chance(80);
    rule->bind = !rule->connect || chance(50);
    rule->any_peer = chance(30);
    list_pick_networks(&rule->from, COUNT(set_names));
    list_pick_networks(&rule->to, COUNT(set_names));
    if (chance(40))
        list_pick(&rule->listener, names, COUNT(names));
    if (chance(40))
        list_pick(&rule->port, ports, COUNT(ports));
    if (chance(40))
        list_pick(&rule->user, users, COUNT(users));
}

static void
raw_make(struct raw *raw)
{
    for (size_t i = 0; i < COUNT(raw->sets); i++)
        list_pick_networks(&raw->sets[i], i);
    raw->rule_count = 1 + random_below(&dice, chance(10) ? RULES_MAX : 6);
    for (size_t i = 0; i < raw->rule_count; i++)
        rule_make(&raw->rules[i]);
}

static void
list_write(FILE *to, const char *key, const struct list *list)
{
    fprintf(to, "%s: [", key);
    for (size_t i = 0; i < list->count; i++)
        fprintf(to, "%s%s", i ? ", " : "", list->words[i]);
    fputs("]", to);
}

static void
rule_write(FILE *to, const struct raw_rule *rule)
{
    fprintf(to, "  - {action: %s, ", rule->allow ? "allow" : "deny");
    list_write(to, "from", &rule->from);
    list_write(to, ", listener", &rule->listener);
    list_write(to, ", to", &rule->to);
    list_write(to, ", port", &rule->port);
    list_write(to, ", user", &rule->user);
    fprintf(to, ", command: [%s], peer: %s}\n",
            !rule->bind     ? "connect"
            : rule->connect ? "bind, connect"
                            : "bind",
            rule->any_peer ? "any" : "exact");
}

static struct config *
raw_parse(const struct raw *raw)
{
    struct config_error error;
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    fputs("listen:\n", to);
    for (size_t i = 0; i < COUNT(listeners); i++)
        fprintf(to,
                "  - {name: %s, address: \"%s%s%s:%u\", "
                "insecure_plaintext: yes}\n",
                listeners[i].name, strchr(listeners[i].address, ':') ? "[" : "",
                listeners[i].address,
                strchr(listeners[i].address, ':') ? "]" : "",
                listeners[i].port);
    fputs("sets:\n", to);
    for (size_t i = 0; i < COUNT(raw->sets); i++) {
        fputs("  ", to);
        list_write(to, set_names[i], &raw->sets[i]);
        fputs("\n", to);
    }
    fputs("rules:\n", to);
    for (size_t i = 0; i < raw->rule_count; i++)
        rule_write(to, &raw->rules[i]);
    fclose(to);
    struct config *config = config_parse("f", text, len, &error, NULL);
    if (!config)
        fail_msg("%s in\n%s", error.text, text);
    free(text);
    return config;
}

/* Questions near the borders. */

static void
octets_step(unsigned char octets[16], int by)
{
    for (int i = 15; i >= 0; i--) {
        int sum = octets[i] + by;
        octets[i] = (unsigned char)sum;
        if (sum >= 0 && sum <= 255)
            return;
        by = sum < 0 ? -1 : 1;
    }
}

/* In the network, at one of its ends, or one step outside. */
static void
address_near(const char *word, unsigned char octets[16])
{
    struct net net = read_network(word);
    bool last = chance(50);

    memcpy(octets, net.octets, 16);
    for (int i = net.bits; i < 128; i++)
        if (last)
            octets[i / 8] |= (unsigned char)(1 << (7 - i % 8));
    if (chance(40))
        octets_step(octets, last == chance(50) ? 1 : -1);
    else if (chance(50) && net.bits < 120)
        octets[15] = (unsigned char)random_next(&dice);
}

/* Near a word of the list, whatever sets it stands in. */
static void
address_draw(const struct raw *raw, const struct list *list,
             unsigned char octets[16])
{
    static const char *const of_built_in[] = {
        "203.0.113.0/24", "203.0.113.0/24", "10.0.0.0/8", "127.0.0.0/8",
        "169.254.0.0/16", "224.0.0.0/4",    "0.0.0.0/8"};
    const char *word = list->words[random_below(&dice, list->count)];

    for (size_t i = 0; i < COUNT(set_names); i++)
        if (strcmp(word, set_names[i]) == 0) {
            address_draw(raw, &raw->sets[i], octets);
            return;
        }
    for (size_t i = 0; i < COUNT(built_in); i++)
        if (strcmp(word, built_in[i]) == 0)
            word = of_built_in[i];
    address_near(word, octets);
}

static uint16_t
port_draw(const struct list *list)
{
    unsigned first, last;

    if (chance(6))
        return (uint16_t)(chance(50) ? 0 : 1080);
    if (list->count == 0 || chance(15))
        return (uint16_t)random_next(&dice);
    const char *word = list->words[random_below(&dice, list->count)];
    if (sscanf(word, "%u-%u", &first, &last) != 2)
        last = first;
    unsigned edge = chance(50) ? first : last;
    return (uint16_t)(chance(25) ? edge + 1 - 2 * chance(50) : edge);
}

static void
asked_draw(const struct raw *raw, struct asked *asked)
{
    const struct raw_rule *rule =
        &raw->rules[random_below(&dice, raw->rule_count)];
    struct policy_question *question = &asked->question;

    memset(asked, 0, sizeof(*asked));
    address_draw(raw, &rule->from, asked->from);
    address_draw(raw, &rule->to, asked->to);
    memcpy(asked->to, mapped, 12); /* DSTIP is IPv4 */
    if (chance(4))
        inet_pton(AF_INET6, "::ffff:127.0.0.1", asked->to);
    if (chance(2))
        memcpy(asked->to, mapped, 16);
    asked->from_place = place_of(asked->from);
    asked->to_place = place_of(asked->to);
    for (int i = 0; i < 8; i++) {
        question->from.hi = question->from.hi << 8 | asked->from[i];
        question->from.lo = question->from.lo << 8 | asked->from[8 + i];
    }
    for (int i = 12; i < 16; i++)
        question->to = question->to << 8 | asked->to[i];
    question->listener = random_below(&dice, COUNT(listeners));
    question->command =
        rule->connect != chance(15) ? SOCKS4_CONNECT : SOCKS4_BIND;
    question->port = port_draw(&rule->port);
    asked->userid = userids[random_below(&dice, COUNT(userids))];
    question->userid = asked->userid;
    question->userid_len = strlen(asked->userid);
}

struct shares {
    unsigned long cases, granted, never, decisive[TERMS];
};

static void
one_question(const struct raw *raw, const struct config *config,
             struct shares *shares)
{
    struct asked asked;
    unsigned terms[RULES_MAX];

    asked_draw(raw, &asked);
    if (never(&asked) != POLICY_ALLOWED && chance(80))
        asked_draw(raw, &asked);
    struct policy_answer answer = policy_decide(config, &asked.question);
    for (size_t i = 0; i < raw->rule_count; i++)
        terms[i] = rule_terms(raw, &raw->rules[i], &asked);
    int rule = first_match(terms, raw->rule_count);
    enum policy_reason expected = never(&asked);
    shares->cases++;
    shares->never += expected != POLICY_ALLOWED;
    if (expected != POLICY_ALLOWED) {
        assert_int_equal(answer.reason, expected);
        assert_null(answer.rule);
        return;
    }
    expected = rule < 0                    ? POLICY_DENIED_DEFAULT
               : terms[rule] >> ACTION & 1 ? POLICY_ALLOWED
                                           : POLICY_DENIED_RULE;
    assert_int_equal(answer.reason, expected);
    assert_ptr_equal(answer.rule, rule < 0 ? NULL : &config->rules[rule]);
    shares->granted += expected == POLICY_ALLOWED;
    for (enum term term = 0; term < TERMS; term++)
        shares->decisive[term] += is_decisive(terms, raw->rule_count, term);
}

static void
shares_check(const struct shares *shares)
{
    double cases = (double)shares->cases;

    printf("# %lu cases: granted %.3f, never granted %.3f\n", shares->cases,
           (double)shares->granted / cases, (double)shares->never / cases);
    for (enum term term = 0; term < TERMS; term++)
        printf("# %s decisive in %.3f\n", term_names[term],
               (double)shares->decisive[term] / cases);
    assert_true(shares->cases >= 1000000);
    assert_true(shares->granted >= shares->cases / 5);
    assert_true(shares->never >= shares->cases / 100);
    for (enum term term = 0; term < TERMS; term++)
        assert_true(shares->decisive[term] >= shares->cases / 100);
}

static void
answers_as_a_naive_evaluator_does(void **state)
{
    struct shares shares = {0};

    (void)state;
    random_init(&dice, 4);
    nets_read();
    for (size_t i = 0; i < CONFIGS; i++) {
        struct raw raw;
        raw_make(&raw);
        struct config *config = raw_parse(&raw);
        for (size_t j = 0; j < QUESTIONS; j++)
            one_question(&raw, config, &shares);
        config_unref(config);
    }
    shares_check(&shares);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_a_naive_evaluator_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
