#ifndef GATEWAY_CERTIFICATE_CHECK_CHECK_H
#define GATEWAY_CERTIFICATE_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "gateway/certificate_report.h"
#include "gateway/tls_files.h"

/*
 * What can be wrong with the files of a listener or a parent. Nothing here
 * opens or writes anything: what is found goes to a function of the caller.
 */
struct check;
typedef void check_report_fn(const struct check *check,
                             const struct certificate_report *report);

struct check {
    check_report_fn *report;
    time_t now_s;
    uint32_t listener;
    bool parent; /* the files are of a parent, to which we are a client */
    const struct tls_files *files; /* borrowed; without the key */
    const uint8_t *key;            /* PEM, borrowed; NULL: there is none */
    size_t key_len;
};

void check_listener(const struct check *check);

#endif
