#ifndef GATEWAY_MONITOR_CONTROL_SOCKET_H
#define GATEWAY_MONITOR_CONTROL_SOCKET_H

#include <sys/types.h>

#include "base/must_check.h"
#include "gateway/config/config.h"
#include "gateway/monitor/user.h"

/*
 * The control socket, as a file: where it is, and who may open it. The
 * gateway's user may, if it is a user of its own, and so may control.group;
 * everybody else but root is refused by the kernel.
 */
struct control_socket {
    int fd; /* owned; -1: there is none */
    char path[CONFIG_CONTROL_PATH_MAX + 1];
    uint64_t device, inode; /* of the file */
    uint32_t gid;           /* of control.group, and 1; 0: none */
    bool is_new; /* beside one of the same path that is in use: has another
                    name until it replaces that */
};

#define CONTROL_SOCKET_NAME_MAX (CONFIG_CONTROL_PATH_MAX + 5)

/*
 * Opens it as `config` says, to replace `now` (or NULL). A file that a gateway
 * left which is dead is replaced. 0, and maybe without a socket: auto finds no
 * place for it, or one that another gateway uses. Then, and where it fails,
 * `why` has a sentence with the remedy; it is empty where there is nothing to
 * say.
 */
#define CONTROL_SOCKET_WHY_MAX 256
MUST_CHECK int control_socket_open(struct control_socket *control,
                                   const struct control_socket *now,
                                   const struct config *config,
                                   const struct user *user,
                                   char why[CONTROL_SOCKET_WHY_MAX]);

/* Whether `to` has the same socket as `from`. */
bool control_socket_is_same(const struct config *from, const struct config *to);

/* One that another binary has opened: its descriptor, which is taken or -1. */
void control_socket_take(struct control_socket *control, int fd,
                         const char *path, uint32_t gid);

/* `next` is `now` from now on. */
void control_socket_replace(struct control_socket *now,
                            const struct control_socket *next);

/* Closes it; the file is removed, if it is still ours. */
void control_socket_close(struct control_socket *control);

struct ucred;
/* Which process opened the socket that `config` says, and as which user: the
   monitor of a gateway that serves. 0, or a negative errno: none does. */
MUST_CHECK int control_socket_find_server(const struct config *config,
                                          struct ucred *server);

/* For -t: a line for each reason why there would be no control socket. How
   many there are. */
size_t control_socket_warn(const struct config *config, FILE *to);

#endif
