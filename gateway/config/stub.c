#include "gateway/config/stub.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/dump.h"
#include "gateway/config/listeners.h"
#include "gateway/config/parents.h"
#include "gateway/policy/sets.h"

/* The clients are those of this machine; what they may reach the parent
   decides, its own loopback included. */
static const char stub_rules[] = "rules:\n"
                                 "  - name: here\n"
                                 "    action: allow\n"
                                 "    from: [loopback]\n"
                                 "    command: [connect, bind]\n"
                                 "    to: [any, loopback, link-local, self]\n"
                                 "    peer: any\n"
                                 "    via: [to]\n";

static struct config *__attribute__((format(printf, 2, 3)))
stub_refuse(struct config_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return NULL;
}

static void
stub_write_listeners(const struct config_source *source, FILE *to)
{
    static const char *const here[] = {"127.0.0.1:1080"};
    bool given = source->listen_count > 0;
    const struct dump dump = {.to = to};

    fputs("listen:\n", to);
    for (size_t i = 0; i < (given ? source->listen_count : 1); i++) {
        fputs("  - address: ", to);
        dump_text(&dump, given ? source->listen[i] : here[i]);
        fputs("\n    socks4a: true\n    socks5: true\n", to);
        if (!given)
            fputs("    name: local\n", to);
    }
}

static void
stub_write_text(FILE *to, const char *key, const char *text)
{
    const struct dump dump = {.to = to};

    if (!text)
        return;
    fprintf(to, "%s: ", key);
    dump_text(&dump, text);
    fputc('\n', to);
}

static void
stub_write(const struct config_source *source, FILE *to)
{
    const struct dump dump = {.to = to};

    stub_write_listeners(source, to);
    fputs("parents:\n"
          "  - name: to\n"
          "    address: ",
          to);
    dump_text(&dump, source->to);
    fprintf(to, "\n    protocol: %s\n", source->socks5 ? "socks5" : "same");
    stub_write_text(to, "    user", source->user);
    stub_write_text(to, "    password_file", source->password_file);
    if (source->tls) {
        fputs("    tls:\n      name: auto\n", to);
        stub_write_text(to, "      ca", source->ca);
        stub_write_text(to, "      certificate", source->certificate);
        stub_write_text(to, "      key", source->key);
    } else {
        fputs("    insecure_plaintext: true\n", to);
    }
    fputs(stub_rules, to);
}

/* "--to:3:4: tls.ca: sentence" has the place and the key of a text that nobody
   sees: the operator has given an option. */
static struct config *
stub_blame(const struct config_source *source, const char *line,
           struct config_error *error)
{
    const struct {
        const char *label, *option, *value;
    } said[] = {
        {"address: ", "--to", source->to},
        {"tls.ca: ", "--ca", source->ca},
        {"tls.certificate: ", "--certificate", source->certificate},
        {"tls.key: ", "--key", source->key},
        {"user: ", "--user", source->user},
        {"password_file: ", "--password-file", source->password_file},
    };
    const char *colon = strstr(line, ": ");
    const char *sentence = colon ? colon + 2 : line;

    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        size_t len = strlen(said[i].label);
        if (strncmp(sentence, said[i].label, len) == 0)
            return stub_refuse(error, "socks4d: %s %.80s: %.380s",
                               said[i].option, said[i].value, sentence + len);
    }
    return stub_refuse(error, "socks4d: --to %.80s: %.400s", source->to,
                       sentence);
}

static void
stub_name_options(struct config_parent *parent)
{
    struct config_tls *tls = parent->tls;

    parent->password_file.option = "--password-file";
    if (!tls)
        return;
    tls->ca.option = "--ca";
    tls->certificate.option = "--certificate";
    tls->key.option = "--key";
}

static void
stub_warn(struct config *config, const char *at, FILE *warnings)
{
    const struct config_parent_address *address = config->parents->addresses;

    if (config->parents->tls ||
        (address->name == NULL && set_is_loopback(address->at.addr)))
        return;
    config->warned++;
    if (warnings)
        fprintf(warnings,
                "socks4d: warning: --to %s: everyone on the path there can "
                "read the data%s; if the gateway has TLS, add --tls\n",
                at, config->parents->user ? " and the password" : "");
}

struct config *
stub_open(const struct config_source *source, struct config_error *error,
          FILE *warnings)
{
    struct endpoint at, listeners[CONFIG_LISTENERS_MAX];
    struct config_error why;
    char *text = NULL;
    size_t len;

    if (source->file)
        return stub_refuse(error, "socks4d: --to: is for the built-in default; "
                                  "write parents and via into the file "
                                  "instead");
    if (!parents_split_address(source->to, &at, &len))
        return stub_refuse(error,
                           "socks4d: --to %.80s: not the address and port of a "
                           "host; write gw.example:1080, 192.0.2.1:1080 or "
                           "[2001:db8::1]:1080",
                           source->to);
    if (listeners_read_overrides(source->listen, source->listen_count,
                                 listeners, &why) != 0)
        return stub_refuse(error, "socks4d: %.480s", why.text);
    FILE *to = open_memstream(&text, &len);
    if (to)
        stub_write(source, to);
    if (!to || fclose(to) != 0) {
        free(text);
        return stub_refuse(error, "socks4d: --to: out of memory");
    }
    struct config *config = config_parse("--to", text, len, &why, NULL);
    free(text);
    if (!config)
        return stub_blame(source, why.text, error);
    config->file = NULL;
    config->to = arena_copy(config->arena, source->to, strlen(source->to));
    if (!config->to) {
        config_unref(config);
        return stub_refuse(error, "socks4d: --to: out of memory");
    }
    stub_name_options(config->parents);
    config->listeners_given = source->listen_count > 0;
    stub_warn(config, source->to, warnings);
    return config;
}
