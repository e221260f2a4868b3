#include "gateway/config/dump.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* Octets that stand for themselves; a large set consists of nothing else. */
static size_t
dump_plain(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && text[at] >= 0x20 && text[at] <= 0x7e &&
           text[at] != '"' && text[at] != '\\')
        at++;
    return at;
}

void
dump_octets(const struct dump *dump, const char *text, size_t len)
{
    uint32_t c;

    for (size_t at = 0;;) {
        size_t plain = dump_plain(text + at, len - at);
        fwrite(text + at, 1, plain, dump->to);
        at += plain;
        if (at == len)
            return;
        at += text_utf8_char(text + at, &c);
        if (c == '"' || c == '\\')
            fprintf(dump->to, "\\%c", (char)c);
        else
            fprintf(dump->to, "\\U%08" PRIX32, c);
    }
}

void
dump_text(const struct dump *dump, const char *text)
{
    fputc('"', dump->to);
    dump_octets(dump, text, strlen(text));
    fputc('"', dump->to);
}

void
dump_texts(const struct dump *dump, const struct rule_texts *texts)
{
    fputc('[', dump->to);
    for (size_t i = 0; i < texts->count; i++) {
        fputs(i ? ", " : "", dump->to);
        dump_text(dump, texts->at[i]);
    }
    fputc(']', dump->to);
}

static void
dump_bind_ports(const struct dump *dump)
{
    const struct local_ports ports = config_bind_ports(dump->config);

    if (ports.first == 0)
        fputs(" # none, all of ip_local_port_range are reserved", dump->to);
    else
        fprintf(dump->to, " # %u-%u", ports.first, ports.last);
}

void
dump_computed(const struct dump *dump, const struct option *option)
{
    static const struct {
        const char *path;
        uint64_t (*figure)(const struct config *config);
        const char *unit;
    } computed[] = {
        {"workers", config_workers, ""},
        {"limits.sessions", config_sessions, ""},
        {"limits.pending", config_pending, ""},
        {"limits.memory", config_memory, " octets"},
        {"relay.buffer", config_buffer, " octets"},
        {"limits.per_source.sessions", config_source_sessions, ""},
        {"limits.per_source.rate", config_source_rate, ""},
    };

    if (!dump->computed)
        return;
    for (size_t i = 0; i < sizeof(computed) / sizeof(computed[0]); i++)
        if (strcmp(computed[i].path, option->path) == 0)
            fprintf(dump->to, " # %" PRIu64 "%s",
                    computed[i].figure(dump->config), computed[i].unit);
    if (strcmp(option->path, "bind.ports") == 0 &&
        dump->config->bind.port_first == 0)
        dump_bind_ports(dump);
    if (strcmp(option->path, "workers") == 0)
        fprintf(dump->to, ", each of %" PRIu64 " descriptors",
                config_descriptors());
}
