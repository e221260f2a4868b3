#include "gateway/monitor/edition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static int
write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t count = write(fd, text, len);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0) {
            text += count;
            len -= (size_t)count;
        }
    }
    return 0;
}

/* A descriptor, or a negative errno. */
static int
seal(const char *text, size_t len)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    int fd = memfd_create("socks4d config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int error = write_all(fd, text, len);
    if (error == 0 && fcntl(fd, F_ADD_SEALS, seals) != 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int
edition_make(struct edition *edition, struct config *config, uint32_t number)
{
    *edition = (struct edition){.config = config, .number = number, .fd = -1};
    int error = write_text(edition);
    if (error == 0)
        edition->fd = seal(edition->text, edition->len);
    if (error != 0 || edition->fd < 0) {
        free(edition->text);
        return error != 0 ? error : edition->fd;
    }
    snprintf(edition->id, sizeof(edition->id), "%08x",
             (unsigned)hash(edition->text, edition->len));
    return 0;
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
