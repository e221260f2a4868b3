#ifndef GATEWAY_CONFIG_FILE_H
#define GATEWAY_CONFIG_FILE_H

#include <stddef.h>

/*
 * All of a file, at most 64 MiB, to be freed. NULL with errno, EFBIG where it
 * is larger. file_read leaves the descriptor open; file_read_path takes nothing
 * but a regular file (EINVAL), so that it waits for no pipe.
 */
char *file_read(int fd, size_t *len);
char *file_read_path(const char *path, size_t *len);

/* What the errno means. The monitor gives up root's right to read every file
   (privilege_keep_monitor): then the remedy is there, too. Static. */
const char *file_error(int error);

#endif
