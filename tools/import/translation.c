#include "tools/import/translation.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static void __attribute__((noreturn)) import_die(void)
{
    fputs("socks4-import: out of memory\n", stderr);
    exit(2);
}

void *
import_alloc(void *old, size_t count, size_t size)
{
    void *made = reallocarray(old, count > 0 ? count : 1, size);

    if (made == NULL)
        import_die();
    return made;
}

static void
import_check(int rc)
{
    if (rc != 0)
        import_die();
}

/* --- Addresses ----------------------------------------------------------- */

static void
addresses_add(struct netset *set, uint32_t first, uint32_t last)
{
    import_check(netset_add(set, addr_v4(first), addr_v4(last)));
    netset_seal(set);
}

void
addresses_add_all(struct netset *set)
{
    addresses_add(set, 0, UINT32_MAX);
}

void
addresses_copy(struct netset *set, const struct netset *from)
{
    import_check(netset_add_set(set, from));
    netset_seal(set);
}

void
addresses_remove(struct netset *set, const struct netset *other)
{
    for (size_t i = 0; i < other->count; i++)
        import_check(
            netset_remove(set, other->ranges[i].first, other->ranges[i].last));
}

void
addresses_keep(struct netset *set, const struct netset *other)
{
    struct netset rest;

    netset_init(&rest);
    addresses_add_all(&rest);
    addresses_remove(&rest, other);
    addresses_remove(set, &rest);
    netset_fini(&rest);
}

static bool
addresses_parse_v4(const char *text, uint32_t *ip)
{
    struct in_addr addr;

    if (inet_pton(AF_INET, text, &addr) != 1)
        return false;
    *ip = ntohl(addr.s_addr);
    return true;
}

static bool
addresses_parse_mask(const char *text, uint32_t *mask)
{
    uint64_t bits;

    if (text_number(text, &bits) == 0 && bits <= 32) {
        *mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
        return true;
    }
    /* A mask with holes is no network. */
    return addresses_parse_v4(text, mask) && (~*mask & (~*mask + 1)) == 0;
}

bool
addresses_parse(const char *text, struct netset *set)
{
    char head[64];
    size_t len = strcspn(text, "/-");
    uint32_t first, last, mask;

    if (len >= sizeof(head))
        return false;
    memcpy(head, text, len);
    head[len] = '\0';
    if (strcmp(text, "0/0") == 0) {
        addresses_add_all(set);
        return true;
    }
    if (!addresses_parse_v4(head, &first))
        return false;
    last = first;
    if (text[len] == '/') {
        if (!addresses_parse_mask(text + len + 1, &mask))
            return false;
        first &= mask;
        last = first | ~mask;
    } else if (text[len] == '-') {
        if (!addresses_parse_v4(text + len + 1, &last) || last < first)
            return false;
    }
    addresses_add(set, first, last);
    return true;
}

bool
ports_parse(const char *text, struct port_range *range)
{
    char head[8];
    size_t len = strcspn(text, "-");
    uint64_t first, last;
    const struct servent *service;

    if (text[len] != '-') {
        if (text_number(text, &first) != 0) {
            service = getservbyname(text, "tcp");
            if (service == NULL)
                return false;
            first = ntohs((uint16_t)service->s_port);
        }
        last = first;
    } else {
        if (len >= sizeof(head))
            return false;
        memcpy(head, text, len);
        head[len] = '\0';
        if (text_number(head, &first) != 0 ||
            text_number(text + len + 1, &last) != 0)
            return false;
    }
    if (last > UINT16_MAX || first > last)
        return false;
    *range = (struct port_range){(uint16_t)first, (uint16_t)last};
    return true;
}

/* --- What is read -------------------------------------------------------- */

void
translation_init(struct translation *made, const char *file, const char *text,
                 size_t len)
{
    const char *end = text + len;

    *made = (struct translation){.file = file};
    text += text_has_mark(text, len) ? 3 : 0;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t count = (size_t)((stop != NULL ? stop : end) - text);
        char *line = import_alloc(NULL, count + 1, 1);

        memcpy(line, text, count);
        line[count] = '\0';
        if (count > 0 && line[count - 1] == '\r')
            line[count - 1] = '\0';
        made->lines = import_alloc(made->lines, made->line_count + 1,
                                   sizeof(*made->lines));
        made->lines[made->line_count++] = line;
        text += count + 1;
    }
    made->printed = import_alloc(NULL, made->line_count, 1);
    memset(made->printed, 0, made->line_count);
}

void
translation_fini(struct translation *made)
{
    for (size_t i = 0; i < made->line_count; i++)
        free(made->lines[i]);
    for (size_t i = 0; i < made->rule_count; i++) {
        netset_fini(&made->rules[i].from);
        netset_fini(&made->rules[i].to);
    }
    free(made->lines);
    free(made->printed);
    free(made->rules);
    free(made->notes);
    explicit_bzero(made->parents, sizeof(made->parents));
}

static void
translation_add_note(struct translation *made, unsigned line,
                     const char *format, va_list args)
{
    char text[160];

    made->notes =
        import_alloc(made->notes, made->note_count + 1, sizeof(*made->notes));
    vsnprintf(text, sizeof(text), format, args);
    made->notes[made->note_count].line = line;
    made->notes[made->note_count].number = made->note_count;
    text_show(text, strlen(text), made->notes[made->note_count].text,
              sizeof(made->notes[0].text));
    made->note_count++;
}

void
translation_note(struct translation *made, unsigned line, const char *format,
                 ...)
{
    va_list args;

    va_start(args, format);
    translation_add_note(made, line, format, args);
    va_end(args);
}

void
translation_hold(struct translation *made, unsigned line, const char *format,
                 ...)
{
    va_list args;

    va_start(args, format);
    translation_add_note(made, line, format, args);
    va_end(args);
    if (made->held == 0)
        made->held = line;
}

static int
note_compare(const void *left, const void *right)
{
    const struct note *a = left, *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

void
translation_sort_notes(struct translation *made)
{
    if (made->note_count > 0)
        qsort(made->notes, made->note_count, sizeof(*made->notes),
              note_compare);
}

bool
translation_add_listener(struct translation *made, struct endpoint at,
                         unsigned line)
{
    size_t count = made->listener_count;

    for (size_t i = 0; i < count; i++) {
        struct endpoint *other = &made->listeners[i].at;
        if (other->port == at.port &&
            (addr_equal(other->addr, at.addr) || addr_is_any(other->addr) ||
             addr_is_any(at.addr))) {
            translation_note(made, line, "another listener has that port");
            return false;
        }
    }
    if (at.port == 0) {
        translation_note(made, line, "a listener has a port");
        return false;
    }
    if (count == TRANSLATION_LISTENERS_MAX) {
        translation_note(made, line, "more than %d listeners",
                         TRANSLATION_LISTENERS_MAX);
        return false;
    }
    made->listeners[count].at = at;
    made->listeners[count].origin = (struct origin){line, line};
    made->listener_count++;
    return true;
}

void
translation_hide_line(struct translation *made, unsigned line, char *text)
{
    char *old = made->lines[line - 1];

    explicit_bzero(old, strlen(old));
    free(old);
    made->lines[line - 1] = text;
}

struct translated_rule *
translation_add_rule(struct translation *made, struct origin origin, bool allow)
{
    struct translated_rule *rule;

    made->rules =
        import_alloc(made->rules, made->rule_count + 1, sizeof(*made->rules));
    rule = &made->rules[made->rule_count++];
    *rule = (struct translated_rule){.origin = origin, .allow = allow};
    return rule;
}

bool
translated_users_add(struct translated_users *users, const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-@";
    size_t len = strlen(users->text), room = sizeof(users->text) - len;
    size_t need = strlen(name) + sizeof(", \"\"");

    if (name[0] == '\0' || name[strspn(name, plain)] != '\0' || need > room)
        return false;
    snprintf(users->text + len, room, "%s\"%s\"", len > 0 ? ", " : "", name);
    return true;
}

void
translation_add_timeout(struct translation *made, const char *key,
                        const char *seconds, struct origin origin)
{
    uint64_t number;

    if (text_number(seconds, &number) != 0 || number > 604800) {
        translation_note(made, origin.first, "not a number of seconds: %s",
                         seconds);
        return;
    }
    if (number == 0 && strcmp(key, "idle") != 0) {
        translation_note(made, origin.first,
                         "there is no %s without end; ours stays as it is",
                         key);
        return;
    }
    size_t at = 0;
    while (at < made->timeout_count && strcmp(made->timeouts[at].key, key) != 0)
        at++;
    assert(at < sizeof(made->timeouts) / sizeof(made->timeouts[0]));
    made->timeouts[at].key = key; /* the last one counts */
    made->timeouts[at].seconds = number;
    made->timeouts[at].origin = origin;
    if (at == made->timeout_count)
        made->timeout_count++;
}

/* --- What is written ----------------------------------------------------- */

/* The old lines, once each: as comments that no octet can end. */
static void
print_origin(struct translation *made, struct origin origin, FILE *out)
{
    for (unsigned line = origin.first;
         line > 0 && line <= origin.last && line <= made->line_count; line++) {
        const char *text = made->lines[line - 1];
        if (made->printed[line - 1])
            continue;
        made->printed[line - 1] = true;
        fprintf(out, "# %u: ", line);
        for (; *text != '\0'; text++)
            fputc(*text >= ' ' && *text <= '~' ? *text
                  : *text == '\t'              ? ' '
                                               : '?',
                  out);
        fputc('\n', out);
    }
}

static void
print_set(const struct netset *set, bool self, FILE *out)
{
    fputs(self ? "[self" : "[", out);
    for (size_t i = 0; i < set->count; i++) {
        uint32_t first = addr_to_v4(set->ranges[i].first);
        uint32_t last = addr_to_v4(set->ranges[i].last);
        uint32_t size = last - first;
        char text[ADDR_TEXT_MAX];

        fprintf(out, "%s%s", i > 0 || self ? ", " : "",
                addr_format(set->ranges[i].first, text));
        if (size == 0)
            continue;
        if ((size & (size + 1)) == 0 && (first & size) == 0)
            fprintf(out, "/%d", size == UINT32_MAX ? 0 : __builtin_clz(size));
        else
            fprintf(out, "-%s", addr_format(set->ranges[i].last, text));
    }
    fputc(']', out);
}

static void
print_listeners(struct translation *made, FILE *out)
{
    char text[ENDPOINT_TEXT_MAX];

    if (made->listener_count == 0)
        return;
    for (size_t i = 0; i < made->listener_count; i++)
        print_origin(made, made->listeners[i].origin, out);
    fputs("listen:\n", out);
    for (size_t i = 0; i < made->listener_count; i++)
        fprintf(out,
                "  - {address: \"%s\", name: listener-%zu, socks5: %s%s}\n",
                endpoint_format(&made->listeners[i].at, text), i + 1,
                made->listeners[i].socks5_only ? "only" : "true",
                addr_is_loopback(made->listeners[i].at.addr)
                    ? ""
                    : ", insecure_plaintext: true");
    fputc('\n', out);
}

static void
print_settings(struct translation *made, FILE *out)
{
    char text[ADDR_TEXT_MAX];

    if (made->egress != 0) {
        print_origin(made, made->egress_origin, out);
        fprintf(out, "egress: {address: %s}\n\n",
                addr_format(addr_v4(made->egress), text));
    }
    if (made->log[0] != '\0')
        print_origin(made, made->log_origin, out);
    if (made->log[0] != '\0' || made->log_starts)
        fprintf(out, "log: {target: \"%s\"%s}\n\n",
                made->log[0] != '\0' ? made->log : "stderr",
                made->log_starts ? ", start: true" : "");
    for (size_t i = 0; i < made->timeout_count; i++)
        print_origin(made, made->timeouts[i].origin, out);
    for (size_t i = 0; i < made->timeout_count; i++)
        fprintf(out, "%s%s: %llu%s", i == 0 ? "timeouts: {" : ", ",
                made->timeouts[i].key,
                (unsigned long long)made->timeouts[i].seconds,
                made->timeouts[i].seconds > 0 ? "s" : "");
    if (made->timeout_count > 0)
        fputs("}\n\n", out);
}

/* Whether a port is left: 0, which other servers may name, is none of ours. */
static bool
rule_has_ports(const struct translated_rule *rule)
{
    for (size_t i = 0; i < rule->port_count; i++)
        if (rule->ports[i].last > 0)
            return true;
    return rule->port_count == 0;
}

static void
print_ports(const struct translated_rule *rule, FILE *out)
{
    const char *before = ", port: [";

    for (size_t i = 0; i < rule->port_count; i++) {
        const struct port_range *range = &rule->ports[i];
        unsigned first = range->first > 0 ? range->first : 1;

        if (range->last == 0)
            continue;
        fprintf(out, "%s%u", before, first);
        if (range->last > first)
            fprintf(out, "-%u", range->last);
        before = ", ";
    }
    if (rule->port_count > 0)
        fputc(']', out);
}

/* Some commands alone, or all that the rule has. */
static void
print_rule_line(const struct translated_rule *rule, unsigned commands,
                bool ports, FILE *out)
{
    static const char *const names[] = {"connect", "bind", "udp"};
    static const char *const auths[] = {[TRANSLATED_NONE] = "none",
                                        [TRANSLATED_PASSWORD] = "password",
                                        [TRANSLATED_EITHER] = "none, password"};

    fprintf(out, "  - {action: %s", rule->allow ? "allow" : "deny");
    for (unsigned i = 0, some = 0; i < TRANSLATION_LISTENERS_MAX; i++)
        if (rule->listeners >> i & 1)
            fprintf(out, "%slistener-%u", some++ ? ", " : ", listener: [",
                    i + 1);
    fputs(rule->listeners != 0 ? "], from: " : ", from: ", out);
    print_set(&rule->from, rule->from_self, out);
    fputs(", to: ", out);
    print_set(&rule->to, rule->to_self, out);
    if (ports)
        print_ports(rule, out);
    fputs(", command: [", out);
    for (unsigned i = 0, some = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (commands >> i & 1)
            fprintf(out, "%s%s", some++ ? ", " : "", names[i]);
    fputs(rule->version == 4   ? "], version: [4, 4a]"
          : rule->version == 5 ? "], version: [5]"
                               : "]",
          out);
    if (rule->auth != TRANSLATED_ANY)
        fprintf(out, ", auth: [%s]", auths[rule->auth]);
    if (rule->users.text[0] != '\0')
        fprintf(out, ", user: [%s]", rule->users.text);
    if (rule->parent > 0)
        fprintf(out, ", via: [parent-%u]", rule->parent);
    fputs("}\n", out);
}

/* The port of a BIND may be 0, which no term has: so a rule that denies BIND
   by port denies it for all. */
static void
print_rule(const struct translated_rule *rule, FILE *out)
{
    unsigned others = rule->commands & ~(unsigned)TRANSLATED_BIND;

    if (rule->allow || others == rule->commands || rule->port_count == 0) {
        print_rule_line(rule, rule->commands, true, out);
        return;
    }
    if (others != 0 && rule_has_ports(rule))
        print_rule_line(rule, others, true, out);
    print_rule_line(rule, TRANSLATED_BIND, false, out);
}

static bool
rule_is_empty(const struct translation *made,
              const struct translated_rule *rule)
{
    return rule->from.count == 0 || rule->to.count == 0 ||
           rule->commands == 0 || (rule->allow && made->held > 0) ||
           (!rule_has_ports(rule) &&
            (rule->allow || !(rule->commands & TRANSLATED_BIND)));
}

/* The file is missing until the operator has made it; without it nothing that
   asks for a password may start. */
static void
print_users(const struct translation *made, FILE *out)
{
    for (size_t i = 0; i < made->rule_count; i++)
        if ((made->rules[i].auth == TRANSLATED_PASSWORD ||
             made->rules[i].auth == TRANSLATED_EITHER) &&
            !rule_is_empty(made, &made->rules[i])) {
            fputs("# Make it beside this file, with a line for each user: "
                  "socks4d passwd " TRANSLATION_USERS_FILE " NAME\n"
                  "auth: {users: " TRANSLATION_USERS_FILE "}\n\n",
                  out);
            return;
        }
}

/* --- Parents ------------------------------------------------------------- */

/* Of a parent that no rule names nothing is written. */
static bool
parent_is_used(const struct translation *made, unsigned number)
{
    for (size_t i = 0; i < made->rule_count; i++)
        if (made->rules[i].parent == number &&
            !rule_is_empty(made, &made->rules[i]))
            return true;
    return false;
}

static bool
parent_has_password(const struct translation *made, unsigned number)
{
    return made->parents[number - 1].password[0] != '\0' &&
           parent_is_used(made, number);
}

const char *
translation_password_file(unsigned parent, char name[32])
{
    snprintf(name, 32, "parent-%u.password", parent);
    return name;
}

void
translation_note_passwords(struct translation *made)
{
    char name[32];

    for (unsigned i = 1; i <= made->parent_count; i++)
        if (parent_has_password(made, i))
            translation_note(
                made, made->parents[i - 1].origin.first,
                "its password is not copied: make the file %s beside the "
                "configuration, for the gateway's user alone, with the "
                "password "
                "as its first line",
                translation_password_file(i, name));
}

static int
password_write(int folder, const char *name, const char *password)
{
    int fd = openat(folder, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *file;
    int rc = 0;

    if (fd < 0)
        return -errno;
    file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return -ENOMEM;
    }
    if (fprintf(file, "%s\n", password) < 0)
        rc = -errno;
    if (fclose(file) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

int
translation_write_passwords(const struct translation *made, const char *folder,
                            char name[32])
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : 0;

    name[0] = '\0';
    for (unsigned i = 1; rc == 0 && i <= made->parent_count; i++)
        if (parent_has_password(made, i))
            rc = password_write(fd, translation_password_file(i, name),
                                made->parents[i - 1].password);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void
print_parent(const struct translated_parent *parent, unsigned number, FILE *out)
{
    bool is_5 = strcmp(parent->protocol, "socks5") == 0;
    char text[ENDPOINT_TEXT_MAX], name[32];

    fprintf(out,
            "  - {name: parent-%u, address: \"%s\", protocol: %s, names: %s",
            number, endpoint_format(&parent->at, text), parent->protocol,
            parent->passes_names ? "pass" : "resolve");
    if (!is_5)
        fprintf(out, ", userid: \"%s\"", parent->user);
    else if (parent->password[0] != '\0')
        fprintf(out, ", user: \"%s\", password_file: %s", parent->user,
                translation_password_file(number, name));
    fprintf(out, "%s}\n",
            addr_is_loopback(parent->at.addr) ? ""
                                              : ", insecure_plaintext: true");
}

static void
print_parents(struct translation *made, FILE *out)
{
    bool some = false;
    char name[32];

    for (unsigned i = 1; i <= made->parent_count; i++) {
        if (!parent_is_used(made, i))
            continue;
        print_origin(made, made->parents[i - 1].origin, out);
        if (parent_has_password(made, i))
            fprintf(out,
                    "# Its password is the first line of %s beside this file,\n"
                    "# which only the gateway's user may read.\n",
                    translation_password_file(i, name));
        some = true;
    }
    fputs(some ? "parents:\n" : "", out);
    for (unsigned i = 1; i <= made->parent_count; i++)
        if (parent_is_used(made, i))
            print_parent(&made->parents[i - 1], i, out);
    fputs(some ? "\n" : "", out);
}

static void
print_rules(struct translation *made, FILE *out)
{
    bool some = false;

    for (size_t i = 0; i < made->rule_count; i++)
        some |= !rule_is_empty(made, &made->rules[i]);
    fputs(some ? "rules:\n" : "", out);
    for (size_t i = 0; i < made->rule_count; i++) {
        print_origin(made, made->rules[i].origin, out);
        if (rule_is_empty(made, &made->rules[i]))
            continue;
        if (made->rules[i].comment != NULL)
            fprintf(out, "# %s\n", made->rules[i].comment);
        print_rule(&made->rules[i], out);
    }
    if (!some)
        fputs("rules: []\n", out);
}

void
translation_print(struct translation *made, FILE *out)
{
    fputs("# Translated by socks4-import. Each old line is a comment with its "
          "number.\n",
          out);
    if (made->note_count > 0)
        fputs("# These lines have no equal, or not quite:\n", out);
    for (size_t i = 0; i < made->note_count; i++)
        fprintf(out, "#   line %u: %s\n", made->notes[i].line,
                made->notes[i].text);
    if (made->held > 0)
        fprintf(
            out,
            "# Nothing is allowed, because line %u refuses what we cannot; "
            "remove it there if you\n# mean to do without it, and translate "
            "again.\n",
            made->held);
    fputc('\n', out);
    print_listeners(made, out);
    print_settings(made, out);
    print_users(made, out);
    print_parents(made, out);
    print_rules(made, out);
    fputs("\n# The other lines:\n", out);
    for (unsigned line = 1; line <= made->line_count; line++)
        if (made->lines[line - 1][0] != '\0')
            print_origin(made, (struct origin){line, line}, out);
}
