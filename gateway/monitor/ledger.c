#include "gateway/monitor/ledger.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ledger
ledger_writing(FILE *out)
{
    return (struct ledger){.out = out};
}

struct ledger
ledger_reading(const char *octets, size_t len)
{
    return (struct ledger){.in = octets, .left = len};
}

struct ledger
ledger_visiting(ledger_visit_fn *visit)
{
    return (struct ledger){.visit = visit};
}

static void
fail(struct ledger *ledger, int error)
{
    if (ledger->error == 0)
        ledger->error = error;
}

static void
take(struct ledger *ledger, void *octets, size_t len)
{
    if (len > ledger->left) {
        fail(ledger, -EBADMSG);
        return;
    }
    memcpy(octets, ledger->in, len);
    ledger->in += len;
    ledger->left -= len;
}

void
ledger_octets(struct ledger *ledger, void *octets, size_t len)
{
    if (ledger->error != 0 || ledger->visit != NULL || len == 0)
        return;
    if (ledger->out == NULL)
        take(ledger, octets, len);
    else if (fwrite(octets, len, 1, ledger->out) != 1)
        fail(ledger, -ENOMEM);
}

void
ledger_number(struct ledger *ledger, uint64_t *number, uint64_t most)
{
    uint64_t copy = *number;
    ledger_octets(ledger, &copy, sizeof(copy));
    if (copy > most)
        fail(ledger, -EBADMSG);
    if (ledger->error == 0)
        *number = copy;
}

/* Its length first, and no octet of it is a NUL. */
void
ledger_text(struct ledger *ledger, char *text, size_t room)
{
    uint64_t len = ledger->out != NULL ? strnlen(text, room) : 0;
    ledger_number(ledger, &len, room - 1);
    if (ledger->error != 0 || ledger->visit != NULL)
        return;
    ledger_octets(ledger, text, len);
    if (ledger->out != NULL)
        return;
    text[len] = '\0';
    if (strlen(text) != len)
        fail(ledger, -EBADMSG);
}

void
ledger_fd(struct ledger *ledger, int *fd)
{
    uint64_t number = (uint64_t)(*fd + 1);
    if (ledger->visit != NULL && *fd != -1 && ledger->error == 0)
        fail(ledger, ledger->visit(*fd));
    ledger_number(ledger, &number, INT_MAX);
    if (number != 0 && number <= STDERR_FILENO + 1)
        fail(ledger, -EBADMSG);
    if (ledger->error == 0)
        *fd = (int)number - 1;
}

void
ledger_piece(struct ledger *ledger, struct ledger_piece *piece, size_t size,
             size_t most)
{
    uint64_t len = piece->len;
    ledger_number(ledger, &len, most);
    if (len % size != 0)
        fail(ledger, -EBADMSG);
    if (ledger->error != 0 || ledger->visit != NULL)
        return;
    if (ledger->out == NULL) {
        if (len > ledger->left) {
            fail(ledger, -EBADMSG);
            return;
        }
        piece->octets = malloc(len + 1);
        if (piece->octets == NULL) {
            fail(ledger, -ENOMEM);
            return;
        }
        piece->len = len;
    }
    ledger_octets(ledger, piece->octets, len);
}

int
ledger_end(struct ledger *ledger)
{
    if (ledger->left != 0)
        fail(ledger, -EBADMSG);
    return ledger->error;
}
