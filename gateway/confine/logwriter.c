#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/*
 * The log writer: takes lines and an open file, or a socket of the journal,
 * from the monitor, writes the ones to the other, and opens nothing by itself.
 */
/* clang-format off */
static const struct confine_permission calls[] = {
    {CALL(poll)},
    {CALL(ppoll)}, /* what poll is on some machines */
    {CALL(recvfrom)},
    {CALL(write)},

    /* messages */
    /* never sendmsg: no descriptor leaves a child */
    /* by the length of the address to none but whom the monitor has connected:
       a socket of datagrams could send to any other */
    {CALL(sendto), {WITHOUT(3, MSG_FASTOPEN), IS(5, 0)}},
    {CALL(recvmsg)},

    /* half a line is taken back from a full disk */
    {CALL(lseek)},
    {CALL(ftruncate)},
    {CALL(fstat)},
    {CALL(newfstatat), {IS(3, AT_EMPTY_PATH)}}, /* what fstat has become */
};
/* clang-format on */

const struct confine_table confine_logwriter = {
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(calls[0]),
    .ceilings = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0}, CONFINE_MEMORY(256)},
    .ceiling_count = 3,
};
