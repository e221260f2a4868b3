/*
 * The policy against a naive evaluator: random configurations and questions,
 * with an address or a name that has several, drawn near their boundaries.
 */

#include "tests/unit/policy_naive.h"

#define CONFIGS 2500
#define QUESTIONS 401 /* each: more than a million in all */

/* Networks whose borders meet each other and those of special ranges. */
static const char *const networks[] = {
    "0.0.0.0/0",      "10.0.0.0/8",      "10.1.0.0/16",     "10.1.2.3/32",
    "127.0.0.0/8",    "127.0.0.2",       "126.0.0.0/7",     "192.168.0.0/24",
    "192.168.0.1",    "172.0.0.0/11",    "100.0.0.0/9",     "169.254.0.0/16",
    "169.254.0.0/15", "224.0.0.0/4",     "224.0.0.0/3",     "239.1.0.0/16",
    "128.0.0.0/1",    "0.0.0.0/8",       "0.0.0.0/7",       "203.0.113.0/25",
    "240.0.0.0/4",    "255.255.255.255", "203.0.113.128/25"};

static const char *const networks6[] = {
    "\"::/0\"",           "\"::1\"",           "\"fe80::/10\"",
    "\"fe80::/9\"",       "\"2001:db8::/32\"", "\"2001:db8::1\"",
    "\"::ffff:0:0/96\"",  "\"ff00::/8\"",      "\"8000::/1\"",
    "\"2002::/16\"",      "\"2000::/12\"",     "\"64:ff9b::/96\"",
    "\"64:ff9b:1::/48\"", "\"::1:2:0/112\"",   "\"fc00::/7\"",
};

static const char *const ports[] = {"80",        "0",     "1080",    "79-81",
                                    "1000-2000", "65535", "0-65535", "443"};

static const char *const users[] = {"ann",      "\"\"", "\"*\"",  "\"a*\"",
                                    "\"ann*\"", "bob",  "\"b*b\""};

static const char *const userids[] = {"",    "a",   "ann", "anna",
                                      "bob", "b*b", "zoe"};

/* Random configurations. */

static struct random dice;

static bool
chance(unsigned percent)
{
    return random_below(&dice, 100) < percent;
}

/* In the order of the enum. */
static int
kind_of(const char *word)
{
    for (size_t i = 0; i < COUNT(built_in); i++)
        if (strcmp(word, built_in[i]) == 0)
            return (int)i;
    for (size_t i = 0; i < COUNT(set_names); i++)
        if (strcmp(word, set_names[i]) == 0)
            return SET + (int)i;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(word, names[i]) == 0)
            return word[0] == '.' ? SUFFIX : NAME;
    return NETWORK;
}

static void
list_add(struct naive_list *list, const char *word)
{
    assert_true(strlen(word) < WORD_MAX);
    if (list->count == LIST_MAX)
        return;
    list->kinds[list->count] = kind_of(word);
    if (list->kinds[list->count] == NETWORK && strpbrk(word, "./:"))
        list->nets[list->count] = read_network(word);
    strcpy(list->words[list->count++], word);
}

static void
list_pick(struct naive_list *list, const char *const *words, size_t count)
{
    size_t wanted = 1 + random_below(&dice, LIST_MAX - 1);

    list->count = 0;
    while (list->count < wanted)
        list_add(list, words[random_below(&dice, count)]);
}

static void
list_pick_networks(struct naive_list *list, size_t sets, bool is_to)
{
    size_t wanted = 1 + random_below(&dice, LIST_MAX);

    list->count = 0;
    while (list->count < wanted) {
        unsigned kind = (unsigned)random_below(&dice, 10);
        if (is_to && chance(45))
            list_add(list, names[random_below(&dice, COUNT(names))]);
        else if (kind < 5)
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
    static const char *const through[] = {"home", "office", "wide", "six"};

    memset(rule, 0, sizeof(*rule));
    rule->allow = chance(80);
    rule->connect = chance(80);
    rule->bind = !rule->connect || chance(50);
    if (chance(20)) {
        rule->no_command = true;
        rule->connect = true;
        rule->bind = !rule->allow;
    }
    rule->any_peer = chance(30);
    list_pick_networks(&rule->from, COUNT(set_names), false);
    list_pick_networks(&rule->to, COUNT(set_names), true);
    if (chance(25))
        list_pick(&rule->listener, through, COUNT(through));
    if (chance(25))
        list_pick(&rule->port, ports, COUNT(ports));
    if (chance(25))
        list_pick(&rule->user, users, COUNT(users));
    if (chance(25))
        list_pick(&rule->version, versions, COUNT(versions));
}

static void
raw_make(struct raw *raw)
{
    for (size_t i = 0; i < COUNT(raw->sets); i++)
        list_pick_networks(&raw->sets[i], i, false);
    raw->rule_count = 1 + random_below(&dice, chance(15) ? RULES_MAX : 7);
    for (size_t i = 0; i < raw->rule_count; i++)
        rule_make(&raw->rules[i]);
}

static void
list_write(FILE *to, const char *key, const struct naive_list *list)
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
    list_write(to, ", version", &rule->version);
    if (!rule->no_command)
        fprintf(to, ", command: [%s]",
                !rule->bind     ? "connect"
                : rule->connect ? "bind, connect"
                                : "bind");
    fprintf(to, ", peer: %s}\n", rule->any_peer ? "any" : "exact");
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
address_near(const struct net *net, unsigned char octets[16])
{
    bool last = chance(50);

    memcpy(octets, net->octets, 16);
    for (int i = net->bits; i < 128; i++)
        if (last)
            octets[i / 8] |= (unsigned char)(1 << (7 - i % 8));
    if (chance(40))
        octets_step(octets, last == chance(50) ? 1 : -1);
    else if (chance(50) && net->bits < 120)
        octets[15] = (unsigned char)random_next(&dice);
}

/* Where to look for an address in a built-in set, in the order of the enum. */
static struct net of_built_in[COUNT(built_in)];

static void
built_in_read(void)
{
    static const char *const words[] = {
        "203.0.113.0/24", "203.0.113.0/24", "10.0.0.0/8", "127.0.0.0/8",
        "169.254.0.0/16", "224.0.0.0/4",    "0.0.0.0/8"};

    for (size_t i = 0; i < COUNT(words); i++)
        of_built_in[i] = read_network(words[i]);
}

/* Near a word of the list, whatever sets it stands in. */
static void
address_draw(const struct raw *raw, const struct naive_list *list,
             unsigned char octets[16])
{
    size_t at = random_below(&dice, list->count);
    int kind = list->kinds[at];

    if (kind >= SET) {
        address_draw(raw, &raw->sets[kind - SET], octets);
        return;
    }
    if (kind == NAME || kind == SUFFIX)
        kind = chance(70) ? ANY : PRIVATE + (int)random_below(&dice, 4);
    address_near(kind == NETWORK ? &list->nets[at] : &of_built_in[kind],
                 octets);
}

/* A name that the list means or just fails to mean; else any. */
static void
name_draw(const struct naive_list *list, char name[WORD_MAX])
{
    static const char *const heads[] = {"",        "",  "a", "a.",
                                        "www.ftp", ".", "b."};
    const char *word = names[random_below(&dice, COUNT(names))];

    for (size_t i = 0; i < list->count; i++)
        if (list->kinds[i] == NAME || list->kinds[i] == SUFFIX)
            word = list->words[i];
    const char *head = heads[random_below(&dice, COUNT(heads))];
    if (word[0] == '.' && chance(60))
        head = "a.b";
    else if (chance(20))
        word += word[0] == '.';
    snprintf(name, WORD_MAX, "%s%s", head, word);
    size_t len = strlen(name);
    if (name[len - 1] == '.' && chance(50))
        name[len - 1] = '\0';
    else if (name[len - 1] != '.' && chance(20))
        strcat(name, ".");
    if (chance(25))
        name[0] = (char)toupper((unsigned char)name[0]);
    name[len / 2] = (char)toupper((unsigned char)name[len / 2]);
}

static uint16_t
port_draw(const struct naive_list *list)
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

static struct place
to_draw(const struct raw *raw, const struct raw_rule *rule)
{
    unsigned char octets[16];

    address_draw(raw, &rule->to, octets);
    if (chance(70))
        memcpy(octets, mapped, 12);
    if (chance(5))
        memcpy(octets, chance(50) ? nat64 : siit, 12);
    if (chance(4))
        inet_pton(AF_INET6, "::ffff:127.0.0.1", octets);
    if (chance(2))
        memcpy(octets, mapped, 16);
    if (chance(2))
        inet_pton(AF_INET6, "2001:db8::1", octets); /* a listener */
    return to_place_of(octets);
}

static const struct raw_rule *
rule_draw(const struct raw *raw)
{
    return &raw->rules[random_below(&dice, raw->rule_count)];
}

static struct addr
to_addr(const struct place *to)
{
    struct addr addr = {0, 0};

    for (int i = 0; i < 8; i++) {
        addr.hi = addr.hi << 8 | to->asked[i];
        addr.lo = addr.lo << 8 | to->asked[8 + i];
    }
    return addr;
}

static void
asked_draw(const struct raw *raw, struct asked *asked)
{
    const struct raw_rule *rule = rule_draw(raw);
    struct policy_question *question = &asked->question;
    unsigned char from[16];

    memset(asked, 0, sizeof(*asked));
    address_draw(raw, &rule->from, from);
    asked->from = place_of(from);
    for (int i = 0; i < 8; i++) {
        question->from.hi = question->from.hi << 8 | from[i];
        question->from.lo = question->from.lo << 8 | from[8 + i];
    }
    if (chance(50))
        name_draw(&rule->to, asked->name);
    asked->to_count = asked->name[0] && chance(95)
                          ? 2 + random_below(&dice, ADDRESSES_MAX - 1)
                          : 1;
    for (size_t i = 0; i < asked->to_count; i++)
        asked->to[i] = to_draw(raw, i == 0 ? rule : rule_draw(raw));
    question->listener = random_below(&dice, COUNT(listeners));
    question->command = rule->connect != chance(15) ? RULE_CONNECT : RULE_BIND;
    question->port = port_draw(&rule->port);
    question->version = (uint8_t)random_below(&dice, COUNT(versions));
    question->is_local = chance(30) ? is_local : NULL;
    asked->from.own = is_own(&asked->from, question->is_local != NULL);
    for (size_t i = 0; i < asked->to_count; i++)
        asked->to[i].own = is_own(&asked->to[i], question->is_local != NULL);
    asked->userid = userids[random_below(&dice, COUNT(userids))];
    question->userid = asked->userid;
    question->userid_len = strlen(asked->userid);
    question->name = asked->name[0] ? asked->name : NULL;
    question->name_len = strlen(asked->name);
}

struct shares {
    unsigned long cases, granted, never, special, self, decisive[TERMS];
    unsigned long left_to_another, left_to_none, hopeless, hopeless_by_name;
    unsigned long explained, certain;
};

static void
check_answer(const struct config *config, struct policy_answer answer,
             struct answer expected)
{
    assert_int_equal(answer.reason, expected.reason);
    assert_ptr_equal(answer.rule, expected.rule < 0
                                      ? NULL
                                      : &config->policy.rules[expected.rule]);
}

/* Whether it means any address at all. */
static bool
list_reaches(const struct raw *raw, const struct naive_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        int kind = list->kinds[i];
        if (kind >= SET ? list_reaches(raw, &raw->sets[kind - SET])
                        : kind != NAME && kind != SUFFIX &&
                              /* special ranges, and lies inside none */
                              strcmp(list->words[i], "224.0.0.0/3") != 0)
            return true;
    }
    return false;
}

/* Before there are addresses: whatever they may be. */
static bool
check_hope(const struct raw *raw, const struct config *config,
           const struct asked *asked, const unsigned *terms,
           struct shares *shares)
{
    struct answer expected = {POLICY_DENIED_DEFAULT, -1};

    for (size_t i = 0; i < raw->rule_count; i++) {
        const struct raw_rule *rule = &raw->rules[i];
        if ((terms[i] & OTHERS) != OTHERS)
            continue;
        if (rule->allow && (list_reaches(raw, &rule->to) || terms[i] & NAMED)) {
            expected.reason = POLICY_ALLOWED;
            break;
        }
        if (!rule->allow && terms[i] & NAMED) {
            expected = (struct answer){POLICY_DENIED_RULE, (int)i};
            break;
        }
    }
    if (asked->question.command == RULE_CONNECT && asked->question.port == 0)
        expected = (struct answer){POLICY_DENIED_PORT, -1};
    check_answer(config, policy_may_grant(&config->policy, &asked->question),
                 expected);
    shares->hopeless += expected.reason == POLICY_DENIED_DEFAULT;
    shares->hopeless_by_name += expected.reason == POLICY_DENIED_RULE;
    return expected.reason == POLICY_ALLOWED;
}

/* All addresses together, given the answer to each. */
static void
check_all(const struct config *config, const struct asked *asked,
          const struct answer *each, struct shares *shares)
{
    struct addr addresses[ADDRESSES_MAX], kept[ADDRESSES_MAX];
    size_t count = asked->to_count, kept_count = 0;
    struct answer expected = each[0];
    bool to_another = false, to_none = false;

    for (size_t i = count; i-- > 0;)
        if (each[i].reason == POLICY_ALLOWED)
            expected = each[i];
    for (size_t i = 0; i < count; i++) {
        addresses[i] = to_addr(&asked->to[i]);
        if (each[i].reason != POLICY_ALLOWED)
            to_none = expected.reason == POLICY_ALLOWED;
        else if (each[i].rule != expected.rule)
            to_another = true;
        else
            kept[kept_count++] = addresses[i];
    }
    struct policy_answer answer =
        policy_decide_all(&config->policy, &asked->question, addresses, &count);
    check_answer(config, answer, expected);
    assert_int_equal(count, kept_count);
    for (size_t i = 0; i < count; i++)
        assert_true(addr_equal(addresses[i], kept[i]));
    shares->granted += expected.reason == POLICY_ALLOWED;
    shares->left_to_another += to_another;
    shares->left_to_none += to_none;
}

static bool
candidates_have(const struct policy_candidates *found, const char *name)
{
    for (size_t i = 0; i < found->count && i < POLICY_CANDIDATES_MAX; i++)
        if (strcmp(found->rules[i]->name, name) == 0)
            return true;
    return found->count > POLICY_CANDIDATES_MAX;
}

/* What explain says of the name before it has addresses, against what each
   address that is neither special nor ours decides. */
static void
check_explained(const struct config *config, const struct asked *asked,
                const struct answer *each, struct shares *shares)
{
    struct policy_candidates found;

    policy_find_candidates(&config->policy, &asked->question, &found);
    shares->certain += found.named && found.count == 1;
    for (size_t i = 0; i < asked->to_count; i++) {
        const struct place *to = &asked->to[i];
        enum policy_reason reason = each[i].reason;
        if (to->special >= 0 || to->own || reason == POLICY_DENIED_LISTENER)
            continue;
        shares->explained++;
        if (each[i].rule < 0) {
            assert_false(found.named);
            continue;
        }
        const char *name = config->policy.rules[each[i].rule].name;
        if (!candidates_have(&found, name))
            fail_msg("%s decides and is not named", name);
        if (found.named && found.count == 1)
            assert_int_equal(reason, POLICY_ALLOWED);
    }
}

static void
check_named(const struct raw *raw, const struct config *config,
            const struct asked *asked, const unsigned *terms,
            const struct answer *each, struct shares *shares)
{
    check_all(config, asked, each, shares);
    if (check_hope(raw, config, asked, terms, shares)) {
        check_explained(config, asked, each, shares);
        return;
    }
    for (size_t i = 0; i < asked->to_count; i++)
        assert_int_not_equal(each[i].reason, POLICY_ALLOWED);
}

static void
check_plain(const struct config *config, struct asked *asked,
            const struct answer *each, struct shares *shares)
{
    asked->question.to = to_addr(&asked->to[0]);
    check_answer(config, policy_decide(&config->policy, &asked->question),
                 each[0]);
    shares->granted += each[0].reason == POLICY_ALLOWED;
}

/* The answer to one address. Where it is translated a rule that denies it as it
   is written comes first, too. */
static struct answer
answer_whole(const struct raw *raw, const struct asked *asked,
             const struct place *to, const unsigned *terms,
             unsigned whole[RULES_MAX])
{
    const struct place as_written = place_of(to->asked);
    unsigned other[RULES_MAX];
    size_t count = raw->rule_count;

    for (size_t i = 0; i < count; i++) {
        const struct raw_rule *rule = &raw->rules[i];
        whole[i] = terms[i] | rule_terms_to(raw, rule, asked, to);
        other[i] = terms[i] | rule_terms_to(raw, rule, asked, &as_written);
    }
    struct answer answer = answer_to(raw, asked, to, whole, count);
    int rule = first_match(other, count);
    bool translated = memcmp(to->asked, to->octets, 16) != 0;
    if (translated && answer.reason == POLICY_ALLOWED && rule >= 0 &&
        rule < answer.rule && !raw->rules[rule].allow)
        return (struct answer){POLICY_DENIED_RULE, rule};
    return answer;
}

static void
one_question(const struct raw *raw, const struct config *config,
             struct shares *shares)
{
    struct asked asked;
    unsigned terms[RULES_MAX], whole[RULES_MAX];
    struct answer each[ADDRESSES_MAX];
    size_t count = raw->rule_count;

    asked_draw(raw, &asked);
    if (never(&asked, &asked.to[0]) != POLICY_ALLOWED && chance(80))
        asked_draw(raw, &asked);
    for (size_t i = 0; i < count; i++)
        terms[i] = rule_terms(raw, &raw->rules[i], &asked);
    for (size_t i = asked.to_count; i-- > 0;)
        each[i] = answer_whole(raw, &asked, &asked.to[i], terms, whole);
    shares->cases++;
    shares->self += each[0].reason == POLICY_DENIED_SELF;
    shares->special += each[0].reason > POLICY_DENIED_LISTENER;
    shares->never += never(&asked, &asked.to[0]) != POLICY_ALLOWED;
    if (asked.name[0])
        check_named(raw, config, &asked, terms, each, shares);
    else
        check_plain(config, &asked, each, shares);
    if (never(&asked, &asked.to[0]) != POLICY_ALLOWED)
        return;
    for (enum term term = 0; term < TERMS; term++)
        shares->decisive[term] += is_decisive(whole, count, term);
}

static void
share_check(const struct shares *shares, const char *what, unsigned long share,
            unsigned long least)
{
    printf("# %s %.3f\n", what, (double)share / (double)shares->cases);
    assert_true(share >= least);
}

static void
shares_check(const struct shares *shares)
{
    unsigned long hundredth = shares->cases / 100;

    printf("# %lu cases; decisive are:\n", shares->cases);
    assert_true(shares->cases >= 1000000);
    for (enum term term = 0; term < TERMS; term++)
        share_check(shares, term_names[term], shares->decisive[term],
                    hundredth);
    share_check(shares, "granted", shares->granted, shares->cases / 5);
    share_check(shares, "never granted", shares->never, hundredth);
    share_check(shares, "kept from special addresses", shares->special,
                hundredth);
    share_check(shares, "kept from this machine", shares->self, hundredth);
    share_check(shares, "left out, another rule's", shares->left_to_another,
                hundredth);
    share_check(shares, "left out, no rule's", shares->left_to_none, hundredth);
    share_check(shares, "hopeless", shares->hopeless, hundredth);
    share_check(shares, "explained before it has addresses", shares->explained,
                hundredth);
    share_check(shares, "granted by name alone", shares->certain, hundredth);
    share_check(shares, "hopeless by name", shares->hopeless_by_name,
                hundredth);
}

static void
answers_as_a_naive_evaluator_does(void **state)
{
    struct shares shares = {0};

    (void)state;
    random_init(&dice, 4);
    nets_read();
    built_in_read();
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
