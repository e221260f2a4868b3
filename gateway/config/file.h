#ifndef GATEWAY_CONFIG_FILE_H
#define GATEWAY_CONFIG_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * All of a file, at most 64 MiB, to be freed. NULL with errno, EFBIG where it
 * is larger. file_read leaves the descriptor open; file_read_path takes nothing
 * but a regular file (EINVAL), so that it waits for no pipe.
 */
char *file_read(int fd, size_t *len);
char *file_read_path(const char *path, size_t *len);

/* The path as written, or beside the configuration (its file, or NULL), in
   `path`. */
void file_beside(const char *config_file, const char *written,
                 char path[PATH_MAX]);

/* Adds to a hash, which begins as FILE_IDENTITY, what tells the file from
   others that have its name later: inode, size, times. */
#define FILE_IDENTITY UINT64_C(0xcbf29ce484222325)
void file_identify(uint64_t *identity, const struct stat *status);

/* What the errno means. The monitor gives up root's right to read every file
   (privilege_keep_monitor): then the remedy is there, too. Static. */
const char *file_error(int error);

#endif
