#include "gateway/monitor/archive.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct archive
archive_writing(FILE *out)
{
    return (struct archive){.out = out};
}

struct archive
archive_reading(const char *octets, size_t len)
{
    return (struct archive){.in = octets, .left = len};
}

struct archive
archive_for_each_fd(archive_fd_fn *on_fd)
{
    return (struct archive){.on_fd = on_fd};
}

static void
archive_fail(struct archive *archive, int error)
{
    if (archive->error == 0)
        archive->error = error;
}

static void
archive_take(struct archive *archive, void *octets, size_t len)
{
    if (len > archive->left) {
        archive_fail(archive, -EBADMSG);
        return;
    }
    memcpy(octets, archive->in, len);
    archive->in += len;
    archive->left -= len;
}

void
archive_octets(struct archive *archive, void *octets, size_t len)
{
    if (archive->error != 0 || archive->on_fd != NULL || len == 0)
        return;
    if (archive->out == NULL)
        archive_take(archive, octets, len);
    else if (fwrite(octets, len, 1, archive->out) != 1)
        archive_fail(archive, -ENOMEM);
}

void
archive_number(struct archive *archive, uint64_t *number, uint64_t most)
{
    uint64_t copy = *number;
    archive_octets(archive, &copy, sizeof(copy));
    if (copy > most)
        archive_fail(archive, -EBADMSG);
    if (archive->error == 0)
        *number = copy;
}

/* Its length first, and no octet of it is a NUL. */
void
archive_text(struct archive *archive, char *text, size_t room)
{
    uint64_t len = archive->out != NULL ? strnlen(text, room) : 0;
    archive_number(archive, &len, room - 1);
    if (archive->error != 0 || archive->on_fd != NULL)
        return;
    archive_octets(archive, text, len);
    if (archive->out != NULL)
        return;
    text[len] = '\0';
    if (strlen(text) != len)
        archive_fail(archive, -EBADMSG);
}

void
archive_fd(struct archive *archive, int *fd, enum archive_kind kind)
{
    uint64_t number = (uint64_t)(*fd + 1);
    if (archive->on_fd != NULL && *fd != -1 && archive->error == 0) {
        archive->error = archive->on_fd(*fd, kind);
        archive->unfit = archive->error != 0 ? *fd : 0;
        archive->unfit_kind = kind;
    }
    archive_number(archive, &number, INT_MAX);
    if (number != 0 && number <= STDERR_FILENO + 1)
        archive_fail(archive, -EBADMSG);
    if (archive->error == 0)
        *fd = (int)number - 1;
}

void
archive_blob(struct archive *archive, struct archive_blob *blob, size_t size,
             size_t most)
{
    uint64_t len = blob->len;
    archive_number(archive, &len, most);
    if (len % size != 0)
        archive_fail(archive, -EBADMSG);
    if (archive->error != 0 || archive->on_fd != NULL)
        return;
    if (archive->out == NULL) {
        if (len > archive->left) {
            archive_fail(archive, -EBADMSG);
            return;
        }
        blob->octets = malloc(len + 1);
        if (blob->octets == NULL) {
            archive_fail(archive, -ENOMEM);
            return;
        }
        blob->len = len;
    }
    archive_octets(archive, blob->octets, len);
}

int
archive_end(struct archive *archive)
{
    if (archive->left != 0)
        archive_fail(archive, -EBADMSG);
    return archive->error;
}
