#include "socks4/codec.h"
#include "socks4/ident.h"
#include "tests/fuzz/naive_v5.h"
#include "tests/unit/unit.h"

/* The vectors of vectors/, which other implementations may use as well:
   ours agrees with each of them. */

struct request_vector {
    const char *name;
    const char *octets;
    size_t len;
    int socks4a;
    size_t userid_max;
    ssize_t result;
    uint8_t command;
    uint16_t dstport;
    uint32_t dstip;
    const char *userid;
    size_t userid_len;
    const char *domain;
    size_t domain_len;
};

struct reply_vector {
    const char *name;
    const char *octets;
    size_t len;
    ssize_t result;
    uint8_t code;
    uint16_t dstport;
    uint32_t dstip;
};

struct ident_vector {
    const char *name;
    const char *octets;
    size_t len;
    uint16_t client_port;
    uint16_t server_port;
    ssize_t result;
    int error;
    const char *said;
    size_t said_len;
};

struct v5_vector {
    const char *name;
    enum v5_kind kind;
    const char *octets;
    size_t len;
    ssize_t result;
    uint8_t choice; /* METHOD, STATUS, CMD or REP */
    uint16_t reserved;
    uint8_t fragment;
    uint8_t type;
    uint16_t port;
    const char *text; /* methods, user, or the octets of the address */
    size_t text_len;
    const char *password;
    size_t password_len;
};

#include "vectors-table.h"

static void
assert_result(const char *name, ssize_t result, ssize_t wanted)
{
    if (result != wanted)
        fail_msg("%s: %zd, not %zd", name, result, wanted);
}

static void
assert_field(const char *field, size_t len, const char *wanted,
             size_t wanted_len)
{
    assert_int_equal(len, wanted_len);
    if (len > 0)
        assert_memory_equal(field, wanted, len);
}

/* [V4-3.1-1] [V4-3.1-2] [V4-3.1-3] [V4-3.1-7] [4A-4.2-1] [4A-4.2-2]
   [4A-4.2-3] [4A-B.4-1] */
static void
reads_each_request_as_its_vector_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(request_vectors); i++) {
        const struct request_vector *vector = &request_vectors[i];
        struct socks4_framing framing = {vector->userid_max, vector->socks4a};
        struct socks4_request request;

        assert_result(vector->name,
                      socks4_request_decode(&framing,
                                            (const uint8_t *)vector->octets,
                                            vector->len, &request),
                      vector->result);
        if (vector->result <= 0)
            continue;
        assert_int_equal(request.command, vector->command);
        assert_int_equal(request.dstport, vector->dstport);
        assert_int_equal(request.dstip, vector->dstip);
        assert_field(request.userid, request.userid_len, vector->userid,
                     vector->userid_len);
        assert_field(request.domain, request.domain_len, vector->domain,
                     vector->domain_len);
    }
}

/* What is whole is what the encoder writes. [V4-4.1-1] */
static void
writes_each_request_as_its_vector_says(void **state)
{
    uint8_t octets[2048];

    (void)state;
    for (size_t i = 0; i < COUNT(request_vectors); i++) {
        const struct request_vector *vector = &request_vectors[i];
        struct socks4_request request = {
            .command = vector->command,
            .dstport = vector->dstport,
            .dstip = vector->dstip,
            .userid = vector->userid,
            .userid_len = vector->userid_len,
            .domain = vector->domain_len > 0 ? vector->domain : NULL,
            .domain_len = vector->domain_len,
        };

        if (vector->result <= 0)
            continue;
        assert_result(vector->name,
                      socks4_request_encode(&request, octets, sizeof octets),
                      vector->result);
        assert_memory_equal(octets, vector->octets, (size_t)vector->result);
    }
}

/* [V4-3.3-1] [V4-3.3-2] [V4-3.3-3] */
static void
reads_each_reply_as_its_vector_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(reply_vectors); i++) {
        const struct reply_vector *vector = &reply_vectors[i];
        struct socks4_reply reply;

        assert_result(vector->name,
                      socks4_reply_decode((const uint8_t *)vector->octets,
                                          vector->len, &reply),
                      vector->result);
        if (vector->result <= 0)
            continue;
        assert_int_equal(reply.code, vector->code);
        assert_int_equal(reply.dstport, vector->dstport);
        assert_int_equal(reply.dstip, vector->dstip);
    }
}

/* [V4-2-4] */
static void
reads_each_ident_answer_as_its_vector_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ident_vectors); i++) {
        const struct ident_vector *vector = &ident_vectors[i];
        struct socks4_ident_query query = {vector->client_port,
                                           vector->server_port};
        struct socks4_ident_answer answer;

        assert_result(
            vector->name,
            socks4_ident_answer_decode(&query, (const uint8_t *)vector->octets,
                                       vector->len, &answer),
            vector->result);
        if (vector->result > 0 && vector->error)
            assert_field(answer.error, answer.error_len, vector->said,
                         vector->said_len);
        else if (vector->result > 0)
            assert_field(answer.userid, answer.userid_len, vector->said,
                         vector->said_len);
    }
}

static void
assert_v5_address(const struct socks4_v5_address *address,
                  const struct v5_vector *vector)
{
    const uint8_t *text = (const uint8_t *)vector->text;

    assert_int_equal(address->type, vector->type);
    assert_int_equal(address->port, vector->port);
    if (vector->type == SOCKS4_V5_NAME)
        assert_field(address->name, address->name_len, vector->text,
                     vector->text_len);
    else if (vector->type == SOCKS4_V5_IPV6)
        assert_memory_equal(address->ip6, text, 16);
    else
        assert_int_equal(address->ip4, (uint32_t)text[0] << 24 |
                                           (uint32_t)text[1] << 16 |
                                           (uint32_t)text[2] << 8 | text[3]);
}

static void
assert_v5_fields(const union v5_message *message,
                 const struct v5_vector *vector)
{
    switch (vector->kind) {
    case V5_GREETING:
        assert_field((const char *)message->greeting.methods,
                     message->greeting.methods_len, vector->text,
                     vector->text_len);
        break;
    case V5_CHOICE:
        assert_int_equal(message->choice.method, vector->choice);
        break;
    case V5_PASSWORD:
        assert_field(message->password.user, message->password.user_len,
                     vector->text, vector->text_len);
        assert_field(message->password.password, message->password.password_len,
                     vector->password, vector->password_len);
        break;
    case V5_STATUS:
        assert_int_equal(message->status.status, vector->choice);
        break;
    case V5_REQUEST:
        assert_int_equal(message->request.command, vector->choice);
        assert_int_equal(message->request.reserved, vector->reserved);
        assert_v5_address(&message->request.address, vector);
        break;
    case V5_REPLY:
        assert_int_equal(message->reply.code, vector->choice);
        assert_int_equal(message->reply.reserved, vector->reserved);
        assert_v5_address(&message->reply.address, vector);
        break;
    case V5_UDP:
        assert_int_equal(message->udp.reserved, vector->reserved);
        assert_int_equal(message->udp.fragment, vector->fragment);
        assert_v5_address(&message->udp.address, vector);
        break;
    }
}

static void
reads_each_message_of_version_5_as_its_vector_says(void **state)
{
    union v5_message message;

    (void)state;
    for (size_t i = 0; i < COUNT(v5_vectors); i++) {
        const struct v5_vector *vector = &v5_vectors[i];
        ssize_t result =
            v5_decode(vector->kind, (const uint8_t *)vector->octets,
                      vector->len, &message);

        assert_result(vector->name, result, vector->result);
        if (result > 0)
            assert_v5_fields(&message, vector);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_request_as_its_vector_says),
        cmocka_unit_test(writes_each_request_as_its_vector_says),
        cmocka_unit_test(reads_each_reply_as_its_vector_says),
        cmocka_unit_test(reads_each_ident_answer_as_its_vector_says),
        cmocka_unit_test(reads_each_message_of_version_5_as_its_vector_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
