#include "socks4/v5_client.h"
#include "tests/unit/unit.h"

#define GO SOCKS4_V5_CLIENT_OPEN
#define NO SOCKS4_V5_CLIENT_REFUSED
#define BAD SOCKS4_V5_CLIENT_FAILED

#define HELLO "\5\1\0"
#define HELLO_LOGIN "\5\2\0\2"
#define LOGIN "\1\2me\6secret"
#define WEB "\5\1\0\1\300\0\2\120\0\120"
#define FTP "\5\2\0\1\300\0\2\25\0\25"

static const struct socks4_v5_request to_web = {
    .command = SOCKS4_V5_CONNECT,
    .address = {.type = SOCKS4_V5_IPV4, .port = 80, .ip4 = 0xc0000250}};
static const struct socks4_v5_request from_ftp = {
    .command = SOCKS4_V5_BIND,
    .address = {.type = SOCKS4_V5_IPV4, .port = 21, .ip4 = 0xc0000215}};
static const struct socks4_v5_password me = {
    .user = "me", .user_len = 2, .password = "secret", .password_len = 6};

/* What a server says, well or badly, what the client has sent by then, and
   what it comes to if the stream ends there. */
static const struct row {
    const char *name;
    const struct socks4_v5_request *request;
    const struct socks4_v5_password *login;
    const char *says;
    size_t says_len;
    const char *sent;
    size_t sent_len;
    size_t used; /* of what the server says */
    int state;
    int error;
    int code;
} rows[] = {
#define ROW(name, request, login, says, sent, used, state, error, code)        \
    {                                                                          \
        name, request, login, says, sizeof(says) - 1, sent, sizeof(sent) - 1,  \
            used, state, error, code                                           \
    }
    ROW("granted", &to_web, NULL, "\5\0\5\0\0\1\300\0\2\1\234\100SSH",
        HELLO WEB, 12, GO, 0, 0),
    ROW("granted, no login wanted", &to_web, &me,
        "\5\0\5\0\0\1\300\0\2\1\234\100", HELLO_LOGIN WEB, 12, GO, 0, 0),
    ROW("granted with a login", &to_web, &me,
        "\5\2\1\0\5\0\0\1\300\0\2\1\234\100", HELLO_LOGIN LOGIN WEB, 14, GO, 0,
        0),
    ROW("status of version 5", &to_web, &me,
        "\5\2\5\0\5\0\0\1\300\0\2\1\234\100", HELLO_LOGIN LOGIN WEB, 14, GO, 0,
        0),
    ROW("granted by name", &to_web, NULL, "\5\0\5\0\0\3\2gw\0\1x", HELLO WEB,
        11, GO, 0, 0),
    ROW("granted over IPv6", &to_web, NULL,
        "\5\0\5\0\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0\1x", HELLO WEB, 24,
        GO, 0, 0),
    ROW("bind", &from_ftp, NULL,
        "\5\0\5\0\0\1\300\0\2\1\234\100\5\0\0\1\300\0\2\25\0\24"
        "220",
        HELLO FTP, 22, GO, 0, 0),
    ROW("bind, nobody came", &from_ftp, NULL,
        "\5\0\5\0\0\1\300\0\2\1\234\100\5\6\0\1\0\0\0\0\0\0", HELLO FTP, 22, NO,
        0, 6),
    ROW("bind, the end", &from_ftp, NULL, "\5\0\5\0\0\1\300\0\2\1\234\100",
        HELLO FTP, 12, BAD, SOCKS4_E_NO_REPLY, 0),
    ROW("refused", &to_web, NULL, "\5\0\5\2\0\1\0\0\0\0\0\0", HELLO WEB, 12, NO,
        0, 2),
    ROW("refused with a code that is not assigned", &to_web, NULL,
        "\5\0\5\133\0\1\0\0\0\0\0\0", HELLO WEB, 12, NO, 0, 91),
    ROW("refused without an address", &to_web, NULL, "\5\0\5\5\0\0x", HELLO WEB,
        6, NO, 0, 5),
    ROW("refused and cut", &to_web, NULL, "\5\0\5\5", HELLO WEB, 4, NO, 0, 5),
    ROW("granted and cut", &to_web, NULL, "\5\0\5\0\0\1\300", HELLO WEB, 7, BAD,
        SOCKS4_E_SHORT, 0),
    ROW("granted without an address", &to_web, NULL, "\5\0\5\0\0\0", HELLO WEB,
        6, BAD, SOCKS4_E_V5_TYPE, 0),
    ROW("no method", &to_web, &me, "\5\377", HELLO_LOGIN, 2, NO,
        SOCKS4_E_V5_UNACCEPTABLE, 0),
    ROW("a method that was not offered", &to_web, &me, "\5\1", HELLO_LOGIN, 2,
        BAD, SOCKS4_E_V5_METHOD, 0),
    ROW("a login that there is not", &to_web, NULL, "\5\2\1\0", HELLO, 2, BAD,
        SOCKS4_E_V5_METHOD, 0),
    ROW("a wrong password", &to_web, &me, "\5\2\1\1", HELLO_LOGIN LOGIN, 4, NO,
        SOCKS4_E_V5_DENIED, 0),
    ROW("status of version 0", &to_web, &me, "\5\2\0\0", HELLO_LOGIN LOGIN, 3,
        BAD, SOCKS4_E_V5_PASSWORD_VERSION, 0),
    ROW("nothing", &to_web, NULL, "", HELLO, 0, BAD, SOCKS4_E_NO_REPLY, 0),
    ROW("SOCKS 4", &to_web, NULL, "\0\133\0\0\0\0\0\0", HELLO, 1, BAD,
        SOCKS4_E_V5_VERSION, 0),
    ROW("HTTP", &to_web, NULL, "HTTP/1.0 400", HELLO, 1, BAD,
        SOCKS4_E_V5_VERSION, 0),
};

static uint8_t room[SOCKS4_V5_CLIENT_ROOM];

/* Sends what there is to send, at most `step` octets at once. */
static void
send_all(struct socks4_v5_client *client, uint8_t sent[600], size_t *len,
         size_t step)
{
    const uint8_t *octets;
    size_t unsent;

    while ((unsent = socks4_v5_client_unsent(client, &octets)) > 0) {
        size_t count = unsent < step ? unsent : step;

        memcpy(sent + *len, octets, count);
        *len += count;
        socks4_v5_client_sent(client, count);
    }
}

/* The stream in two pieces, cut at every place; then its end. */
static void
comes_to_the_same_however_it_is_split(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 600);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];

        for (size_t cut = 0; cut <= row->says_len; cut++) {
            struct socks4_v5_client client;
            uint8_t sent[600];
            size_t len = 0, used = 0;

            assert_int_equal(
                socks4_v5_client_start(&client, row->request, row->login, room),
                0);
            for (int piece = 0; piece < 2; piece++) {
                size_t end = piece == 0 ? cut : row->says_len;
                const uint8_t *at =
                    guard_put(&guard, (const uint8_t *)row->says, end);
                size_t took = 1;

                while (took > 0) {
                    send_all(&client, sent, &len, 1 + cut % 5);
                    took = used < end ? socks4_v5_client_take(
                                            &client, at + used, end - used)
                                      : 0;
                    used += took;
                }
            }
            send_all(&client, sent, &len, 600);
            socks4_v5_client_end(&client);
            if (client.state != row->state || client.error != row->error ||
                client.code != row->code || used != row->used)
                fail_msg("%s, cut at %zu: state %d, error %d, code %d, used "
                         "%zu",
                         row->name, cut, client.state, client.error,
                         client.code, used);
            assert_int_equal(len, row->sent_len);
            assert_int_equal(client.method,
                             row->used < 2 ? 255 : row->says[1] & 0xff);
            assert_memory_equal(sent, row->sent, len);
            assert_int_equal(socks4_v5_client_wants(&client), 0);
        }
    }
    guard_fini(&guard);
}

/* A caller that reads no more than it is told finds the application's first
   octet behind the reply. */
static void
wants_no_octet_behind_a_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct socks4_v5_client client;
        uint8_t sent[600];
        size_t len = 0, used = 0, wanted;

        socks4_v5_client_start(&client, row->request, row->login, room);
        while ((wanted = socks4_v5_client_wants(&client)) > 0) {
            send_all(&client, sent, &len, 600);
            if (wanted > row->says_len - used)
                wanted = row->says_len - used;
            if (wanted == 0)
                break;
            assert_true(socks4_v5_client_take(&client,
                                              (const uint8_t *)row->says + used,
                                              wanted) > 0);
            used += wanted;
        }
        if (row->state == GO)
            assert_int_equal(used, row->used);
    }
}

static void
says_where_the_peer_of_a_bind_may_come(void **state)
{
    static const uint8_t says[] = "\5\0\5\0\0\1\300\0\2\1\234\100"
                                  "\5\0\0\1\300\0\2\25\0\24";
    struct socks4_v5_client client;
    uint8_t sent[600];
    size_t len = 0;

    (void)state;
    socks4_v5_client_start(&client, &from_ftp, NULL, room);
    send_all(&client, sent, &len, 600);
    assert_int_equal(socks4_v5_client_take(&client, says, 22), 2);
    send_all(&client, sent, &len, 600);
    assert_int_equal(socks4_v5_client_take(&client, says + 2, 20), 10);
    assert_int_equal(client.state, SOCKS4_V5_CLIENT_PEER);
    assert_int_equal(client.bound.ip4, 0xc0000201);
    assert_int_equal(client.bound.port, 40000);
    assert_int_equal(socks4_v5_client_take(&client, says + 12, 10), 10);
    assert_int_equal(client.state, SOCKS4_V5_CLIENT_OPEN);
    assert_int_equal(client.bound.ip4, 0xc0000215);
}

static void
takes_a_refusal_and_nothing_else_before_all_is_sent(void **state)
{
    static const struct {
        const char *says;
        size_t len;
        int state, error;
    } early[] = {
        {"\5\0", 2, BAD, SOCKS4_E_EARLY},
        {"\5\377", 2, NO, SOCKS4_E_V5_UNACCEPTABLE},
        {"\0", 1, BAD, SOCKS4_E_V5_VERSION},
    };
    static const uint8_t choice[] = {5, 2}, granted[] = {1, 0},
                         denied[] = {1, 9};
    struct socks4_v5_client client;
    const uint8_t *octets;

    (void)state;
    for (size_t i = 0; i < COUNT(early); i++) {
        socks4_v5_client_start(&client, &to_web, &me, room);
        socks4_v5_client_sent(&client, 3);
        socks4_v5_client_take(&client, (const uint8_t *)early[i].says,
                              early[i].len);
        assert_int_equal(client.state, early[i].state);
        assert_int_equal(client.error, early[i].error);
        assert_int_equal(socks4_v5_client_unsent(&client, &octets), 0);
    }
    for (int good = 0; good < 2; good++) {
        socks4_v5_client_start(&client, &to_web, &me, room);
        socks4_v5_client_sent(&client, 4);
        socks4_v5_client_take(&client, choice, 2);
        socks4_v5_client_take(&client, good ? granted : denied, 2);
        assert_int_equal(client.error,
                         good ? SOCKS4_E_EARLY : SOCKS4_E_V5_DENIED);
    }
}

static int
has_secret(void)
{
    for (size_t i = 0; i + 6 <= sizeof room; i++)
        if (memcmp(room + i, "secret", 6) == 0)
            return 1;
    return 0;
}

static void
keeps_the_password_no_longer_than_it_takes_to_send_it(void **state)
{
    static const uint8_t choice[] = {5, 2}, denied[] = {1, 1};
    struct socks4_v5_client client;
    const uint8_t *octets;

    (void)state;
    for (int how = 0; how < 4; how++) {
        socks4_v5_client_start(&client, &to_web, &me, room);
        assert_false(has_secret());
        socks4_v5_client_sent(&client, 4);
        socks4_v5_client_take(&client, choice, 2);
        assert_true(has_secret());
        if (how == 0)
            socks4_v5_client_sent(&client,
                                  socks4_v5_client_unsent(&client, &octets));
        else if (how == 1)
            socks4_v5_client_take(&client, denied, 2);
        else if (how == 2)
            socks4_v5_client_end(&client);
        else
            socks4_v5_client_wipe(&client);
        assert_false(has_secret());
    }
}

static void
says_at_the_start_what_cannot_be_sent(void **state)
{
    struct socks4_v5_request request = to_web;
    struct socks4_v5_password login = me;
    struct socks4_v5_client client;
    const uint8_t *octets;

    (void)state;
    request.address.type = 2;
    assert_int_equal(socks4_v5_client_start(&client, &request, &me, room),
                     SOCKS4_E_V5_TYPE);
    assert_int_equal(client.state, SOCKS4_V5_CLIENT_FAILED);
    assert_int_equal(socks4_v5_client_unsent(&client, &octets), 0);
    assert_int_equal(socks4_v5_client_wants(&client), 0);
    login.password_len = 0;
    assert_int_equal(socks4_v5_client_start(&client, &to_web, &login, room),
                     SOCKS4_E_V5_PASSWORD);
    assert_int_equal(client.error, SOCKS4_E_V5_PASSWORD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_to_the_same_however_it_is_split),
        cmocka_unit_test(wants_no_octet_behind_a_reply),
        cmocka_unit_test(says_where_the_peer_of_a_bind_may_come),
        cmocka_unit_test(takes_a_refusal_and_nothing_else_before_all_is_sent),
        cmocka_unit_test(keeps_the_password_no_longer_than_it_takes_to_send_it),
        cmocka_unit_test(says_at_the_start_what_cannot_be_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
