#ifndef GATEWAY_RESOLVER_SYSTEM_FILE_H
#define GATEWAY_RESOLVER_SYSTEM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/*
 * A file that the system keeps and we follow: read once, and again when it has
 * changed, whether it was written in place, replaced by rename, or is a link
 * that leads elsewhere now.
 *
 * Landlock allows what the path led to when the process was confined. A file
 * that took its place later may be out of reach, although its permissions allow
 * it: then the process has to be started again.
 */
struct system_file_state {
    int error; /* negative errno: the path does not lead to a file */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct system_file {
    const char *path;               /* borrowed */
    struct system_file_state first; /* before the process was confined */
    struct system_file_state now;   /* when it was last looked at */
    bool looked;
    int complained; /* the errno that the log was told of */
};

/* Call before the process is confined. */
void system_file_init(struct system_file *file, const char *path);

/* Whether it is another than at the last call; true at the first one. */
bool system_file_changed(struct system_file *file);

/*
 * The first `max` octets of the file, allocated, with room for one more behind
 * them; `len` is max + 1 where there are more. 0 or a negative errno.
 */
int system_file_read(const struct system_file *file, size_t max, char **text,
                     size_t *len);

/* Whether `error` of system_file_read may be due to our confinement alone. */
bool system_file_is_beyond_reach(const struct system_file *file, int error);

/* One line on stderr, until the error is another one; 0: it is over. What
   passes by itself (no memory, no descriptor) is not told: the file counts as
   changed. */
void system_file_complain(struct system_file *file, int error,
                          const char *consequence);

#endif
