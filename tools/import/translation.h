#ifndef TOOLS_IMPORT_TRANSLATION_H
#define TOOLS_IMPORT_TRANSLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/netset.h"

/*
 * The configuration of another server, as far as it is ours, too. Its readers
 * (readers.h) fill it; translation_print writes our file, with
 * each old line as a comment.
 *
 * Nothing may be granted that the other server refuses. So what has no equal
 * makes a rule that allows go away, and one that denies deny more; and where a
 * line outside of the rules refuses something that we cannot, no rule allows
 * anything (`held`).
 */

enum {
    TRANSLATION_LISTENERS_MAX = 32,
    TRANSLATION_PORTS_MAX = 32,
    TRANSLATION_PARENTS_MAX = 12
};

/* The users file that rules with passwords need; the operator makes it. */
#define TRANSLATION_USERS_FILE "socks4d.users"

/* A range of lines, first to last; 0: none. */
struct origin {
    unsigned first, last;
};

struct port_range {
    uint16_t first, last;
};

/* What a rule is for; bits. */
enum { TRANSLATED_CONNECT = 1, TRANSLATED_BIND = 2, TRANSLATED_UDP = 4 };

/* How clients have proved who they are; EITHER: and who offers no password is
   not to be refused for that. */
enum translated_auth {
    TRANSLATED_ANY,
    TRANSLATED_NONE,
    TRANSLATED_PASSWORD,
    TRANSLATED_EITHER
};

/* Names, as our rule has them; empty: any. */
struct translated_users {
    char text[400];
};

/* Another gateway, as the way out of rules. */
struct translated_parent {
    struct origin origin;
    struct endpoint at;
    const char *protocol; /* ours */
    bool passes_names;
    char user[256];     /* or the USERID, for protocols that are not SOCKS5 */
    char password[256]; /* of SOCKS5; empty: it is told no user either */
};

struct translated_rule {
    struct origin origin;
    bool allow;
    struct netset from, to; /* owned */
    bool from_self, to_self; /* and every address of this machine */
    struct port_range ports[TRANSLATION_PORTS_MAX];
    size_t port_count; /* 0: any */
    unsigned commands;
    unsigned version; /* 4, which 4A is, too, or 5; 0: any */
    enum translated_auth auth;
    struct translated_users users;
    unsigned listeners;  /* bit N: listener N; 0: any */
    unsigned parent;     /* its number; 0: none */
    const char *comment; /* above it, or NULL */
};

struct translation {
    const char *file;
    char **lines; /* owned; without their ends */
    size_t line_count;
    bool *printed; /* of each line; owned */
    struct {
        struct endpoint at;
        struct origin origin;
        bool socks5_only; /* else both versions */
    } listeners[TRANSLATION_LISTENERS_MAX];
    size_t listener_count;
    uint32_t egress; /* 0: the system chooses */
    struct origin egress_origin;
    char log[300]; /* empty: nothing is said */
    struct origin log_origin;
    bool log_starts; /* a line when a session begins, too */
    struct {
        const char *key;
        uint64_t seconds;
        struct origin origin;
    } timeouts[8];
    size_t timeout_count;
    struct translated_parent parents[TRANSLATION_PARENTS_MAX]; /* 1 is first */
    size_t parent_count;
    struct translated_rule *rules; /* owned, with their sets */
    size_t rule_count;
    unsigned held; /* the line that keeps all rules from allowing; 0: none */
    struct note {
        unsigned line;
        size_t number; /* before it are so many */
        char text[200];
    } * notes; /* owned */
    size_t note_count;
};

/* Takes the lines of the text. */
void translation_init(struct translation *made, const char *file,
                      const char *text, size_t len);
void translation_fini(struct translation *made);

/* Says what has no equal on that line. */
void __attribute__((format(printf, 3, 4)))
translation_note(struct translation *made, unsigned line, const char *format,
                 ...);

/* The same, and no rule may allow anything. */
void __attribute__((format(printf, 3, 4)))
translation_hold(struct translation *made, unsigned line, const char *format,
                 ...);

/* By their lines, where they were not noted in that order. */
void translation_sort_notes(struct translation *made);

/* Adds a listener. False: that it is not one is noted. */
bool translation_add_listener(struct translation *made, struct endpoint at,
                              unsigned line);

/* Puts another text in the place of a line, which shall not be shown. */
void translation_hide_line(struct translation *made, unsigned line, char *text);

/* A new rule, empty. */
struct translated_rule *translation_add_rule(struct translation *made,
                                             struct origin origin, bool allow);

void translation_add_timeout(struct translation *made, const char *key,
                             const char *seconds, struct origin origin);

/* False: the name is not one that a rule can have, or there is no room. */
bool translated_users_add(struct translated_users *users, const char *name);

/* Ours, on `out`. */
void translation_print(struct translation *made, FILE *out);

/* The name of the file of a parent's password, beside ours. */
const char *translation_password_file(unsigned parent, char name[32]);
/* Makes these files in that folder, for the owner alone; none may be there. 0,
   or a negative errno and the file in `name`. */
int translation_write_passwords(const struct translation *made,
                                const char *folder, char name[32]);
/* Notes which files the operator has to make; see translation_sort_notes. */
void translation_note_passwords(struct translation *made);

/* --- Sets of IPv4 addresses; memory that is missing ends the program. --- */

void addresses_add_all(struct netset *set);
void addresses_copy(struct netset *set, const struct netset *from);
/* Leaves only what both have; or takes away what the other has. */
void addresses_keep(struct netset *set, const struct netset *other);
void addresses_remove(struct netset *set, const struct netset *other);

/* "10.0.0.0/8", "10.0.0.1", "10.0.0.0/255.0.0.0", "0/0", "10.0.0.1-10.0.0.9".
   False: it is something else. Host bits are cleared, as other servers do. */
bool addresses_parse(const char *text, struct netset *set);

/* A port or a range, "80" or "8000-8100", or the name of a service. */
bool ports_parse(const char *text, struct port_range *range);

void *import_alloc(void *old, size_t count, size_t size);

#endif
