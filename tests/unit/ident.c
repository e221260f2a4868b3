#include "tests/fuzz/naive_ident.h"
#include "tests/unit/unit.h"

static const struct socks4_ident_query query = {6193, 1080};

static ssize_t
decode(const void *octets, size_t len, struct socks4_ident_answer *answer)
{
    memset(answer, 0xa5, sizeof *answer);
    return socks4_ident_answer_decode(&query, octets, len, answer);
}

static void
assert_view(const char *at, size_t len, const char *expected)
{
    if (expected == NULL) {
        assert_null(at);
        assert_int_equal(len, 0);
        return;
    }
    assert_non_null(at);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(at, expected, len);
}

static void
asks_as_rfc_1413_does(void **state)
{
    static const struct {
        struct socks4_ident_query query;
        const char *text;
    } rows[] = {
        {{6193, 23}, "6193, 23\r\n"},
        {{1, 9}, "1, 9\r\n"},
        {{0, 10}, "0, 10\r\n"},
        {{65535, 65535}, "65535, 65535\r\n"},
        {{40007, 1080}, "40007, 1080\r\n"},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, SOCKS4_IDENT_QUERY_MAX);
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].text);
        uint8_t *octets = guard_room(&guard, len);

        assert_int_equal(socks4_ident_query_encode(&rows[i].query, octets),
                         len);
        assert_memory_equal(octets, rows[i].text, len);
    }
    assert_int_equal(strlen("65535, 65535\r\n"), SOCKS4_IDENT_QUERY_MAX);
    guard_fini(&guard);
}

static void
finds_the_user_behind_the_third_colon(void **state)
{
    static const struct {
        const char *line, *opsys, *charset, *userid;
    } rows[] = {
        {"6193, 1080 : USERID : UNIX : stjohns\r\n", "UNIX", NULL, "stjohns"},
        {"6193,1080:USERID:UNIX:stjohns\r\n", "UNIX", NULL, "stjohns"},
        {"6193,1080:USERID:UNIX:stjohns\n", "UNIX", NULL, "stjohns"},
        {" \t6193 \t, 1080\t:\tUSERID : OTHER , US-ASCII :\t me\r\n", "OTHER",
         "US-ASCII", "me"},
        {"6193,1080:USERID:UNIX,a,b:me\n", "UNIX", "a,b", "me"},
        /* blanks in front are not part of it, those behind are */
        {"6193, 1080 : USERID : UNIX :  a b  \r\n", "UNIX", NULL, "a b  "},
        {"6193, 1080 : USERID : UNIX : a\t\n", "UNIX", NULL, "a\t"},
        {"6193, 1080 : USERID : UNIX : a:b : c\r\n", "UNIX", NULL, "a:b : c"},
        {"6193, 1080 : USERID : UNIX : :\r\n", "UNIX", NULL, ":"},
        {"6193, 1080 : USERID : UNIX : \377\200\1\33[\r\n", "UNIX", NULL,
         "\377\200\1\33["},
        {"06193, 01080 : USERID : - : a\r\n", "-", NULL, "a"},
    };
    struct socks4_ident_answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].line);

        assert_int_equal(decode(rows[i].line, len, &answer), len);
        assert_int_equal(answer.kind, SOCKS4_IDENT_USERID);
        assert_view(answer.opsys, answer.opsys_len, rows[i].opsys);
        assert_view(answer.charset, answer.charset_len, rows[i].charset);
        assert_view(answer.userid, answer.userid_len, rows[i].userid);
        assert_view(answer.error, answer.error_len, NULL);
    }
}

static void
finds_the_word_of_an_error(void **state)
{
    static const char *const words[] = {
        "INVALID-PORT",  "NO-USER",   "HIDDEN-USER",
        "UNKNOWN-ERROR", "X-FOO,BAR", "nonsense",
    };
    struct socks4_ident_answer answer;
    char line[100];

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        int len = snprintf(line, sizeof line, "6193 , 1080 : ERROR :\t%s \r\n",
                           words[i]);

        assert_int_equal(decode(line, (size_t)len, &answer), len);
        assert_int_equal(answer.kind, SOCKS4_IDENT_ERROR);
        assert_view(answer.error, answer.error_len, words[i]);
        assert_view(answer.userid, answer.userid_len, NULL);
        assert_view(answer.opsys, answer.opsys_len, NULL);
    }
}

#define LINE(text)                                                             \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

struct line {
    const char *octets;
    size_t len;
};

static const struct line malformed[] = {
    LINE("\n"),
    LINE("\r\n"),
    LINE("HTTP/1.0 400 Bad Request\r\n"),
    LINE("6193, 1080\r\n"),
    LINE("6193, 1080 :\r\n"),
    LINE("6193, 1080 : USERID\r\n"),
    LINE("6193, 1080 : USERID :\r\n"),
    LINE("6193, 1080 : USERID : UNIX\r\n"),
    LINE("6193, 1080 : USERID : UNIX stjohns\r\n"),
    LINE("6193, 1080 : USERID : UNIX :\r\n"), /* nobody */
    LINE("6193, 1080 : USERID : UNIX : \t\r\n"),
    LINE("6193, 1080 : USERID : : stjohns\r\n"),
    LINE("6193, 1080 : USERID : UNIX , : stjohns\r\n"),
    LINE("6193, 1080 : USERID : , US-ASCII : stjohns\r\n"),
    LINE("6193, 1080 : USERID : UN IX : stjohns\r\n"),
    LINE("6193, 1080 : userid : UNIX : stjohns\r\n"),
    LINE("6193, 1080 : USERIDS : UNIX : stjohns\r\n"),
    LINE("6193, 1080 : USER : UNIX : stjohns\r\n"),
    LINE("6193, 1080 : ERROR\r\n"),
    LINE("6193, 1080 : ERROR :\r\n"),
    LINE("6193, 1080 : ERROR : NO-USER : x\r\n"),
    LINE("6193, 1080 : ERROR : NO USER\r\n"),
    LINE("6193, 1080 : Error : NO-USER\r\n"),
    LINE("6193 1080 : USERID : UNIX : stjohns\r\n"),
    LINE("6193, : USERID : UNIX : stjohns\r\n"),
    LINE(", 1080 : USERID : UNIX : stjohns\r\n"),
    LINE("61 93, 1080 : USERID : UNIX : stjohns\r\n"),
    LINE("006193, 1080 : USERID : UNIX : stjohns\r\n"),
    LINE("71729, 1080 : USERID : UNIX : stjohns\r\n"), /* 65536 + 6193 */
    LINE("6193, 66616 : USERID : UNIX : stjohns\r\n"),
    LINE("6193, -1080 : USERID : UNIX : stjohns\r\n"),
    LINE("+6193, 1080 : USERID : UNIX : stjohns\r\n"),
    LINE("6193, 1080 : USERID : UNIX : st\0johns\r\n"),
    LINE("6193, 1080 : USERID : UNIX : stjohns\0\r\n"),
    LINE("6193, 1080 : USERID : UNIX : st\rjohns\r\n"),
    LINE("6193, 1080 : USERID : UNIX : stjohns\r\r\n"),
    LINE("6193, 1080 : USERID : UNIX : stjohns\r \n"),
    LINE("\0"
         "6193, 1080 : USERID : UNIX : stjohns\r\n"),
    LINE("6193, 1080 : ERROR : NO-USER\0\r\n"),
    LINE("6193, 1080 : USERID : UN\33IX : stjohns\r\n"),
    LINE("6193, 1080 : ERROR : NO\377USER\r\n"),
};

static void
takes_nothing_that_is_no_answer(void **state)
{
    static const struct socks4_ident_answer none;
    struct socks4_ident_answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        assert_int_equal(decode(malformed[i].octets, malformed[i].len, &answer),
                         SOCKS4_E_IDENT_MALFORMED);
        assert_memory_equal(&answer, &none, sizeof none);
    }
}

static void
takes_no_answer_to_another_question(void **state)
{
    static const char *const lines[] = {
        "1080, 6193 : USERID : UNIX : stjohns\r\n",
        "6193, 1081 : USERID : UNIX : stjohns\r\n",
        "6194, 1080 : USERID : UNIX : stjohns\r\n",
        "0, 0 : ERROR : UNKNOWN-ERROR\r\n",
    };
    static const struct socks4_ident_answer none;
    struct socks4_ident_answer answer;

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_int_equal(decode(lines[i], strlen(lines[i]), &answer),
                         SOCKS4_E_IDENT_PORTS);
        assert_memory_equal(&answer, &none, sizeof none);
    }
}

/* What is cut off may be what makes it another user. */
static void
takes_no_line_that_has_no_end(void **state)
{
    static const char line[] = "6193, 1080 : USERID : UNIX : stjohns\r";
    struct socks4_ident_answer answer;

    (void)state;
    for (size_t len = 0; len < sizeof line; len++)
        assert_int_equal(decode(line, len, &answer), 0);
}

static void
looks_at_the_first_line_only(void **state)
{
    static const char good[] = "6193,1080:USERID:UNIX:me\r\n"
                               "6193,1080:USERID:UNIX:you\r\n\0\r";
    static const char bad[] = "garbage\r\n6193,1080:USERID:UNIX:me\r\n";
    struct socks4_ident_answer answer;

    (void)state;
    assert_int_equal(decode(good, sizeof good - 1, &answer), 26);
    assert_view(answer.userid, answer.userid_len, "me");
    assert_int_equal(decode(bad, sizeof bad - 1, &answer),
                     SOCKS4_E_IDENT_MALFORMED);
}

/* A line of `size` octets and its LF; the rest of the 2000 is spaces. */
static void
line_fill(char octets[2000], size_t size)
{
    static const char start[] = "6193,1080:USERID:UNIX:";

    memset(octets, ' ', 2000);
    memcpy(octets, start, sizeof start - 1);
    memset(octets + sizeof start - 1, 'u', size - (sizeof start - 1));
    octets[size] = '\n';
}

static void
takes_a_line_of_1000_octets_and_none_of_1001(void **state)
{
    struct socks4_ident_answer answer;
    char octets[2000];

    (void)state;
    line_fill(octets, 1000);
    assert_int_equal(decode(octets, 1000, &answer), 0);
    assert_int_equal(decode(octets, 1001, &answer), 1001);
    assert_int_equal(answer.userid_len, 1000 - 22);
    line_fill(octets, 1001);
    assert_int_equal(decode(octets, 1000, &answer), 0);
    for (size_t len = 1001; len <= 2000; len++)
        assert_int_equal(decode(octets, len, &answer), SOCKS4_E_IDENT_LONG);
}

static void
assert_same(const struct socks4_ident_answer *a,
            const struct socks4_ident_answer *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_ptr_equal(a->opsys, b->opsys);
    assert_int_equal(a->opsys_len, b->opsys_len);
    assert_ptr_equal(a->charset, b->charset);
    assert_int_equal(a->charset_len, b->charset_len);
    assert_ptr_equal(a->userid, b->userid);
    assert_int_equal(a->userid_len, b->userid_len);
    assert_ptr_equal(a->error, b->error);
    assert_int_equal(a->error_len, b->error_len);
}

/* As the octets come, one after the other. */
static ssize_t
read_again(const uint8_t *octets, size_t len,
           struct socks4_ident_answer *answer)
{
    ssize_t result = 0;

    *answer = (struct socks4_ident_answer){0};
    for (size_t part = 1; part <= len && result == 0; part++)
        result =
            naive_ident(&query, octets, (const char *)octets, part, answer);
    return result;
}

/* The answer at the guard, which must be that of the second reading. */
static ssize_t
decode_both(const struct guard *guard, const void *octets, size_t len)
{
    const uint8_t *at = guard_put(guard, octets, len);
    struct socks4_ident_answer answer, expected;
    ssize_t result = decode(at, len, &answer);

    assert_int_equal(result, read_again(at, len, &expected));
    assert_same(&answer, &expected);
    return result;
}

static void
answers_the_same_for_every_prefix_at_the_guard(void **state)
{
    static const struct line good[] = {
        LINE("6193, 1080 : USERID : UNIX : stjohns\r\n6193, 1080 : ERR"),
        LINE(" 6193 ,1080: USERID : OTHER , US-ASCII : st : \377 \r\nmore"),
        LINE("6193, 1080 : ERROR : NO-USER\nmore"),
        LINE("6193, 1081 : ERROR : NO-USER\r\n\r\n"),
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 100);
    for (size_t i = 0; i < COUNT(good); i++)
        for (size_t len = 0; len <= good[i].len; len++)
            decode_both(&guard, good[i].octets, len);
    for (size_t i = 0; i < COUNT(malformed); i++)
        for (size_t len = 0; len <= malformed[i].len; len++)
            decode_both(&guard, malformed[i].octets, len);
    guard_fini(&guard);
}

/* Pieces of answers, right ones and others, put together by chance. */
static size_t
line_shuffle(struct random *random, char *line, size_t room)
{
    static const char *const pieces[][4] = {
        {"6193", "6193 ", " 06193", "6194"},
        {",", " ,", ", ", ";"},
        {"1080", "1080 ", "\t1080", "10 80"},
        {":", " : ", ": ", ""},
        {"USERID", "ERROR", "USERID ", "userid"},
        {":", ": ", "\t: ", "\r"},
        {"UNIX", "OTHER , US-ASCII", "NO-USER", "UNIX,"},
        {" : ", ":", "", " "},
        {"me", "st: johns ", "", "\200\1"},
        {"\r\n", "\n", "\r\n", "\r"},
    };
    size_t len = 0;

    for (size_t i = 0; i < COUNT(pieces); i++) {
        size_t pick = (size_t)random_below(random, 40);
        const char *piece = pieces[i][pick < 39 ? pick % 3 : 3];

        assert_true(len + strlen(piece) <= room);
        memcpy(line + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static void
reads_lines_made_by_chance_as_the_grammar_does(void **state)
{
    enum { CASES = 50000 };
    unsigned taken = 0, wrong = 0;
    struct random random;
    struct guard guard;
    char line[200];

    (void)state;
    random_init(&random, 1413);
    guard_init(&guard, sizeof line);
    for (unsigned i = 0; i < CASES; i++) {
        size_t len = line_shuffle(&random, line, sizeof line);
        ssize_t result = decode_both(&guard, line, len);

        taken += result > 0;
        wrong += result < 0;
    }
    guard_fini(&guard);
    printf("# %u of %u taken, %u wrong\n", taken, CASES, wrong);
    assert_true(taken > CASES / 5 && wrong > CASES / 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_as_rfc_1413_does),
        cmocka_unit_test(finds_the_user_behind_the_third_colon),
        cmocka_unit_test(finds_the_word_of_an_error),
        cmocka_unit_test(takes_nothing_that_is_no_answer),
        cmocka_unit_test(takes_no_answer_to_another_question),
        cmocka_unit_test(takes_no_line_that_has_no_end),
        cmocka_unit_test(looks_at_the_first_line_only),
        cmocka_unit_test(takes_a_line_of_1000_octets_and_none_of_1001),
        cmocka_unit_test(answers_the_same_for_every_prefix_at_the_guard),
        cmocka_unit_test(reads_lines_made_by_chance_as_the_grammar_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
