#include "gateway/resolver/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/sys.h"

/* --- the table ---------------------------------------------------------- */

void
hosts_fini(struct hosts *hosts)
{
    free(hosts->text);
    free(hosts->entries);
    free(hosts->buckets);
    hosts->text = NULL;
    hosts->entries = NULL;
    hosts->buckets = NULL;
    hosts->count = hosts->room = hosts->bucket_count = 0;
}

static uint32_t *
hosts_bucket(const struct hosts *hosts, uint32_t hash)
{
    return &hosts->buckets[hash & (hosts->bucket_count - 1)];
}

/* The first entry of the name; 0: none. */
static uint32_t
hosts_first(const struct hosts *hosts, const struct key *key)
{
    uint32_t at = *hosts_bucket(hosts, key->hash);

    while (at != 0) {
        const struct hosts_entry *entry = &hosts->entries[at - 1];
        if (entry->hash == key->hash &&
            strcmp(hosts->text + entry->name, key->text) == 0)
            return at;
        at = entry->next;
    }
    return 0;
}

static int
hosts_grow(struct hosts *hosts)
{
    size_t room = hosts->room == 0 ? 64 : 2 * hosts->room;
    struct hosts_entry *grown =
        realloc(hosts->entries, room * sizeof(hosts->entries[0]));

    if (grown == NULL)
        return -ENOMEM;
    hosts->entries = grown;
    hosts->room = room;
    return 0;
}

/* The last entry of a name, by its first one; 0: it has this address already,
   or as many of this family as an answer holds. */
static uint32_t
hosts_last(const struct hosts *hosts, uint32_t at, struct addr address)
{
    bool v4 = addr_is_v4(address);

    for (size_t alike = 0; alike < LOOKUP_ADDRESSES_MAX;) {
        const struct hosts_entry *entry = &hosts->entries[at - 1];
        if (addr_equal(entry->address, address))
            return 0;
        alike += addr_is_v4(entry->address) == v4;
        if (entry->more == 0)
            return alike < LOOKUP_ADDRESSES_MAX ? at : 0;
        at = entry->more;
    }
    return 0;
}

/* 0, -ENOMEM, or -EFBIG: the table is full. */
static int
hosts_add(struct hosts *hosts, const struct key *key, uint32_t name,
          struct addr address)
{
    uint32_t first = hosts_first(hosts, key), last = 0;

    if (first != 0 && (last = hosts_last(hosts, first, address)) == 0)
        return 0;
    if (hosts->count == HOSTS_NAMES_MAX)
        return -EFBIG;
    if (hosts->count == hosts->room && hosts_grow(hosts) != 0)
        return -ENOMEM;
    struct hosts_entry *entry = &hosts->entries[hosts->count++];
    *entry = (struct hosts_entry){
        .name = name, .hash = key->hash, .address = address};
    if (first != 0) {
        hosts->entries[last - 1].more = (uint32_t)hosts->count;
        return 0;
    }
    uint32_t *bucket = hosts_bucket(hosts, key->hash);
    entry->next = *bucket;
    *bucket = (uint32_t)hosts->count;
    return 0;
}

/* --- the text ----------------------------------------------------------- */

/* A word of a line; empty at the end of the line, or of what is before '#'. */
struct hosts_word {
    char *start;
    size_t len;
};

static bool
hosts_is_blank(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\v' ||
           octet == '\f';
}

static struct hosts_word
hosts_next_word(char **at, const char *end)
{
    while (*at < end && hosts_is_blank(**at))
        ++*at;
    struct hosts_word word = {.start = *at};
    while (*at < end && !hosts_is_blank(**at) && **at != '#')
        ++*at;
    word.len = (size_t)(*at - word.start);
    return word;
}

/* An IPv4 address that is written as one of IPv6 is neither. */
static bool
hosts_read_address(const struct hosts_word *word, struct addr *address)
{
    char text[ADDR_TEXT_MAX];

    if (word->len >= sizeof(text) || memchr(word->start, '\0', word->len))
        return false;
    memcpy(text, word->start, word->len);
    text[word->len] = '\0';
    return addr_parse(text, address) == 0 &&
           addr_is_v4(*address) == (strchr(text, ':') == NULL);
}

/* A key takes no more room than its word and the octet behind it, which has
   been read by then. What is not a host name is left out. */
static int
hosts_read_line(struct hosts *hosts, char *at, char *end)
{
    struct hosts_word word = hosts_next_word(&at, end);
    struct addr address;

    if (!hosts_read_address(&word, &address))
        return 0;
    while ((word = hosts_next_word(&at, end)).len > 0) {
        struct key key;
        bool comment = at < end && *at == '#';
        if (key_make(&key, word.start, word.len) == 0) {
            memcpy(word.start, key.text, strlen(key.text) + 1);
            int error = hosts_add(
                hosts, &key, (uint32_t)(word.start - hosts->text), address);
            if (error != 0)
                return error;
        }
        if (comment || at == end)
            break;
        at++;
    }
    return 0;
}

static int
hosts_read_lines(struct hosts *hosts, size_t len)
{
    char *at = hosts->text, *end = hosts->text + len;

    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *line_end = newline != NULL ? newline : end;
        int error = hosts_read_line(hosts, at, line_end);
        if (error != 0)
            return error;
        at = line_end + 1;
    }
    return 0;
}

/* About one bucket a name: a line has some 30 octets. */
static size_t
hosts_count_buckets(size_t len)
{
    size_t count = 64;

    while (count < len / 32 && count < HOSTS_NAMES_MAX)
        count *= 2;
    return count;
}

int
hosts_parse(struct hosts *hosts, char *text, size_t len)
{
    struct hosts made = {.file = hosts->file, .text = text};

    made.bucket_count = hosts_count_buckets(len);
    made.buckets = calloc(made.bucket_count, sizeof(made.buckets[0]));
    int error = made.buckets == NULL ? -ENOMEM : hosts_read_lines(&made, len);
    if (error == -ENOMEM) {
        hosts_fini(&made);
        return error;
    }
    hosts_fini(hosts);
    *hosts = made;
    return error;
}

/* --- the file ----------------------------------------------------------- */

void
hosts_init(struct hosts *hosts, const char *path)
{
    *hosts = (struct hosts){.text = NULL};
    system_file_init(&hosts->file, path);
}

/* A file that is too long is cut at the end of a line. */
static int
hosts_read(struct hosts *hosts)
{
    char *text;
    size_t len;
    int error = system_file_read(&hosts->file, HOSTS_OCTETS_MAX, &text, &len);

    if (error != 0)
        return error;
    bool cut = len > HOSTS_OCTETS_MAX;
    while (cut && len > 0 && text[len - 1] != '\n')
        len--;
    error = hosts_parse(hosts, text, len);
    return error == 0 && cut ? -EFBIG : error;
}

bool
hosts_refresh(struct hosts *hosts)
{
    if (sys_now_us() < hosts->next_look_us ||
        !system_file_changed(&hosts->file))
        return true;
    uint64_t began_us = sys_thread_us();
    int error = hosts_read(hosts);
    uint64_t took_us = sys_thread_us() - began_us;
    hosts->next_look_us =
        took_us > HOSTS_QUICK_US ? sys_now_us() + HOSTS_REST * took_us : 0;
    if (system_file_is_beyond_reach(&hosts->file, error))
        return false;
    if (error == -ENOENT) { /* a system may do without one */
        hosts_fini(hosts);
        error = 0;
    }
    system_file_complain(&hosts->file, error,
                         error == -EFBIG ? "its end is left out"
                                         : "its names stay as they were");
    return true;
}

size_t
hosts_find(const struct hosts *hosts, const struct key *key,
           enum lookup_family family,
           struct addr addresses[LOOKUP_ADDRESSES_MAX])
{
    size_t count = 0;

    if (hosts->bucket_count == 0)
        return 0;
    for (uint32_t at = hosts_first(hosts, key); at != 0;) {
        const struct hosts_entry *entry = &hosts->entries[at - 1];
        if (addr_is_v4(entry->address) == (family == LOOKUP_V4))
            addresses[count++] = entry->address;
        at = entry->more;
    }
    return count;
}
