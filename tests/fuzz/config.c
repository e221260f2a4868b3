/* Any octets as a configuration: taken or refused with one line; what is
   taken means the same once more by way of its dump. */

#include <assert.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/config_equal.h"

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct config_error error = {""};
    char *copy = malloc(size > 0 ? size : 1);

    assert(copy != NULL);
    if (size > 0)
        memcpy(copy, input, size);
    struct config *config = config_parse("f", copy, size, &error, NULL);
    free(copy);
    if (!config) {
        /* A set may have named a file of this machine. */
        assert(strncmp(error.text, "f:", 2) == 0 ||
               memmem(input, size, "file:", 5) != NULL);
        assert(strpbrk(error.text, "\r\n") == NULL);
        assert(memchr(error.text, 0, sizeof(error.text)) != NULL);
        return 0;
    }
    struct config *again = config_again(config, &error);
    assert(again != NULL);
    assert(config_differs(config, again) == NULL);
    config_unref(again);
    config_unref(config);
    return 0;
}
