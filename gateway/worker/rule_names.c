#include "gateway/worker/rule_names.h"

#include <stdlib.h>

void
rule_names_set(struct rule_names *names, const struct config *config)
{
    rule_names_fini(names);
    names->config = config;
    names->table =
        calloc(config->policy.rule_count + 1, sizeof(struct nameplate *));
}

void
rule_names_fini(struct rule_names *names)
{
    if (names->table != NULL)
        for (size_t i = 0; i <= names->config->policy.rule_count; i++)
            nameplate_unref(names->table[i]);
    free(names->table);
    *names = (struct rule_names){0};
}

struct nameplate *
rule_names_take(struct rule_names *names, const struct config *config,
                const struct rule *rule)
{
    const char *name = rule != NULL ? rule->name : "default";
    size_t at = rule != NULL ? (size_t)(rule - config->policy.rules)
                             : config->policy.rule_count;

    if (names->table == NULL || config != names->config)
        return nameplate_new(name);
    if (names->table[at] == NULL)
        names->table[at] = nameplate_new(name);
    return names->table[at] != NULL ? nameplate_ref(names->table[at]) : NULL;
}
