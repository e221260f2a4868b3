#include "gateway/worker/rule_copy.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
rule_copy_clamp_ms(uint64_t ms)
{
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* With one reference. `rule`: NULL where none matched. */
static struct rule_copy *
rule_copy_new(const struct series_names *names, const struct config *config,
              const struct rule *rule)
{
    const char *name = rule != NULL ? rule->name : "default";
    size_t size = strlen(name) + 1;
    struct rule_copy *copy = calloc(1, sizeof(*copy) + size);

    if (copy == NULL)
        return NULL;
    copy->refs = 1;
    copy->number = series_names_find(names, SERIES_RULE, name);
    memcpy(copy->name, name, size);
    if (rule == NULL)
        return copy;
    copy->idle_ms = rule_copy_clamp_ms(
        rule_or_all_ms(rule->timeouts.idle_ms, config->timeouts.idle_ms));
    copy->half_closed_ms = rule_copy_clamp_ms(rule_or_all_ms(
        rule->timeouts.half_closed_ms, config->timeouts.half_closed_ms));
    copy->keepalive = config_keepalive(config);
    copy->log_level = (uint8_t)rule->log.level;
    return copy;
}

static struct rule_copy *
rule_copy_ref(struct rule_copy *copy)
{
    copy->refs++;
    return copy;
}

void
rule_copy_unref(struct rule_copy *copy)
{
    if (copy != NULL && --copy->refs == 0)
        free(copy);
}

void
rule_copies_set(struct rule_copies *copies, const struct config *config)
{
    rule_copies_fini(copies);
    copies->config = config;
    copies->table =
        calloc(config->policy.rule_count + 1, sizeof(struct rule_copy *));
}

void
rule_copies_fini(struct rule_copies *copies)
{
    if (copies->table != NULL)
        for (size_t i = 0; i <= copies->config->policy.rule_count; i++)
            rule_copy_unref(copies->table[i]);
    free(copies->table);
    *copies = (struct rule_copies){.names = copies->names};
}

struct rule_copy *
rule_copies_take(struct rule_copies *copies, const struct config *config,
                 const struct rule *rule)
{
    size_t at = rule != NULL ? (size_t)(rule - config->policy.rules)
                             : config->policy.rule_count;

    if (copies->table == NULL || config != copies->config)
        return rule_copy_new(copies->names, config, rule);
    if (copies->table[at] == NULL)
        copies->table[at] = rule_copy_new(copies->names, config, rule);
    return copies->table[at] != NULL ? rule_copy_ref(copies->table[at]) : NULL;
}
