#ifndef GATEWAY_MONITOR_MEMORY_H
#define GATEWAY_MONITOR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/must_check.h"

/*
 * A memory file that holds these octets and can never be changed, by any
 * process that gets it. Its descriptor, close-on-exec, or a negative errno.
 */
MUST_CHECK int memory_seal(const char *name, const void *octets, size_t len);

/* The same, written piece by piece: memory_begin gives the descriptor, each
   piece 0 or a negative errno, and memory_end seals it. */
MUST_CHECK int memory_begin(const char *name);
MUST_CHECK int memory_write(int fd, const void *octets, size_t len);
/* `len` octets of the file `from`, from its beginning. They pass from file to
   file within the kernel, and are never in this process's memory. -EAGAIN: it
   has another length by now. */
MUST_CHECK int memory_copy(int fd, int from, size_t len);
MUST_CHECK int memory_end(int fd);

/* One of this size, full of zeroes, that processes may write and none can make
   shorter or longer. */
MUST_CHECK int memory_make(const char *name, size_t size);
bool memory_has_size(int fd, size_t size);

#endif
