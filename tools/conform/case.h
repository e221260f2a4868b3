#ifndef CONFORM_CASE_H
#define CONFORM_CASE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A case as written in its file: what is sent, what must come, which
 * requirements it shows. socks4-conform(1) describes the language.
 */

enum level { LEVEL_MUST, LEVEL_SHOULD, LEVEL_PRACTICE, LEVEL_COUNT };

extern const char *const level_names[LEVEL_COUNT];

/* The servers that a case is for. */
enum mode {
    MODE_ANY, /* 4 and 4A; with `ids5`, 5 too */
    MODE_4,
    MODE_4A,
    MODE_5,
};

enum {
    NEEDS_IDENT = 1,      /* a server that asks identd and refuses by it */
    NEEDS_DNS = 2,        /* a server that asks the tester's name server */
    NEEDS_NAMESPACES = 4, /* hosts of their own */
    NEEDS_TRUST = 8,      /* a server that does not ask identd */
    NEEDS_TLS = 16,       /* TLS towards the server */
    NEEDS_PLAIN = 32,     /* none */
    NEEDS_PASSWORD = 64,  /* a server that asks for a password */
    NEEDS_OPEN = 128,     /* a server that asks for none */
};

/* What a case makes the server wait for: a server may serve nobody else
   meanwhile. */
enum {
    STALL_CLIENT = 1,  /* any client: it serves one at a time; no case's own */
    STALL_CONNECT = 2, /* an application server that does not answer */
    STALL_NAME = 4,    /* a name server that does not answer */
    STALL_IDENT = 8,   /* an ident server that does not answer */
};

/* Whether a step is done. */
enum guard {
    GUARD_NONE,
    GUARD_GRANTED,
    GUARD_REFUSED,
};

#define CASE_STEPS_MAX 40
#define CASE_TRIES_MAX 100
#define CASE_IDS_MAX 12
#define STEP_WORDS_MAX 24

/* "must client gets 00 5a": one line. */
struct step {
    unsigned line;
    bool must; /* else: what the case needs to be able to say anything */
    enum guard guard;
    unsigned count;
    const char *words[STEP_WORDS_MAX]; /* into the case's text */
};

struct conform_case {
    char name[64];     /* of the file, without ".case" */
    const char *title; /* the first line */
    enum level level;
    enum mode mode;
    unsigned needs;
    unsigned stalls;
    bool slow;         /* waits for a timer of the server */
    unsigned tries;    /* it is played so many times; each must come out */
    const char *group; /* cases of one group never run at once; NULL: none */
    unsigned id_count;
    const char *ids[CASE_IDS_MAX];
    bool shared; /* has `ids5`: written for 4 and for 5 */
    unsigned step_count;
    struct step steps[CASE_STEPS_MAX];
    char *text; /* owned: what all the others point into */
};

struct cases {
    struct conform_case *each; /* owned, ordered by name */
    size_t count;
};

/*
 * Reads every *.case file of the folder and keeps the cases that are for
 * version 5, with the ids and the level that they have there, or for 4 and 4A.
 * 0 or a negative errno. An error in a file goes to stderr with file and line,
 * and is -EINVAL.
 */
int cases_read(struct cases *cases, const char *folder, bool socks5);
void cases_free(struct cases *cases);

#endif
