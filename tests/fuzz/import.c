/* Any octets as the configuration of Dante or, with another first octet, of
   3proxy. It is refused with a line that it has, or translated: each line is
   there as a comment, the gateway takes the rest, and where a line holds all
   rules none of them allows anything. */

#include <stdlib.h>

#include "gateway/config/config.h"
#include "tests/fuzz/fuzz.h"
#include "tools/import/readers.h"

/* Without its comments it is what the gateway reads. */
static void
check(const struct translation *made, char *text, size_t len)
{
    struct config_error error = {""};
    struct config *config = config_parse("f", text, len, &error, NULL);

    assert(config != NULL);
    for (size_t i = 0; made->held > 0 && i < config->policy.rule_count; i++)
        assert(!config->policy.rules[i].allow);
    config_unref(config);
    for (unsigned i = 1; i <= made->line_count; i++)
        assert(made->lines[i - 1][0] == '\0' || made->printed[i - 1]);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        for (const char *at = line; *at != '\n'; at++)
            assert(*at >= ' ' && *at <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct translation made;
    unsigned line = 0;
    char *text = NULL;
    size_t len = 0;

    if (size == 0 || size > FUZZ_INPUT_MAX ||
        memchr(input, '\0', size) != NULL) /* main refuses those */
        return 0;
    translation_init(&made, "f", (const char *)input + 1, size - 1);
    if ((input[0] == '3' ? threeproxy_read : dante_read)(&made, &line) != 0) {
        assert(line > 0 && line <= (made.line_count > 0 ? made.line_count : 1));
    } else {
        FILE *out = open_memstream(&text, &len);
        assert(out != NULL);
        translation_print(&made, out);
        assert(fclose(out) == 0);
        check(&made, text, len);
        free(text);
    }
    translation_fini(&made);
    return 0;
}
