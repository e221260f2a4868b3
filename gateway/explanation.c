#include "gateway/explanation.h"

#include <stdio.h>

#include "socks4/codec.h"

static const char *
file_shown(const struct config *config)
{
    return config->file ? config->file : "built-in";
}

static const char *
action_of(const struct config_rule *rule)
{
    return rule->allow ? "allow" : "deny";
}

static bool
requires_ident(const struct config_rule *rule)
{
    return rule->ident == CONFIG_IDENT_REQUIRE;
}

static size_t
shown(const struct policy_candidates *candidates)
{
    return candidates->count < POLICY_CANDIDATES_MAX ? candidates->count
                                                     : POLICY_CANDIDATES_MAX;
}

static void
rule_print(const struct config_rule *rule, const struct config *config)
{
    printf("rule \"%s\" (%s:%u)", rule->name, file_shown(config), rule->line);
}

static void
candidates_print(const struct policy_candidates *candidates,
                 const struct config *config)
{
    fputs("depends on its addresses  ", stdout);
    for (size_t i = 0; i < shown(candidates); i++) {
        printf("%s%s ", i ? ", " : "", action_of(candidates->rules[i]));
        rule_print(candidates->rules[i], config);
    }
    if (candidates->count > POLICY_CANDIDATES_MAX)
        printf(", %zu more", candidates->count - POLICY_CANDIDATES_MAX);
    printf("%s  %s\n", candidates->named ? "" : ", deny " EXPLAIN_NO_RULE,
           candidates->ident ? "90 to 93" : "90 or 91");
}

void
explanation_print(const struct explanation *told, const struct config *config)
{
    if (told->action == EXPLAIN_DEPENDS) {
        candidates_print(&told->candidates, config);
        return;
    }
    printf("%s  ", told->action == EXPLAIN_ALLOW ? "allow" : "deny");
    if (told->rule)
        rule_print(told->rule, config);
    else
        fputs(told->why, stdout);
    if (told->action == EXPLAIN_DENY)
        printf("  %d\n", SOCKS4_REJECTED);
    else if (requires_ident(told->rule))
        printf("  %d if identd agrees, else %d or %d\n", SOCKS4_GRANTED,
               SOCKS4_NO_IDENTD, SOCKS4_OTHER_USER);
    else
        printf("  %d\n", SOCKS4_GRANTED);
}

static void
json_text(const char *key, const char *text)
{
    printf("\"%s\":\"", key);
    for (; *text; text++) {
        unsigned char octet = (unsigned char)*text;
        if (octet < 0x20 || octet > 0x7e || octet == '"' || octet == '\\')
            printf("\\u%04x", octet);
        else
            putchar(octet);
    }
    putchar('"');
}

static void
json_rule(const struct config_rule *rule, const struct config *config)
{
    static const char *const idents[] = {"off", "log", "require"};

    json_text("action", action_of(rule));
    putchar(',');
    json_text("rule", rule->name);
    putchar(',');
    json_text("file", file_shown(config));
    printf(",\"line\":%u", rule->line);
    if (rule->ident == CONFIG_IDENT_OFF)
        return;
    putchar(',');
    json_text("ident", idents[rule->ident]);
}

static void
json_default(const char *why)
{
    json_text("action", "deny");
    putchar(',');
    json_text("rule", "default");
    putchar(',');
    json_text("why", why);
}

static void
json_candidates(const struct policy_candidates *candidates,
                const struct config *config)
{
    json_text("action", "depends");
    fputs(",\"rules\":[", stdout);
    for (size_t i = 0; i < shown(candidates); i++) {
        fputs(i ? ",{" : "{", stdout);
        json_rule(candidates->rules[i], config);
        putchar('}');
    }
    if (!candidates->named) {
        fputs(",{", stdout);
        json_default(EXPLAIN_NO_RULE);
        putchar('}');
    }
    printf("],\"more\":%zu", candidates->count - shown(candidates));
}

void
explanation_print_json(const struct explanation *told,
                       const struct config *config)
{
    putchar('{');
    switch (told->action) {
    case EXPLAIN_DEPENDS:
        json_candidates(&told->candidates, config);
        fputs(told->candidates.ident ? ",\"codes\":[90,91,92,93]"
                                     : ",\"codes\":[90,91]",
              stdout);
        break;
    case EXPLAIN_ALLOW:
        json_rule(told->rule, config);
        fputs(requires_ident(told->rule) ? ",\"code\":90,\"else\":[92,93]"
                                         : ",\"code\":90",
              stdout);
        break;
    case EXPLAIN_DENY:
        if (told->rule)
            json_rule(told->rule, config);
        else
            json_default(told->why);
        fputs(",\"code\":91", stdout);
        break;
    }
    puts("}");
}
