#include "gateway/explain_print.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

#include "base/line.h"
#include "socks4/v5.h"

static const char *const explain_versions[] = {
    [RULE_SEND_PROXY_1] = "v1",
    [RULE_SEND_PROXY_2] = "v2",
};

static const char *
explain_file(const struct config *config)
{
    return config->file ? config->file : "built-in";
}

static const char *
explain_action_text(const struct rule *rule)
{
    return rule->allow ? "allow" : "deny";
}

static bool
explain_requires_ident(const struct rule *rule)
{
    return rule->ident == RULE_IDENT_REQUIRE;
}

static int
explain_grant(const struct explanation *told)
{
    return told->socks5 ? SOCKS4_V5_SUCCEEDED : SOCKS4_GRANTED;
}

static int
explain_refusal(const struct explanation *told)
{
    if (told->code != 0)
        return told->code;
    return told->socks5 ? SOCKS4_V5_NOT_ALLOWED : SOCKS4_REJECTED;
}

static size_t
explain_shown(const struct policy_candidates *candidates)
{
    return candidates->count < POLICY_CANDIDATES_MAX ? candidates->count
                                                     : POLICY_CANDIDATES_MAX;
}

static void
explain_print_rule(const struct rule *rule, const struct config *config)
{
    printf("rule \"%s\" (%s:%u)", rule->name, explain_file(config), rule->line);
}

/* Which way its sessions leave, where it says that: "  via hq, backup  from
   192.0.2.1". */
static void
explain_print_way(const struct rule *rule, const struct config *config)
{
    char text[ADDR_TEXT_MAX];

    for (size_t i = 0; i < rule->via_count; i++)
        printf("%s%s", i ? ", " : "  via ", config->parents[rule->via[i]].name);
    for (size_t i = 0; i < rule->egress_count; i++)
        printf("%s%s", i ? ", " : "  from ",
               addr_format(addr_v4(rule->egress[i]), text));
}

static void
explain_print_candidates(const struct explanation *told,
                         const struct config *config)
{
    const struct policy_candidates *candidates = &told->candidates;

    fputs("depends on its addresses  ", stdout);
    for (size_t i = 0; i < explain_shown(candidates); i++) {
        printf("%s%s ", i ? ", " : "",
               explain_action_text(candidates->rules[i]));
        explain_print_rule(candidates->rules[i], config);
    }
    if (candidates->count > POLICY_CANDIDATES_MAX)
        printf(", %zu more", candidates->count - POLICY_CANDIDATES_MAX);
    printf("%s  %s\n", candidates->named ? "" : ", deny " EXPLAIN_NO_RULE,
           told->socks5        ? "0 or 2"
           : candidates->ident ? "90 to 93"
                               : "90 or 91");
}

static void
explain_print_nearest(const struct explanation *told,
                      const struct config *config)
{
    char terms[POLICY_UNMET_TEXT_MAX];

    fputs("default (no rule matches; ", stdout);
    explain_print_rule(told->nearest, config);
    printf(" would but for its %s)",
           policy_unmet_text(told->nearest, told->unmet, terms));
}

void
explain_print(const struct explanation *told, const struct config *config)
{
    if (told->action == EXPLAIN_DEPENDS) {
        explain_print_candidates(told, config);
        return;
    }
    printf("%s  ", told->action == EXPLAIN_ALLOW ? "allow" : "deny");
    if (told->rule)
        explain_print_rule(told->rule, config);
    else if (told->nearest)
        explain_print_nearest(told, config);
    else
        fputs(told->why, stdout);
    if (told->action == EXPLAIN_ALLOW)
        explain_print_way(told->rule, config);
    if (told->action == EXPLAIN_ALLOW && told->connects &&
        told->rule->send_proxy != RULE_SEND_PROXY_OFF)
        printf("  send_proxy %s", explain_versions[told->rule->send_proxy]);
    if (told->action == EXPLAIN_DENY)
        printf("  %d\n", explain_refusal(told));
    else if (explain_requires_ident(told->rule) && told->socks5)
        printf("  %d if identd agrees, else %d\n", SOCKS4_V5_SUCCEEDED,
               SOCKS4_V5_NOT_ALLOWED);
    else if (explain_requires_ident(told->rule))
        printf("  %d if identd agrees, else %d or %d\n", SOCKS4_GRANTED,
               SOCKS4_NO_IDENTD, SOCKS4_OTHER_USER);
    else
        printf("  %d\n", explain_grant(told));
}

/* The longest object: a row for each candidate and the default, in each the
   file's path with every octet escaped. */
#define JSON_MAX                                                               \
    ((POLICY_CANDIDATES_MAX + 2) * (PATH_MAX * LINE_OCTET_MAX + 1024 +         \
                                    RULE_VIA_MAX * 70 + RULE_EGRESS_MAX * 20))

static void
explain_json_way(struct line *line, const struct rule *rule,
                 const struct config *config)
{
    char text[ADDR_TEXT_MAX];

    if (rule->via_count > 0) {
        line_array(line, "via");
        for (size_t i = 0; i < rule->via_count; i++)
            line_string(line, NULL, config->parents[rule->via[i]].name);
        line_array_end(line);
    }
    if (rule->egress_count > 0) {
        line_array(line, "egress");
        for (size_t i = 0; i < rule->egress_count; i++)
            line_string(line, NULL,
                        addr_format(addr_v4(rule->egress[i]), text));
        line_array_end(line);
    }
}

static void
explain_json_rule(struct line *line, const struct rule *rule,
                  const struct config *config)
{
    static const char *const idents[] = {
        [RULE_IDENT_LOG] = "log",
        [RULE_IDENT_REQUIRE] = "require",
    };

    line_string(line, "action", explain_action_text(rule));
    line_string(line, "rule", rule->name);
    line_string(line, "file", explain_file(config));
    line_number(line, "line", rule->line);
    if (rule->ident != RULE_IDENT_OFF)
        line_string(line, "ident", idents[rule->ident]);
    if (rule->send_proxy != RULE_SEND_PROXY_OFF)
        line_string(line, "send_proxy", explain_versions[rule->send_proxy]);
    explain_json_way(line, rule, config);
}

static void
explain_json_default(struct line *line, const char *why)
{
    line_string(line, "action", "deny");
    line_string(line, "rule", "default");
    line_string(line, "why", why);
}

/* Of SOCKS5 all refusals are one. */
static void
explain_json_codes(struct line *line, const char *key,
                   const struct explanation *told, uint64_t first,
                   uint64_t last)
{
    line_array(line, key);
    if (told->socks5 && first == SOCKS4_GRANTED)
        line_number(line, NULL, SOCKS4_V5_SUCCEEDED);
    if (told->socks5)
        line_number(line, NULL, SOCKS4_V5_NOT_ALLOWED);
    for (uint64_t code = first; code <= last && !told->socks5; code++)
        line_number(line, NULL, code);
    line_array_end(line);
}

static void
explain_json_candidates(struct line *line, const struct explanation *told,
                        const struct config *config)
{
    const struct policy_candidates *candidates = &told->candidates;

    line_string(line, "action", "depends");
    line_array(line, "rules");
    for (size_t i = 0; i < explain_shown(candidates); i++) {
        line_object(line, NULL);
        explain_json_rule(line, candidates->rules[i], config);
        line_object_end(line);
    }
    if (!candidates->named) {
        line_object(line, NULL);
        explain_json_default(line, EXPLAIN_NO_RULE);
        line_object_end(line);
    }
    line_array_end(line);
    line_number(line, "more", candidates->count - explain_shown(candidates));
    explain_json_codes(line, "codes", told, SOCKS4_GRANTED,
                       candidates->ident ? SOCKS4_OTHER_USER : SOCKS4_REJECTED);
}

static void
explain_json_decision(struct line *line, const struct explanation *told,
                      const struct config *config)
{
    bool allowed = told->action == EXPLAIN_ALLOW;

    if (told->rule)
        explain_json_rule(line, told->rule, config);
    else
        explain_json_default(line, told->why);
    if (told->nearest) {
        char terms[POLICY_UNMET_TEXT_MAX];
        line_string(line, "nearest", told->nearest->name);
        line_string(line, "unmet",
                    policy_unmet_text(told->nearest, told->unmet, terms));
    }
    line_number(
        line, "code",
        (uint64_t)(allowed ? explain_grant(told) : explain_refusal(told)));
    if (allowed && explain_requires_ident(told->rule))
        explain_json_codes(line, "else", told, SOCKS4_NO_IDENTD,
                           SOCKS4_OTHER_USER);
}

void
explain_print_json(const struct explanation *told, const struct config *config)
{
    static char text[JSON_MAX];
    struct line line;

    line_start(&line, text, sizeof(text), true);
    if (told->action == EXPLAIN_DEPENDS)
        explain_json_candidates(&line, told, config);
    else
        explain_json_decision(&line, told, config);
    size_t len = line_end(&line);
    assert(len > 0);
    fwrite(text, 1, len, stdout);
}
