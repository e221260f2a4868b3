#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/logwriter/journal.h"
#include "gateway/monitor/batch.h"
#include "gateway/worker/certificate.h"
#include "gateway/worker/record.h"
#include "tests/fuzz/fuzz.h"

/* All that a client and its identd can put into a record, and the line of it:
   it is one line, has the keys of every record, and gives the octets back, of
   a long value the first of them and how many there are; its entry of the
   journal has as many fields. The input itself, as a line, makes an entry, too.
 */

#define LINE_ROOM 65536
/* Without the name of the object of phases; JSON has three more. */
#define KEYS_TEXT 34
#define KEYS_JSON 37

struct octets {
    const char *at;
    size_t len;
};

/* The next part of the input: as long as its first two octets say, at most
   what is there. */
static struct octets
take(const uint8_t **input, size_t *size, size_t max)
{
    struct octets taken = {"", 0};
    size_t len;

    if (*size < 2)
        return taken;
    len = (size_t)((*input)[0] << 8 | (*input)[1]) % (max + 1);
    *input += 2;
    *size -= 2;
    taken.at = (const char *)*input;
    taken.len = len < *size ? len : *size;
    *input += taken.len;
    *size -= taken.len;
    return taken;
}

static unsigned
digit(char octet)
{
    const char *hex = "0123456789abcdef";
    const char *found = octet != '\0' ? strchr(hex, octet) : NULL;

    assert(found != NULL);
    return (unsigned)(found - hex);
}

#define CUT "\\u2026("

/* What a value takes in the line. */
static size_t
width(const struct octets *value, size_t count, int json)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned char octet = (unsigned char)value->at[i];
        if (octet == '"' || octet == '\\')
            sum += 2;
        else
            sum += octet >= 0x20 && octet <= 0x7e ? 1u : json ? 6u : 4u;
    }
    return sum;
}

/* Behind `len` octets of the value: the next one would have been too much. */
static const char *
read_mark(const char *at, int json, const struct octets *wanted, size_t len)
{
    char *end;

    assert(wanted != NULL && len < wanted->len);
    assert(width(wanted, len, json) <= 128);
    assert(width(wanted, len + 1, json) > 128);
    assert(strtoul(at + strlen(CUT), &end, 10) == wanted->len);
    assert(end[0] == ')' && end[1] == '"');
    return end + 2;
}

/* One octet of a quoted value, as it was before it was escaped. */
static char
unescape(const char **at, int json)
{
    char octet = *(*at)++;

    if (octet != '\\')
        return octet;
    octet = *(*at)++;
    if (octet == '"' || octet == '\\')
        return octet;
    assert(octet == (json ? 'u' : 'x'));
    if (json) {
        assert((*at)[0] == '0' && (*at)[1] == '0');
        *at += 2;
    }
    octet = (char)(digit((*at)[0]) << 4 | digit((*at)[1]));
    *at += 2;
    return octet;
}

/* Goes behind the value at `at`; if it is the wanted one, compares it. */
static const char *
read_value(const char *at, int json, const struct octets *wanted)
{
    size_t len = 0;

    if (*at != '"') {
        assert(wanted == NULL);
        return at + strcspn(at, json ? ",}" : " \n");
    }
    at++;
    while (*at != '"') {
        if (strncmp(at, CUT, strlen(CUT)) == 0)
            return read_mark(at, json, wanted, len);
        char octet = unescape(&at, json);
        assert(wanted == NULL ||
               (len < wanted->len && octet == wanted->at[len]));
        len++;
    }
    assert(wanted == NULL ||
           (len == wanted->len && width(wanted, len, json) <= 128));
    return at + 1;
}

/* The five values that are not fixed, by their keys. */
#define WANTED 5

static const struct octets *
find_wanted(const char *key, size_t len, const struct octets wanted[WANTED])
{
    static const char *const keys[] = {"userid", "name", "ident", "hint",
                                       "certificate"};

    for (unsigned i = 0; i < WANTED; i++)
        if (strlen(keys[i]) == len && memcmp(keys[i], key, len) == 0)
            return &wanted[i];
    return NULL;
}

/* The keys of the line, in the reader's own way: how many, and that the
   phases' object of JSON is one of them does not count. */
static unsigned
read_keys(const char *at, int json, const struct octets wanted[WANTED])
{
    unsigned keys = 0, in_phases = 0;

    while (*at != '\n') {
        if (*at == '{' || *at == ',' || *at == ' ' || *at == '}') {
            in_phases += *at == '{';
            in_phases -= *at == '}';
            at++;
            continue;
        }
        at += json;
        size_t len = strcspn(at, json ? "\"" : "=");
        const struct octets *value =
            in_phases < 2 ? find_wanted(at, len, wanted) : NULL;
        at += len + (json ? 2 : 1);
        keys++;
        if (*at != '{')
            at = read_value(at, json, value);
        else
            keys--;
    }
    return keys;
}

/* Fields of its own, and the journal's four in front. */
static unsigned
count_fields(const char *line, size_t len)
{
    static char entry[JOURNAL_ENTRY_MAX];
    size_t size = journal_format(line, len, entry);
    const char *at = entry, *end = entry + size;
    unsigned fields = 0;

    assert(size > 0 && size <= sizeof(entry) && end[-1] == '\n');
    for (; at < end; fields++) {
        assert(fields < 4 || strncmp(at, "SOCKS4D_", 8) == 0);
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    }
    assert(fields >= 4);
    return fields - 4;
}

static void
read_as_line(const uint8_t *input, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(input, '\n', size) : NULL;
    size_t len = newline != NULL ? (size_t)(newline - input) : size;

    count_fields((const char *)input,
                 len < CHANNEL_BATCH_MAX ? len : CHANNEL_BATCH_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static char line[LINE_ROOM + 1];
    int json = size > 0 && (input[0] & 1);
    static const char *const events[] = {"session", NULL};
    struct octets wanted[WANTED];
    const struct endpoint end = {{0, 0xffff0a000001}, 1080};
    struct record record = {.wall_ms = 1700000000000,
                            .listener = "local",
                            .verdict = "granted",
                            .command = "connect",
                            .ended_by = "client",
                            .end = "fin",
                            .version = "4a",
                            .tls = "1.3/TLS_AES_128_GCM_SHA256",
                            .hint = "say \"socks4a: true\"",
                            .local = &end,
                            .peer = &end};

    read_as_line(input, size);
    if (size == 0)
        return 0;
    input++;
    size--;
    wanted[0] = take(&input, &size, CONFIG_USERID_MAX);
    wanted[1] = take(&input, &size, 255);
    wanted[2] = take(&input, &size, 1000);
    wanted[3] = (struct octets){record.hint, strlen(record.hint)};
    wanted[4] = take(&input, &size, CERTIFICATE_NAME_MAX);
    const struct span certificate = {wanted[4].at, wanted[4].len};
    record.certificate = &certificate;
    record.userid = wanted[0].at;
    record.userid_len = wanted[0].len;
    record.name = wanted[1].at;
    record.name_len = wanted[1].len;
    record.ident = wanted[2].at;
    record.ident_len = wanted[2].len;
    size_t len = record_format(
        &record, json ? CONFIG_LOG_JSON : CONFIG_LOG_TEXT, line, LINE_ROOM);
    assert(len > 0 && len <= LINE_ROOM && line[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++)
        assert(line[i] >= 0x20 && line[i] <= 0x7e);
    line[len] = '\0';
    /* and the monitor lets it through */
    struct batch_origin origin;
    batch_origin_init(&origin, events, record.worker, 1700000000000);
    struct batch_tally tally = {0};
    assert(batch_check_line(line, len - 1, &origin, &tally));
    assert(tally.records == 1 && tally.suppressed == 0 && tally.limited == 0);
    assert(read_keys(line, json, wanted) == (json ? KEYS_JSON : KEYS_TEXT));
    assert(count_fields(line, len - 1) == (json ? KEYS_JSON : KEYS_TEXT));
    /* what has no room is no line */
    assert(record_format(&record, json ? CONFIG_LOG_JSON : CONFIG_LOG_TEXT,
                         line, len - 1) == 0);
    return 0;
}
