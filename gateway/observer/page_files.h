#ifndef GATEWAY_OBSERVER_PAGE_FILES_H
#define GATEWAY_OBSERVER_PAGE_FILES_H

#include <stddef.h>

/* The files of gateway/observer/page, which the build puts into the binary. */
struct page_file {
    const char *path; /* that the browser asks for: "/" is index.html */
    const char *type;
    const char *octets;
    size_t len;
};

extern const struct page_file page_files[];
extern const size_t page_file_count;

#endif
