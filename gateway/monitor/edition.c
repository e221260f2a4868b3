#include "gateway/monitor/edition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/monitor/memory.h"

/* FNV-1a, folded: told apart by people, relied on by nobody. */
static uint32_t
hash(const char *text, size_t len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(sum ^ sum >> 32);
}

static int
write_text(struct edition *edition)
{
    edition->text = NULL;
    FILE *stream = open_memstream(&edition->text, &edition->len);
    if (stream == NULL)
        return -errno;
    int error = config_dump(edition->config, stream);
    if (fclose(stream) != 0 && error == 0)
        error = -errno;
    return error;
}

int
edition_make(struct edition *edition, struct config *config, uint32_t number)
{
    *edition = (struct edition){.config = config, .number = number, .fd = -1};
    int error = write_text(edition);
    if (error == 0)
        edition->fd =
            memory_seal("socks4d config", edition->text, edition->len);
    if (error != 0 || edition->fd < 0) {
        free(edition->text);
        return error != 0 ? error : edition->fd;
    }
    snprintf(edition->id, sizeof(edition->id), "%08x",
             (unsigned)hash(edition->text, edition->len));
    return 0;
}

static struct config *
parse(int fd, size_t len)
{
    struct config_error error;
    char *text = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return NULL;
    struct config *config = config_parse("(monitor)", text, len, &error, NULL);
    munmap(text, len);
    return config;
}

int
edition_take(struct edition *edition, int fd, uint32_t number)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EBADMSG;
    struct config *config = parse(fd, (size_t)status.st_size);
    if (config == NULL)
        return -EBADMSG;
    int error = edition_make(edition, config, number);
    if (error != 0)
        config_unref(config);
    return error;
}

void
edition_free(struct edition *edition)
{
    close(edition->fd);
    free(edition->text);
    config_unref(edition->config);
}

bool
edition_equal(const struct edition *a, const struct edition *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const char *
edition_fixed(const struct edition *a, const struct edition *b)
{
    if (!same_text(a->config->user, b->config->user))
        return "user";
    if (a->config->sandbox != b->config->sandbox)
        return "sandbox";
    return NULL;
}
