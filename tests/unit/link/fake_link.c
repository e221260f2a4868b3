#include "tests/unit/link/fake_link.h"

#include <errno.h>

#include "gateway/worker/peer_link.h"
#include "tests/unit/unit.h"

struct fake_link fake_link;

void
fake_link_init(void *sent, size_t size, size_t most)
{
    fake_link = (struct fake_link){
        .room = most, .sent = sent, .size = size, .most = most};
}

int
fake_link_take(const void *message, size_t size)
{
    assert_int_equal(size, fake_link.size);
    if (fake_link.error != 0)
        return fake_link.error;
    if (fake_link.room == 0)
        return -EAGAIN;
    fake_link.room--;
    assert_true(fake_link.count < fake_link.most);
    memcpy((char *)fake_link.sent + size * fake_link.count++, message, size);
    return 0;
}

void
peer_link_init(struct peer_link *link, struct loop *loop,
               enum channel_peer peer, const struct peer_link_ops *ops)
{
    *link = (struct peer_link){.loop = loop, .peer = peer, .ops = ops};
}

int
peer_link_send(struct peer_link *link, const void *message, size_t size)
{
    (void)link;
    return fake_link_take(message, size);
}
