#ifndef GATEWAY_OBSERVER_PAGE_H
#define GATEWAY_OBSERVER_PAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/loop.h"
#include "gateway/observer/filter.h"
#include "gateway/observer/history.h"
#include "gateway/observer/listing.h"
#include "gateway/observer/mhd.h"
#include "gateway/observer/refused.h"
#include "gateway/observer/workers.h"

/*
 * The page at / of observe.address: its files, which are in the binary; what it
 * plots, at /history; and at /events a stream of one object a second (server-
 * sent events) for as long as the browser listens:
 *
 *     {"time": 1764486000, "second": 61, "host": "gw", "version": "0.1.0",
 *      "config": "3f9a2c17", "uptime": 61, "state": "serving",
 *      "point": [sessions, connections, up, down, p50, p99],
 *      "sessions": {"live": 2, "states": {"relay": 2}},
 *      "error": null, "rows": […], "total": 2, "more": 0,
 *      "ended": […], "missed": 0,
 *      "refusals": [{"verdict": "denied-by-rule", "recent": 2, "total": 7}],
 *      "limits": [{"limit": "sessions", "used": 2, "most": 18000}],
 *      "workers": [{"worker": 0, "state": "accepting", "sessions": 2,
 *                   "restarts": 0}],
 *      "parents": [{"parent": "hq", "address": "gw.example:1443",
 *                   "state": "up"}],
 *      "certificates": [{"of": "listener inside", "file": "gw.pem",
 *                        "days": 61}]}
 *
 * `point` is the newest of /history, whose `second` it has. `rows` are sessions
 * now, as socks4ctl shows them, of those that match ?filter=WORDS; `error` says
 * what is wrong with the words. `ended` are the records of sessions that have
 * ended since the object before, `missed` how many more they were.
 *
 * The page only looks: nothing that is asked for changes anything. A browser
 * that does not read has at most one object waiting, and gets none until it is
 * read.
 */
#define PAGE_READERS_MAX 8
#define PAGE_FILTER_MAX 400
#define PAGE_ENDED_MAX 100 /* of one object, and kept */

struct observer;
struct page;

struct page_reader {
    struct page *page;                 /* borrowed */
    struct MHD_Connection *connection; /* borrowed; NULL: nobody */
    bool waits;                        /* suspended until there is an object */
    bool ends;                         /* after the object that it reads */
    bool due;                          /* wants the object of this second */
    char *text;                        /* owned: the object that is sent */
    size_t len, sent;
    unsigned unread_s;       /* for so long it has not been read to its end */
    uint64_t ended, dropped; /* of the page's, at its last object */
    char words[PAGE_FILTER_MAX + 1];
    char error[FILTER_WHY_MAX]; /* of the words; empty: none */
    struct observer_filter filter;
    struct listing *listing; /* owned: its rows are asked for; or NULL */
};

/* What outlives the process (CHANNEL_FD_KEPT). */
struct page_kept {
    uint64_t layout; /* of this; another one begins anew */
    struct history_kept history;
    struct refused refused;
};

struct page_ended {
    struct observer_row row;
    unsigned worker;
    uint64_t time_s;
};

struct page {
    struct observer *observer; /* borrowed */
    char host[65];
    struct timer tick;
    struct page_kept *kept; /* borrowed */
    struct history history;
    struct page_reader readers[PAGE_READERS_MAX];
    struct survey follow;                    /* while there are readers */
    struct page_ended ended[PAGE_ENDED_MAX]; /* a ring */
    uint64_t ended_count;
    uint64_t dropped; /* events that workers had no room for */
    uint64_t dropped_by[SEGMENT_SLOTS];
};

/* Looks the machine's name up: to be called before the process is confined.
   `kept` is zero, or what another observer has left in it. */
void page_init(struct page *page, struct observer *observer,
               struct page_kept *kept);
/* Another observer goes on with what is kept. */
void page_drain(struct page *page);
/* Ends readers, who would wait for ever: where the address is served no more,
   and before the HTTP server ends. */
void page_end_readers(struct page *page);
void page_fini(struct page *page);

/* Answers what is asked for at `path`, if that is the page's. */
bool page_serve(struct page *page, struct MHD_Connection *connection,
                const char *path, enum MHD_Result *result);

#endif
