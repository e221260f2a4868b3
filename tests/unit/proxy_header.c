#include "gateway/worker/proxy_header.h"

#include "tests/unit/unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* 192.0.2.7:40123 to 198.51.100.1:1080 */
#define FOUR "\xc0\0\2\7\xc6\x33\x64\1\x9c\xbb\4\x38"
/* [2001:db8::7]:40123 to [2001:db8::1]:1080 */
#define SIX                                                                    \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7"                                    \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x9c\xbb\4\x38"
/* ::ffff:192.0.2.7 to ::ffff:198.51.100.1 */
#define MAPPED                                                                 \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7"                                   \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\1\x9c\xbb\4\x38"
#define PATHS_54 "/run/a socket of some program on the balancer itself.."
#define PATHS PATHS_54 PATHS_54 PATHS_54 PATHS_54

#define V4 "192.0.2.7:40123", "198.51.100.1:1080"
#define V6 "[2001:db8::7]:40123", "[2001:db8::1]:1080"
#define NONE NULL, NULL

/* Octets, the answer, how many octets make it certain, the addresses, and the
   name in the certificate, if that was verified. */
static const struct row {
    const char *what;
    const char *octets;
    size_t len;
    ssize_t result;
    size_t certain;
    const char *source, *dest;
    const char *name;
} rows[] = {
#define ALL 0 /* as many as there are */
#define ROW(what, octets, result, certain, ...)                                \
    {                                                                          \
        what, octets, sizeof(octets) - 1, result, certain, __VA_ARGS__         \
    }
#define FAULT(what, octets, error, certain)                                    \
    ROW(what, octets, -PROXY_HEADER_##error, certain, NULL, NULL, NULL)
    /* Version 1. */
    ROW("TCP4", "PROXY TCP4 192.0.2.7 198.51.100.1 40123 1080\r\n", ALL, ALL,
        V4, NULL),
    ROW("TCP6", "PROXY TCP6 2001:db8::7 2001:db8::1 40123 1080\r\n", ALL, ALL,
        V6, NULL),
    ROW("mapped",
        "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 40123 1080\r\n", ALL,
        ALL, V4, NULL),
    ROW("a request behind it",
        "PROXY TCP4 192.0.2.7 198.51.100.1 40123 1080\r\n\4\1\0\x50", 46, 46,
        V4, NULL),
    ROW("ports 0 and 65535", "PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n", ALL, ALL,
        "1.2.3.4:0", "5.6.7.8:65535", NULL),
    ROW("UNKNOWN", "PROXY UNKNOWN\r\n", ALL, ALL, NONE, NULL),
    ROW("UNKNOWN and more", "PROXY UNKNOWN ffff::1 \1\xff 65536\r\n\4", 32, 32,
        NONE, NULL),
    ROW("the longest",
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        ALL, ALL, NONE, NULL),
    FAULT("one more",
          "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 065535 65535\r\n",
          LINE, 107),
    FAULT("UNKNOWN and a carriage return", "PROXY UNKNOWN\r\r\n", TEXT, ALL),
    FAULT("UNKNOWNS", "PROXY UNKNOWNS\r\n", TEXT, ALL),
    FAULT("no kind", "PROXY \r\n", TEXT, ALL),
    FAULT("another kind", "PROXY UDP4 192.0.2.7 198.51.100.1 40123 1080\r\n",
          TEXT, ALL),
    FAULT("small letters", "PROXY tcp4 192.0.2.7 198.51.100.1 40123 1080\r\n",
          TEXT, ALL),
    FAULT("IPv6 as TCP4", "PROXY TCP4 ::1 ::1 40123 1080\r\n", TEXT, ALL),
    FAULT("IPv4 as TCP6", "PROXY TCP6 1.2.3.4 ::1 40123 1080\r\n", TEXT, ALL),
    FAULT("a name", "PROXY TCP4 localhost 5.6.7.8 40123 1080\r\n", TEXT, ALL),
    FAULT("octal", "PROXY TCP4 010.2.3.4 5.6.7.8 40123 1080\r\n", TEXT, ALL),
    FAULT("two blanks", "PROXY TCP4  1.2.3.4 5.6.7.8 40123 1080\r\n", TEXT,
          ALL),
    FAULT("a blank behind", "PROXY TCP4 1.2.3.4 5.6.7.8 40123 1080 \r\n", TEXT,
          ALL),
    FAULT("a word behind", "PROXY TCP4 1.2.3.4 5.6.7.8 40123 1080 1\r\n", TEXT,
          ALL),
    FAULT("a word less", "PROXY TCP4 1.2.3.4 5.6.7.8 40123\r\n", TEXT, ALL),
    FAULT("a port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 1080\r\n", TEXT,
          ALL),
    FAULT("a port too long", "PROXY TCP4 1.2.3.4 5.6.7.8 100000 1080\r\n", TEXT,
          ALL),
    FAULT("a leading zero", "PROXY TCP4 1.2.3.4 5.6.7.8 040 1080\r\n", TEXT,
          ALL),
    FAULT("a sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +40 1080\r\n", TEXT, ALL),
    FAULT("a carriage return within", "PROXY TCP4 1.2.3.4 5.6.7.8 4\r 1080\r\n",
          TEXT, ALL),
    FAULT("a NUL within", "PROXY TCP4 1.2.3.4\0 5.6.7.8 40123 1080\r\n", TEXT,
          ALL),
    FAULT("a word longer than any address",
          "PROXY TCP4 1111111111111111111111111111111111111111111111111111 "
          "5.6.7.8 1 2\r\n",
          TEXT, ALL),
    FAULT("a line feed alone",
          "PROXY TCP4 192.0.2.7 198.51.100.1 40123 1080\n\4\1\0\x50\x7f\0\0\1"
          "user0123456789012345678901234567890123456789012345678",
          LINE, 107),
    /* Version 2. */
    ROW("IPv4", SIGNATURE "\x21\x11\0\x0c" FOUR, ALL, ALL, V4, NULL),
    ROW("IPv6", SIGNATURE "\x21\x21\0\x24" SIX, ALL, ALL, V6, NULL),
    ROW("IPv6, mapped", SIGNATURE "\x21\x21\0\x24" MAPPED, ALL, ALL, V4, NULL),
    ROW("octets behind it", SIGNATURE "\x21\x11\0\x0c" FOUR "\4\1\0\x50", 28,
        28, V4, NULL),
    ROW("UNSPEC", SIGNATURE "\x21\0\0\0", ALL, ALL, NONE, NULL),
    ROW("UNIX", SIGNATURE "\x21\x31\0\xd8" PATHS, ALL, ALL, NONE, NULL),
    ROW("LOCAL", SIGNATURE "\x20\0\0\0", ALL, ALL, NONE, NULL),
    ROW("LOCAL, the rest to be skipped", SIGNATURE "\x20\x11\0\5\3\0\4ab", ALL,
        ALL, NONE, NULL),
    ROW("LOCAL, no known family", SIGNATURE "\x20\xff\0\1x", ALL, ALL, NONE,
        NULL),
    FAULT("version 1 in version 2", SIGNATURE "\x11\x11\0\x0c" FOUR, VERSION,
          ALL),
    FAULT("version 3", SIGNATURE "\x31\x11\0\x0c" FOUR, VERSION, ALL),
    FAULT("command 2", SIGNATURE "\x22\x11\0\x0c" FOUR, COMMAND, ALL),
    FAULT("UDP", SIGNATURE "\x21\x12\0\x0c" FOUR, FAMILY, ALL),
    FAULT("datagrams of UNIX", SIGNATURE "\x21\x32\0\xd8" PATHS, FAMILY, ALL),
    FAULT("family 4", SIGNATURE "\x21\x41\0\0", FAMILY, ALL),
    FAULT("no protocol", SIGNATURE "\x21\x10\0\x0c" FOUR, FAMILY, ALL),
    FAULT("IPv4 cut",
          SIGNATURE "\x21\x11\0\x0b\xc0\0\2\7\xc6\x33\x64\1\x9c\xbb\4", SHORT,
          ALL),
    FAULT("IPv6 cut", SIGNATURE "\x21\x21\0\x0c" FOUR, SHORT, ALL),
    FAULT("UNIX cut", SIGNATURE "\x21\x31\0\x0c" FOUR, SHORT, ALL),
    FAULT("too long", SIGNATURE "\x21\x11\x0f\xf1" FOUR, LONG, 16),
    FAULT("as long as can be", SIGNATURE "\x21\x11\xff\xff", LONG, 16),
    /* TLVs. */
    ROW("TLVs of no interest",
        SIGNATURE "\x21\x11\0\x1b" FOUR "\1\0\2h2\4\0\0\xee\0\4abcd", ALL, ALL,
        V4, NULL),
    ROW("TLVs of UNSPEC", SIGNATURE "\x21\0\0\5\5\0\2id", ALL, ALL, NONE, NULL),
    FAULT("a TLV without a length", SIGNATURE "\x21\x11\0\x0e" FOUR "\4\0", TLV,
          ALL),
    FAULT("a TLV too long", SIGNATURE "\x21\x11\0\x11" FOUR "\4\0\3ab", TLV,
          ALL),
    /* The checksum: computed elsewhere. */
    ROW("CRC32C",
        SIGNATURE "\x21\x11\0\x13" FOUR "\3\0\4"
                  "\x36\x18\xad\xba",
        ALL, ALL, V4, NULL),
    FAULT("CRC32C wrong", SIGNATURE "\x21\x11\0\x13" FOUR "\3\0\4\0\0\0\0",
          CHECKSUM, ALL),
    FAULT("CRC32C twice, the first right",
          SIGNATURE "\x21\x11\0\x1a" FOUR "\3\0\4"
                    "\x99\x57\xa0\x47"
                    "\3\0\4\0\0\0\0",
          TLV, ALL),
    FAULT("CRC32C of another length",
          SIGNATURE "\x21\x11\0\x12" FOUR "\3\0\3abc", TLV, ALL),
    /* What the balancer says of the client's certificate. */
    ROW("verified",
        SIGNATURE "\x21\x11\0\x25" FOUR "\x20\0\x16\3\0\0\0\0"
                  "\x21\0\7TLSv1.3"
                  "\x22\0\4fred",
        ALL, ALL, V4, "fred"),
    ROW("verified in an earlier connection",
        SIGNATURE "\x21\x11\0\x1b" FOUR "\x20\0\x0c\5\0\0\0\0"
                  "\x22\0\4fred",
        ALL, ALL, V4, "fred"),
    ROW("verified, without a name",
        SIGNATURE "\x21\x11\0\x14" FOUR "\x20\0\5\3\0\0\0\0", ALL, ALL, V4, ""),
    ROW("an empty name",
        SIGNATURE "\x21\x11\0\x17" FOUR "\x20\0\x08\3\0\0\0\0"
                  "\x22\0\0",
        ALL, ALL, V4, ""),
    ROW("not verified",
        SIGNATURE "\x21\x11\0\x1b" FOUR "\x20\0\x0c\3\0\0\0\1"
                  "\x22\0\4fred",
        ALL, ALL, V4, NULL),
    ROW("no certificate",
        SIGNATURE "\x21\x11\0\x1b" FOUR "\x20\0\x0c\1\0\0\0\0"
                  "\x22\0\4fred",
        ALL, ALL, V4, NULL),
    FAULT("a name with a NUL",
          SIGNATURE "\x21\x11\0\x1b" FOUR "\x20\0\x0c\3\0\0\0\0"
                    "\x22\0\4fr\0d",
          NAME, ALL),
    FAULT("a name with a line feed",
          SIGNATURE "\x21\x11\0\x1b" FOUR "\x20\0\x0c\3\0\0\0\0"
                    "\x22\0\4fr\nd",
          NAME, ALL),
    ROW("a name with octets of UTF-8",
        SIGNATURE "\x21\x11\0\x1b" FOUR "\x20\0\x0c\3\0\0\0\0"
                  "\x22\0\4fr\xc3\xa9",
        ALL, ALL, V4, "fr\xc3\xa9"),
    FAULT("an SSL TLV without its octets",
          SIGNATURE "\x21\x11\0\x13" FOUR "\x20\0\4\3\0\0\0", TLV, ALL),
    FAULT("a TLV within it too long",
          SIGNATURE "\x21\x11\0\x1e" FOUR "\x20\0\x0b\3\0\0\0\0"
                    "\x22\0\4fre"
                    "\4\0\1d",
          TLV, ALL),
    FAULT("two names",
          SIGNATURE "\x21\x11\0\x1c" FOUR "\x20\0\x0d\3\0\0\0\0"
                    "\x22\0\1a"
                    "\x22\0\1b",
          TLV, ALL),
    FAULT("two SSL TLVs",
          SIGNATURE "\x21\x11\0\x1c" FOUR "\x20\0\5\3\0\0\0\0"
                    "\x20\0\5\1\0\0\0\0",
          TLV, ALL),
    /* Neither. */
    FAULT("SOCKS 4", "\4\1\0\x50", MISSING, 1),
    FAULT("SOCKS 5", "\5\1\0", MISSING, 1),
    FAULT("TLS", "\x16\3\1", MISSING, 1),
    FAULT("HTTP", "POST / HTTP/1.1\r\n", MISSING, 2),
    FAULT("PROPFIND", "PROPFIND / HTTP/1.1\r\n", MISSING, 4),
    FAULT("empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n", MISSING, 5),
    FAULT("another signature", "\r\n\r\n\0\r\nQUIT\r\n", MISSING, 12),
};

static void
assert_endpoint(const struct endpoint *endpoint, const char *text)
{
    char shown[ENDPOINT_TEXT_MAX];

    assert_string_equal(endpoint_format(endpoint, shown), text);
}

static void
check_values(const struct row *row, const struct proxy_header *header,
             const uint8_t *octets)
{
    assert_int_equal(header->given, row->source != NULL);
    assert_int_equal(header->local, strncmp(row->what, "LOCAL", 5) == 0);
    assert_int_equal(header->verified, row->name != NULL);
    if (row->source != NULL) {
        assert_endpoint(&header->source, row->source);
        assert_endpoint(&header->dest, row->dest);
    }
    assert_int_equal(header->name.len, row->name ? strlen(row->name) : 0);
    if (header->name.len > 0) {
        assert_memory_equal(header->name.at, row->name, header->name.len);
        assert_true((const uint8_t *)header->name.at > octets);
    }
}

/* What arrives first decides nothing until it can be nothing else: so the
   answer does not depend on how a header was split. */
static void
answers_every_prefix_with_more_or_with_what_it_will_be(void **state)
{
    struct proxy_header header;
    struct guard guard;

    (void)state;
    guard_init(&guard, 512);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        for (size_t len = 0; len <= row->len; len++) {
            uint8_t *at = guard_put(&guard, row->octets, len);
            memset(&header, 0xa5, sizeof(header));
            ssize_t result = proxy_header_decode(at, len, &header);
            size_t certain = row->certain != ALL ? row->certain : row->len;
            ssize_t all = row->result != ALL ? row->result : (ssize_t)row->len;
            ssize_t expected = len < certain ? 0 : all;
            if (result != expected)
                fail_msg("%s, %zu octets: %zd, not %zd", row->what, len, result,
                         expected);
            if (result > 0)
                check_values(row, &header, at);
        }
    }
    guard_fini(&guard);
}

static void
a_header_of_4096_octets_is_the_longest(void **state)
{
    static const char head[] = SIGNATURE "\x21\x11\x0f\xf0" FOUR;
    static uint8_t octets[PROXY_HEADER_MAX];
    struct proxy_header header;

    (void)state;
    memcpy(octets, head, sizeof(head) - 1);
    octets[28] = 0xe0;
    octets[29] = (PROXY_HEADER_MAX - 31) >> 8;
    octets[30] = (PROXY_HEADER_MAX - 31) & 0xff;
    assert_int_equal(proxy_header_decode(octets, sizeof(octets) - 1, &header),
                     0);
    assert_int_equal(proxy_header_decode(octets, sizeof(octets), &header),
                     sizeof(octets));
}

/* Every octet of a header with a checksum counts. */
static void
no_changed_octet_passes_the_checksum(void **state)
{
    uint8_t octets[64];
    struct proxy_header header;
    const struct row *row = rows;

    (void)state;
    while (strcmp(row->what, "CRC32C") != 0)
        row++;
    for (size_t bit = 0; bit < row->len * 8; bit++) {
        memcpy(octets, row->octets, row->len);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ssize_t result = proxy_header_decode(octets, row->len, &header);
        /* A LOCAL header is not looked into; a type changed is no checksum. */
        if (bit / 8 != 28 && bit != 12 * 8)
            assert_true(result <= 0);
    }
}

static struct endpoint
endpoint_of(const char *text)
{
    struct endpoint endpoint;

    assert_int_equal(endpoint_parse(text, &endpoint), 0);
    return endpoint;
}

static void
what_is_encoded_is_decoded_the_same(void **state)
{
    static const char *const ends[] = {
        "192.0.2.7:40123", "255.255.255.255:65535", "[2001:db8::7]:1",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535", "[::1]:80"};
    uint8_t octets[PROXY_HEADER_SENT_MAX];
    struct proxy_header header;

    (void)state;
    for (unsigned version = 1; version <= 2; version++) {
        for (size_t i = 0; i < COUNT(ends) * COUNT(ends); i++) {
            struct endpoint source = endpoint_of(ends[i % COUNT(ends)]);
            struct endpoint dest = endpoint_of(ends[i / COUNT(ends)]);
            size_t size = proxy_header_encode(version, &source, &dest, octets);
            assert_int_equal(proxy_header_decode(octets, size, &header), size);
            assert_true(header.given && !header.local);
            assert_true(endpoint_equal(&header.source, &source));
            assert_true(endpoint_equal(&header.dest, &dest));
        }
    }
}

static void
headers_to_servers_are_as_the_protocol_has_them(void **state)
{
    static const struct {
        unsigned version;
        const char *source, *dest, *octets;
        size_t len;
    } sent[] = {
#define SENT(version, source, dest, octets)                                    \
    {version, source, dest, octets, sizeof(octets) - 1}
        SENT(1, "192.0.2.7:40123", "198.51.100.1:1080",
             "PROXY TCP4 192.0.2.7 198.51.100.1 40123 1080\r\n"),
        SENT(1, "[2001:db8::7]:40123", "[2001:db8::1]:1080",
             "PROXY TCP6 2001:db8::7 2001:db8::1 40123 1080\r\n"),
        SENT(1, "[2001:db8::7]:40123", "198.51.100.1:80",
             "PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 40123 80\r\n"),
        SENT(2, "192.0.2.7:40123", "198.51.100.1:1080",
             SIGNATURE "\x21\x11\0\x0c" FOUR),
        SENT(2, "[2001:db8::7]:40123", "[2001:db8::1]:1080",
             SIGNATURE "\x21\x21\0\x24" SIX),
    };
    uint8_t octets[PROXY_HEADER_SENT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(sent); i++) {
        struct endpoint source = endpoint_of(sent[i].source);
        struct endpoint dest = endpoint_of(sent[i].dest);
        size_t size =
            proxy_header_encode(sent[i].version, &source, &dest, octets);
        assert_int_equal(size, sent[i].len);
        assert_memory_equal(octets, sent[i].octets, size);
    }
}

static void
every_error_has_its_sentence(void **state)
{
    (void)state;
    assert_null(proxy_header_error_text(PROXY_HEADER_FINE));
    for (int i = PROXY_HEADER_FINE + 1; i <= PROXY_HEADER_CHECKSUM; i++)
        assert_true(
            strlen(proxy_header_error_text((enum proxy_header_error)i)) <= 60);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            answers_every_prefix_with_more_or_with_what_it_will_be),
        cmocka_unit_test(a_header_of_4096_octets_is_the_longest),
        cmocka_unit_test(no_changed_octet_passes_the_checksum),
        cmocka_unit_test(what_is_encoded_is_decoded_the_same),
        cmocka_unit_test(headers_to_servers_are_as_the_protocol_has_them),
        cmocka_unit_test(every_error_has_its_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
