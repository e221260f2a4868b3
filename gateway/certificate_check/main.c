#include "gateway/certificate_check/main.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "gateway/certificate_check/check.h"
#include "gateway/readiness.h"
#include "gateway/signer/keys.h"

/* Its end is the end of the check; whoever waits for it is told why. */
static void
certificate_check_send(const struct check *check,
                       const struct certificate_report *report)
{
    (void)check;
    if (send(CERTIFICATE_CHECK_REPORTS, report, sizeof(*report),
             MSG_NOSIGNAL) != sizeof(*report)) {
        perror("socks4d: certificate check");
        exit(1);
    }
}

static void
certificate_check_listener(const struct tls_files *files, int key_fd,
                           const char *word)
{
    struct check check = {.report = certificate_check_send,
                          .now_s = time(NULL),
                          .listener = (uint32_t)strtoul(word, NULL, 10),
                          .parent = strchr(word, CERTIFICATE_CHECK_PARENT),
                          .files = files};
    struct stat status;
    if (key_fd != -1 && fstat(key_fd, &status) == 0) {
        void *octets = mmap(NULL, (size_t)status.st_size, PROT_READ,
                            MAP_PRIVATE, key_fd, 0);
        if (octets != MAP_FAILED) {
            check.key = octets;
            check.key_len = (size_t)status.st_size;
        }
    }
    check_listener(&check);
}

int
certificate_check_main(int argc, char **argv)
{
    struct certificate_report done = {.finding = CERTIFICATE_DONE};
    struct tls_files files;
    prctl(PR_SET_NAME, "socks4d");
    fcntl(CERTIFICATE_CHECK_REPORTS, F_SETFL, 0); /* waits for room */
    if (keys_prepare() < 0 ||
        tls_files_map_all(&files, CERTIFICATE_CHECK_FILES) < 0 ||
        readiness_reach(&roles[ROLE_CERTIFICATE_CHECK], argv, NULL) < 0)
        return 1;
    int key = CERTIFICATE_CHECK_FIRST_KEY;
    for (int i = ROLE_OWN; i < argc; i++) {
        bool has_key = strchr(argv[i], CERTIFICATE_CHECK_NO_KEY) == NULL;
        certificate_check_listener(&files, has_key ? key++ : -1, argv[i]);
    }
    certificate_check_send(NULL, &done);
    return 0;
}
