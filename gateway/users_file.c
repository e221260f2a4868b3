#include "gateway/users_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* --- hashes -------------------------------------------------------------- */

#define REMEDY "make one with `socks4d passwd FILE NAME'"

/* The digits of crypt(3), by value. */
static const char digits[] =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool
hash_is_digits(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] == '\0' || strchr(digits, at[i]) == NULL)
            return false;
    return true;
}

/* Checks what follows a prefix, and says what is wrong, or NULL. The cost is
   bounded: a hash of more than half a second, or of more than 128 MiB, would
   delay all other users, and one of many seconds would look like a process that
   hangs. */
typedef const char *hash_check_fn(const char *at, size_t len, size_t digest);

/* SALT$DIGEST */
static const char *
hash_check_salted(const char *at, size_t len, size_t digest)
{
    const char *end = memchr(at, '$', len);

    if (end == NULL || len - (size_t)(end + 1 - at) != digest ||
        !hash_is_digits(end + 1, digest))
        return "is not a whole hash: it was cut or changed; " REMEDY;
    return NULL;
}

/* [rounds=N$]SALT$DIGEST */
static const char *
hash_check_sha(const char *at, size_t len, size_t digest)
{
    static const char rounds[] = "rounds=";
    size_t skip = sizeof(rounds) - 1;
    uint64_t count = 0;

    if (len < skip || memcmp(at, rounds, skip) != 0)
        return hash_check_salted(at, len, digest);
    while (skip < len && at[skip] >= '0' && at[skip] <= '9' && count < 1000000)
        count = count * 10 + (uint64_t)(at[skip++] - '0');
    if (skip == len || at[skip] != '$' || count < 1000 || count > 1000000)
        return "has rounds that are not 1000 to 1000000; " REMEDY;
    return hash_check_salted(at + skip + 1, len - skip - 1, digest);
}

/* jNR$SALT$DIGEST: the flags that all have, and N and r, which are the cost. */
static const char *
hash_check_yescrypt(const char *at, size_t len, size_t digest)
{
    if (len < 4 || at[0] != 'j' || at[3] != '$' || !hash_is_digits(at + 1, 2))
        return "has parameters whose cost is not known here; " REMEDY;
    unsigned n = (unsigned)(strchr(digits, at[1]) - digits) + 1;
    unsigned r = (unsigned)(strchr(digits, at[2]) - digits) + 1;
    if (n > 15 || r > 32)
        return "has a cost that is above 8; " REMEDY;
    return hash_check_salted(at + 4, len - 4, digest);
}

/* NN$SALTDIGEST */
static const char *
hash_check_bcrypt(const char *at, size_t len, size_t digest)
{
    if (len != 3 + digest || at[2] != '$' || !hash_is_digits(at + 3, digest))
        return "is not a whole hash: it was cut or changed; " REMEDY;
    if (!(at[0] == '0' && at[1] >= '4' && at[1] <= '9') &&
        !(at[0] == '1' && at[1] >= '0' && at[1] <= '3'))
        return "has a cost that is not 04 to 13; " REMEDY;
    return NULL;
}

static const struct hash_scheme {
    const char *prefix;
    hash_check_fn *check;
    size_t digest; /* so many digits are behind the last $ */
    const char *weak;
} hash_schemes[] = {
    {"$y$", hash_check_yescrypt, 43, NULL},
    {"$gy$", hash_check_yescrypt, 43, NULL},
    {"$6$", hash_check_sha, 86, NULL},
    {"$5$", hash_check_sha, 43, NULL},
    {"$2b$", hash_check_bcrypt, 53, NULL},
    {"$2y$", hash_check_bcrypt, 53, NULL},
    {"$2a$", hash_check_bcrypt, 53, NULL},
    {"$1$", hash_check_salted, 22,
     "is MD5, of which a computer tries millions a second; " REMEDY},
};

#define DES_LEN 13
static const char hash_weak_des[] =
    "is DES, of which a computer tries millions a second, and which ends at "
    "eight octets of the password; " REMEDY;

/* Whether it has an octet that crypt(3) takes nowhere in a hash. */
static bool
hash_has_odd_octet(const char *hash, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (hash[i] <= ' ' || hash[i] > '~' || strchr("!*:;\\", hash[i]))
            return true;
    return false;
}

/* What is wrong with a hash, or NULL; then `weak' says whether it is weak. */
static const char *
hash_check(const char *hash, size_t len, const char **weak)
{
    if (hash_has_odd_octet(hash, len))
        return "has an octet that is in no hash; " REMEDY;
    for (size_t i = 0; i < sizeof(hash_schemes) / sizeof(hash_schemes[0]);
         i++) {
        const struct hash_scheme *scheme = &hash_schemes[i];
        size_t skip = strlen(scheme->prefix);
        if (len < skip || memcmp(hash, scheme->prefix, skip) != 0)
            continue;
        *weak = scheme->weak;
        return scheme->check(hash + skip, len - skip, scheme->digest);
    }
    *weak = hash_weak_des;
    return len == DES_LEN && hash_is_digits(hash, len)
               ? NULL
               : "is not a hash of a kind that is known here (yescrypt, "
                 "sha512crypt, sha256crypt, bcrypt); " REMEDY;
}

/* --- lines --------------------------------------------------------------- */

struct users_file_reading {
    struct users_file *users;
    size_t room;
    users_file_fault_fn *fault;
    void *context;
    unsigned line;
    bool failed;
};

static void
users_file_say(struct users_file_reading *reading, bool is_error, unsigned line,
               size_t column, const char *why)
{
    reading->failed |= is_error;
    if (reading->fault != NULL)
        reading->fault(reading->context, is_error, line, (unsigned)column, why);
}

static void
users_file_refuse(struct users_file_reading *reading, size_t column,
                  const char *why)
{
    users_file_say(reading, true, reading->line, column, why);
}

const char *
users_file_bad_name(const char *name, size_t len)
{
    if (len == 0)
        return "the name is missing";
    if (len > USERS_FILE_NAME_MAX)
        return "a name has at most 255 octets";
    if (name[0] == '#')
        return "a name cannot begin with #, which begins a comment";
    if (name[0] == ' ' || name[len - 1] == ' ')
        return "a name cannot begin or end with a blank";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == ':')
            return "a name cannot have a colon or a control octet";
    return NULL;
}

static int
users_file_add(struct users_file_reading *reading,
               const struct users_file_entry *entry)
{
    struct users_file *users = reading->users;

    if (users->count == reading->room) {
        size_t room = reading->room > 0 ? 2 * reading->room : 16;
        void *more = reallocarray(users->entries, room, sizeof(*entry));
        if (more == NULL)
            return -ENOMEM;
        users->entries = more;
        reading->room = room;
    }
    users->entries[users->count++] = *entry;
    return 0;
}

/* One line, without its end. */
static int
users_file_read_line(struct users_file_reading *reading, const char *line,
                     size_t len)
{
    size_t blanks = 0;
    const char *weak = NULL;

    while (blanks < len && (line[blanks] == ' ' || line[blanks] == '\t'))
        blanks++;
    if (blanks == len || line[blanks] == '#')
        return 0;
    if (line[len - 1] == '\r' || line[len - 1] == ' ' ||
        line[len - 1] == '\t') {
        users_file_refuse(reading, len,
                          "a blank or a carriage return at the end of the "
                          "line; remove it");
        return 0;
    }
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : len;
    const char *why = users_file_bad_name(line, name_len);
    if (reading->line == 1 && text_has_mark(line, len))
        why = "a byte order mark; save the file without one";
    if (why == NULL && colon == NULL)
        why = "there is no colon; a line is name:hash";
    if (why != NULL) {
        users_file_refuse(reading, 1, why);
        return 0;
    }
    const char *hash = colon + 1;
    size_t hash_len = len - name_len - 1, column = name_len + 2;
    const char *more = memchr(hash, ':', hash_len);
    bool locked = hash_len > 0 && (hash[0] == '!' || hash[0] == '*');
    if (hash_len == 0)
        why = "there is no hash; " REMEDY ", or write * to lock the user";
    else if (more != NULL) {
        why = "a second colon; a line is name:hash, without more fields";
        column += (size_t)(more - hash);
    } else if (hash_len > USERS_FILE_HASH_MAX)
        why = "is longer than any hash; " REMEDY;
    else if (!locked)
        why = hash_check(hash, hash_len, &weak);
    if (why != NULL) {
        users_file_refuse(reading, column, why);
        return 0;
    }
    if (weak != NULL)
        users_file_say(reading, false, reading->line, column, weak);
    return users_file_add(
        reading, &(struct users_file_entry){.name = line,
                                            .hash = hash,
                                            .name_len = (uint8_t)name_len,
                                            .hash_len = (uint8_t)hash_len,
                                            .locked = locked,
                                            .line = reading->line});
}

/* --- the table ----------------------------------------------------------- */

static int
users_file_cmp(const struct users_file_entry *entry, const char *name,
               size_t len)
{
    size_t least = entry->name_len < len ? entry->name_len : len;
    int order = memcmp(entry->name, name, least);

    return order != 0 ? order
                      : (entry->name_len > len) - (entry->name_len < len);
}

/* By name, then by line. */
static int
users_file_cmp_entries(const void *one, const void *other)
{
    const struct users_file_entry *a = one, *b = other;
    int order = users_file_cmp(a, b->name, b->name_len);

    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static void
users_file_check_doubles(struct users_file_reading *reading)
{
    struct users_file *users = reading->users;
    char why[80];

    if (users->count > 0)
        qsort(users->entries, users->count, sizeof(*users->entries),
              users_file_cmp_entries);
    for (size_t i = 1; i < users->count; i++) {
        const struct users_file_entry *first = &users->entries[i - 1];
        const struct users_file_entry *second = &users->entries[i];
        if (users_file_cmp(first, second->name, second->name_len) != 0)
            continue;
        snprintf(why, sizeof(why),
                 "the name stands on line %u already; remove one", first->line);
        users_file_say(reading, true, second->line, 1, why);
    }
}

int
users_file_parse(struct users_file *users, const char *text, size_t len,
                 users_file_fault_fn *fault, void *context)
{
    struct users_file_reading reading = {
        .users = users, .fault = fault, .context = context};
    int error = 0;

    *users = (struct users_file){.count = 0};
    for (size_t at = 0; at < len && error == 0;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end != NULL ? (size_t)(end - text) - at : len - at;
        reading.line++;
        error = users_file_read_line(&reading, text + at, line_len);
        at += line_len + 1;
    }
    if (error == 0)
        users_file_check_doubles(&reading);
    if (error == 0 && reading.failed)
        error = -EINVAL;
    if (error != 0)
        users_file_free(users);
    return error;
}

void
users_file_free(struct users_file *users)
{
    free(users->entries);
    *users = (struct users_file){.count = 0};
}

/* The first that does not stand before the name. */
static size_t
users_file_search(const struct users_file *users, const char *name, size_t len)
{
    size_t low = 0, high = users->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (users_file_cmp(&users->entries[middle], name, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct users_file_entry *
users_file_find(const struct users_file *users, const char *name, size_t len)
{
    size_t at = users_file_search(users, name, len);

    return at < users->count &&
                   users_file_cmp(&users->entries[at], name, len) == 0
               ? &users->entries[at]
               : NULL;
}

bool
users_file_has_prefix(const struct users_file *users, const char *prefix,
                      size_t len)
{
    size_t at = users_file_search(users, prefix, len);

    return at < users->count && users->entries[at].name_len >= len &&
           memcmp(users->entries[at].name, prefix, len) == 0;
}
