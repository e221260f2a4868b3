#include "gateway/worker/refusals.h"

#include <stdio.h>

#include "base/sys.h"
#include "gateway/worker/sources.h"

/* From the first refusal that is counted to the lines. */
#define REFUSALS_MS 1000

/* ---- Lines of the log ---- */

static void
refusals_put_source(struct log_line *line, struct addr source)
{
    char text[ADDR_TEXT_MAX], block[ADDR_TEXT_MAX + 4];

    snprintf(block, sizeof(block), addr_is_v4(source) ? "%s" : "%s/64",
             addr_format(source, text));
    log_text(line, "source", block);
}

static bool
refusals_write_row(struct refusals *refusals, const struct refusals_row *row)
{
    char since[LOG_TIME_MAX];
    struct log_line line;

    record_begin(refusals->records, &line, "records_suppressed", row->level);
    log_number(&line, "worker", refusals->slot);
    refusals_put_source(&line, row->source);
    log_text(&line, "verdict", verdict_rows[row->verdict].name);
    log_number(&line, "count", row->count);
    log_text(&line, "since", log_time(row->since_ms, since));
    return record_answer(refusals->records, &line);
}

/* Rows for which the log has no room stay. */
static void
refusals_write(struct refusals *refusals)
{
    size_t left = 0;

    for (size_t i = 0; i < refusals->count; i++)
        if (!refusals_write_row(refusals, &refusals->rows[i]))
            refusals->rows[left++] = refusals->rows[i];
    refusals->count = left;
}

static void
refusals_on_due(struct timer *timer)
{
    struct refusals *refusals = container_of(timer, struct refusals, due);

    refusals_write(refusals);
    if (refusals->count > 0)
        loop_start_timer(refusals->loop, &refusals->due, REFUSALS_MS);
}

/* ---- Beginning and end ---- */

void
refusals_init(struct refusals *refusals, struct loop *loop,
              struct segment *segment, unsigned slot,
              struct record_log *records)
{
    refusals->loop = loop;
    refusals->segment = segment;
    refusals->slot = slot;
    refusals->records = records;
    refusals->count = 0;
    timer_init(&refusals->due, refusals_on_due);
}

void
refusals_fini(struct refusals *refusals)
{
    refusals_write(refusals);
    loop_cancel_timer(refusals->loop, &refusals->due);
}

/* ---- Counting ---- */

/* A new one if there is none. NULL: no room. */
static struct refusals_row *
refusals_row(struct refusals *refusals, struct addr source,
             enum verdict verdict, enum log_level level)
{
    struct refusals_row *row = refusals->rows;

    for (size_t i = 0; i < refusals->count; i++, row++)
        if (row->verdict == verdict && row->level == level &&
            addr_equal(row->source, source))
            return row;
    if (refusals->count == REFUSALS_ROWS)
        return NULL;
    *row = (struct refusals_row){.source = source,
                                 .verdict = verdict,
                                 .level = level,
                                 .since_ms = sys_wall_ms()};
    if (refusals->count++ == 0)
        loop_start_timer(refusals->loop, &refusals->due, REFUSALS_MS);
    return row;
}

bool
refusals_suppress(struct refusals *refusals, int source_index,
                  struct addr client, enum verdict verdict,
                  enum log_level level)
{
    if (source_index < 0 ||
        sources_refused(refusals->segment, source_index,
                        refusals->loop->now_us * 1000) <= REFUSALS_RECORDED)
        return false;
    struct refusals_row *row =
        refusals_row(refusals, source_block(client), verdict, level);
    if (row == NULL)
        return false;
    row->count++;
    segment_count(&refusals->segment->columns[refusals->slot],
                  SEGMENT_COUNTER_suppressed, 1);
    return true;
}
