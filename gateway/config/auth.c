#include "gateway/config/auth.h"

#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/dump.h"

static int
auth_parse_pam(struct parse *parse, const struct option *option,
               const struct node *node, void *base)
{
    (void)base;
    if (diag_expect_scalar(parse, option, node, "a service's name") != 0)
        return -1;
    if (strcmp(node->text, "none") == 0)
        return 0;
    return diag_value(
        parse, option, node,
        "PAM is not offered, since its modules cannot be confined; "
        "write none, and users: FILE");
}

static void
auth_dump_pam(const struct dump *dump, const struct option *option,
              const void *base)
{
    (void)base;
    fputs(option->fallback, dump->to);
}

const struct option_type type_pam = {
    .parse = auth_parse_pam,
    .dump = auth_dump_pam,
    .manual = "none",
};

int
auth_prepare(struct parse *parse)
{
    const struct config *config = parse->config;
    struct policy *policy = &parse->config->policy;
    int rc = 0;

    policy->asking =
        arena_take(config->arena, policy->rule_count, sizeof(*policy->asking));
    policy->waiving =
        arena_take(config->arena, policy->rule_count, sizeof(*policy->waiving));
    if (!policy->asking || !policy->waiving)
        return diag_no_memory(parse);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        struct node at = {.line = rule->line, .column = rule->column};
        if (rule->allow && (rule->auth & ~(1u << RULE_AUTH_PASSWORD)) != 0)
            policy->waiving[policy->waiving_count++] = (uint32_t)i;
        if (!(rule->auth >> RULE_AUTH_PASSWORD & 1))
            continue;
        policy->asking[policy->asking_count++] = (uint32_t)i;
        if (!config->auth.users.path)
            rc = diag_error(parse, &at,
                            "auth: the rule \"%s\" asks for a password, "
                            "and there is no users file; add auth: {users: "
                            "FILE} at the top",
                            rule->name);
    }
    return rc;
}

/* Warns where no listener of the rule speaks SOCKS5. */
static void
auth_warn_of_version(struct parse *parse, const struct rule *rule)
{
    const struct config *config = parse->config;
    struct node at = {.line = rule->line, .column = rule->column};

    if (rule->versions != 0 && !(rule->versions >> RULE_VERSION_5 & 1)) {
        diag_warn(parse, &at,
                  "rule \"%s\" wants a password, which only SOCKS5 has, and is "
                  "for other versions; add 5 to its version, or remove "
                  "password from auth",
                  rule->name);
        return;
    }
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].socks5 != CONFIG_SOCKS5_OFF &&
            (rule->listeners == 0 || (rule->listeners >> i & 1)))
            return;
    diag_warn(parse, &at,
              "rule \"%s\" asks for a password, which only SOCKS5 has, and "
              "none of its listeners has socks5: true; set that, or remove "
              "password from auth",
              rule->name);
}

/* Where nothing names a user: SOCKS5 has no name without a proof. */
static void
auth_warn_of_user(struct parse *parse, const struct rule *rule)
{
    const struct config *config = parse->config;
    struct node at = {.line = rule->line, .column = rule->column};
    bool password = config->policy.asking_count > 0 &&
                    (rule->auth == 0 || (rule->auth >> RULE_AUTH_PASSWORD & 1));

    if (password || !config_user_is_proved(config, rule))
        return;
    for (size_t i = 0; i < rule->user_count; i++)
        if (rule->users[i].prefix && rule->users[i].len == 0)
            return;
    if (rule->user_count > 0)
        diag_warn(parse, &at,
                  "rule \"%s\" never matches: only SOCKS5 reaches it, which "
                  "names no user without a password or a certificate; add "
                  "auth: [password], or remove user",
                  rule->name);
}

void
auth_warn(struct parse *parse)
{
    const struct config *config = parse->config;
    const struct config_file *users = &config->auth.users;
    struct node at = {.line = users->line, .column = users->column};

    if (users->path && config->policy.asking_count == 0)
        diag_warn(parse, &at,
                  "auth.users: no rule asks for a password, and the file is "
                  "not used; add auth: [password] to a rule, or remove it");
    for (size_t i = 0; i < config->policy.asking_count; i++)
        auth_warn_of_version(parse,
                             &config->policy.rules[config->policy.asking[i]]);
    for (size_t i = 0; i < config->policy.rule_count; i++)
        auth_warn_of_user(parse, &config->policy.rules[i]);
}
