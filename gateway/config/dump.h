#ifndef GATEWAY_CONFIG_DUMP_H
#define GATEWAY_CONFIG_DUMP_H

#include <stdio.h>

#include "gateway/config/config.h"
#include "gateway/config/option.h"

/* One run of the dump: where to, of what, by which table. */
struct dump {
    FILE *to;
    const struct config *config;
    bool computed; /* figures of this machine, as comments */
    const struct option *options;
    size_t option_count;
};

/* For between quotes: ASCII only, nothing that YAML could mistake. */
void dump_octets(const struct dump *dump, const char *text, size_t len);

/* "text", and ["one", "two"]. */
void dump_text(const struct dump *dump, const char *text);
void dump_texts(const struct dump *dump, const struct rule_texts *texts);

/* What `auto` comes to on this machine, as a comment behind the value. */
void dump_computed(const struct dump *dump, const struct option *option);

#endif
