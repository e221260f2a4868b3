#ifndef GATEWAY_OBSERVER_MHD_H
#define GATEWAY_OBSERVER_MHD_H

#include <microhttpd.h>

/*
 * libmicrohttpd, which speaks HTTP. The observer loads it when it starts. It is
 * not linked, since all processes are one binary: GnuTLS and eight more
 * libraries, which come with it, would then be in every worker too.
 *
 * Its functions are called by their own names, as if it were linked.
 */
#define MHD_FUNCTIONS(X)                                                       \
    X(start_daemon)                                                            \
    X(stop_daemon)                                                             \
    X(run)                                                                     \
    X(get_timeout)                                                             \
    X(get_daemon_info)                                                         \
    X(add_connection)                                                          \
    X(get_connection_info)                                                     \
    X(lookup_connection_value)                                                 \
    X(suspend_connection)                                                      \
    X(resume_connection)                                                       \
    X(create_response_from_buffer)                                             \
    X(create_response_from_callback)                                           \
    X(add_response_header)                                                     \
    X(queue_response)                                                          \
    X(destroy_response)

extern struct mhd {
#define X(name) __typeof__(&MHD_##name) name;
    MHD_FUNCTIONS(X)
#undef X
} mhd;

/* NULL, or why it cannot be used. To be called before the process is
   confined. */
const char *mhd_load(void);

#define MHD_start_daemon mhd.start_daemon
#define MHD_stop_daemon mhd.stop_daemon
#define MHD_run mhd.run
#define MHD_get_timeout mhd.get_timeout
#define MHD_get_daemon_info mhd.get_daemon_info
#define MHD_add_connection mhd.add_connection
#define MHD_get_connection_info mhd.get_connection_info
#define MHD_lookup_connection_value mhd.lookup_connection_value
#define MHD_suspend_connection mhd.suspend_connection
#define MHD_resume_connection mhd.resume_connection
#define MHD_create_response_from_buffer mhd.create_response_from_buffer
#define MHD_create_response_from_callback mhd.create_response_from_callback
#define MHD_add_response_header mhd.add_response_header
#define MHD_queue_response mhd.queue_response
#define MHD_destroy_response mhd.destroy_response

#endif
