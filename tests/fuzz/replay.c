/*
 * replay FOLDER: gives every file of a corpus to the fuzz target, under any
 * compiler; and every change of one octet of those that were written by hand,
 * which have names. What the fuzzer found is called by its hash.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX FUZZ_INPUT_MAX

int fuzz_patient = 1;

/* Copies end where the allocation does: a sanitizer sees a read past it. */
static void
give(const uint8_t *octets, size_t size)
{
    uint8_t *input = malloc(size > 0 ? size : 1);

    if (input == NULL)
        abort();
    memcpy(input, octets, size);
    LLVMFuzzerTestOneInput(input, size);
    free(input);
}

/* The input, each of its octets cut off or changed. The inputs given. */
static unsigned
give_with_changes(uint8_t *octets, size_t size)
{
    static const uint8_t changes[] = {0, 1, 4, 90, 0x7f, 0xff};
    unsigned given = 0;

    for (size_t i = 0; i < size && i < 64; i++) {
        uint8_t was = octets[i];

        for (size_t c = 0; c < sizeof changes; c++, given++) {
            octets[i] = changes[c];
            give(octets, size);
        }
        octets[i] = was;
    }
    give(octets, size);
    return given + 1;
}

static size_t
file_read(const char *folder, const char *name, uint8_t octets[INPUT_MAX])
{
    char path[4096];
    size_t size;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size = fread(octets, 1, INPUT_MAX, file);
    fclose(file);
    return size;
}

static bool
is_found(const char *name)
{
    return strlen(name) == 40 && strspn(name, "0123456789abcdef") == 40;
}

int
main(int argc, char **argv)
{
    uint8_t octets[INPUT_MAX];
    unsigned files = 0, given = 0;
    struct dirent *entry;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;

    if (folder == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        size_t size = file_read(argv[1], entry->d_name, octets);
        files++;
        if (is_found(entry->d_name)) {
            give(octets, size);
            given++;
        } else {
            given += give_with_changes(octets, size);
        }
    }
    closedir(folder);
    printf("%u files, %u inputs\n", files, given);
    return files == 0;
}
