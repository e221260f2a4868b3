#include "gateway/worker/refstr.h"

#include <stdlib.h>
#include <string.h>

struct refstr *
refstr_new(const char *text, const struct series_names *names,
           enum series_kind kind)
{
    size_t size = strlen(text) + 1;
    struct refstr *refstr = malloc(sizeof(*refstr) + size);
    if (refstr == NULL)
        return NULL;
    refstr->refs = 1;
    refstr->number = series_names_find(names, kind, text);
    memcpy(refstr->text, text, size);
    return refstr;
}

struct refstr *
refstr_ref(struct refstr *refstr)
{
    refstr->refs++;
    return refstr;
}

void
refstr_unref(struct refstr *refstr)
{
    if (refstr != NULL && --refstr->refs == 0)
        free(refstr);
}

void
refstr_rules_set(struct refstr_rules *rules, const struct config *config)
{
    refstr_rules_fini(rules);
    rules->config = config;
    rules->table =
        calloc(config->policy.rule_count + 1, sizeof(struct refstr *));
}

void
refstr_rules_fini(struct refstr_rules *rules)
{
    if (rules->table != NULL)
        for (size_t i = 0; i <= rules->config->policy.rule_count; i++)
            refstr_unref(rules->table[i]);
    free(rules->table);
    *rules = (struct refstr_rules){.names = rules->names};
}

struct refstr *
refstr_rules_take(struct refstr_rules *rules, const struct config *config,
                  const struct rule *rule)
{
    const char *name = rule != NULL ? rule->name : "default";
    size_t at = rule != NULL ? (size_t)(rule - config->policy.rules)
                             : config->policy.rule_count;

    if (rules->table == NULL || config != rules->config)
        return refstr_new(name, rules->names, SERIES_RULE);
    if (rules->table[at] == NULL)
        rules->table[at] = refstr_new(name, rules->names, SERIES_RULE);
    return rules->table[at] != NULL ? refstr_ref(rules->table[at]) : NULL;
}
