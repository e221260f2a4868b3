/* What a good client does with each defect. */

#include <stddef.h>

#include "defect.h"

#define IS_CUT                                                                 \
    "notices that something is missing, if what it speaks has lengths or "     \
    "ends "                                                                    \
    "of its own"
#define IS_CHANGED "notices it only by a check of its own, such as TLS"
#define GIVES_UP "gives up after a time limit of its own"
#define ENDS_SILENT "fails: the connection ends without a reply"
#define FAILS_AND_CLOSES "fails at the reply and closes: it waits for no close"
#define NOBODY_CALLS                                                           \
    "passes on what the reply says, and gives up after a time limit of its "   \
    "own"

static const char *const goods[DEFECT_COUNT] = {
    [DEFECT_NONE] = "connects, relays and ends as it would without this server",
    [DEFECT_REPLY_VERSION] = "fails: VN of a reply is 0",
    [DEFECT_GRANT_4] = "fails: VN of a reply is 0",
    [DEFECT_REFUSAL_SHORT] = "fails: the reply ends after four octets",
    [DEFECT_REFUSAL_LONG] = "fails at the eighth octet and ignores the ninth",
    [DEFECT_REFUSAL_CODE_0] = "fails: 90 alone is a grant",
    [DEFECT_REFUSAL_CODE_94] = "fails: 90 alone is a grant",
    [DEFECT_REFUSAL_92] = "fails and shows the code",
    [DEFECT_REFUSAL_SILENT] = ENDS_SILENT,
    [DEFECT_REFUSAL_HANGS] = GIVES_UP,
    [DEFECT_REFUSAL_OPEN] = FAILS_AND_CLOSES,
    [DEFECT_REFUSED_OPEN] = FAILS_AND_CLOSES,
    [DEFECT_REFUSAL_RESET] = "fails, with the code if it has read the reply",
    [DEFECT_EARLY_GRANT] = "believes the grant; the end comes soon",
    [DEFECT_GRANT_LONG] = "takes eight octets for the reply: the ninth is data",
    [DEFECT_UNCONNECTED] = GIVES_UP,
    [DEFECT_USERID_EMPTY] = GIVES_UP,
    [DEFECT_USERID_TEXT] = ENDS_SILENT,
    [DEFECT_VERSION_OPEN] = GIVES_UP,
    [DEFECT_COMMAND_VERSION] = "fails: VN of a reply is 0",
    [DEFECT_COMMAND_SILENT] = ENDS_SILENT,
    [DEFECT_EARLY_DATA_LOST] = IS_CUT,
    [DEFECT_EARLY_DATA_HELD] = GIVES_UP,
    [DEFECT_NUL_EATEN] = IS_CHANGED,
    [DEFECT_NO_CONNECT_TIMER] = GIVES_UP,
    [DEFECT_CONNECT_TIMER_SILENT] = ENDS_SILENT,
    [DEFECT_CONNECT_TIMER_OPEN] = FAILS_AND_CLOSES,
    [DEFECT_CLIENT_FIN_ENDS] = IS_CUT,
    [DEFECT_SERVER_FIN_ENDS] = IS_CUT,
    [DEFECT_FIN_LOST] = GIVES_UP,
    [DEFECT_RESET_AS_FIN] = IS_CUT,
    [DEFECT_RESET_DATA_LOST] = IS_CUT,
    [DEFECT_TAIL_LOST] = IS_CUT,
    [DEFECT_SEVEN_BITS] = IS_CHANGED,
    [DEFECT_NEWLINES] = IS_CHANGED,
    [DEFECT_CLIENT_FIRST] = GIVES_UP,
    [DEFECT_URGENT_LOST] = "takes the octet where it stands in the stream",
    [DEFECT_NO_BACK_PRESSURE] = IS_CUT,
    [DEFECT_CONNECT_STALLS] = GIVES_UP,
    [DEFECT_RESOLVER_STALLS] = GIVES_UP,
    [DEFECT_IDENT_STALLS] = GIVES_UP,
    [DEFECT_SERVES_ONE] = GIVES_UP,
    [DEFECT_BIND_SILENT] = ENDS_SILENT,
    [DEFECT_BIND_LISTENS_LATE] = NOBODY_CALLS,
    [DEFECT_BIND_PORT_SWAPPED] = NOBODY_CALLS,
    [DEFECT_BIND_PORT_ECHO] = NOBODY_CALLS,
    [DEFECT_BIND_PORT_SOCKS] = NOBODY_CALLS,
    [DEFECT_BIND_ADDRESS_ECHO] = NOBODY_CALLS,
    [DEFECT_BIND_WRONG_SIDE] = NOBODY_CALLS,
    [DEFECT_BIND_4A_ZEROS] = "fails: there is no port to pass on",
    [DEFECT_BIND_SECOND_NONE] =
        "takes the first octets of the peer for a reply, and fails at them",
    [DEFECT_BIND_SECOND_91] = "fails at the second reply",
    [DEFECT_BIND_SECOND_SHORT] = "fails: the second reply ends too soon",
    [DEFECT_BIND_PORT_CHECKED] = "fails at the second reply",
    [DEFECT_BIND_STRANGER] = "checks what the peer says",
    [DEFECT_BIND_NAMED_ANY] = "checks what the peer says",
    [DEFECT_BIND_STRANGER_93] = "fails at the second reply",
    [DEFECT_BIND_CLIENT_KEPT] = FAILS_AND_CLOSES,
    [DEFECT_BIND_PEER_DATA_LOST] = IS_CUT,
    [DEFECT_NO_BIND_TIMER] = GIVES_UP,
    [DEFECT_BIND_TIMER_SILENT] = ENDS_SILENT,
    [DEFECT_ZERO_X_WAITS] = GIVES_UP,
    [DEFECT_NAMED_UNANSWERED] = GIVES_UP,
    [DEFECT_QUAD_SILENT] = ENDS_SILENT,
    [DEFECT_DOMAIN_255] = GIVES_UP,
    [DEFECT_DOMAIN_EMPTY] = GIVES_UP,
    [DEFECT_UNRESOLVED_92] = "fails and shows the code",
    [DEFECT_UNRESOLVED_SILENT] = ENDS_SILENT,
    [DEFECT_UNRESOLVED_OPEN] = FAILS_AND_CLOSES,
    [DEFECT_EOF_SILENT] = ENDS_SILENT,
    [DEFECT_EOF_HANGS] = GIVES_UP,
    [DEFECT_RESOLVER_WAITS] = GIVES_UP,
    [DEFECT_IDENT_NO_TIMER] = GIVES_UP,
    [DEFECT_TLS_NO_END] = "takes it for an abort: what came may have been cut",
    [DEFECT_TLS_CUT_RECORD] =
        "takes it for an abort: what came may have been cut",
    [DEFECT_PIECES] = "reads on until it has eight octets, then connects",
    [DEFECT_GLUED] = "takes eight octets for the reply: the rest is data",
    [DEFECT_ADDRESS_SET] =
        "ignores DSTPORT and DSTIP of the reply, and connects",
    [DEFECT_GRANT_SHORT] = "fails: the reply ends after seven octets",
    [DEFECT_GRANT_CODE_0] = "fails: 90 alone is a grant",
    [DEFECT_GRANT_NEVER] = GIVES_UP,
    [DEFECT_GRANT_CLOSES] = ENDS_SILENT,
    [DEFECT_GRANT_RESETS] = ENDS_SILENT,
    [DEFECT_ALL_91] = "fails and shows the code",
    [DEFECT_ALL_92] = "fails and shows the code",
    [DEFECT_ALL_93] = "fails and shows the code",
    [DEFECT_DIES] = "fails when the connection ends",
    [DEFECT_TALKS_HTTP] = "fails at the first octet and says what came",
};

const char *
defect_good(enum defect defect)
{
    return goods[defect] != NULL ? goods[defect]
                                 : "notices nothing, or fails at a refusal";
}
