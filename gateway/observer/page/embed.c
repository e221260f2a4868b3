/*
 * Prints the files that it is given as the table of page_files.h. It runs when
 * the gateway is built.
 */
#include <stdio.h>
#include <string.h>

static const char *
embed_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *end = strrchr(name, '.');
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (end != NULL && strcmp(end, types[i][0]) == 0)
            return types[i][1];
    return NULL;
}

static const char *
embed_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static int
embed_octets(int index, const char *path)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        return -1;
    printf("static const unsigned char file_%d[] = {", index);
    int octet;
    for (size_t i = 0; (octet = getc(in)) != EOF; i++)
        printf("%s%d,", i % 20 == 0 ? "\n" : "", octet);
    /* A file may be empty, an array may not. */
    printf("\n0};\n");
    int failed = ferror(in);
    fclose(in);
    return failed ? -1 : 0;
}

int
main(int argc, char **argv)
{
    printf("#include \"gateway/observer/page_files.h\"\n");
    for (int i = 1; i < argc; i++)
        if (embed_type(argv[i]) == NULL || embed_octets(i, argv[i]) < 0) {
            fprintf(stderr, "embed: %s: cannot be read, or has no type\n",
                    argv[i]);
            return 1;
        }
    printf("const struct page_file page_files[] = {\n");
    for (int i = 1; i < argc; i++) {
        const char *name = embed_name(argv[i]);
        printf("{\"/%s\", \"%s\", (const char *)file_%d, "
               "sizeof(file_%d) - 1},\n",
               strcmp(name, "index.html") == 0 ? "" : name, embed_type(argv[i]),
               i, i);
    }
    printf("};\nconst size_t page_file_count = %d;\n", argc - 1);
    return fflush(stdout) == 0 ? 0 : 1;
}
