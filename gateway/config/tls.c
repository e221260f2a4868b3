#include "gateway/config/tls.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/dump.h"
#include "gateway/config/section.h"
#include "gateway/policy/name.h"

/* --- a file -------------------------------------------------------------- */

static int
tls_file_parse(struct parse *parse, const struct option *option,
               const struct node *node, void *base)
{
    struct config_file *file = option_field(base, option->at);

    if (diag_expect_scalar(parse, option, node, "a file's path") != 0)
        return -1;
    if (node->len == 0 || node->len >= PATH_MAX)
        return diag_value(parse, option, node, "wants a file's path");
    if (diag_expect_path(parse, option, node) != 0)
        return -1;
    file->line = node->line;
    file->column = node->column;
    if (option->fallback && strcmp(node->text, option->fallback) == 0)
        return 0;
    file->path = arena_copy(parse->config->arena, node->text, node->len);
    return file->path ? 0 : diag_no_memory(parse);
}

static void
tls_file_dump(const struct dump *dump, const struct option *option,
              const void *base)
{
    const struct config_file *file = option_field_of(base, option->at);

    if (file->path)
        dump_text(dump, file->path);
    else
        fputs(option->fallback, dump->to);
}

const struct option_type type_file = {
    .parse = tls_file_parse,
    .dump = tls_file_dump,
    .manual = "file",
};

/* --- the section --------------------------------------------------------- */

static bool
tls_is_off(const struct node *value)
{
    return value->kind == NODE_SCALAR &&
           (strcmp(value->text, "off") == 0 || strcmp(value->text, "no") == 0 ||
            strcmp(value->text, "false") == 0);
}

static int
tls_parse(struct parse *parse, const struct option *option,
          const struct node *value, void *base, const char *wants,
          int (*check)(struct parse *parse, const struct node *map,
                       const struct config_tls *tls))
{
    struct config_tls **tls = option_field(base, option->at);
    char prefix[32];

    if (!value || tls_is_off(value))
        return 0;
    if (value->kind != NODE_MAP)
        return diag_value(parse, option, value, "%s", wants);
    *tls = arena_take(parse->config->arena, 1, sizeof(**tls));
    if (!*tls)
        return diag_no_memory(parse);
    snprintf(prefix, sizeof(prefix), "%s.", option->path);
    int rc = section_parse(parse, value, value, prefix, *tls);
    return rc == 0 ? check(parse, value, *tls) : -1;
}

static void
tls_dump(const struct dump *dump, const struct option *option, const void *base)
{
    struct config_tls *const *tls = option_field_of(base, option->at);
    char prefix[32];

    if (!*tls) {
        fputs(" off\n", dump->to);
        return;
    }
    fputc('\n', dump->to);
    snprintf(prefix, sizeof(prefix), "%s.", option->path);
    section_dump(dump, prefix, *tls, "      ");
}

/* --- of a listener ------------------------------------------------------- */

/* What does not go together. */
static int
tls_check_listener(struct parse *parse, const struct node *map,
                   const struct config_tls *tls)
{
    if (tls->client != CONFIG_TLS_CLIENT_OFF && !tls->ca.path)
        return diag_error(parse, section_value(map, "client"),
                          "tls.client: a client's certificate is verified by a "
                          "CA; add ca: FILE");
    if (tls->client == CONFIG_TLS_CLIENT_OFF && tls->ca.path)
        return diag_error(parse, section_value(map, "ca"),
                          "tls.ca: clients are not asked for a certificate; "
                          "add client: require, or remove ca");
    if (tls->crl.path && !tls->ca.path)
        return diag_error(parse, section_value(map, "crl"),
                          "tls.crl: clients are not asked for a certificate; "
                          "add client: require and ca, or remove crl");
    return 0;
}

static int
tls_parse_listener(struct parse *parse, const struct option *option,
                   const struct node *value, void *base)
{
    return tls_parse(parse, option, value, base,
                     "wants its settings, indented below it, or off",
                     tls_check_listener);
}

const struct option_type type_tls = {
    .parse = tls_parse_listener,
    .dump = tls_dump,
    .manual = "mapping or off",
    .nested = true,
};

/* --- of a parent --------------------------------------------------------- */

static int
tls_parse_name(struct parse *parse, const struct option *option,
               const struct node *node, void *base)
{
    char **name = option_field(base, option->at);
    struct addr addr;

    if (diag_expect_scalar(parse, option, node, "a name") != 0)
        return -1;
    if (strcmp(node->text, option->fallback) == 0)
        return 0;
    if (name_read(node->text, node->len, &addr) == NAME_BAD &&
        addr_parse(node->text, &addr) != 0)
        return diag_value(parse, option, node,
                          "\"%s\" is neither a name nor an address that a "
                          "certificate can have",
                          SHOW(node));
    *name = arena_copy(parse->config->arena, node->text, node->len);
    return *name ? 0 : diag_no_memory(parse);
}

static void
tls_dump_name(const struct dump *dump, const struct option *option,
              const void *base)
{
    char *const *name = option_field_of(base, option->at);

    if (*name)
        dump_text(dump, *name);
    else
        fputs(option->fallback, dump->to);
}

const struct option_type type_tls_name = {
    .parse = tls_parse_name,
    .dump = tls_dump_name,
    .manual = "auto or name",
};

static int
tls_check_parent(struct parse *parse, const struct node *map,
                 const struct config_tls *tls)
{
    bool certificate = tls->certificate.path, key = tls->key.path;

    if (certificate == key)
        return 0;
    return diag_error(parse, section_value(map, key ? "key" : "certificate"),
                      "tls.%s: a certificate is shown with its key; add %s, or "
                      "remove both",
                      key ? "key" : "certificate", key ? "certificate" : "key");
}

static int
tls_parse_parent(struct parse *parse, const struct option *option,
                 const struct node *value, void *base)
{
    return tls_parse(parse, option, value, base,
                     "wants its settings, indented below it ({} for the "
                     "defaults), or off",
                     tls_check_parent);
}

const struct option_type type_parent_tls = {
    .parse = tls_parse_parent,
    .dump = tls_dump,
    .manual = "mapping or off",
    .nested = true,
};

/* --- all of them --------------------------------------------------------- */

const struct config_tls *
config_tls_at(const struct config *config, size_t number)
{
    if (number < config->listener_count)
        return config->listeners[number].tls;
    if (number < CONFIG_LISTENERS_MAX ||
        number - CONFIG_LISTENERS_MAX >= config->parent_count)
        return NULL;
    return config->parents[number - CONFIG_LISTENERS_MAX].tls;
}

struct config_file
config_password_at(const struct config *config, size_t number)
{
    if (number < CONFIG_LISTENERS_MAX ||
        number - CONFIG_LISTENERS_MAX >= config->parent_count)
        return (struct config_file){0};
    return config->parents[number - CONFIG_LISTENERS_MAX].password_file;
}

bool
config_has_files(const struct config *config, size_t number)
{
    return config_tls_at(config, number) ||
           config_password_at(config, number).path;
}

bool
config_has_any_files(const struct config *config)
{
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        if (config_has_files(config, i))
            return true;
    return false;
}

/* --- what auto comes to -------------------------------------------------- */

/* A ticket resumes a session without the client's certificate being asked for
   again: it may have been revoked since. */
unsigned
config_tickets(const struct config_tls *tls)
{
    if (tls->tickets != CONFIG_AUTO)
        return (unsigned)tls->tickets;
    return tls->client == CONFIG_TLS_CLIENT_OFF ? 2 : 0;
}
