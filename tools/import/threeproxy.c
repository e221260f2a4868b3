/* Reads 3proxy.cfg: commands in order, of which `socks' starts a service with
   the access list that stands before it. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    unsigned parent;   /* its number; 0: none */
    bool other_way;    /* its way out is one that we have not */
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

static enum translated_auth
acl_auth(const struct threeproxy *proxy, bool allow, bool has_users)
{
    if (proxy->auth == AUTH_STRONG || (has_users && allow))
        return TRANSLATED_PASSWORD;
    return allow && (proxy->auth & AUTH_STRONG) ? TRANSLATED_EITHER
                                                : TRANSLATED_ANY;
}

/* The rules of one service. Where an entry has no users, our rule asks for a
   password if the service asks everyone. An entry with a parent is for CONNECT
   alone; where we cannot say it, what it is for is refused: an entry behind it
   would let that go past the parent. */
static void
acl_translate(struct threeproxy *proxy, unsigned listener,
              const struct entry *entry)
{
    bool has_users = entry->users.text[0] != '\0';
    bool exact = entry->exact && (!has_users || (proxy->auth & AUTH_STRONG));
    bool has_way = entry->parent > 0 || entry->other_way;
    bool allow = entry->allow && !entry->other_way && (exact || !has_way);
    struct translated_rule *rule =
        translation_add_rule(proxy->made, entry->origin, allow);

    if (exact != entry->exact)
        translation_note(proxy->made, entry->origin.first,
                         "users: such an entry allows nothing, or denies more");
    if (exact && !entry->allow && has_users && (proxy->auth & AUTH_IPONLY))
        translation_note(proxy->made, entry->origin.first,
                         "users: iponly may let them pass as unknown ones; "
                         "here they are refused");
    if (allow && !exact)
        return;
    rule->listeners = 1U << listener;
    addresses_copy(&rule->from, &entry->from);
    addresses_copy(&rule->to, &entry->to);
    rule->commands = entry->commands;
    if (has_way)
        rule->commands &= TRANSLATED_CONNECT;
    rule->parent = allow ? entry->parent : 0;
    if (exact) {
        memcpy(rule->ports, entry->ports, sizeof(rule->ports));
        rule->port_count = entry->port_count;
        rule->users = entry->users;
    }
    rule->auth = acl_auth(proxy, allow, has_users);
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
        } else if (word[0] != '-') {
            translation_note(proxy->made, proxy->line,
                             "%s is not an option of a service, which is left "
                             "out",
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
    if (proxy->auth & AUTH_STRONG)
        translation_note(proxy->made, proxy->line,
                         "strong: give each user a password: socks4d "
                         "passwd " TRANSLATION_USERS_FILE " NAME");
}

static void
take_users(struct threeproxy *proxy)
{
    translation_note(proxy->made, proxy->line,
                     "users: their passwords are not copied; the comment of "
                     "this line leaves them out");
}

/* False: it is too long, cannot be written, or is "*", which stands for what
   the client has sent. */
static bool
login_read(const char *word, char out[256])
{
    size_t len = strlen(word);

    if (len == 0 || len > 255 || word[0] == '*')
        return false;
    for (size_t i = 0; i < len; i++)
        if (word[i] < ' ' || word[i] > '~')
            return false;
    memcpy(out, word, len + 1);
    return true;
}

/* A user or a USERID can also stand between quotes, and is not the word that
   means another thing there. */
static bool
user_read(const char *word, const char *reserved, char out[256])
{
    return strpbrk(word, "\"\\") == NULL && strcmp(word, reserved) != 0 &&
           login_read(word, out);
}

/* parent: weight, type, address, port, and maybe a user and a password. False:
   it is not one of ours. */
static bool
parent_read(struct translated_parent *parent, char words[WORDS_MAX][WORD_MAX],
            size_t count)
{
    static const struct {
        const char *type, *ours;
        bool names;
    } types[] = {{"socks4", "socks4", false},
                 {"socks4+", "socks4a", true},
                 {"socks5", "socks5", false},
                 {"socks5+", "socks5", true}};
    struct port_range port;

    if (count < 5 || strcmp(words[1], "1000") != 0)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(words[2], types[i].type) == 0) {
            parent->protocol = types[i].ours;
            parent->passes_names = types[i].names;
        }
    if (parent->protocol == NULL ||
        addr_parse(words[3], &parent->at.addr) != 0 ||
        !addr_is_v4(parent->at.addr) || addr_is_any(parent->at.addr) ||
        !ports_parse(words[4], &port) || port.first != port.last ||
        port.first == 0)
        return false;
    parent->at.port = port.first;
    if (strncmp(parent->protocol, "socks4", 6) == 0)
        return user_read(count > 5 ? words[5] : "anonymous", "pass",
                         parent->user);
    return count == 5 ||
           (count > 6 && user_read(words[5], "none", parent->user) &&
            login_read(words[6], parent->password));
}

/* Of the entry before: the way out of what it allows. */
static void
take_parent(struct threeproxy *proxy, char words[WORDS_MAX][WORD_MAX],
            size_t count)
{
    struct translation *made = proxy->made;
    struct entry *entry = &proxy->acl[proxy->acl_count - 1];
    struct translated_parent parent = {.origin = {proxy->line, proxy->line}};

    if (entry->allow && entry->parent == 0 && !entry->other_way &&
        made->parent_count < TRANSLATION_PARENTS_MAX &&
        parent_read(&parent, words, count)) {
        made->parents[made->parent_count++] = parent;
        entry->parent = (unsigned)made->parent_count;
    } else {
        translation_note(made, proxy->line,
                         "parent: only one of socks4, socks5, with + or "
                         "without, weight 1000, an IPv4 address, has an equal: "
                         "its entry refuses");
        entry->other_way = true;
    }
    explicit_bzero(&parent, sizeof(parent));
}

/* A parent that is a listener of the same configuration would be asked by
   itself. */
static void
parents_check(struct translation *made)
{
    for (size_t i = 0; i < made->rule_count; i++) {
        struct translated_rule *rule = &made->rules[i];
        bool is_own = false;
        if (rule->parent == 0)
            continue;
        const struct translated_parent *parent =
            &made->parents[rule->parent - 1];
        for (size_t j = 0; j < made->listener_count; j++)
            is_own |= endpoint_equal(&parent->at, &made->listeners[j].at);
        if (!is_own)
            continue;
        translation_note(made, parent->origin.first,
                         "parent: it is a listener of this file: its entry "
                         "refuses");
        rule->allow = false;
        rule->parent = 0;
        rule->auth = TRANSLATED_ANY;
    }
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
        take_parent(proxy, words, count);
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

/* --- Secrets, which no comment shows -------------------------------------- */

/* The end of the word that begins here; quoted blanks belong to it. */
static const char *
word_end(const char *text)
{
    for (bool quoted = false;
         *text != '\0' && (quoted || strchr(" \t", *text) == NULL); text++)
        if (*text == '"')
            quoted = !quoted;
    return text;
}

/* Where the word begins that has so many before it; or the end. */
static const char *
word_find(const char *text, size_t before)
{
    for (;; before--) {
        text += strspn(text, " \t");
        if (*text == '\0' || before == 0)
            return text;
        text = word_end(text);
    }
}

/* Whether the word is this command, in either case, whatever of it stands
   between quotes, and whatever a comment may have before it. */
static bool
word_is_command(const char *word, const char *command)
{
    const char *end = word_end(word);

    while (word < end && !isalpha((unsigned char)*word))
        word++;
    for (; word < end; word++) {
        if (*word == '"')
            continue;
        if (strncasecmp(word, command, 1) != 0)
            return false;
        command++;
    }
    return *command == '\0';
}

/* Of a user what stands before the password: NAME, and TYPE. */
static size_t
user_shown(const char *word, const char *end)
{
    const char *colon = memchr(word, ':', (size_t)(end - word));
    const char *second =
        colon ? memchr(colon + 1, ':', (size_t)(end - colon) - 1) : NULL;

    if (*word == '$' || colon == NULL) /* a file of users; no password */
        return (size_t)(end - word);
    return (size_t)((second ? second : colon) + 1 - word);
}

static void
line_hide_users(struct translation *made, unsigned line, const char *at)
{
    const char *text = made->lines[line - 1];
    size_t len = (size_t)(at - text), room = 4 * strlen(text) + 1;
    char *shown = import_alloc(NULL, room, 1);

    memcpy(shown, text, len);
    shown[len] = '\0';
    for (const char *end; *at != '\0'; at = end) {
        const char *word = at + strspn(at, " \t");
        end = word_end(word);
        const char *secret = word + user_shown(word, end);
        len +=
            (size_t)snprintf(shown + len, room - len, "%.*s%s",
                             (int)(secret - at), at, secret < end ? "***" : "");
    }
    translation_hide_line(made, line, shown);
}

static void
line_hide_behind(struct translation *made, unsigned line, const char *at)
{
    const char *text = made->lines[line - 1];
    size_t shown = (size_t)(at - text);
    char *copy = import_alloc(NULL, shown + sizeof("***"), 1);

    memcpy(copy, text, shown);
    memcpy(copy + shown, "***", sizeof("***"));
    translation_hide_line(made, line, copy);
}

/* A password in a comment, which is a command that is not in force, too, maybe
   behind other words. */
static void
line_hide_secrets(struct translation *made, unsigned line)
{
    static const struct {
        const char *command;
        size_t before; /* the secret, and what is behind it */
        bool anywhere; /* not only as the first word */
        char first;    /* what the secret begins with; 0: anything */
    } commands[] = {{"users", 1, true, 0},    {"parent", 6, true, 0},
                    {"radius", 1, false, 0},  {"log", 1, false, '&'},
                    {"plugin", 3, false, 0},  {"system", 1, false, 0},
                    {"archiver", 3, false, 0}};
    const char *text = made->lines[line - 1];
    const char *first = text + strspn(text, " \t#");

    for (const char *name = first; *name != '\0'; name = word_find(name, 1))
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
            const char *secret = word_find(name, commands[i].before);
            char begins = secret[strspn(secret, "\"")];
            if ((name != first && !commands[i].anywhere) || begins == '\0' ||
                (commands[i].first != 0 && begins != commands[i].first) ||
                !word_is_command(name, commands[i].command))
                continue;
            if (i == 0)
                line_hide_users(made, line, word_end(name));
            else
                line_hide_behind(made, line, secret);
            return;
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
    parents_check(made);
    translation_sort_notes(made);
    for (unsigned i = 1; i <= made->line_count; i++)
        line_hide_secrets(made, i);
    explicit_bzero(words, sizeof(words));
    acl_flush(&proxy);
    free(proxy.acl);
    return 0;
}
