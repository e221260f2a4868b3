#include "base/bpf.h"

/* Offset of the source address in the IPv4 header. */
#define SOURCE_ADDRESS ((uint32_t)SKF_NET_OFF + 12)

#define PASS 0xffffffffu
#define DROP 0

static struct sock_filter
bpf_jump(uint16_t how, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    return (struct sock_filter){(uint16_t)(BPF_JMP | how | BPF_K), if_true,
                                if_false, value};
}

static struct sock_filter
bpf_return(uint32_t verdict)
{
    return (struct sock_filter){BPF_RET | BPF_K, 0, 0, verdict};
}

/* The IPv4 part of a range; false: it has none. */
static bool
bpf_range(const struct netset_range *range, uint32_t *first, uint32_t *last)
{
    struct addr lowest = addr_v4(0);
    struct addr highest = addr_v4(UINT32_MAX);

    if (addr_cmp(range->last, lowest) < 0 ||
        addr_cmp(range->first, highest) > 0)
        return false;
    *first = addr_cmp(range->first, lowest) < 0 ? 0 : addr_to_v4(range->first);
    *last = addr_cmp(range->last, highest) > 0 ? UINT32_MAX
                                               : addr_to_v4(range->last);
    return true;
}

size_t
bpf_sources(const struct netset *sources, struct sock_filter *program,
            size_t room)
{
    size_t size = BPF_SOURCES_SIZE(sources->count);
    size_t at = 0;

    if (size > room || size > BPF_MAXINSNS)
        return 0;
    program[at++] =
        (struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, SOURCE_ADDRESS};
    for (size_t i = 0; i < sources->count; i++) {
        uint32_t first, last;
        if (!bpf_range(&sources->ranges[i], &first, &last))
            continue;
        program[at++] = bpf_jump(BPF_JGE, first, 0, 2);
        program[at++] = bpf_jump(BPF_JGT, last, 1, 0);
        program[at++] = bpf_return(PASS);
    }
    program[at++] = bpf_return(DROP);
    return at;
}
