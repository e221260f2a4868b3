#include "gateway/monitor/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/file.h"
#include "gateway/monitor/memory.h"

/* The files of one, in the order in which they are read. */
static const enum tls_file_kind kinds[] = {
    TLS_FILE_CERTIFICATE, TLS_FILE_KEY,       TLS_FILE_CA,
    TLS_FILE_CRL,         TLS_FILE_SYSTEM_CA, TLS_FILE_PASSWORD};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Where Debian and others have the machine's CAs. */
#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

/* What the configuration says of a file; its path is NULL where there is
   none. */
static struct config_file
certificates_file(const struct config *config, enum tls_file_kind kind,
                  uint32_t number)
{
    const struct config_tls *tls = config_tls_at(config, number);
    struct config_file file = {0};

    if (kind == TLS_FILE_PASSWORD)
        return config_password_at(config, number);
    if (tls == NULL)
        return file;
    switch (kind) {
    case TLS_FILE_CERTIFICATE:
        return tls->certificate;
    case TLS_FILE_KEY:
        return tls->key;
    case TLS_FILE_CA:
        return tls->ca;
    case TLS_FILE_CRL:
        return tls->crl;
    default: /* of a parent alone */
        file = tls->ca;
        file.path = number >= CONFIG_LISTENERS_MAX && tls->ca.path == NULL
                        ? (char *)SYSTEM_CAS
                        : NULL;
        return file;
    }
}

char *
certificates_place(const struct config *config, enum tls_file_kind kind,
                   uint32_t listener, char text[CERTIFICATES_PLACE_MAX])
{
    const struct config_file file = certificates_file(config, kind, listener);
    char path[PATH_MAX];
    if (file.path == NULL)
        return NULL;
    file_beside(config->file, file.path, path);
    if (file.option != NULL)
        snprintf(text, CERTIFICATES_PLACE_MAX,
                 "socks4d: %s %.180s: ", file.option, path);
    else
        snprintf(text, CERTIFICATES_PLACE_MAX,
                 "%.180s:%u:%u: %s: %.180s: ", config->file, file.line,
                 file.column, tls_file_names[kind], path);
    return text;
}

/* --- reading ------------------------------------------------------------- */

/* One run of certificates_read. */
struct certificates_reading {
    struct certificates *made;
    const struct config *config;
    struct config_error *error;
};

static int
certificates_refuse(const struct certificates_reading *reading,
                    enum tls_file_kind kind, uint32_t listener, const char *why)
{
    char place[CERTIFICATES_PLACE_MAX];
    snprintf(reading->error->text, sizeof(reading->error->text), "%s%s",
             certificates_place(reading->config, kind, listener, place), why);
    return -1;
}

/* Why an open file is not read, or NULL. */
static const char *
certificates_unfit(enum tls_file_kind kind, const struct stat *status)
{
    bool password = kind == TLS_FILE_PASSWORD;

    if (!S_ISREG(status->st_mode))
        return password ? "is not a regular file; name one with the password"
                        : "is not a regular file; name a file in PEM";
    if (status->st_size == 0)
        return password ? "is empty; write the password into its first line"
                        : "is empty; it should be PEM";
    if (status->st_size > TLS_FILE_MAX)
        return password ? "is larger than 1 MiB; is it the right file?"
                        : "is larger than 1 MiB; it should be PEM";
    return NULL;
}

/* A descriptor and what it is of, or -1 with the error. */
static int
certificates_open(const struct certificates_reading *reading,
                  enum tls_file_kind kind, uint32_t listener,
                  struct stat *status)
{
    const struct config_file file =
        certificates_file(reading->config, kind, listener);
    char path[PATH_MAX];
    file_beside(reading->config->file, file.path, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, status) != 0) {
        const char *why = kind == TLS_FILE_SYSTEM_CA && errno == ENOENT
                              ? "there is no such file; install the package "
                                "ca-certificates, or name a file"
                              : file_error(errno);
        if (fd >= 0)
            close(fd);
        return certificates_refuse(reading, kind, listener, why);
    }
    const char *unfit = certificates_unfit(kind, status);
    if (unfit == NULL)
        return fd;
    close(fd);
    return certificates_refuse(reading, kind, listener, unfit);
}

static int
certificates_copy(const struct certificates_reading *reading,
                  enum tls_file_kind kind, uint32_t listener, int from,
                  size_t len)
{
    struct tls_block block = {.kind = kind, .listener = listener, .len = len};
    int *key = &reading->made->keys[listener];
    if (kind != TLS_FILE_KEY) {
        int error = memory_write(reading->made->fd, &block, sizeof(block));
        return error != 0 ? error : memory_copy(reading->made->fd, from, len);
    }
    *key = memory_begin("socks4d key");
    int error = *key < 0 ? *key : memory_copy(*key, from, len);
    return error != 0 ? error : memory_end(*key);
}

static int
certificates_read_file(const struct certificates_reading *reading,
                       enum tls_file_kind kind, uint32_t listener)
{
    struct stat status;
    int fd = certificates_open(reading, kind, listener, &status);
    if (fd < 0)
        return -1;
    if ((kind == TLS_FILE_KEY || kind == TLS_FILE_PASSWORD) &&
        (status.st_mode & S_IROTH) != 0)
        reading->made->exposed[listener] |= (uint8_t)(1u << kind);
    file_identify(&reading->made->identity, &status);
    int error =
        certificates_copy(reading, kind, listener, fd, (size_t)status.st_size);
    close(fd);
    if (error == 0)
        return 0;
    return certificates_refuse(reading, kind, listener,
                               error == -EAGAIN
                                   ? "changes while it is read; try again"
                                   : strerror(-error));
}

/* --- session tickets ----------------------------------------------------- */

bool
certificates_have_tickets(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].tls != NULL &&
            config_tickets(config->listeners[i].tls) > 0)
            return true;
    return false;
}

static int
certificates_fill_random(void *octets, size_t len)
{
    char *at = octets;
    for (size_t done = 0; done < len;) {
        ssize_t count = getrandom(at + done, len - done, 0);
        if (count < 0 && errno != EINTR)
            return -errno;
        done += count > 0 ? (size_t)count : 0;
    }
    return 0;
}

/* Without a file before, the previous key is one that nobody has. */
static int
certificates_add_tickets(const struct certificates *made,
                         const struct certificates *before)
{
    struct tls_block block = {.kind = TLS_FILE_TICKETS,
                              .len = sizeof(struct tls_ticket_keys)};
    struct tls_ticket_keys keys;
    struct tls_files files = {0};
    size_t len;
    int error = certificates_fill_random(&keys, sizeof(keys));
    if (error == 0 && before != NULL && before->fd != -1)
        error = tls_files_map_all(&files, before->fd);
    const uint8_t *old = tls_files_find(&files, TLS_FILE_TICKETS, 0, &len);
    if (error == 0 && old != NULL && len == sizeof(keys))
        memcpy(&keys.previous, old + offsetof(struct tls_ticket_keys, current),
               sizeof(keys.previous));
    tls_files_unmap(&files);
    if (error == 0)
        error = memory_write(made->fd, &block, sizeof(block));
    if (error == 0)
        error = memory_write(made->fd, &keys, sizeof(keys));
    explicit_bzero(&keys, sizeof(keys));
    return error;
}

/* All blocks but the tickets. */
static int
certificates_copy_blocks(const struct certificates *made,
                         const struct certificates *from)
{
    struct tls_files files;
    struct tls_block block;
    int error = tls_files_map_all(&files, from->fd);
    for (size_t at = 0; error == 0 && files.len - at >= sizeof(block);
         at += sizeof(block) + block.len) {
        memcpy(&block, files.octets + at, sizeof(block));
        if (block.kind != TLS_FILE_TICKETS)
            error = memory_write(made->fd, files.octets + at,
                                 sizeof(block) + block.len);
    }
    tls_files_unmap(&files);
    return error;
}

int
certificates_renew_tickets(struct certificates *certificates)
{
    struct certificates made = {.fd = memory_begin("socks4d tls")};
    if (made.fd < 0)
        return made.fd;
    int error = certificates_copy_blocks(&made, certificates);
    if (error == 0)
        error = certificates_add_tickets(&made, certificates);
    if (error == 0)
        error = memory_end(made.fd);
    if (error != 0) {
        close(made.fd);
        return error;
    }
    close(certificates->fd);
    certificates->fd = made.fd;
    return 0;
}

/* --- all of them --------------------------------------------------------- */

void
certificates_init(struct certificates *certificates)
{
    memset(certificates, 0, sizeof(*certificates));
    certificates->fd = -1;
    certificates->identity = FILE_IDENTITY;
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        certificates->keys[i] = -1;
}

void
certificates_free(struct certificates *certificates)
{
    if (certificates->fd != -1)
        close(certificates->fd);
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        if (certificates->keys[i] != -1)
            close(certificates->keys[i]);
    certificates_init(certificates);
}

static int
certificates_read_all(const struct certificates_reading *reading)
{
    const struct config *config = reading->config;
    for (uint32_t i = 0; i < CONFIG_TLS_MAX; i++)
        for (size_t j = 0; j < KINDS; j++)
            if (certificates_file(config, kinds[j], i).path != NULL &&
                certificates_read_file(reading, kinds[j], i) != 0)
                return -1;
    return 0;
}

static int
certificates_finish(struct certificates *made, const struct config *config,
                    const struct certificates *before)
{
    int error = 0;
    if (certificates_have_tickets(config))
        error = certificates_add_tickets(made, before);
    return error != 0 ? error : memory_end(made->fd);
}

int
certificates_read(struct certificates *certificates,
                  const struct config *config,
                  const struct certificates *before, struct config_error *error)
{
    struct certificates_reading reading = {certificates, config, error};
    certificates_init(certificates);
    certificates->fd = memory_begin("socks4d tls");
    int failed = certificates->fd;
    if (failed >= 0 && certificates_read_all(&reading) != 0) {
        certificates_free(certificates);
        return -1;
    }
    if (failed >= 0)
        failed = certificates_finish(certificates, config, before);
    if (failed == 0)
        return 0;
    snprintf(error->text, sizeof(error->text),
             "cannot keep the files of listeners and parents: %s",
             strerror(-failed));
    certificates_free(certificates);
    return -1;
}

bool
certificates_equal(const struct certificates *a, const struct certificates *b)
{
    return a->identity == b->identity;
}
