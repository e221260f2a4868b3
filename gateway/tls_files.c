#include "gateway/tls_files.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/text.h"

const char *const tls_file_names[] = {
    [TLS_FILE_CERTIFICATE] = "tls.certificate",
    [TLS_FILE_KEY] = "tls.key",
    [TLS_FILE_CA] = "tls.ca",
    [TLS_FILE_CRL] = "tls.crl",
    [TLS_FILE_SYSTEM_CA] = "tls.ca",
    [TLS_FILE_PASSWORD] = "password_file",
};

int
tls_files_map(struct tls_files *files, int fd, uint64_t len)
{
    *files = (struct tls_files){0};
    if (len == 0)
        return 0;
    void *octets = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (octets == MAP_FAILED)
        return -errno;
    *files = (struct tls_files){.octets = octets, .len = len};
    return 0;
}

int
tls_files_map_all(struct tls_files *files, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    return tls_files_map(files, fd, (uint64_t)status.st_size);
}

void
tls_files_unmap(struct tls_files *files)
{
    if (files->octets != NULL)
        munmap((void *)files->octets, files->len);
    *files = (struct tls_files){0};
}

const uint8_t *
tls_files_find(const struct tls_files *files, enum tls_file_kind kind,
               uint32_t listener, size_t *len)
{
    size_t at = 0;
    struct tls_block block;
    while (files->len - at >= sizeof(block)) {
        memcpy(&block, files->octets + at, sizeof(block));
        at += sizeof(block);
        if (block.len > files->len - at)
            return NULL;
        if (block.kind == kind && block.listener == listener) {
            *len = (size_t)block.len;
            return files->octets + at;
        }
        at += (size_t)block.len;
    }
    return NULL;
}

const char *
tls_files_password(const uint8_t *octets, size_t *len)
{
    const uint8_t *end = memchr(octets, '\n', *len);

    if (end != NULL)
        *len = (size_t)(end - octets);
    if (*len > 0 && octets[*len - 1] == '\r')
        (*len)--;
    if (text_has_mark((const char *)octets, *len))
        return "begins with a byte order mark; save it without one";
    if (*len == 0)
        return "its first line is empty; write the password there";
    if (*len > TLS_PASSWORD_MAX)
        return "its first line is longer than 255 octets, which no password of "
               "SOCKS5 is; is it the right file?";
    if (memchr(octets, '\0', *len) != NULL)
        return "its first line contains a NUL; is it the right file?";
    return NULL;
}
