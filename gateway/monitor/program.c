#include "gateway/monitor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without /proc there is nothing to compare with. */
static bool
program_is_ours(const char *path)
{
    struct stat there, here;
    if (stat(path, &there) != 0)
        return false;
    if (stat("/proc/self/exe", &here) != 0)
        return errno == ENOENT;
    return there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

bool
program_is(const char *path, int program)
{
    struct stat there, here;
    return stat(path, &there) == 0 && fstat(program, &here) == 0 &&
           there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* By the name that the kernel gives a descriptor it executes. */
static bool
program_is_named(int program)
{
    char name[32];
    snprintf(name, sizeof(name), "/dev/fd/%d", program);
    return access(name, F_OK) == 0;
}

int
program_execute(int program, const char *path, char *const *argv,
                char *const *environment)
{
    fexecve(program, argv, environment);
    int error = -errno;
    if (error == -ENOENT && !program_is_named(program) &&
        program_is(path, program))
        execve(path, argv, environment);
    return error;
}

static int
program_put_absolute(const char *given, char *path, size_t room)
{
    char folder[PATH_MAX] = "";
    while (strncmp(given, "./", 2) == 0)
        given += 2;
    if (given[0] != '/' && getcwd(folder, sizeof(folder)) == NULL)
        return -errno;
    int len = snprintf(path, room, "%s%s%s", folder,
                       folder[0] == '\0' ? "" : "/", given);
    return (size_t)len < room ? 0 : -ENAMETOOLONG;
}

/* As the kernel was told it; where that leads elsewhere (a descriptor, a
   loader), as the kernel knows it. */
int
program_find(char *path, size_t room)
{
    const char *given = (const char *)getauxval(AT_EXECFN);
    if (given != NULL && strncmp(given, "/dev/", 5) != 0 &&
        strncmp(given, "/proc/", 6) != 0 && program_is_ours(given))
        return program_put_absolute(given, path, room);
    ssize_t len = readlink("/proc/self/exe", path, room - 1);
    if (len < 0)
        return -errno;
    path[len] = '\0';
    return 0;
}

int
program_open_running(const char *path)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int
program_refuse(int fd, char why[PROGRAM_WHY_MAX], const char *path,
               const char *what)
{
    snprintf(why, PROGRAM_WHY_MAX, "%.300s: %s", path, what);
    if (fd >= 0)
        close(fd);
    return -1;
}

int
program_open(const char *path, char why[PROGRAM_WHY_MAX])
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return program_refuse(fd, why, path, strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return program_refuse(fd, why, path,
                              "is not a file that can be executed");
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        return program_refuse(fd, why, path, "is not executable; chmod 755");
    return fd;
}
