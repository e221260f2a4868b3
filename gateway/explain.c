#include "gateway/explain.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "base/text.h"
#include "gateway/explain_print.h"
#include "gateway/policy/name.h"
#include "gateway/policy/policy.h"
#include "socks4/v5.h"

/* What the command line says; borrowed from argv. */
struct explain {
    const char *file, *from, *to, *port, *command, *user, *certificate, *auth,
        *listener;
    struct span certificate_name;
    bool json, socks5;
    bool to_is_name;
    struct policy_question question;
};

enum { NAMED = 256 };

static const struct {
    const char *name;
    size_t at;
} named[] = {
    {"from", offsetof(struct explain, from)},
    {"to", offsetof(struct explain, to)},
    {"port", offsetof(struct explain, port)},
    {"command", offsetof(struct explain, command)},
    {"user", offsetof(struct explain, user)},
    {"certificate", offsetof(struct explain, certificate)},
    {"auth", offsetof(struct explain, auth)},
    {"listener", offsetof(struct explain, listener)},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char explain_help[] =
    "socks4d explain [-c FILE] --from ADDR --to ADDR|NAME --port PORT\n"
    "        [--command connect|bind|udp] [--user USERID]\n"
    "        [--certificate NAME] [--auth none|password|certificate]\n"
    "        [--socks5] [--listener NAME] [--json]\n"
    "    say what would be answered, and by which rule: exit 0 granted,\n"
    "    1 refused or not certain, 2 usage\n"
    "See socks4d(8).\n";

static int __attribute__((format(printf, 1, 2)))
explain_usage(const char *format, ...)
{
    va_list args;

    fputs("socks4d explain: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry 'socks4d --help'.\n", stderr);
    return -1;
}

static int
explain_take_argument(struct explain *explain, int chosen, const char *word)
{
    switch (chosen) {
    case 'c':
        if (optarg[0] == '\0')
            return explain_usage("-c has an empty value; give one, or leave it "
                                 "out");
        explain->file = optarg;
        return 0;
    case 'j':
        explain->json = true;
        return 0;
    case '5':
        explain->socks5 = true;
        return 0;
    case ':':
        return explain_usage("%s wants a value", word);
    case '?':
        return explain_usage("unknown option %s", word);
    case 'h':
    case 'V':
        return chosen;
    default:
        memcpy((char *)explain + named[chosen - NAMED].at, &optarg,
               sizeof(optarg));
        return 0;
    }
}

/* 0, 'h' or 'V' where that is asked for, or -1: usage. */
static int
explain_read_arguments(struct explain *explain, int argc, char **argv)
{
    struct option longs[COUNT(named) + 5] = {{0}};
    int chosen, rc = 0;

    for (size_t i = 0; i < COUNT(named); i++)
        longs[i] = (struct option){named[i].name, required_argument, NULL,
                                   NAMED + (int)i};
    longs[COUNT(named)] = (struct option){"json", no_argument, NULL, 'j'};
    longs[COUNT(named) + 1] = (struct option){"help", no_argument, NULL, 'h'};
    longs[COUNT(named) + 2] =
        (struct option){"version", no_argument, NULL, 'V'};
    longs[COUNT(named) + 3] = (struct option){"socks5", no_argument, NULL, '5'};
    opterr = 0;
    optind = 0;
    while (rc == 0 &&
           (chosen = getopt_long(argc, argv, ":c:hV", longs, NULL)) != -1)
        rc = explain_take_argument(explain, chosen, argv[optind - 1]);
    if (rc != 0)
        return rc;
    if (optind < argc)
        return explain_usage("unexpected \"%s\"", argv[optind]);
    if (!explain->from || !explain->to || !explain->port)
        return explain_usage("%s is missing; usage: socks4d explain [-c FILE] "
                             "--from ADDR --to ADDR|NAME --port PORT",
                             !explain->from ? "--from"
                             : !explain->to ? "--to"
                                            : "--port");
    return 0;
}

static int
explain_read_command(const char *text, bool socks5, uint8_t *command)
{
    if (!text || strcmp(text, "connect") == 0)
        *command = RULE_CONNECT;
    else if (strcmp(text, "bind") == 0)
        *command = RULE_BIND;
    else if (strcmp(text, "udp") != 0)
        return explain_usage("--command %s: wants connect, bind or udp", text);
    else if (!socks5)
        return explain_usage("--command udp: only SOCKS5 has it; add --socks5");
    else
        *command = RULE_UDP;
    return 0;
}

/* A name is shown by --certificate, so that auth can only repeat it. */
static int
explain_read_auth(const struct explain *explain,
                  struct policy_question *question)
{
    const char *auth = explain->auth;

    if (!auth)
        return 0;
    if (strcmp(auth, "password") == 0)
        question->password = true;
    else if (strcmp(auth, "certificate") == 0)
        question->verified = true;
    else if (strcmp(auth, "none") != 0)
        return explain_usage("--auth %s: wants none, password or certificate",
                             auth);
    else if (explain->certificate)
        return explain_usage("--auth none: a client with --certificate has "
                             "proved who it is; leave one out");
    if (question->password && !explain->socks5)
        return explain_usage("--auth password: only SOCKS5 has passwords; add "
                             "--socks5");
    if (question->password && !explain->user)
        return explain_usage("--auth password: --user is missing: whose "
                             "password it is");
    return 0;
}

static bool
explain_is_local(const void *local, struct addr addr)
{
    (void)local;
    return sys_is_local(addr);
}

/* "192.0.2.80:443", "10.0.0.0/8": no name that a client sends, and not an
   address. */
static bool
explain_is_more_than_address(const char *text)
{
    size_t len = strcspn(text, strchr(text, '/') ? "/" : ":");
    char head[ADDR_TEXT_MAX];
    struct addr addr;

    if (text[len] == '\0' || len >= sizeof(head))
        return false;
    memcpy(head, text, len);
    head[len] = '\0';
    return addr_parse(head, &addr) == 0;
}

static int
explain_read_values(struct explain *explain)
{
    struct policy_question *question = &explain->question;
    struct addr to;
    uint64_t port;

    if (addr_parse(explain->from, &question->from) != 0)
        return explain_usage("--from %s: wants an IPv4 or IPv6 address",
                             explain->from);
    if (text_number(explain->port, &port) != 0 || port > UINT16_MAX)
        return explain_usage("--port %s: wants 0 to 65535", explain->port);
    explain->to_is_name = addr_parse(explain->to, &to) != 0;
    if (explain->to_is_name && explain_is_more_than_address(explain->to))
        return explain_usage("--to %s: wants one address or name alone; the "
                             "port is --port",
                             explain->to);
    if (!explain->to_is_name && !addr_is_v4(to) && !explain->socks5)
        return explain_usage("--to %s: SOCKS 4 carries IPv4 addresses only; "
                             "add --socks5 to ask for a SOCKS5 request",
                             explain->to);
    question->to = explain->to_is_name ? addr_v4(0) : to;
    if (explain->socks5)
        question->version = RULE_VERSION_5;
    else if (explain->to_is_name || socks4_is_4a(addr_to_v4(to)))
        question->version = RULE_VERSION_4A;
    question->is_local = explain_is_local;
    question->port = (uint16_t)port;
    question->userid = explain->user ? explain->user : "";
    question->userid_len = strlen(question->userid);
    if (explain->certificate) {
        explain->certificate_name =
            (struct span){explain->certificate, strlen(explain->certificate)};
        question->verified = true;
        question->certificate = &explain->certificate_name;
        question->certificate_count = 1;
    }
    if (explain_read_auth(explain, question) != 0)
        return -1;
    /* SOCKS5 has no user without a proof. */
    if (explain->socks5 && !question->password) {
        question->userid = explain->certificate ? explain->certificate : "";
        question->userid_len = strlen(question->userid);
    }
    return explain_read_command(explain->command, explain->socks5,
                                &question->command);
}

static int
explain_find_listener(struct explain *explain, const struct config *config)
{
    size_t i = 0;

    if (!explain->listener)
        return 0;
    while (i < config->listener_count &&
           strcmp(config->listeners[i].name, explain->listener) != 0)
        i++;
    if (i == config->listener_count)
        return explain_usage(
            "--listener %s: the configuration names no such listener",
            explain->listener);
    explain->question.listener = i;
    return 0;
}

static struct explanation
explain_answer(struct policy_answer answer, const struct config *config,
               const struct policy_question *question)
{
    static const char *const why[] = {
        [POLICY_DENIED_DEFAULT] = EXPLAIN_NO_RULE,
        [POLICY_DENIED_SPECIAL] =
            "default (CONNECT to 0/8, 224/4 and 240/4 is never granted)",
        [POLICY_DENIED_PORT] = "default (nothing can listen on port 0)",
        [POLICY_DENIED_LISTENER] = "default (a listener of the gateway's own)",
        [POLICY_DENIED_LOOPBACK] = "default (a special address: the set "
                                   "loopback in a rule's to would allow it)",
        [POLICY_DENIED_LINK_LOCAL] =
            "default (a special address: the set link-local in a rule's to "
            "would allow it)",
        [POLICY_DENIED_SELF] = "default (an address of this machine: the set "
                               "self in a rule's to would allow it)",
        [POLICY_DENIED_RANGE] = "default (a special address: its range in a "
                                "rule's to would allow it)",
    };

    struct explanation told = {.action = answer.reason == POLICY_ALLOWED
                                             ? EXPLAIN_ALLOW
                                             : EXPLAIN_DENY,
                               .rule = answer.rule,
                               .why = why[answer.reason]};
    if (answer.reason == POLICY_DENIED_DEFAULT)
        told.nearest =
            policy_find_nearest(&config->policy, question, &told.unmet);
    return told;
}

/* By its terms on names, as far as they go: nobody is asked. */
static struct explanation
explain_name(const struct policy_question *question,
             const struct config *config)
{
    struct explanation told = {.action = EXPLAIN_DEPENDS};
    struct policy_answer answer = policy_may_grant(&config->policy, question);

    if (answer.reason != POLICY_ALLOWED)
        return explain_answer(answer, config, question);
    const struct rule *passing = policy_find_passing(&config->policy, question);
    if (passing != NULL) {
        told.action = EXPLAIN_ALLOW;
        told.rule = passing;
        return told;
    }
    policy_find_candidates(&config->policy, question, &told.candidates);
    if (told.candidates.named && told.candidates.count == 1) {
        told.action = EXPLAIN_ALLOW;
        told.rule = told.candidates.rules[0];
    }
    return told;
}

static struct explanation
explain_deny(const char *why)
{
    return (struct explanation){.action = EXPLAIN_DENY, .why = why};
}

/* Whether the listener lets this USERID ask at all. Of SOCKS5 there may be
   none: then the certificate is enough. */
static bool
explain_is_certified(const struct explain *explain,
                     const struct config_listener *listener)
{
    const struct policy_question *question = &explain->question;
    bool nobody = explain->socks5 && question->userid_len == 0;

    return listener->tls == NULL ||
           listener->tls->user != CONFIG_TLS_USER_CERTIFICATE ||
           (question->certificate_count > 0 &&
            (nobody ||
             strcmp(question->certificate->at, question->userid) == 0));
}

/* Why the listener does not serve the version; NULL: it does. */
static const char *
explain_version(const struct explain *explain,
                const struct config_listener *listener)
{
    if (explain->socks5)
        return listener->socks5 != CONFIG_SOCKS5_OFF
                   ? NULL
                   : "default (a SOCKS5 request, and the listener has socks5: "
                     "false)";
    bool is_4a = explain->question.version == RULE_VERSION_4A;
    if (listener->socks5 == CONFIG_SOCKS5_ONLY)
        return "default (no SOCKS5 request, and the listener has socks5: only)";
    if (is_4a && listener->socks4a == CONFIG_4A_OFF)
        return "default (a SOCKS 4A request, and the listener has socks4a: "
               "false)";
    if (!is_4a && listener->socks4a == CONFIG_4A_ONLY)
        return "default (no SOCKS 4A request, and the listener has socks4a: "
               "only)";
    return NULL;
}

/* What the rule grants; but not what no parent of it can be asked for. */
static struct explanation
explain_address(const struct policy_question *question,
                const struct config *config)
{
    struct policy_answer answer = policy_decide(&config->policy, question);
    struct explanation told = explain_answer(answer, config, question);
    bool carried = addr_is_v4(question->to);

    if (told.action != EXPLAIN_ALLOW || answer.rule->via_count == 0)
        return told;
    for (size_t i = 0; i < answer.rule->via_count; i++) {
        const struct config_parent *parent =
            &config->parents[answer.rule->via[i]];
        carried |= parent->protocol == CONFIG_PARENT_SAME ||
                   parent->protocol == CONFIG_PARENT_SOCKS5;
    }
    if (carried)
        return told;
    told = explain_deny("default (the rule's parents are asked in SOCKS 4, "
                        "which carries IPv4 addresses alone)");
    told.code = SOCKS4_V5_NO_TYPE;
    return told;
}

/* Without a rule that asks for a password the gateway takes none: such a client
   is served as one that has proved nothing, and has no user. */
static void
explain_leave_password(struct explain *explain, const struct policy *policy)
{
    struct policy_question *question = &explain->question;

    if (!question->password || policy->asking_count > 0)
        return;
    question->password = false;
    question->userid = explain->certificate ? explain->certificate : "";
    question->userid_len = strlen(question->userid);
}

static struct explanation
explain_request(const struct explain *explain, const struct config *config)
{
    struct policy_question question = explain->question;
    const struct config_listener *listener =
        &config->listeners[question.listener];
    const char *why = explain_version(explain, listener);

    if (why != NULL) {
        struct explanation told = explain_deny(why);
        told.code = explain->socks5 ? SOCKS4_V5_UNACCEPTABLE : SOCKS4_REJECTED;
        return told;
    }
    if (explain->socks5 && !question.password &&
        policy_asks_password(&config->policy, &question) &&
        !policy_waives_password(&config->policy, &question)) {
        struct explanation told = explain_deny(
            "default (a rule asks for a password; --auth password has one)");
        told.code = SOCKS4_V5_UNACCEPTABLE;
        return told;
    }
    if (!explain_is_certified(explain, listener)) {
        struct explanation told =
            explain_deny("default (the listener has tls.user: certificate, and "
                         "USERID is not the certificate's name)");
        told.code = explain->socks5 ? SOCKS4_V5_NOT_ALLOWED : SOCKS4_OTHER_USER;
        return told;
    }
    if (!explain->to_is_name)
        return explain_address(&question, config);
    question.name = explain->to;
    question.name_len = strlen(explain->to);
    if (name_read(question.name, question.name_len, &question.to) != NAME_HOST)
        return explain_deny(
            "default (a bad name: a number, or octets that none has)");
    return explain_name(&question, config);
}

int
explain_main(int argc, char **argv)
{
    struct explain explain = {0};
    struct config_error error;
    int asked = explain_read_arguments(&explain, argc, argv);

    if (asked == 'h')
        return fputs(explain_help, stdout) == EOF;
    if (asked == 'V')
        return printf("socks4d %s\n", PROJECT_VERSION) < 0;
    if (asked != 0 || explain_read_values(&explain) != 0)
        return 2;
    const struct config_source source = {.file = explain.file};
    struct config *config = config_open(&source, false, &error, NULL);
    if (!config) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    int status = 2;
    explain_leave_password(&explain, &config->policy);
    if (explain_find_listener(&explain, config) == 0) {
        struct explanation told = explain_request(&explain, config);
        told.socks5 = explain.socks5;
        told.connects = explain.question.command == RULE_CONNECT;
        if (explain.json)
            explain_print_json(&told, config);
        else
            explain_print(&told, config);
        status = told.action == EXPLAIN_ALLOW ? 0 : 1;
        if (fflush(stdout) != 0) {
            perror("socks4d: standard output");
            status = 2;
        }
    }
    config_unref(config);
    return status;
}
