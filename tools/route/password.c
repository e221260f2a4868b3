#include "tools/route/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static int
password_refuse(struct route_fault *fault, const char *path, int error,
                const char *reason)
{
    snprintf(fault->text, sizeof(fault->text), "%.500s: %s", path, reason);
    return error;
}

/* Reads until the buffer is full, or to the end. Not by stdio, whose buffer
   nobody wipes. */
static ssize_t
password_fill(int fd, char *text, size_t room)
{
    size_t len = 0;

    while (len < room) {
        ssize_t got = read(fd, text + len, room - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static int
password_take_line(struct password *password, const char *text, size_t len,
                   const char *path, struct route_fault *fault)
{
    const char *end = memchr(text, '\n', len);

    if (end != NULL)
        len = (size_t)(end - text);
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (text_has_mark(text, len))
        return password_refuse(fault, path, -EINVAL,
                               "it begins with a byte order mark: save it "
                               "without one");
    if (len == 0)
        return password_refuse(fault, path, -EINVAL,
                               "its first line is empty: write the password "
                               "there");
    if (len > SOCKS4_V5_TEXT_MAX)
        return password_refuse(fault, path, -EINVAL,
                               "its first line is longer than 255 octets, "
                               "which no password of SOCKS5 is");
    if (memchr(text, '\0', len) != NULL)
        return password_refuse(fault, path, -EINVAL,
                               "its first line contains a NUL");
    memcpy(password->text, text, len);
    password->text[len] = '\0';
    return 0;
}

int
password_read(struct password *password, const char *path,
              struct route_fault *fault)
{
    char text[SOCKS4_V5_TEXT_MAX + 3]; /* with CR LF, or one too many */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t len;
    int error;

    if (fd < 0)
        return password_refuse(fault, path, -errno, strerror(errno));
    len = password_fill(fd, text, sizeof(text));
    close(fd);
    error = len < 0
                ? password_refuse(fault, path, (int)len, strerror((int)-len))
                : password_take_line(password, text, (size_t)len, path, fault);
    explicit_bzero(text, sizeof(text));
    return error;
}

void
password_wipe(struct password *password)
{
    explicit_bzero(password, sizeof(*password));
}
