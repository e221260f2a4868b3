#include "tests/proof/octets.h"

#include "lib/reply.c"

/*@ assigns \nothing;
  @ ensures \result == (90 <= code <= 93 ? 1 : 0);
  @*/
static int reply_knows_code(uint8_t code);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(reply);
  @ requires \separated(reply, octets + (0 .. len - 1));
  @ assigns *reply;
  @ ensures len < 1 ==> \result == 0;
  @ ensures len >= 1 && octets[0] != 0 ==> \result == SOCKS4_E_VERSION;
  @ ensures len == 1 && octets[0] == 0 ==> \result == 0;
  @ ensures len >= 2 && octets[0] == 0 && !(90 <= octets[1] <= 93) ==>
  @   \result == SOCKS4_E_CODE;
  @ ensures 2 <= len < 8 && octets[0] == 0 && 90 <= octets[1] <= 93 ==>
  @   \result == 0;
  @ ensures len >= 8 && octets[0] == 0 && 90 <= octets[1] <= 93 ==>
  @   \result == 8;
  @ ensures version: reply->version == (len < 1 ? 0 : octets[0]);
  @ ensures code: reply->code == (len < 2 || octets[0] != 0 ? 0 : octets[1]);
  @ ensures port: len >= 4 && \result >= 0 ==>
  @   reply->dstport == number16(octets + 2);
  @ ensures no_port: len < 4 || \result < 0 ==> reply->dstport == 0;
  @ ensures address: \result == 8 ==>
  @   reply->dstip == number32(octets + 4);
  @ ensures no_address: \result != 8 ==> reply->dstip == 0;
  @*/
ssize_t socks4_reply_decode(const uint8_t *octets, size_t len,
                            struct socks4_reply *reply);

/*@ requires \valid_read(reply);
  @ requires \valid(octets + (0 .. 7));
  @ requires \separated(reply, octets + (0 .. 7));
  @ assigns octets[0 .. 7];
  @ behavior code:
  @   assumes 90 <= reply->code <= 93;
  @   ensures \result == 8;
  @   ensures octets[0] == 0 && octets[1] == reply->code;
  @   ensures number16(octets + 2) == reply->dstport;
  @   ensures number32(octets + 4) == reply->dstip;
  @ behavior other:
  @   assumes !(90 <= reply->code <= 93);
  @   assigns \nothing;
  @   ensures \result == SOCKS4_E_CODE;
  @ complete behaviors;
  @ disjoint behaviors;
  @*/
ssize_t socks4_reply_encode(const struct socks4_reply *reply,
                            uint8_t octets[SOCKS4_REPLY_SIZE]);
