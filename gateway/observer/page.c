#include "gateway/observer/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/observer/observer.h"
#include "gateway/observer/page_files.h"
#include "gateway/observer/page_say.h"
#include "gateway/observer/row_json.h"

/* What is asked of a reader's object at once. */
#define PAGE_BLOCK 16384

/* A browser that takes longer to read an object is cut off, so that another can
   have its place. */
#define PAGE_UNREAD_S 10

#define PAGE_FULL "Eight pages are open already: close one.\n"
#define PAGE_NOT_OURS                                                          \
    "The page is not served under this name: open it by an address, as "       \
    "http://127.0.0.1:9180/, or by this machine's own name.\n"

/* --- sessions that end --------------------------------------------------- */

static void
page_on_event(struct survey *survey, unsigned worker, bool begins,
              const struct observer_row *row, uint64_t dropped)
{
    struct page *page = container_of(survey, struct page, follow);
    uint64_t *had = &page->dropped_by[worker];
    page->dropped += dropped < *had ? dropped : dropped - *had; /* a new one */
    *had = dropped;
    if (begins)
        return;
    page->ended[page->ended_count++ % PAGE_ENDED_MAX] = (struct page_ended){
        .row = *row, .worker = worker, .time_s = sys_wall_ms() / 1000};
}

static void
page_on_followed(struct survey *survey)
{
    (void)survey;
}

static const struct survey_ops page_follow_ops = {.event = page_on_event,
                                                  .done = page_on_followed};

/* Workers tell of sessions only while somebody looks. */
static void
page_follow(struct page *page, bool wanted)
{
    if (!wanted) {
        survey_cancel(&page->follow);
        return;
    }
    if (page->follow.workers != NULL)
        return;
    page->follow.ops = &page_follow_ops;
    page->follow.ask =
        (struct observer_ask){.kind = OBSERVER_FOLLOW, .count = 1};
    memset(page->dropped_by, 0, sizeof(page->dropped_by));
    (void)!survey_start(&page->follow, &page->observer->workers);
}

/* What has ended since the reader's last object. */
static void
page_reader_add_ended(struct page_reader *reader, json_t *object)
{
    const struct page *page = reader->page;
    uint64_t all = page->ended_count - reader->ended;
    uint64_t shown = all < PAGE_ENDED_MAX ? all : PAGE_ENDED_MAX;
    json_t *list = json_array();
    for (uint64_t i = page->ended_count - shown; i < page->ended_count; i++) {
        const struct page_ended *ended = &page->ended[i % PAGE_ENDED_MAX];
        json_t *row = row_json(&ended->row, ended->worker, NULL);
        json_object_set_new(row, "time",
                            json_integer((json_int_t)ended->time_s));
        json_array_append_new(list, row);
    }
    json_object_set_new(object, "ended", list);
    json_object_set_new(object, "missed",
                        json_integer((json_int_t)(all - shown + page->dropped -
                                                  reader->dropped)));
    reader->ended = page->ended_count;
    reader->dropped = page->dropped;
}

/* --- readers ------------------------------------------------------------- */

/* The library asks for octets to send. */
static ssize_t
page_reader_read(void *cls, uint64_t at, char *to, size_t room)
{
    struct page_reader *reader = cls;
    (void)at;
    size_t left = reader->len - reader->sent;
    if (left == 0 && reader->ends)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (left == 0) {
        reader->waits = true;
        MHD_suspend_connection(reader->connection);
        return 0;
    }
    if (left > room)
        left = room;
    memcpy(to, reader->text + reader->sent, left);
    reader->sent += left;
    return (ssize_t)left;
}

/* The library is done with it: the browser has gone, or was cut off. */
static void
page_reader_free(void *cls)
{
    struct page_reader *reader = cls;
    if (reader->listing != NULL)
        listing_cancel(reader->listing);
    free(reader->text);
    *reader = (struct page_reader){.page = reader->page};
}

/* The object, which is taken, is sent next. */
static void
page_reader_send(struct page_reader *reader, json_t *object)
{
    char *text =
        object == NULL
            ? NULL
            : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    char *event = NULL;
    int len = text == NULL ? -1 : asprintf(&event, "data: %s\n\n", text);
    free(text);
    json_decref(object);
    if (len < 0)
        return; /* no memory: nothing is said this second */
    free(reader->text);
    reader->text = event;
    reader->len = (size_t)len;
    reader->sent = 0;
    reader->unread_s = 0;
    if (reader->waits) {
        reader->waits = false;
        MHD_resume_connection(reader->connection);
        http_wake(&reader->page->observer->http);
    }
}

/* To all that want the rows of these words. */
static void
page_send_rows(struct page *page, const char *words, json_t *rows)
{
    for (size_t i = 0; i < PAGE_READERS_MAX; i++) {
        struct page_reader *reader = &page->readers[i];
        if (!reader->due || strcmp(reader->words, words) != 0)
            continue;
        reader->due = false;
        if (rows == NULL)
            continue; /* no memory: nothing is said this second */
        json_t *object = page_say(page);
        json_object_update(object, rows);
        json_object_set_new(object, "error",
                            reader->error[0] == '\0'
                                ? json_null()
                                : json_string(reader->error));
        page_reader_add_ended(reader, object);
        page_reader_send(reader, object);
    }
}

static void
page_on_listed(void *context, json_t *rows)
{
    struct page_reader *reader = context;
    reader->listing = NULL;
    page_send_rows(reader->page, reader->words, rows);
    json_decref(rows);
}

/* Whether the rows of these words are asked for already. */
static bool
page_lists(const struct page *page, const char *words)
{
    for (size_t i = 0; i < PAGE_READERS_MAX; i++)
        if (page->readers[i].listing != NULL &&
            strcmp(page->readers[i].words, words) == 0)
            return true;
    return false;
}

static void
page_reader_ask(struct page_reader *reader)
{
    struct page *page = reader->page;
    reader->due = true;
    if (reader->error[0] != '\0') {
        json_t *none =
            json_pack("{s:[],s:i,s:i}", "rows", "total", 0, "more", 0);
        page_send_rows(page, reader->words, none);
        json_decref(none);
    } else if (!page_lists(page, reader->words)) {
        reader->listing = listing_start(
            &page->observer->workers, &reader->filter, page_on_listed, reader);
    }
}

static void
page_on_tick(struct timer *timer)
{
    struct page *page = container_of(timer, struct page, tick);
    struct loop *loop = &page->observer->loop;
    uint64_t now_ms = loop_now_ms(loop);
    struct history_sample sample;
    uint64_t counts[REFUSED_REASONS];
    bool any = false;

    page_say_sample(page, &sample);
    history_add(&page->history, now_ms / 1000, &sample);
    page_say_refused(page, counts);
    refused_add(&page->kept->refused, now_ms / 1000, counts);
    for (size_t i = 0; i < PAGE_READERS_MAX; i++) {
        struct page_reader *reader = &page->readers[i];
        if (reader->connection == NULL)
            continue;
        any = true;
        if (reader->sent == reader->len)
            page_reader_ask(reader);
        else if (++reader->unread_s == PAGE_UNREAD_S)
            http_cut(reader->connection);
    }
    page_follow(page, any);
    loop_start_timer(loop, timer, 1000 - now_ms % 1000);
}

/* --- what is asked for --------------------------------------------------- */

/* Scripts and styles of our own files alone, and nothing of another server. */
#define PAGE_POLICY                                                            \
    "default-src 'none'; script-src 'self'; style-src 'self'; "                \
    "img-src 'self'; connect-src 'self'; base-uri 'none'; "                    \
    "form-action 'none'; frame-ancestors 'none'"

static enum MHD_Result
page_queue(struct MHD_Connection *connection, struct MHD_Response *response,
           const char *type)
{
    static const char *const headers[][2] = {
        {"Content-Security-Policy", PAGE_POLICY},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
        /* A browser would keep six of the eight connections for itself. */
        {"Connection", "close"},
    };
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    enum MHD_Result queued =
        MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result
page_answer_history(struct MHD_Connection *connection, const struct page *page)
{
    char *text = history_print(&page->history, (int64_t)(sys_wall_ms() / 1000));
    if (text == NULL)
        return MHD_NO;
    return page_queue(connection, http_response(text, strlen(text), text),
                      "application/json");
}

/* Words stand between spaces, or between quotation marks. */
static void
page_reader_read_filter(struct page_reader *reader, const char *words)
{
    char copy[PAGE_FILTER_MAX + 1], *at = copy;
    if (snprintf(copy, sizeof(copy), "%s", words) >= (int)sizeof(copy)) {
        snprintf(reader->error, sizeof(reader->error),
                 "the filter has more than %d octets", PAGE_FILTER_MAX);
        return;
    }
    memcpy(reader->words, copy, sizeof(copy));
    while (*(at += strspn(at, " ")) != '\0' && reader->error[0] == '\0') {
        const char *until = *at == '"' ? "\"" : " ";
        at += *at == '"';
        char *end = at + strcspn(at, until);
        char *next = *end == '\0' ? end : end + 1;
        *end = '\0';
        (void)!filter_add(&reader->filter, at, reader->error);
        at = next;
    }
}

static struct page_reader *
page_find_place(struct page *page)
{
    for (size_t i = 0; i < PAGE_READERS_MAX; i++)
        if (page->readers[i].connection == NULL)
            return &page->readers[i];
    return NULL;
}

static enum MHD_Result
page_answer_events(struct MHD_Connection *connection, struct page *page)
{
    struct page_reader *reader = page_find_place(page);
    if (reader == NULL || !http_begin_stream(connection))
        return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                           "text/plain; charset=utf-8", strdup(PAGE_FULL),
                           strlen(PAGE_FULL));
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PAGE_BLOCK, page_reader_read, reader,
        page_reader_free);
    if (response == NULL)
        return MHD_NO;
    const char *words = MHD_lookup_connection_value(
        connection, MHD_GET_ARGUMENT_KIND, "filter");
    reader->connection = connection;
    reader->ended = page->ended_count;
    reader->dropped = page->dropped;
    page_reader_read_filter(reader, words == NULL ? "" : words);
    page_follow(page, true);
    page_reader_ask(reader);
    return page_queue(connection, response, "text/event-stream");
}

/*
 * Whether a browser asks for us: by an address, a name that nobody can
 * register, or this machine's. Otherwise a site that points its own name here
 * could read the page through its visitors' browsers.
 */
static bool
page_is_asked_for(const struct page *page, struct MHD_Connection *connection)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_HOST);
    char name[256];
    struct addr addr;
    if (host == NULL || host[0] == '[')
        return true; /* no browser; an address of IPv6 */
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, ":"), host);
    return strchr(name, '.') == NULL || addr_parse(name, &addr) == 0 ||
           strcasecmp(name, page->host) == 0;
}

static const struct page_file *
page_find_file(const char *path)
{
    for (size_t i = 0; i < page_file_count; i++)
        if (strcmp(path, page_files[i].path) == 0)
            return &page_files[i];
    return NULL;
}

bool
page_serve(struct page *page, struct MHD_Connection *connection,
           const char *path, enum MHD_Result *result)
{
    const struct page_file *file = page_find_file(path);
    bool events = strcmp(path, "/events") == 0;
    if (file == NULL && !events && strcmp(path, "/history") != 0)
        return false;
    if (!page_is_asked_for(page, connection))
        *result = http_answer(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                              "text/plain; charset=utf-8",
                              strdup(PAGE_NOT_OURS), strlen(PAGE_NOT_OURS));
    else if (events)
        *result = page_answer_events(connection, page);
    else if (file == NULL)
        *result = page_answer_history(connection, page);
    else
        *result =
            page_queue(connection, http_response(file->octets, file->len, NULL),
                       file->type);
    return true;
}

/* --- life ---------------------------------------------------------------- */

/* Counts up when anything in it changes its meaning. */
#define PAGE_KEPT_LAYOUT ((uint64_t)1 << 32 | sizeof(struct page_kept))

void
page_init(struct page *page, struct observer *observer, struct page_kept *kept)
{
    static double bounds[SERIES_BUCKETS];
    uint64_t second = loop_now_ms(&observer->loop) / 1000;
    for (size_t i = 0; i < SERIES_BUCKETS; i++)
        bounds[i] = series_bounds_ms[i] / 1000.;
    page->observer = observer;
    if (gethostname(page->host, sizeof(page->host) - 1) < 0)
        page->host[0] = '\0';
    if (kept->layout != PAGE_KEPT_LAYOUT)
        *kept = (struct page_kept){.layout = PAGE_KEPT_LAYOUT};
    page->kept = kept;
    history_init(&page->history, &kept->history, bounds, SERIES_BUCKETS + 1,
                 second);
    refused_resume(&kept->refused, second);
    for (size_t i = 0; i < PAGE_READERS_MAX; i++)
        page->readers[i].page = page;
    timer_init(&page->tick, page_on_tick);
    loop_start_timer(&observer->loop, &page->tick, 0);
}

void
page_drain(struct page *page)
{
    loop_cancel_timer(&page->observer->loop, &page->tick);
}

void
page_end_readers(struct page *page)
{
    for (size_t i = 0; i < PAGE_READERS_MAX; i++) {
        struct page_reader *reader = &page->readers[i];
        reader->ends = reader->connection != NULL;
        if (!reader->waits)
            continue;
        reader->waits = false;
        MHD_resume_connection(reader->connection);
    }
}

void
page_fini(struct page *page)
{
    page_follow(page, false);
    loop_cancel_timer(&page->observer->loop, &page->tick);
}
