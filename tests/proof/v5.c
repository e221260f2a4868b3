#include "tests/proof/v5_text.h"

#include "socks4/v5.h"

/*@ predicate is_zero(struct socks4_v5_address *address) =
  @   address->type == 0 && address->port == 0 && address->ip4 == 0 &&
  @   address->name == \null && address->name_len == 0 &&
  @   \forall integer i; 0 <= i < 16 ==> address->ip6[i] == 0;
  @*/

/*@ requires \valid(request);
  @ assigns *request;
  @ ensures request->version == 0 && request->command == 0;
  @ ensures request->reserved == 0 && is_zero(&request->address);
  @*/
void proof_clear_request(struct socks4_v5_request *request);

/*@ requires \valid(reply);
  @ assigns *reply;
  @ ensures reply->version == 0 && reply->code == 0;
  @ ensures reply->reserved == 0 && is_zero(&reply->address);
  @*/
void proof_clear_reply(struct socks4_v5_reply *reply);

/*@ requires \valid(udp);
  @ assigns *udp;
  @ ensures udp->reserved == 0 && udp->fragment == 0;
  @ ensures is_zero(&udp->address);
  @*/
void proof_clear_udp(struct socks4_v5_udp *udp);

#include "lib/v5.c"

/*
 * What the decoder of an address answers: `answer` and the length of the name
 * as a relation of the octets.
 */

/*@ predicate reads_name(uint8_t *o, integer len, integer from, integer size,
  @                      integer answer, integer name_len) =
  @   0 <= name_len <= size && from + name_len <= len &&
  @   no_nul(o, from, name_len) &&
  @   (answer == 0 ==> (name_len < size && from + name_len == len) ||
  @     (name_len == size && len < from + size + 2)) &&
  @   (answer == SOCKS4_E_NUL ==> name_len < size && from + name_len < len &&
  @     o[from + name_len] == 0) &&
  @   (answer > 0 ==> name_len == size && answer == from + size + 2 &&
  @     answer <= len) &&
  @   (answer >= 0 || answer == SOCKS4_E_NUL);
  @
  @ predicate reads_address(uint8_t *o, integer len, integer at,
  @                         integer answer, integer name_len) =
  @   (len <= at ==> answer == 0) &&
  @   (len > at && o[at] == SOCKS4_V5_IPV4 ==>
  @     answer == (len < at + 7 ? 0 : at + 7)) &&
  @   (len > at && o[at] == SOCKS4_V5_IPV6 ==>
  @     answer == (len < at + 19 ? 0 : at + 19)) &&
  @   (len > at && o[at] != SOCKS4_V5_IPV4 && o[at] != SOCKS4_V5_IPV6 &&
  @     o[at] != SOCKS4_V5_NAME ==> answer == SOCKS4_E_V5_TYPE) &&
  @   (len == at + 1 && o[at] == SOCKS4_V5_NAME ==> answer == 0) &&
  @   (len > at + 1 && o[at] == SOCKS4_V5_NAME && o[at + 1] == 0 ==>
  @     answer == SOCKS4_E_DOMAIN_EMPTY) &&
  @   (len > at + 1 && o[at] == SOCKS4_V5_NAME && o[at + 1] > 0 ==>
  @     reads_name(o, len, at + 2, o[at + 1], answer, name_len));
  @
  @ predicate has_address(uint8_t *o, integer len, integer at, integer answer,
  @                       struct socks4_v5_address *address) =
  @   address->type == (len > at ? o[at] : 0) &&
  @   (address->type != SOCKS4_V5_NAME ==>
  @     address->name == \null && address->name_len == 0) &&
  @   (address->type == SOCKS4_V5_NAME && len > at + 1 && o[at + 1] > 0 ==>
  @     address->name == o + at + 2) &&
  @   (address->type == SOCKS4_V5_IPV4 && len >= at + 5 ==>
  @     address->ip4 == number32(o + (at + 1))) &&
  @   (address->type != SOCKS4_V5_IPV4 || len < at + 5 ==>
  @     address->ip4 == 0) &&
  @   (address->type == SOCKS4_V5_IPV6 && len >= at + 17 ==>
  @     \forall integer i; 0 <= i < 16 ==>
  @       address->ip6[i] == o[at + 1 + i]) &&
  @   (answer > 0 ==> address->port == number16(o + (answer - 2))) &&
  @   (answer <= 0 ==> address->port == 0);
  @*/

/*@ requires len <= SSIZE_MAX;
  @ requires at == 3;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(address);
  @ requires \separated(address, octets + (0 .. len - 1));
  @ requires is_zero(address);
  @ assigns *address;
  @ ensures bound: \result <= len;
  @ ensures relation: reads_address(octets, len, at, \result,
  @   address->name_len);
  @ ensures fields: has_address(octets, len, at, \result, address);
  @*/
static ssize_t v5_read_address(const uint8_t *octets, size_t len, size_t at,
                               struct socks4_v5_address *address);

/*@ predicate readable(struct socks4_v5_address *address) =
  @   \valid_read(address) && (address->type == SOCKS4_V5_NAME ==>
  @     \valid_read(address->name + (0 .. address->name_len - 1)));
  @
  @ predicate sound(struct socks4_v5_address *address) =
  @   address->type == SOCKS4_V5_IPV4 || address->type == SOCKS4_V5_IPV6 ||
  @   (address->type == SOCKS4_V5_NAME && 1 <= address->name_len <= 255 &&
  @     no_nul(address->name, 0, address->name_len));
  @
  @ logic integer size_of(struct socks4_v5_address *address) =
  @   address->type == SOCKS4_V5_IPV4 ? 7 :
  @   address->type == SOCKS4_V5_IPV6 ? 19 : 4 + address->name_len;
  @*/

/*@ requires readable(address);
  @ assigns \nothing;
  @ ensures sound: sound(address) ==> \result == size_of(address);
  @ ensures fault: !sound(address) ==> \result < 0;
  @*/
static ssize_t v5_address_size(const struct socks4_v5_address *address);

/*@ requires readable(address);
  @ requires \valid_read(head + (0 .. 2));
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), head + (0 .. 2));
  @ requires \separated(octets + (0 .. room - 1), address);
  @ requires address->type == SOCKS4_V5_NAME ==>
  @   \separated(octets + (0 .. room - 1),
  @     address->name + (0 .. address->name_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures bound: \result <= room;
  @ ensures fault: !\old(sound(address)) ==> \result < 0;
  @ ensures room: \old(sound(address)) ==>
  @   \result == (room < 3 + \old(size_of(address)) ? SOCKS4_E_ROOM :
  @     3 + \old(size_of(address)));
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures head: \result > 0 ==> octets[0] == \old(head[0]) &&
  @   octets[1] == \old(head[1]) && octets[2] == \old(head[2]);
  @ ensures type: \result > 0 ==> octets[3] == \old(address->type);
  @*/
static ssize_t v5_write(const uint8_t head[3],
                        const struct socks4_v5_address *address,
                        uint8_t *octets, size_t room);

/*@ assigns \nothing;
  @ ensures \result == (1 <= command <= 3 ? 1 : 0);
  @*/
static int v5_knows_command(uint8_t command);

/*@ predicate reads_request(uint8_t *o, integer len, integer answer,
  @                         integer name_len) =
  @   (len < 1 ==> answer == 0) &&
  @   (len >= 1 && o[0] != 5 ==> answer == SOCKS4_E_V5_VERSION) &&
  @   (len == 1 && o[0] == 5 ==> answer == 0) &&
  @   (len >= 2 && o[0] == 5 && !(1 <= o[1] <= 3) ==>
  @     answer == SOCKS4_E_V5_COMMAND) &&
  @   (len >= 2 && o[0] == 5 && 1 <= o[1] <= 3 ==>
  @     reads_address(o, len, 3, answer, name_len));
  @
  @ predicate reads_reply(uint8_t *o, integer len, integer answer,
  @                       integer name_len) =
  @   (len < 1 ==> answer == 0) &&
  @   (len >= 1 && o[0] != 5 ==> answer == SOCKS4_E_V5_VERSION) &&
  @   (len >= 1 && o[0] == 5 ==> reads_address(o, len, 3, answer, name_len));
  @*/

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(request);
  @ requires \separated(request, octets + (0 .. len - 1));
  @ assigns *request;
  @ ensures bound: \result <= len;
  @ ensures relation: reads_request(octets, len, \result,
  @   request->address.name_len);
  @ ensures version: request->version == (len < 1 ? 0 : octets[0]);
  @ ensures command:
  @   request->command == (len < 2 || octets[0] != 5 ? 0 : octets[1]);
  @ ensures reserved: request->reserved ==
  @   (len < 3 || octets[0] != 5 || !(1 <= octets[1] <= 3) ? 0 : octets[2]);
  @ ensures address: len >= 2 && octets[0] == 5 && 1 <= octets[1] <= 3 ==>
  @   has_address(octets, len, 3, \result, &request->address);
  @ ensures no_address: len < 3 || octets[0] != 5 || !(1 <= octets[1] <= 3) ==>
  @   is_zero(&request->address);
  @*/
ssize_t socks4_v5_request_decode(const uint8_t *octets, size_t len,
                                 struct socks4_v5_request *request);

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(reply);
  @ requires \separated(reply, octets + (0 .. len - 1));
  @ assigns *reply;
  @ ensures bound: \result <= len;
  @ ensures relation: reads_reply(octets, len, \result,
  @   reply->address.name_len);
  @ ensures version: reply->version == (len < 1 ? 0 : octets[0]);
  @ ensures code: reply->code == (len < 2 || octets[0] != 5 ? 0 : octets[1]);
  @ ensures reserved:
  @   reply->reserved == (len < 3 || octets[0] != 5 ? 0 : octets[2]);
  @ ensures address: len >= 1 && octets[0] == 5 ==>
  @   has_address(octets, len, 3, \result, &reply->address);
  @ ensures no_address: len < 3 || octets[0] != 5 ==>
  @   is_zero(&reply->address);
  @*/
ssize_t socks4_v5_reply_decode(const uint8_t *octets, size_t len,
                               struct socks4_v5_reply *reply);

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(udp);
  @ requires \separated(udp, octets + (0 .. len - 1));
  @ assigns *udp;
  @ ensures bound: \result <= len;
  @ ensures relation: reads_address(octets, len, 3, \result,
  @   udp->address.name_len);
  @ ensures reserved: udp->reserved == (len < 2 ? 0 : number16(octets));
  @ ensures fragment: udp->fragment == (len < 3 ? 0 : octets[2]);
  @ ensures address: has_address(octets, len, 3, \result, &udp->address);
  @*/
ssize_t socks4_v5_udp_decode(const uint8_t *octets, size_t len,
                             struct socks4_v5_udp *udp);

/*@ lemma name_ends: \forall uint8_t *o, integer from, n, m;
  @   no_nul(o, from, n) ==> 0 <= m ==> o[from + m] == 0 ==> n <= m;
  @
  @ lemma split_address: \forall uint8_t *o, integer len, more, at, answer,
  @     again, name_len, name_len2;
  @   0 <= at ==> 0 <= len <= more ==> answer != 0 ==>
  @   reads_address(o, len, at, answer, name_len) ==>
  @   reads_address(o, more, at, again, name_len2) ==> answer == again;
  @
  @ lemma split_request: \forall uint8_t *o, integer len, more, answer, again,
  @     name_len, name_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   reads_request(o, len, answer, name_len) ==>
  @   reads_request(o, more, again, name_len2) ==> answer == again;
  @
  @ lemma split_reply: \forall uint8_t *o, integer len, more, answer, again,
  @     name_len, name_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   reads_reply(o, len, answer, name_len) ==>
  @   reads_reply(o, more, again, name_len2) ==> answer == again;
  @*/

/*@ requires \valid_read(request) && readable(&request->address);
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), request);
  @ requires request->address.type == SOCKS4_V5_NAME ==>
  @   \separated(octets + (0 .. room - 1),
  @     request->address.name + (0 .. request->address.name_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures bound: \result <= room;
  @ ensures command: !(1 <= \old(request->command) <= 3) ==>
  @   \result == SOCKS4_E_V5_COMMAND;
  @ ensures fault: !\old(sound(&request->address)) ==> \result < 0;
  @ ensures room: 1 <= \old(request->command) <= 3 &&
  @   \old(sound(&request->address)) ==> \result ==
  @     (room < 3 + \old(size_of(&request->address)) ? SOCKS4_E_ROOM :
  @       3 + \old(size_of(&request->address)));
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures head: \result > 0 ==> octets[0] == 5 &&
  @   octets[1] == \old(request->command) && octets[2] == 0;
  @*/
ssize_t socks4_v5_request_encode(const struct socks4_v5_request *request,
                                 uint8_t *octets, size_t room);

/*@ requires \valid_read(reply) && readable(&reply->address);
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), reply);
  @ requires reply->address.type == SOCKS4_V5_NAME ==>
  @   \separated(octets + (0 .. room - 1),
  @     reply->address.name + (0 .. reply->address.name_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures bound: \result <= room;
  @ ensures code: \old(reply->code) > 8 ==> \result == SOCKS4_E_V5_CODE;
  @ ensures fault: !\old(sound(&reply->address)) ==> \result < 0;
  @ ensures room: \old(reply->code) <= 8 &&
  @   \old(sound(&reply->address)) ==> \result ==
  @     (room < 3 + \old(size_of(&reply->address)) ? SOCKS4_E_ROOM :
  @       3 + \old(size_of(&reply->address)));
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures head: \result > 0 ==> octets[0] == 5 &&
  @   octets[1] == \old(reply->code) && octets[2] == 0;
  @*/
ssize_t socks4_v5_reply_encode(const struct socks4_v5_reply *reply,
                               uint8_t *octets, size_t room);

/*@ requires \valid_read(udp) && readable(&udp->address);
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), udp);
  @ requires udp->address.type == SOCKS4_V5_NAME ==>
  @   \separated(octets + (0 .. room - 1),
  @     udp->address.name + (0 .. udp->address.name_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures bound: \result <= room;
  @ ensures fault: !\old(sound(&udp->address)) ==> \result < 0;
  @ ensures room: \old(sound(&udp->address)) ==> \result ==
  @     (room < 3 + \old(size_of(&udp->address)) ? SOCKS4_E_ROOM :
  @       3 + \old(size_of(&udp->address)));
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures head: \result > 0 ==> octets[0] == 0 && octets[1] == 0 &&
  @   octets[2] == \old(udp->fragment);
  @*/
ssize_t socks4_v5_udp_encode(const struct socks4_v5_udp *udp, uint8_t *octets,
                             size_t room);
