#ifndef UNIT_POLICY_H
#define UNIT_POLICY_H

/* A configuration and a question, for the tests of policy. */

#include "gateway/config/config.h"
#include "gateway/policy/policy.h"
#include "tests/unit/unit.h"

static inline struct config *
parsed(const char *text)
{
    struct config_error error;
    struct config *config = config_parse("f", text, strlen(text), &error, NULL);

    if (!config)
        fail_msg("%s", error.text);
    return config;
}

static inline struct config *
with_rule(const char *terms)
{
    char text[512];

    snprintf(text, sizeof(text), "rules:\n  - {action: allow, %s}\n", terms);
    return parsed(text);
}

static inline struct addr
ip(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr), 0);
    return addr;
}

static inline struct policy_question
question(const char *from, const char *to, uint16_t port)
{
    struct policy_question asked = {.command = RULE_CONNECT,
                                    .to = ip(to),
                                    .port = port,
                                    .userid = "ann",
                                    .userid_len = 3};

    assert_int_equal(addr_parse(from, &asked.from), 0);
    return asked;
}

static inline enum policy_reason
reason(const struct config *config, const char *from, const char *to,
       uint16_t port)
{
    struct policy_question asked = question(from, to, port);

    return policy_decide(&config->policy, &asked).reason;
}

#endif
