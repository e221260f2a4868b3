/* Reads sockd.conf of Dante 1.4. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tools/import/readers.h"

enum { WORDS_MAX = 64 };

struct word {
    char *text; /* owned */
    unsigned line;
};

struct dante {
    struct translation *made;
    struct word *words;
    size_t count, at;
    unsigned methods;      /* of socksmethod */
    bool checks_replies;   /* srchost has checkreplyauth */
    bool notes_bind;       /* it is noted where BINDs are allowed */
    struct netset clients; /* what client rules pass */
    struct netset decided; /* by a client rule */
    struct netset listeners;
    struct dante_rule *rules; /* in their order; owned */
    size_t rule_count;
};

/* The methods that we have, too; bits. */
enum { METHOD_NONE = 1, METHOD_USERNAME = 2 };

/* Ours, and those of who answers. */
enum {
    COMMAND_CONNECT = TRANSLATED_CONNECT,
    COMMAND_BIND = TRANSLATED_BIND,
    COMMAND_UDP = TRANSLATED_UDP,
    COMMAND_BINDREPLY = 8,
    COMMAND_UDPREPLY = 16,
    COMMANDS_TCP = COMMAND_CONNECT | COMMAND_BIND | COMMAND_BINDREPLY,
    COMMANDS_UDP = COMMAND_UDP | COMMAND_UDPREPLY,
    COMMANDS_ASKED = COMMAND_CONNECT | COMMAND_BIND | COMMAND_UDP
};

struct dante_rule {
    struct origin origin;
    bool client, pass;
    bool exact; /* all its conditions are ours, too */
    struct netset from, to;
    bool to_lo; /* `to' is the loopback interface, whatever addresses it has */
    struct port_range ports[TRANSLATION_PORTS_MAX];
    size_t port_count;
    unsigned commands;
    unsigned version; /* 4 or 5; 0: any */
    bool has_methods; /* else those of socksmethod */
    unsigned methods;
    struct translated_users users;
};

/* --- Words --------------------------------------------------------------- */

static void
dante_add_word(struct dante *dante, const char *text, size_t len, unsigned line)
{
    char *copy = import_alloc(NULL, len + 1, 1);

    memcpy(copy, text, len);
    copy[len] = '\0';
    dante->words =
        import_alloc(dante->words, dante->count + 1, sizeof(*dante->words));
    dante->words[dante->count++] = (struct word){copy, line};
}

/* How long the name before a colon is, if one begins here; else 0. */
static size_t
dante_name_len(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz._0123456789-");
    size_t blank = strspn(text + len, " \t");

    return islower((unsigned char)text[0]) && text[len + blank] == ':' &&
                   text[len + blank + 1] != ':'
               ? len
               : 0;
}

/* Names keep their colon; braces and operators are words of their own. */
static void
dante_split(struct dante *dante, const char *text, unsigned line)
{
    for (;;) {
        size_t len, name;

        text += strspn(text, " \t");
        if (*text == '\0' || *text == '#')
            return;
        name = dante_name_len(text);
        if (name > 0) {
            char word[64];
            snprintf(word, sizeof(word), "%.*s:", (int)(name < 60 ? name : 60),
                     text);
            dante_add_word(dante, word, strlen(word), line);
            text = strchr(text, ':') + 1;
            continue;
        }
        len = strchr("{}", *text) != NULL     ? 1
              : strchr("=<>!", *text) != NULL ? strspn(text, "=<>!")
                                              : strcspn(text, " \t{}=<>!#");
        dante_add_word(dante, text, len, line);
        text += len;
    }
}

static const char *
dante_word(const struct dante *dante)
{
    return dante->at < dante->count ? dante->words[dante->at].text : "";
}

static unsigned
dante_line(const struct dante *dante)
{
    size_t at = dante->at < dante->count ? dante->at : dante->count - 1;

    return dante->count > 0 ? dante->words[at].line : 1;
}

static bool
dante_is_name(const char *word)
{
    size_t len = strlen(word);

    return len > 1 && word[len - 1] == ':' && word[len - 2] != ':';
}

/* "pass {", "socks pass": a value can be one of these words, too. */
static bool
dante_is_rule(const struct dante *dante)
{
    static const char *const begin[] = {"client", "socks",   "hostid", "pass",
                                        "block",  "monitor", "route"};
    const char *next =
        dante->at + 1 < dante->count ? dante->words[dante->at + 1].text : "";

    for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
        if (strcmp(dante_word(dante), begin[i]) == 0)
            return i < 3
                       ? strcmp(next, "pass") == 0 || strcmp(next, "block") == 0
                       : strcmp(next, "{") == 0;
    return false;
}

/* The words behind a name, up to the next name, brace, or rule. */
static size_t
dante_values(struct dante *dante, const char *values[WORDS_MAX], bool in_rule)
{
    size_t count = 0;

    while (dante->at < dante->count && count < WORDS_MAX) {
        const char *word = dante_word(dante);
        if (dante_is_name(word) || strcmp(word, "{") == 0 ||
            strcmp(word, "}") == 0 || (!in_rule && dante_is_rule(dante)))
            break;
        values[count++] = word;
        dante->at++;
    }
    return count;
}

static bool
dante_has(const char *const *values, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], word) == 0)
            return true;
    return false;
}

/* --- Addresses with ports ------------------------------------------------ */

static void
dante_add_ports(struct dante_rule *rule, unsigned first, unsigned last)
{
    if (first <= last && rule->port_count < TRANSLATION_PORTS_MAX)
        rule->ports[rule->port_count++] =
            (struct port_range){(uint16_t)first, (uint16_t)last};
}

/* "port = 80", "port 8000 - 8100", "port gt 1023". False: something else. */
static bool
dante_read_ports(struct dante_rule *rule, const char *const *values,
                 size_t count)
{
    struct port_range one, two;
    const char *how = values[1];

    if (count == 2 && ports_parse(values[1], &one)) {
        dante_add_ports(rule, one.first, one.last);
    } else if (count == 4 && strcmp(values[2], "-") == 0 &&
               ports_parse(values[1], &one) && ports_parse(values[3], &two)) {
        if (one.first > two.last)
            return false;
        dante_add_ports(rule, one.first, two.last);
    } else if (count == 3 && ports_parse(values[2], &one) &&
               one.first == one.last) {
        unsigned port = one.first;
        if (strcmp(how, "=") == 0 || strcmp(how, "eq") == 0) {
            dante_add_ports(rule, port, port);
        } else if (strcmp(how, "!=") == 0 || strcmp(how, "ne") == 0) {
            if (port > 0)
                dante_add_ports(rule, 0, port - 1);
            dante_add_ports(rule, port + 1, UINT16_MAX);
        } else if (strcmp(how, ">=") == 0 || strcmp(how, "ge") == 0) {
            dante_add_ports(rule, port, UINT16_MAX);
        } else if (strcmp(how, ">") == 0 || strcmp(how, "gt") == 0) {
            dante_add_ports(rule, port + 1, UINT16_MAX);
        } else if (strcmp(how, "<=") == 0 || strcmp(how, "le") == 0) {
            dante_add_ports(rule, 0, port);
        } else if ((strcmp(how, "<") == 0 || strcmp(how, "lt") == 0) &&
                   port > 0) {
            dante_add_ports(rule, 0, port - 1);
        } else {
            return false;
        }
    } else {
        return false;
    }
    return rule->port_count > 0;
}

/* Whether no port is left out; 0 is none that a connection has. */
static bool
dante_has_all_ports(const struct dante_rule *rule)
{
    return rule->port_count == 1 && rule->ports[0].first <= 1 &&
           rule->ports[0].last == UINT16_MAX;
}

/* What becomes of a rule that has lost a condition; the note ends so. */
static const char *
dante_loss(const struct dante_rule *rule, const char *blocks)
{
    return rule->pass ? "so it lets nothing pass" : blocks;
}

/* The port of a client, which no rule of ours has. */
static bool
dante_read_client_port(const char *const *values, size_t count)
{
    struct dante_rule ports = {0};

    return strcmp(values[0], "port") == 0 &&
           dante_read_ports(&ports, values, count) &&
           dante_has_all_ports(&ports);
}

/* Of a rule that blocks: to this machine itself. Of the addresses of another
   interface we know nothing. */
static bool
dante_is_to_lo(const struct dante_rule *rule, const char *word)
{
    return !rule->pass && !rule->client &&
           (strcmp(word, "lo") == 0 || strcmp(word, "lo0") == 0);
}

/* `from' or `to'. What is not understood is everything, and not exact. */
static void
dante_read_address(struct dante *dante, struct dante_rule *rule, bool is_from,
                   const char *const *values, size_t count, unsigned line)
{
    struct netset *set = is_from ? &rule->from : &rule->to;
    const char *word = count > 0 ? values[0] : "an address is missing";

    if (count > 0 && !is_from && dante_is_to_lo(rule, values[0])) {
        addresses_parse("127.0.0.0/8", set);
        rule->to_lo = true;
    } else if (count == 0 || !addresses_parse(values[0], set)) {
        translation_note(dante->made, line,
                         "%s: is not an IPv4 address or network, %s", word,
                         dante_loss(rule, "so it blocks every address"));
        addresses_add_all(set);
        rule->exact = false;
    }
    if (count <= 1)
        return;
    if (is_from) {
        if (dante_read_client_port(values + 1, count - 1))
            return;
        translation_note(dante->made, line,
                         "from: the port of a client has no equal, %s",
                         dante_loss(rule, "so it blocks every port"));
        rule->exact = false;
    } else if (strcmp(values[1], "port") != 0 ||
               !dante_read_ports(rule, values + 1, count - 1)) {
        translation_note(dante->made, line,
                         "to: the port is not understood, %s",
                         dante_loss(rule, "so it blocks every port"));
        rule->exact = false;
        rule->port_count = 0;
    } else if (rule->client && dante_has_all_ports(rule)) {
        rule->port_count = 0;
    }
}

/* --- Rules --------------------------------------------------------------- */

static void
dante_read_commands(struct dante_rule *rule, const char *const *values,
                    size_t count)
{
    static const struct {
        const char *name;
        unsigned bit;
    } commands[] = {{"connect", COMMAND_CONNECT},
                    {"bind", COMMAND_BIND},
                    {"bindreply", COMMAND_BINDREPLY},
                    {"udpassociate", COMMAND_UDP},
                    {"udpreply", COMMAND_UDPREPLY}};
    unsigned listed = 0;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (dante_has(values, count, commands[i].name))
            listed |= commands[i].bit;
    rule->commands &= listed;
}

static void
dante_read_protocols(struct dante_rule *rule, const char *const *values,
                     size_t count)
{
    rule->commands &= (dante_has(values, count, "tcp") ? COMMANDS_TCP : 0U) |
                      (dante_has(values, count, "udp") ? COMMANDS_UDP : 0U);
}

/* UDP is version 5's alone. */
static void
dante_read_versions(struct dante_rule *rule, const char *const *values,
                    size_t count)
{
    bool has_4 = dante_has(values, count, "socks_v4");
    bool has_5 = dante_has(values, count, "socks_v5");

    rule->version = has_4 && has_5 ? 0 : has_4 ? 4 : 5;
    if (!has_4 && !has_5)
        rule->commands = 0;
    if (rule->version == 4)
        rule->commands &= COMMANDS_TCP;
}

/* Those that are ours, too; the others are noted. */
static unsigned
dante_read_methods(struct dante *dante, const char *const *values, size_t count,
                   unsigned line)
{
    unsigned methods = 0;

    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], "none") == 0)
            methods |= METHOD_NONE;
        else if (strcmp(values[i], "username") == 0)
            methods |= METHOD_USERNAME;
        else
            translation_note(dante->made, line,
                             "there is no method %s: its clients are refused",
                             values[i]);
    return methods;
}

/* `socksmethod' in a rule. A block may be for others whom we take for clients
   without a method. */
static void
dante_take_methods(struct dante *dante, struct dante_rule *rule,
                   const char *const *values, size_t count, unsigned line)
{
    size_t known = 0;

    rule->has_methods = true;
    rule->methods = dante_read_methods(dante, values, count, line);
    for (unsigned bits = rule->methods; bits != 0; bits &= bits - 1)
        known++;
    rule->exact &= rule->pass || known == count;
}

static void
dante_take_users(struct dante *dante, struct dante_rule *rule,
                 const char *const *values, size_t count, unsigned line)
{
    for (size_t i = 0; i < count; i++)
        if (!translated_users_add(&rule->users, values[i])) {
            translation_note(dante->made, line,
                             "user: %s cannot stand in a rule, %s", values[i],
                             dante_loss(rule, "so it blocks every user"));
            rule->exact = false;
        }
}

static bool
dante_begins(const char *name, const char *const *heads)
{
    for (; *heads != NULL; heads++)
        if (strncmp(name, *heads, strlen(*heads)) == 0)
            return true;
    return false;
}

/* Keywords that change nothing of what is granted. */
static const char *const harmless[] = {
    "timeout.",   "session.", "udp.",      "gssapi.",   "pam.", "bsdauth.",
    "bandwidth:", "ldap.",    "internal.", "external.", NULL};

/* Each session has a record, at its end, whatever the rule says; with `connect'
   it has a line at its beginning, too. */
static void
dante_take_rule_log(struct dante *dante, const struct dante_rule *rule,
                    const char *const *values, size_t count, unsigned line)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], "connect") == 0)
            dante->made->log_starts |= rule->pass && !rule->client;
        else if (strcmp(values[i], "disconnect") != 0 &&
                 strcmp(values[i], "error") != 0)
            translation_note(dante->made, line,
                             "log: %s has no equal; records have octets and "
                             "times",
                             values[i]);
}

static void
dante_read_term(struct dante *dante, struct dante_rule *rule)
{
    const char *values[WORDS_MAX], *name = dante_word(dante);
    unsigned line = dante_line(dante);
    size_t count;

    dante->at++;
    count = dante_values(dante, values, true);
    if (strcmp(name, "from:") == 0) {
        dante_read_address(dante, rule, true, values, count, line);
    } else if (strcmp(name, "to:") == 0) {
        dante_read_address(dante, rule, false, values, count, line);
    } else if (strcmp(name, "command:") == 0) {
        dante_read_commands(rule, values, count);
    } else if (strcmp(name, "protocol:") == 0) {
        dante_read_protocols(rule, values, count);
    } else if (strcmp(name, "proxyprotocol:") == 0) {
        dante_read_versions(rule, values, count);
    } else if (strcmp(name, "socksmethod:") == 0 ||
               strcmp(name, "method:") == 0) {
        dante_take_methods(dante, rule, values, count, line);
    } else if (strcmp(name, "user:") == 0 && !rule->client) {
        dante_take_users(dante, rule, values, count, line);
    } else if (strcmp(name, "log:") == 0) {
        dante_take_rule_log(dante, rule, values, count, line);
    } else if (strcmp(name, "clientmethod:") == 0 &&
               dante_has(values, count, "none")) {
        return;
    } else {
        bool less = dante_begins(name, harmless);
        translation_note(
            dante->made, line, "%s has no equal in a rule%s%s", name,
            less ? "" : ", ",
            less ? ""
                 : dante_loss(rule, "so it blocks without this condition"));
        rule->exact &= less;
    }
}

/* Reads "{ ... }". False: it does not end. */
static bool
dante_read_body(struct dante *dante, struct dante_rule *rule)
{
    rule->exact = true;
    rule->commands = COMMANDS_TCP | COMMANDS_UDP;
    if (strcmp(dante_word(dante), "{") != 0)
        return false;
    dante->at++;
    while (dante->at < dante->count && strcmp(dante_word(dante), "}") != 0) {
        if (!dante_is_name(dante_word(dante)))
            return false;
        dante_read_term(dante, rule);
    }
    rule->origin.last = dante_line(dante);
    if (rule->from.count == 0)
        addresses_add_all(&rule->from);
    if (rule->to.count == 0)
        addresses_add_all(&rule->to);
    return dante->at++ < dante->count;
}

static void
dante_rule_fini(struct dante_rule *rule)
{
    netset_fini(&rule->from);
    netset_fini(&rule->to);
}

/* Who is in `from` is decided by this rule, unless an earlier one has. A pass
   under a condition is left out; a block counts without its conditions. */
static void
dante_decide(const struct dante_rule *rule, bool unconditional,
             struct netset *passed, struct netset *decided)
{
    struct netset rest;

    if (rule->pass && !unconditional)
        return;
    netset_init(&rest);
    addresses_copy(&rest, &rule->from);
    addresses_remove(&rest, decided);
    if (rule->pass)
        addresses_copy(passed, &rest);
    addresses_copy(decided, &rest);
    netset_fini(&rest);
}

/* Whether it is for every address in this set, on each port. */
static bool
dante_is_for(const struct dante_rule *rule, const struct netset *to)
{
    return rule->exact && rule->port_count == 0 && netset_covers(&rule->to, to);
}

/* Whether it is for all clients, whoever they have proved to be. */
static bool
dante_is_for_all(const struct dante *dante, const struct dante_rule *rule)
{
    return rule->version == 0 && rule->users.text[0] == '\0' &&
           (rule->methods & dante->methods) == dante->methods;
}

/* What socksmethod says, too, which may stand behind the rule. A rule that has
   users is for those alone who have a name. */
static void
dante_settle(struct dante *dante, struct dante_rule *rule)
{
    rule->methods =
        rule->has_methods ? rule->methods & dante->methods : dante->methods;
    if (rule->users.text[0] != '\0')
        rule->methods &= METHOD_USERNAME;
    if (rule->methods != 0 || dante->methods == 0 ||
        !(rule->commands & COMMANDS_ASKED))
        return;
    translation_note(dante->made, rule->origin.first,
                     "nobody here authenticates as this rule asks, %s",
                     dante_loss(rule, "so it blocks everybody"));
    rule->exact = false;
}

static void
dante_take_client_rule(struct dante *dante, const struct dante_rule *rule)
{
    bool all =
        dante_is_for(rule, &dante->listeners) && dante_is_for_all(dante, rule);

    if (!all && rule->pass)
        translation_note(dante->made, rule->origin.first,
                         "this client rule passes under a condition that has "
                         "no equal, so it lets nobody in");
    dante_decide(rule, all, &dante->clients, &dante->decided);
}

static void
dante_skip_block(struct dante *dante)
{
    while (dante->at < dante->count && strcmp(dante_word(dante), "}") != 0)
        dante->at++;
    dante->at++;
}

/* "client pass {", "socks block {", "pass {". */
static bool
dante_read_rule(struct dante *dante)
{
    struct dante_rule rule = {.origin = {dante_line(dante), dante_line(dante)}};
    const char *kind = dante_word(dante);

    if (strcmp(kind, "hostid") == 0 || strcmp(kind, "route") == 0) {
        translation_hold(dante->made, dante_line(dante),
                         "%s rules have no equal; write parents and via by "
                         "hand",
                         kind);
        dante_skip_block(dante);
        return true;
    }
    if (strcmp(kind, "monitor") == 0) {
        translation_note(dante->made, dante_line(dante), "no monitors");
        dante_skip_block(dante);
        return true;
    }
    rule.client = strcmp(kind, "client") == 0;
    if (rule.client || strcmp(kind, "socks") == 0)
        dante->at++;
    rule.pass = strcmp(dante_word(dante), "pass") == 0;
    if (!rule.pass && strcmp(dante_word(dante), "block") != 0)
        return false;
    dante->at++;
    if (!dante_read_body(dante, &rule)) {
        dante_rule_fini(&rule);
        return false;
    }
    dante->rules = import_alloc(dante->rules, dante->rule_count + 1,
                                sizeof(*dante->rules));
    dante->rules[dante->rule_count++] = rule;
    return true;
}

/* --- Server settings ----------------------------------------------------- */

static void
dante_take_internal(struct dante *dante, const char *const *values,
                    size_t count, unsigned line)
{
    struct translation *made = dante->made;
    struct dante_rule port = {0};
    struct netset set;

    netset_init(&set);
    if (count == 0 || !addresses_parse(values[0], &set) ||
        strpbrk(values[0], "/-") != NULL) {
        translation_note(made, line,
                         "internal: %s is not an IPv4 address; write the one "
                         "to listen on under listen",
                         count > 0 ? values[0] : "");
    } else if (count > 1 && (strcmp(values[1], "port") != 0 ||
                             !dante_read_ports(&port, values + 1, count - 1) ||
                             port.ports[0].first != port.ports[0].last)) {
        translation_note(made, line, "internal: the port is not understood");
    } else {
        struct endpoint at = {.addr = set.ranges[0].first, .port = 1080};
        if (port.port_count > 0)
            at.port = port.ports[0].first;
        if (translation_add_listener(made, at, line))
            addresses_copy(&dante->listeners, &set);
    }
    netset_fini(&set);
}

static void
dante_take_log(struct dante *dante, const char *const *values, size_t count,
               unsigned line)
{
    struct translation *made = dante->made;
    const char *first = count > 0 ? values[0] : "";

    made->log_origin = (struct origin){line, line};
    if (strncmp(first, "syslog", 6) == 0)
        snprintf(made->log, sizeof(made->log), "syslog");
    else if (strcmp(first, "stderr") == 0 || strcmp(first, "stdout") == 0)
        snprintf(made->log, sizeof(made->log), "stderr");
    else
        translation_note(made, line,
                         "a log file: name it in log.target yourself; its "
                         "form differs");
    if (count > 1)
        translation_note(made, line,
                         "logoutput: only the first one has an equal; "
                         "log.target is one");
}

/* Global settings that refuse something, or that nothing is known of. */
static void
dante_take_other(struct dante *dante, const char *name,
                 const char *const *values, size_t count, unsigned line)
{
    static const char *const known[] = {
        "user.",          "debug:",     "errorlog:", "external.",
        "internal.",      "cpu.",       "timeout.",  "udp.",
        "compatibility:", "logoutput:", NULL};
    bool less = dante_begins(name, known) ||
                (strcmp(name, "libwrap.hosts_access:") == 0 && count == 1 &&
                 strcmp(values[0], "no") == 0);

    if (strcmp(name, "user.unprivileged:") == 0)
        translation_note(dante->made, line,
                         "user.unprivileged: the workers run as socks4d "
                         "(user: auto); write user to change that");
    else if (less)
        translation_note(dante->made, line, "%s has no equal", name);
    else
        translation_hold(dante->made, line,
                         "%s has no equal, and may refuse what we grant", name);
}

static void
dante_read_setting(struct dante *dante)
{
    static const struct {
        const char *theirs, *ours;
    } timeouts[] = {{"timeout.negotiate:", "request"},
                    {"timeout.connect:", "connect"},
                    {"timeout.io:", "idle"},
                    {"timeout.io.tcp:", "idle"},
                    {"timeout.tcp_fin_wait:", "half_closed"}};
    const char *values[WORDS_MAX], *name = dante_word(dante);
    unsigned line = dante_line(dante);
    struct origin here = {line, line};
    struct netset set;
    size_t count;

    dante->at++;
    count = dante_values(dante, values, false);
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
        if (strcmp(name, timeouts[i].theirs) == 0) {
            translation_add_timeout(dante->made, timeouts[i].ours,
                                    count > 0 ? values[0] : "", here);
            return;
        }
    netset_init(&set);
    if (strcmp(name, "internal:") == 0) {
        dante_take_internal(dante, values, count, line);
    } else if (strcmp(name, "external:") == 0) {
        if (count == 1 && dante->made->egress == 0 &&
            addresses_parse(values[0], &set) && netset_covers(&set, &set) &&
            set.count == 1 &&
            addr_equal(set.ranges[0].first, set.ranges[0].last)) {
            dante->made->egress = addr_to_v4(set.ranges[0].first);
            dante->made->egress_origin = here;
        } else {
            translation_note(dante->made, line,
                             "external: egress.address takes one IPv4 address; "
                             "without it the system chooses");
        }
    } else if (strcmp(name, "logoutput:") == 0) {
        dante_take_log(dante, values, count, line);
    } else if (strcmp(name, "socksmethod:") == 0 ||
               strcmp(name, "method:") == 0) {
        dante->methods = dante_read_methods(dante, values, count, line);
        if (dante->methods & METHOD_USERNAME)
            translation_note(dante->made, line,
                             "username: the system's passwords cannot be "
                             "copied; give each user one: socks4d "
                             "passwd " TRANSLATION_USERS_FILE " NAME");
        if (dante->methods == 0)
            translation_hold(dante->made, line,
                             "there are none and username alone");
    } else if (strcmp(name, "srchost:") == 0 && count == 1 &&
               strcmp(values[0], "checkreplyauth") == 0) {
        dante->checks_replies = true;
    } else if (strcmp(name, "clientmethod:") == 0) {
        if (!dante_has(values, count, "none"))
            translation_hold(dante->made, line,
                             "connections are accepted by our limits alone");
    } else {
        dante_take_other(dante, name, values, count, line);
    }
    netset_fini(&set);
}

/* --- Translation --------------------------------------------------------- */

/* Who offers no password is not to be refused for another rule's sake. */
static enum translated_auth
dante_auth(const struct dante_rule *rule)
{
    switch (rule->methods) {
    case METHOD_USERNAME:
        return TRANSLATED_PASSWORD;
    case METHOD_NONE:
        return TRANSLATED_NONE;
    case METHOD_NONE | METHOD_USERNAME:
        return rule->pass ? TRANSLATED_EITHER : TRANSLATED_ANY;
    default:
        return TRANSLATED_ANY;
    }
}

static struct translated_rule *
dante_add(struct dante *dante, const struct dante_rule *rule,
          const struct netset *from, const struct netset *to, unsigned commands)
{
    struct translated_rule *made =
        translation_add_rule(dante->made, rule->origin, rule->pass);

    addresses_copy(&made->from, from);
    addresses_copy(&made->to, to);
    made->to_self = rule->to_lo;
    made->commands = commands;
    if (!rule->exact)
        return made;
    memcpy(made->ports, rule->ports, sizeof(made->ports));
    made->port_count = rule->port_count;
    made->version = rule->version;
    made->users = rule->users;
    if (!rule->pass && rule->users.text[0] != '\0') {
        /* Not `auth', by which all whom the rule may be for would be asked for
           a password. Of version 4 the name would be a claim. */
        made->version = 5;
        made->commands &= rule->version == 4 ? 0U : ~0U;
        return made;
    }
    if (dante->methods & METHOD_USERNAME) /* else nobody has a password */
        made->auth = dante_auth(rule);
    return made;
}

/* Whether one of these may be an address that it is to. */
static bool
dante_may_be_for(const struct dante_rule *rule, const struct netset *clients)
{
    struct netset both;
    bool some;

    netset_init(&both);
    addresses_copy(&both, &rule->to);
    addresses_keep(&both, clients);
    some = both.count > 0;
    netset_fini(&both);
    return some;
}

/* Who may answer all these clients: `from' of the rules for the replies, as far
   as they ask for nothing else. */
static void
dante_find_peers(const struct dante *dante, unsigned reply,
                 const struct netset *clients, struct netset *peers)
{
    struct netset decided;

    netset_init(&decided);
    for (size_t i = 0; i < dante->rule_count; i++) {
        const struct dante_rule *rule = &dante->rules[i];
        bool all = dante_is_for(rule, clients) && rule->version == 0 &&
                   rule->users.text[0] == '\0' &&
                   (!dante->checks_replies || (rule->methods & METHOD_NONE));
        if (!rule->client && (rule->commands & reply) &&
            (rule->pass || dante_may_be_for(rule, clients)))
            dante_decide(rule, all, peers, &decided);
    }
    netset_fini(&decided);
}

/* Dante decides a datagram on its way back, too: `udpreply', from there to the
   client. A rule of ours is for both ways. */
static void
dante_translate_udp(struct dante *dante, const struct dante_rule *rule,
                    const struct netset *from)
{
    struct netset to;

    netset_init(&to);
    dante_find_peers(dante, COMMAND_UDPREPLY, from, &to);
    if (!netset_covers(&to, &rule->to))
        translation_note(
            dante->made, rule->origin.first,
            "UDP is allowed only where udpreply passes all answers");
    addresses_keep(&to, &rule->to);
    dante_add(dante, rule, from, &to, TRANSLATED_UDP);
    netset_fini(&to);
}

/* What "to: lo" blocks of the replies: those to clients on this machine, by
   whatever address of it. */
static void
dante_block_own_clients(struct dante *dante, const struct dante_rule *rule)
{
    struct netset all;
    struct translated_rule *made;

    netset_init(&all);
    addresses_add_all(&all);
    made = dante_add(
        dante, rule, &rule->to, &all,
        (rule->commands & COMMAND_BINDREPLY ? TRANSLATED_BIND : 0U) |
            (rule->commands & COMMAND_UDPREPLY ? TRANSLATED_UDP : 0U));
    made->to_self = false;
    made->from_self = true;
    made->port_count = 0;
    netset_fini(&all);
}

static void
dante_translate(struct dante *dante, const struct dante_rule *rule)
{
    unsigned commands = rule->commands & COMMANDS_ASKED;
    struct netset from;

    netset_init(&from);
    if (rule->exact || !rule->pass)
        addresses_copy(&from, &rule->from);
    if (!rule->pass) {
        dante_add(dante, rule, &from, &rule->to, commands);
        if (rule->to_lo)
            dante_block_own_clients(dante, rule);
    } else {
        addresses_keep(&from, &dante->clients);
        dante_add(dante, rule, &from, &rule->to, commands & TRANSLATED_CONNECT);
        if ((commands & TRANSLATED_UDP) && from.count > 0)
            dante_translate_udp(dante, rule, &from);
        if ((commands & TRANSLATED_BIND) && from.count > 0 &&
            !dante->notes_bind) {
            translation_note(dante->made, rule->origin.first,
                             "BIND, of this and all other rules, is allowed by "
                             "one rule at the end or not at all");
            dante->notes_bind = true;
        }
    }
    netset_fini(&from);
}

/* Dante decides a BIND twice: whether the client may ask for it (`to' is the
   address that Dante binds), and whether who comes may (`bindreply', from there
   to the client). One rule of ours is for the clients and the peers who pass
   both whatever the rest is; a peer must be the address that was asked for. */
static void
dante_translate_bind(struct dante *dante)
{
    struct dante_rule bind = {
        .pass = true, .exact = true, .methods = dante->methods};
    struct netset clients, peers, decided, all;

    netset_init(&clients);
    netset_init(&peers);
    netset_init(&decided);
    netset_init(&all);
    addresses_add_all(&all);
    for (size_t i = 0; i < dante->rule_count; i++) {
        const struct dante_rule *rule = &dante->rules[i];
        if (!rule->client && (rule->commands & COMMAND_BIND))
            dante_decide(
                rule, dante_is_for(rule, &all) && dante_is_for_all(dante, rule),
                &clients, &decided);
    }
    addresses_keep(&clients, &dante->clients);
    dante_find_peers(dante, COMMAND_BINDREPLY, &clients, &peers);
    dante_add(dante, &bind, &clients, &peers, TRANSLATED_BIND)->comment =
        "BIND, of all rules: who may ask, and who may come";
    netset_fini(&clients);
    netset_fini(&peers);
    netset_fini(&decided);
    netset_fini(&all);
}

/* All lines are read: first who may connect at all. */
static void
dante_translate_all(struct dante *dante)
{
    struct translation *made = dante->made;

    if (dante->methods == 0 && made->held == 0)
        translation_hold(made, 1, "without socksmethod Dante refuses all");
    for (size_t i = 0; i < made->listener_count; i++)
        made->listeners[i].socks5_only = dante->methods == METHOD_USERNAME;
    for (size_t i = 0; i < dante->rule_count; i++) {
        dante_settle(dante, &dante->rules[i]);
        if (dante->rules[i].client)
            dante_take_client_rule(dante, &dante->rules[i]);
    }
    for (size_t i = 0; i < dante->rule_count; i++)
        if (!dante->rules[i].client)
            dante_translate(dante, &dante->rules[i]);
    dante_translate_bind(dante);
    translation_sort_notes(made);
}

static bool
dante_read_words(struct dante *dante)
{
    while (dante->at < dante->count) {
        if (dante_is_rule(dante)) {
            if (!dante_read_rule(dante))
                return false;
        } else if (dante_is_name(dante_word(dante))) {
            dante_read_setting(dante);
        } else {
            return false;
        }
    }
    return true;
}

int
dante_read(struct translation *made, unsigned *line)
{
    struct dante dante = {.made = made};
    bool good;

    for (size_t i = 0; i < made->line_count; i++)
        dante_split(&dante, made->lines[i], (unsigned)i + 1);
    good = dante_read_words(&dante);
    *line = dante_line(&dante);
    if (good)
        dante_translate_all(&dante);
    for (size_t i = 0; i < dante.rule_count; i++)
        dante_rule_fini(&dante.rules[i]);
    for (size_t i = 0; i < dante.count; i++)
        free(dante.words[i].text);
    free(dante.words);
    free(dante.rules);
    netset_fini(&dante.clients);
    netset_fini(&dante.decided);
    netset_fini(&dante.listeners);
    return good ? 0 : -1;
}
