#include "gateway/monitor/config_version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/monitor/memory.h"

/* Without the figures of this machine, which are no part of what is asked for:
   the same file has the same id under every limit. */
static int
config_version_write_text(const struct config *config, char **text, size_t *len)
{
    *text = NULL;
    FILE *stream = open_memstream(text, len);
    if (stream == NULL)
        return -errno;
    int error = config_dump(config, false, stream);
    if (fclose(stream) != 0 && error == 0)
        error = -errno;
    return error;
}

int
config_version_find_id(const struct config *config,
                       char id[CONFIG_VERSION_ID_MAX])
{
    char *text;
    size_t len;
    int error = config_version_write_text(config, &text, &len);
    if (error == 0)
        config_text_id(text, len, id);
    free(text);
    return error;
}

int
config_version_make(struct config_version *config_version,
                    struct config *config, uint32_t number)
{
    *config_version =
        (struct config_version){.config = config, .number = number, .fd = -1};
    int error = config_version_write_text(config, &config_version->text,
                                          &config_version->len);
    if (error == 0)
        config_version->fd = memory_seal("socks4d config", config_version->text,
                                         config_version->len);
    if (error != 0 || config_version->fd < 0) {
        free(config_version->text);
        return error != 0 ? error : config_version->fd;
    }
    config_text_id(config_version->text, config_version->len,
                   config_version->id);
    certificates_init(&config_version->certificates);
    users_copy_init(&config_version->users);
    return 0;
}

int
config_version_take(struct config_version *config_version, int fd,
                    uint32_t number)
{
    struct config_error why;
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EBADMSG;
    struct config *config =
        config_load_sealed(fd, (size_t)status.st_size, &why);
    if (config == NULL)
        return -EBADMSG;
    int error = config_version_make(config_version, config, number);
    if (error != 0)
        config_unref(config);
    return error;
}

void
config_version_free(struct config_version *config_version)
{
    close(config_version->fd);
    free(config_version->text);
    certificates_free(&config_version->certificates);
    users_copy_free(&config_version->users);
    config_unref(config_version->config);
}

_Static_assert(SEGMENT_CERTIFICATES == CONFIG_TLS_MAX, "one a certificate");

/* Records say "default" where no rule matched. */
void
config_version_publish(const struct config_version *config_version,
                       struct segment *segment)
{
    const struct config *config = config_version->config;
    struct series_names *names = &segment->names;

    for (size_t i = 0; i < config->listener_count; i++)
        series_names_add(names, SERIES_LISTENER, config->listeners[i].name);
    for (size_t i = 0; i < config->parent_count; i++)
        series_names_add(names, SERIES_PARENT, config->parents[i].name);
    series_names_add(names, SERIES_RULE, "default");
    for (size_t i = 0; i < config->policy.rule_count; i++)
        series_names_add(names, SERIES_RULE, config->policy.rules[i].name);
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        atomic_store(&segment->expires_s[i],
                     config_version->certificates.expires_s[i]);
}

unsigned
config_version_read_seconds(const struct config_version *config_version)
{
    return (unsigned)(config_version->len >> 20);
}

bool
config_version_equal(const struct config_version *a,
                     const struct config_version *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0 &&
           certificates_equal(&a->certificates, &b->certificates) &&
           users_copy_equal(&a->users, &b->users);
}

static bool
config_version_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const char *
config_version_fixed(const struct config_version *a,
                     const struct config_version *b)
{
    if (!config_version_same_text(a->config->user, b->config->user))
        return "user";
    if (a->config->sandbox != b->config->sandbox)
        return "sandbox";
    return NULL;
}
