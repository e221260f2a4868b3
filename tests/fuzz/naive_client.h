#ifndef FUZZ_NAIVE_CLIENT_H
#define FUZZ_NAIVE_CLIENT_H

#include <string.h>

#include "socks4/client.h"

/*
 * What becomes of a client whose request is sent and to whom `octets` come,
 * then, if `ends`, the end of the stream: read at once, from the front.
 */
struct naive_end {
    int state;
    int error;
    unsigned forgave;
    size_t used;
};

static inline struct naive_end
naive_client(int command, int lenient, const uint8_t *octets, size_t len,
             int ends)
{
    struct naive_end end = {SOCKS4_CLIENT_REPLY, 0, 0, 0};
    int replies = command == SOCKS4_BIND ? 2 : 1;

    for (int reply = 0; reply < replies; reply++) {
        const uint8_t *at = octets + end.used;
        size_t there = len - end.used;

        end.state = reply == 0 ? SOCKS4_CLIENT_REPLY : SOCKS4_CLIENT_PEER;
        for (size_t i = 0; i < there && i < 8; i++, end.used++) {
            if (i == 0 && at[0] != 0) {
                end.error = SOCKS4_E_VERSION;
                if (!lenient || at[0] != 4)
                    break;
                end.error = 0;
                end.forgave |= SOCKS4_FORGAVE_VERSION;
            }
            if (i == 1 && (at[1] < 90 || at[1] > 93)) {
                end.error = SOCKS4_E_CODE;
                if (!lenient)
                    break;
                end.error = 0;
                end.forgave |= SOCKS4_FORGAVE_CODE;
            }
        }
        if (end.error != 0) {
            end.used++;
            end.state = SOCKS4_CLIENT_FAILED;
            return end;
        }
        if (there < 8) {
            if (!ends)
                return end;
            if (there >= 2 && at[1] != 90 && lenient) {
                end.forgave |= SOCKS4_FORGAVE_SHORT;
                end.state = SOCKS4_CLIENT_REFUSED;
                return end;
            }
            end.state = SOCKS4_CLIENT_FAILED;
            end.error = there == 0 ? SOCKS4_E_NO_REPLY : SOCKS4_E_SHORT;
            return end;
        }
        if (at[1] != 90) {
            end.state = SOCKS4_CLIENT_REFUSED;
            return end;
        }
    }
    end.state = SOCKS4_CLIENT_OPEN;
    return end;
}

#endif
