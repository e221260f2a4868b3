/* Reads 3proxy.cfg: commands in order, of which `socks' starts a service with
   the access list that stands before it. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tools/import/readers.h"

enum { WORDS_MAX = 64, WORD_MAX = 1024, ACL_MAX = 1000 };

struct entry {
    struct origin origin;
    bool allow;
    bool exact; /* all its conditions are ours, too */
    struct translated_users users;
    struct netset from, to;
    struct port_range ports[TRANSLATION_PORTS_MAX];
    size_t port_count;
    unsigned commands; /* 0: it is for nothing that SOCKS asks */
};

/* `auth'; bits. */
enum { AUTH_IPONLY = 1, AUTH_STRONG = 2, AUTH_OTHER = 4 };
enum { ALL_COMMANDS = TRANSLATED_CONNECT | TRANSLATED_BIND | TRANSLATED_UDP };

struct threeproxy {
    struct translation *made;
    struct entry *acl; /* owned */
    size_t acl_count;
    unsigned auth; /* 0: nothing is asked, and no entry counts */
    struct addr internal;
    unsigned line;
};

/* Splits at blanks; "a ""b""" is quoted. False: too long, or a macro. */
static bool
words_split(const char *text, char words[WORDS_MAX][WORD_MAX], size_t *count)
{
    *count = 0;
    for (;;) {
        size_t len = 0;
        bool quoted = false;

        text += strspn(text, " \t");
        if (*text == '\0')
            return true;
        if (*count == WORDS_MAX || *text == '$')
            return false;
        for (; *text != '\0' && (quoted || strchr(" \t", *text) == NULL);
             text++) {
            if (*text == '"' && !(quoted && text[1] == '"')) {
                quoted = !quoted;
                continue;
            }
            if (*text == '"')
                text++;
            if (len == WORD_MAX - 1)
                return false;
            words[*count][len++] = *text;
        }
        words[(*count)++][len] = '\0';
    }
}

static void
acl_flush(struct threeproxy *proxy)
{
    for (size_t i = 0; i < proxy->acl_count; i++) {
        netset_fini(&proxy->acl[i].from);
        netset_fini(&proxy->acl[i].to);
    }
    proxy->acl_count = 0;
}

static bool
word_is_any(const char *word)
{
    return word[0] == '\0' || strcmp(word, "*") == 0;
}

static void
entry_doubt(struct threeproxy *proxy, struct entry *entry, const char *what)
{
    translation_note(proxy->made, proxy->line,
                     "%s: such an entry allows nothing, or denies more", what);
    entry->exact = false;
}

/* A list with commas; what is not understood is everything. */
static void
entry_read_networks(struct threeproxy *proxy, struct entry *entry,
                    struct netset *set, char *list)
{
    char *rest = NULL;

    if (word_is_any(list)) {
        addresses_add_all(set);
        return;
    }
    for (char *one = strtok_r(list, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest))
        if (!addresses_parse(one, set)) {
            entry_doubt(proxy, entry, one);
            if (!entry->allow)
                addresses_add_all(set);
        }
}

static void
entry_read_ports(struct threeproxy *proxy, struct entry *entry, char *list)
{
    char *rest = NULL;
    struct port_range range;

    if (word_is_any(list))
        return;
    for (char *one = strtok_r(list, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest))
        if (!ports_parse(one, &range) ||
            entry->port_count == TRANSLATION_PORTS_MAX)
            entry_doubt(proxy, entry, one);
        else
            entry->ports[entry->port_count++] = range;
}

static void
entry_read_operations(struct entry *entry, char *list)
{
    static const struct {
        const char *name;
        unsigned bit;
    } operations[] = {{"CONNECT", TRANSLATED_CONNECT},
                      {"BIND", TRANSLATED_BIND},
                      {"UDPASSOC", TRANSLATED_UDP}};
    char *rest = NULL;

    if (word_is_any(list)) {
        entry->commands = ALL_COMMANDS;
        return;
    }
    for (char *one = strtok_r(list, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest))
        for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
            if (strcmp(one, operations[i].name) == 0)
                entry->commands |= operations[i].bit;
}

static void
entry_read_users(struct threeproxy *proxy, struct entry *entry, char *list)
{
    char *rest = NULL;

    if (word_is_any(list))
        return;
    for (char *one = strtok_r(list, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest))
        if (!translated_users_add(&entry->users, one)) {
            entry_doubt(proxy, entry, one);
            return;
        }
}

/* allow and deny: users, sources, targets, ports, operations, days, times. */
static void
acl_add(struct threeproxy *proxy, bool allow, char words[WORDS_MAX][WORD_MAX],
        size_t count)
{
    struct entry *entry;

    for (size_t i = count; i < 8; i++)
        words[i][0] = '\0';
    proxy->acl =
        import_alloc(proxy->acl, proxy->acl_count + 1, sizeof(*proxy->acl));
    entry = &proxy->acl[proxy->acl_count++];
    *entry = (struct entry){
        .origin = {proxy->line, proxy->line}, .allow = allow, .exact = true};
    entry_read_users(proxy, entry, words[1]);
    entry_read_networks(proxy, entry, &entry->from, words[2]);
    entry_read_networks(proxy, entry, &entry->to, words[3]);
    entry_read_ports(proxy, entry, words[4]);
    entry_read_operations(entry, words[5]);
    if (!word_is_any(words[6]) || !word_is_any(words[7]))
        entry_doubt(proxy, entry, "days and times");
}

/* The rules of one service. Where an entry has no users, our rule asks for a
   password if the service asks everyone. */
static void
acl_translate(struct threeproxy *proxy, unsigned listener,
              const struct entry *entry)
{
    struct translated_rule *rule =
        translation_add_rule(proxy->made, entry->origin, entry->allow);
    bool has_users = entry->users.text[0] != '\0';
    bool exact = entry->exact && (!has_users || (proxy->auth & AUTH_STRONG));

    if (exact != entry->exact)
        translation_note(proxy->made, entry->origin.first,
                         "users: such an entry allows nothing, or denies more");
    if (entry->allow && !exact)
        return;
    rule->listeners = 1U << listener;
    addresses_copy(&rule->from, &entry->from);
    addresses_copy(&rule->to, &entry->to);
    rule->commands = entry->commands;
    if (exact) {
        memcpy(rule->ports, entry->ports, sizeof(rule->ports));
        rule->port_count = entry->port_count;
        rule->users = entry->users;
    }
    if (proxy->auth == AUTH_STRONG || (has_users && entry->allow))
        rule->auth = TRANSLATED_PASSWORD;
}

static void
service_allow_all(struct threeproxy *proxy, unsigned listener)
{
    struct entry all = {.origin = {proxy->line, proxy->line},
                        .allow = true,
                        .exact = true,
                        .commands = ALL_COMMANDS};

    addresses_add_all(&all.from);
    addresses_add_all(&all.to);
    acl_translate(proxy, listener, &all);
    netset_fini(&all.from);
    netset_fini(&all.to);
}

/* Reads -p, -i and -e. */
static bool
service_read_options(struct threeproxy *proxy, char words[WORDS_MAX][WORD_MAX],
                     size_t count, struct endpoint *at)
{
    for (size_t i = 1; i < count; i++) {
        const char *word = words[i];
        struct port_range port;

        if (strncmp(word, "-p", 2) == 0 && ports_parse(word + 2, &port) &&
            port.first == port.last && port.first > 0)
            at->port = port.first;
        else if (strncmp(word, "-i", 2) == 0 &&
                 addr_parse(word + 2, &at->addr) == 0 && addr_is_v4(at->addr))
            continue;
        else if (strncmp(word, "-r", 2) == 0 || strncmp(word, "-u2", 3) == 0 ||
                 strncmp(word, "-p", 2) == 0 || strncmp(word, "-i", 2) == 0) {
            translation_note(proxy->made, proxy->line,
                             "%s: there is no such listener; the service is "
                             "left out",
                             word);
            return false;
        } else {
            translation_note(proxy->made, proxy->line, "%s has no equal", word);
        }
    }
    return true;
}

static void
service_add(struct threeproxy *proxy, char words[WORDS_MAX][WORD_MAX],
            size_t count)
{
    struct translation *made = proxy->made;
    struct endpoint at = {.addr = proxy->internal, .port = 1080};
    unsigned number = (unsigned)made->listener_count;

    if (!service_read_options(proxy, words, count, &at) ||
        !translation_add_listener(made, at, proxy->line))
        return;
    made->listeners[number].socks5_only = proxy->auth == AUTH_STRONG;
    if (proxy->auth & AUTH_OTHER)
        translation_note(made, proxy->line,
                         "its clients authenticate in a way that we have not: "
                         "they are refused");
    else if (proxy->auth == 0 || proxy->acl_count == 0)
        service_allow_all(proxy, number);
    else
        for (size_t i = 0; i < proxy->acl_count; i++)
            acl_translate(proxy, number, &proxy->acl[i]);
}

/* Of several ways the first that grants counts: those that we have not grant
   nothing here. */
static void
take_auth(struct threeproxy *proxy, char words[WORDS_MAX][WORD_MAX],
          size_t count)
{
    bool others = count < 2;

    proxy->auth = 0;
    for (size_t i = 1; i < count; i++)
        if (strcmp(words[i], "iponly") == 0)
            proxy->auth |= AUTH_IPONLY;
        else if (strcmp(words[i], "strong") == 0)
            proxy->auth |= AUTH_STRONG;
        else
            others |= count > 2 || strcmp(words[i], "none") != 0;
    if (others)
        translation_note(proxy->made, proxy->line,
                         "only none, iponly and strong have an equal");
    if (others && proxy->auth == 0)
        proxy->auth = AUTH_OTHER;
    if (proxy->auth == (AUTH_IPONLY | AUTH_STRONG))
        translation_note(proxy->made, proxy->line,
                         "iponly and strong: a client of SOCKS5 must offer a "
                         "password where a rule for its address asks for one");
    if (proxy->auth & AUTH_STRONG)
        translation_note(proxy->made, proxy->line,
                         "strong: give each user a password: socks4d "
                         "passwd " TRANSLATION_USERS_FILE " NAME");
}

static void
take_users(struct threeproxy *proxy)
{
    translation_note(proxy->made, proxy->line,
                     "users: their passwords are not copied, but may stand in "
                     "the comment of this line: remove it");
}

static void
take_address(struct threeproxy *proxy, const char *word, bool is_internal)
{
    struct addr addr;

    if (addr_parse(word, &addr) != 0 || !addr_is_v4(addr))
        translation_note(proxy->made, proxy->line, "%s: only addresses of IPv4",
                         word);
    else if (is_internal)
        proxy->internal = addr;
    else if (!addr_is_any(addr)) {
        proxy->made->egress = addr_to_v4(addr);
        proxy->made->egress_origin = (struct origin){proxy->line, proxy->line};
    }
}

/* Commands that change what is granted, or read it from elsewhere. */
static bool
command_may_refuse(const char *name)
{
    static const char *const names[] = {"include",  "plugin", "config",
                                        "writable", "chroot", NULL};

    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void
threeproxy_take(struct threeproxy *proxy, char words[WORDS_MAX][WORD_MAX],
                size_t count)
{
    const char *name = words[0];
    struct origin here = {proxy->line, proxy->line};

    if (strcmp(name, "allow") == 0 || strcmp(name, "deny") == 0) {
        acl_add(proxy, name[0] == 'a', words, count);
    } else if (strcmp(name, "flush") == 0) {
        acl_flush(proxy);
    } else if (strcmp(name, "auth") == 0) {
        take_auth(proxy, words, count);
    } else if (strcmp(name, "socks") == 0) {
        service_add(proxy, words, count);
    } else if (strcmp(name, "internal") == 0 && count > 1) {
        take_address(proxy, words[1], true);
    } else if (strcmp(name, "external") == 0 && count > 1) {
        take_address(proxy, words[1], false);
    } else if (strcmp(name, "parent") == 0 && proxy->acl_count > 0) {
        entry_doubt(proxy, &proxy->acl[proxy->acl_count - 1], "parent");
    } else if (strcmp(name, "timeouts") == 0 && count > 6) {
        translation_add_timeout(proxy->made, "idle", words[6], here);
        translation_note(proxy->made, proxy->line,
                         "only the sixth timeout has an equal: idle");
    } else if (command_may_refuse(name)) {
        translation_hold(proxy->made, proxy->line,
                         "%s may refuse what we grant; its effect is not known "
                         "here",
                         name);
    } else {
        translation_note(proxy->made, proxy->line, "%s has no equal", name);
    }
}

int
threeproxy_read(struct translation *made, unsigned *line)
{
    static char words[WORDS_MAX][WORD_MAX];
    struct threeproxy proxy = {.made = made, .internal = addr_v4(0)};
    size_t count;

    for (*line = 1; *line <= made->line_count; ++*line) {
        const char *text = made->lines[*line - 1];
        if (text[0] == '\0' || strchr(" \t#", text[0]) != NULL)
            continue;
        proxy.line = *line;
        if (strncmp(text, "users ", 6) == 0) /* maybe of a file; it grants */
            take_users(&proxy);              /* nothing */
        else if (!words_split(text, words, &count))
            translation_hold(made, *line,
                             "a file that is read in, or a line "
                             "that is too long");
        else if (strcmp(words[0], "end") == 0)
            break;
        else
            threeproxy_take(&proxy, words, count);
    }
    translation_sort_notes(made);
    acl_flush(&proxy);
    free(proxy.acl);
    return 0;
}
