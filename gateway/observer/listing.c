#include "gateway/observer/listing.h"

#include <stdlib.h>

#include "gateway/observer/filter.h"
#include "gateway/observer/row_json.h"

/* Between the two looks. */
#define LISTING_RATE_MS 250

struct listing_row {
    struct observer_row row;
    unsigned worker;
    bool again; /* it was there at the second look, too */
    uint64_t rates[2];
};

struct listing {
    struct workers *workers; /* borrowed */
    struct survey survey;
    struct timer rate; /* until the second look */
    listing_done_fn *done;
    void *context;
    bool second;
    uint64_t total;
    unsigned unanswered;
    size_t count;
    struct listing_row rows[OBSERVER_ROWS_MAX]; /* by id */
};

/* --- the first look ------------------------------------------------------ */

/* The oldest are kept. */
static void
listing_add(struct listing *listing, unsigned worker,
            const struct observer_row *row)
{
    size_t at = listing->count;
    if (at == OBSERVER_ROWS_MAX) {
        if (listing->rows[at - 1].row.id < row->id)
            return;
        at--;
    } else {
        listing->count++;
    }
    for (; at > 0 && listing->rows[at - 1].row.id > row->id; at--)
        listing->rows[at] = listing->rows[at - 1];
    listing->rows[at] = (struct listing_row){.row = *row, .worker = worker};
}

/* --- the second ---------------------------------------------------------- */

static uint64_t
listing_rate(uint64_t before, uint64_t now, uint64_t ms)
{
    return now > before && ms > 0 ? (now - before) * 1000 / ms : 0;
}

static void
listing_update(struct listing *listing, unsigned worker,
               const struct observer_row *row)
{
    for (size_t i = 0; i < listing->count; i++) {
        struct listing_row *had = &listing->rows[i];
        if (had->row.id != row->id || had->worker != worker)
            continue;
        uint64_t ms = row->age_ms - had->row.age_ms;
        had->rates[0] = listing_rate(had->row.up, row->up, ms);
        had->rates[1] = listing_rate(had->row.down, row->down, ms);
        had->row = *row;
        had->again = true;
        return;
    }
}

static void
listing_on_row(struct survey *survey, unsigned worker,
               const struct observer_row *row)
{
    struct listing *listing = container_of(survey, struct listing, survey);
    if (listing->second)
        listing_update(listing, worker, row);
    else
        listing_add(listing, worker, row);
}

/* --- the answer ---------------------------------------------------------- */

/* One that is gone at the second look is left out, unless it may be that only
   its worker did not answer. */
static json_t *
listing_json(const struct listing *listing)
{
    json_t *rows = json_array();
    uint64_t total = listing->total;
    size_t count = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct listing_row *row = &listing->rows[i];
        if (listing->second && !row->again && listing->survey.unanswered == 0) {
            total--;
            continue;
        }
        json_t *json =
            row_json(&row->row, row->worker, row->again ? row->rates : NULL);
        count += json_array_append_new(rows, json) == 0;
    }
    json_t *answer =
        json_pack("{s:o,s:I,s:I}", "rows", rows, "total", (json_int_t)total,
                  "more", (json_int_t)(total - count));
    if (listing->unanswered > 0)
        json_object_set_new(answer, "unanswered",
                            json_integer(listing->unanswered));
    return answer;
}

static void
listing_on_rate(struct timer *timer)
{
    struct listing *listing = container_of(timer, struct listing, rate);
    struct observer_filter *filter = &listing->survey.ask.filter;
    listing->second = true;
    *filter = (struct observer_filter){0};
    for (size_t i = 0; i < listing->count; i++)
        (void)!filter_add_id(filter, listing->rows[i].row.id);
    (void)!survey_start(&listing->survey, listing->workers);
}

static void
listing_on_done(struct survey *survey)
{
    struct listing *listing = container_of(survey, struct listing, survey);
    if (!listing->second) {
        listing->total = survey->matched;
        listing->unanswered = survey->unanswered;
        if (listing->count > 0) {
            loop_start_timer(listing->workers->loop, &listing->rate,
                             LISTING_RATE_MS);
            return;
        }
    }
    listing->done(listing->context, listing_json(listing));
    free(listing);
}

static const struct survey_ops listing_ops = {.row = listing_on_row,
                                              .done = listing_on_done};

struct listing *
listing_start(struct workers *workers, const struct observer_filter *filter,
              listing_done_fn *done, void *context)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    if (listing == NULL)
        return NULL;
    listing->workers = workers;
    listing->done = done;
    listing->context = context;
    listing->survey.ops = &listing_ops;
    listing->survey.ask = (struct observer_ask){
        .kind = OBSERVER_LIST, .count = OBSERVER_ROWS_MAX, .filter = *filter};
    timer_init(&listing->rate, listing_on_rate);
    (void)!survey_start(&listing->survey, workers);
    return listing;
}

void
listing_cancel(struct listing *listing)
{
    survey_cancel(&listing->survey);
    loop_cancel_timer(listing->workers->loop, &listing->rate);
    free(listing);
}
