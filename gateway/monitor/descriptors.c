#include "gateway/monitor/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/close_range.h>

static int
descriptors_fill_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -errno;
    } while (fd <= STDERR_FILENO);
    close(fd);
    return 0;
}

/* More descriptors than a kernel allows by default (fs.nr_open). */
#define DESCRIPTORS_MAX (1 << 20)

/* Linux 5.11 does it at once; before, /proc names those that are open. */
static void
descriptors_close_others_on_exec(void)
{
    struct dirent *entry;
    if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        return;
    }
    while ((entry = readdir(folder)) != NULL) {
        int fd = atoi(entry->d_name);
        if (fd > STDERR_FILENO)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    closedir(folder);
}

int
descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
}

int
descriptors_prepare(void)
{
    int error = descriptors_fill_standard();
    if (error != 0)
        return error;
    descriptors_close_others_on_exec();
    return descriptors_raise();
}
