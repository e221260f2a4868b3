#include "tests/proof/v5_text.h"

#include "socks4/v5.h"

/*@ requires \valid(greeting);
  @ assigns *greeting;
  @ ensures greeting->version == 0 && greeting->count == 0;
  @ ensures greeting->methods == \null && greeting->methods_len == 0;
  @*/
void proof_clear_greeting(struct socks4_v5_greeting *greeting);

/*@ requires \valid(choice);
  @ assigns *choice;
  @ ensures choice->version == 0 && choice->method == 0;
  @*/
void proof_clear_choice(struct socks4_v5_choice *choice);

/*@ requires \valid(password);
  @ assigns *password;
  @ ensures password->version == 0;
  @ ensures password->user == \null && password->user_len == 0;
  @ ensures password->password == \null && password->password_len == 0;
  @*/
void proof_clear_password(struct socks4_v5_password *password);

/*@ requires \valid(status);
  @ assigns *status;
  @ ensures status->version == 0 && status->status == 0;
  @*/
void proof_clear_status(struct socks4_v5_status *status);

#include "lib/v5_method.c"

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(greeting);
  @ requires \separated(greeting, octets + (0 .. len - 1));
  @ assigns *greeting;
  @ ensures empty: len < 1 ==> \result == 0;
  @ ensures wrong: len >= 1 && octets[0] != 5 ==>
  @   \result == SOCKS4_E_V5_VERSION;
  @ ensures head: len == 1 && octets[0] == 5 ==> \result == 0;
  @ ensures list: len >= 2 && octets[0] == 5 ==>
  @   \result == (len < 2 + octets[1] ? 0 : 2 + octets[1]);
  @ ensures version: greeting->version == (len < 1 ? 0 : octets[0]);
  @ ensures count:
  @   greeting->count == (len < 2 || octets[0] != 5 ? 0 : octets[1]);
  @ ensures methods: len >= 2 && octets[0] == 5 ==>
  @   greeting->methods == octets + 2 && greeting->methods_len ==
  @     (len < 2 + octets[1] ? len - 2 : octets[1]);
  @ ensures no_methods: len < 2 || octets[0] != 5 ==>
  @   greeting->methods == \null && greeting->methods_len == 0;
  @*/
ssize_t socks4_v5_greeting_decode(const uint8_t *octets, size_t len,
                                  struct socks4_v5_greeting *greeting);

/*@ requires \valid_read(greeting);
  @ requires \valid_read(greeting->methods +
  @   (0 .. greeting->methods_len - 1));
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), greeting);
  @ requires \separated(octets + (0 .. room - 1),
  @   greeting->methods + (0 .. greeting->methods_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures count: !(1 <= \old(greeting->methods_len) <= 255) ==>
  @   \result == SOCKS4_E_V5_METHODS;
  @ ensures room: 1 <= \old(greeting->methods_len) <= 255 ==>
  @   \result == (room < 2 + \old(greeting->methods_len) ? SOCKS4_E_ROOM :
  @     2 + \old(greeting->methods_len));
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures head: \result > 0 ==> octets[0] == 5 &&
  @   octets[1] == \old(greeting->methods_len);
  @*/
ssize_t socks4_v5_greeting_encode(const struct socks4_v5_greeting *greeting,
                                  uint8_t *octets, size_t room);

/*@ requires \valid_read(greeting);
  @ requires \valid_read(greeting->methods +
  @   (0 .. greeting->methods_len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 <==> \forall integer i;
  @   0 <= i < greeting->methods_len ==> greeting->methods[i] != method;
  @*/
int socks4_v5_offers(const struct socks4_v5_greeting *greeting, int method);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(choice);
  @ requires \separated(choice, octets + (0 .. len - 1));
  @ assigns *choice;
  @ ensures empty: len < 1 ==> \result == 0;
  @ ensures wrong: len >= 1 && octets[0] != 5 ==>
  @   \result == SOCKS4_E_V5_VERSION;
  @ ensures whole: len >= 1 && octets[0] == 5 ==>
  @   \result == (len < 2 ? 0 : 2);
  @ ensures version: choice->version == (len < 1 ? 0 : octets[0]);
  @ ensures method:
  @   choice->method == (len < 2 || octets[0] != 5 ? 0 : octets[1]);
  @*/
ssize_t socks4_v5_choice_decode(const uint8_t *octets, size_t len,
                                struct socks4_v5_choice *choice);

/*@ requires \valid(octets + (0 .. 1));
  @ assigns octets[0 .. 1];
  @ ensures \result == 2 && octets[0] == 5 && octets[1] == method;
  @*/
ssize_t socks4_v5_choice_encode(uint8_t method,
                                uint8_t octets[SOCKS4_V5_CHOICE_SIZE]);

/*
 * What the decoder of user name and password answers, as a relation of the
 * octets.
 */

/*@ predicate reads_text(uint8_t *o, integer len, integer from, integer size,
  @                      integer text_len) =
  @   0 <= text_len <= size && from + text_len <= len &&
  @   no_nul(o, from, text_len) &&
  @   (text_len < size ==> from + text_len == len || o[from + text_len] == 0);
  @
  @ predicate reads_secret(uint8_t *o, integer len, integer from, integer size,
  @                        integer answer, integer text_len) =
  @   reads_text(o, len, from, size, text_len) &&
  @   (text_len == size ==> answer == from + size) &&
  @   (text_len < size && from + text_len == len ==> answer == 0) &&
  @   (text_len < size && from + text_len < len ==> answer == SOCKS4_E_NUL);
  @
  @ predicate reads_password(uint8_t *o, integer len, integer answer,
  @                          integer user_len, integer secret_len) =
  @   (len < 1 ==> answer == 0) &&
  @   (len >= 1 && o[0] != 1 ==> answer == SOCKS4_E_V5_PASSWORD_VERSION) &&
  @   (len == 1 && o[0] == 1 ==> answer == 0) &&
  @   (len >= 2 && o[0] == 1 ==> reads_text(o, len, 2, o[1], user_len) &&
  @     (user_len < o[1] && 2 + user_len == len ==> answer == 0) &&
  @     (user_len < o[1] && 2 + user_len < len ==> answer == SOCKS4_E_NUL) &&
  @     (user_len == o[1] && 2 + user_len == len ==> answer == 0) &&
  @     (user_len == o[1] && 2 + user_len < len ==>
  @       reads_secret(o, len, 3 + o[1], o[2 + o[1]], answer, secret_len)));
  @*/

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(password);
  @ requires \separated(password, octets + (0 .. len - 1));
  @ assigns *password;
  @ ensures bound: \result <= len;
  @ ensures relation: reads_password(octets, len, \result,
  @   password->user_len, password->password_len);
  @ ensures version: password->version == (len < 1 ? 0 : octets[0]);
  @ ensures user: len >= 2 && octets[0] == 1 ==> password->user == octets + 2;
  @ ensures password: password->password != \null ==>
  @   password->password == octets + (3 + octets[1]);
  @ ensures whole: \result > 0 ==> password->password != \null &&
  @   password->user_len == octets[1] &&
  @   password->password_len == octets[2 + octets[1]] &&
  @   \result == 3 + password->user_len + password->password_len;
  @*/
ssize_t socks4_v5_password_decode(const uint8_t *octets, size_t len,
                                  struct socks4_v5_password *password);

/*@ lemma text_ends: \forall uint8_t *o, integer from, n, m;
  @   no_nul(o, from, n) ==> 0 <= m ==> o[from + m] == 0 ==> n <= m;
  @
  @ lemma split_text: \forall uint8_t *o, integer len, more, from, size,
  @     text_len, text_len2;
  @   0 <= from ==> 0 <= len <= more ==>
  @   reads_text(o, len, from, size, text_len) ==>
  @   reads_text(o, more, from, size, text_len2) ==>
  @   text_len == size || from + text_len < len ==> text_len == text_len2;
  @
  @ lemma split_password: \forall uint8_t *o, integer len, more, answer, again,
  @     user_len, user_len2, secret_len, secret_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   reads_password(o, len, answer, user_len, secret_len) ==>
  @   reads_password(o, more, again, user_len2, secret_len2) ==>
  @   answer == again;
  @*/

/*@ requires \valid_read(password);
  @ requires \valid_read(password->user + (0 .. password->user_len - 1));
  @ requires \valid_read(password->password +
  @   (0 .. password->password_len - 1));
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), password);
  @ requires \separated(octets + (0 .. room - 1),
  @   password->user + (0 .. password->user_len - 1));
  @ requires \separated(octets + (0 .. room - 1),
  @   password->password + (0 .. password->password_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures bound: \result <= room;
  @ ensures length: \result > 0 ==>
  @   \result == 3 + \old(password->user_len + password->password_len);
  @ ensures user: !(1 <= \old(password->user_len) <= 255) ==>
  @   \result == SOCKS4_E_V5_USER;
  @ ensures password: 1 <= \old(password->user_len) <= 255 &&
  @   !(1 <= \old(password->password_len) <= 255) ==>
  @   \result == SOCKS4_E_V5_PASSWORD;
  @ ensures total: \result != 0;
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures head: \result > 0 ==> octets[0] == 1 &&
  @   octets[1] == \old(password->user_len);
  @*/
ssize_t socks4_v5_password_encode(const struct socks4_v5_password *password,
                                  uint8_t *octets, size_t room);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(status);
  @ requires \separated(status, octets + (0 .. len - 1));
  @ assigns *status;
  @ ensures empty: len < 1 ==> \result == 0;
  @ ensures wrong: len >= 1 && octets[0] != 1 && octets[0] != 5 ==>
  @   \result == SOCKS4_E_V5_PASSWORD_VERSION;
  @ ensures whole: len >= 1 && (octets[0] == 1 || octets[0] == 5) ==>
  @   \result == (len < 2 ? 0 : 2);
  @ ensures version: status->version == (len < 1 ? 0 : octets[0]);
  @ ensures status: status->status ==
  @   (len < 2 || (octets[0] != 1 && octets[0] != 5) ? 0 : octets[1]);
  @*/
ssize_t socks4_v5_status_decode(const uint8_t *octets, size_t len,
                                struct socks4_v5_status *status);

/*@ requires \valid(octets + (0 .. 1));
  @ assigns octets[0 .. 1];
  @ ensures \result == 2 && octets[0] == 1 && octets[1] == status;
  @*/
ssize_t socks4_v5_status_encode(uint8_t status,
                                uint8_t octets[SOCKS4_V5_STATUS_SIZE]);
