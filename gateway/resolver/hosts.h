#ifndef GATEWAY_RESOLVER_HOSTS_H
#define GATEWAY_RESOLVER_HOSTS_H

#include <stdint.h>

#include "gateway/resolver/key.h"
#include "gateway/resolver/system_file.h"

/*
 * The hosts file: its names with their addresses, in a hash table that is made
 * when the file has changed. A name may stand in several lines; case does
 * not matter, aliases are names like others.
 */
#define HOSTS_OCTETS_MAX (32u * 1024 * 1024)
#define HOSTS_NAMES_MAX (1024u * 1024)

/* How many times as long as a reading took of the processor passes before the
   next one: a large file that is being written costs names a twentieth of the
   time. A small one that waited for a busy processor is followed at once. */
#define HOSTS_REST 20
#define HOSTS_QUICK_US 5000 /* as quick as this needs no rest */

/* An address of a name. Indices count from 1; 0: none. */
struct hosts_entry {
    struct addr address;
    uint32_t name; /* where it stands in the text, as a key */
    uint32_t hash;
    uint32_t next; /* the first entry of the next name in the bucket */
    uint32_t more; /* the next address of the same name */
};

struct hosts {
    struct system_file file;
    char *text; /* owned, like the tables */
    struct hosts_entry *entries;
    uint32_t *buckets;
    size_t count;
    size_t room;         /* for entries */
    size_t bucket_count; /* a power of two; 0: there is nothing */
    uint64_t next_look_us;
};

/* Call before the process is confined. */
void hosts_init(struct hosts *hosts, const char *path);
void hosts_fini(struct hosts *hosts);

/* Reads the file where it has changed. False: the process must be started
   again to read it. */
bool hosts_refresh(struct hosts *hosts);

/* How many addresses of that family the name has, at most LOOKUP_ADDRESSES_MAX,
   in the order of the file, each once. */
size_t hosts_find(const struct hosts *hosts, const struct key *key,
                  enum lookup_family family,
                  struct addr addresses[LOOKUP_ADDRESSES_MAX]);

/* Makes the table of `text`, which it takes: `len` octets and room for one
   more. 0, or -ENOMEM and the table is what it was, or -EFBIG and its
   end is left out. */
int hosts_parse(struct hosts *hosts, char *text, size_t len);

#endif
