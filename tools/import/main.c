/* Translates the configuration of another SOCKS server into ours. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/import/readers.h"

enum { FILE_MAX = 1024 * 1024 };

static const char help_text[] =
    "socks4-import - translate sockd.conf or 3proxy.cfg for socks4d\n"
    "\n"
    "socks4-import [--dante | --3proxy] [--passwords FOLDER] FILE\n"
    "    print the configuration of socks4d, with each old line as a comment\n"
    "\n"
    "      --dante     FILE is of Dante: sockd.conf, danted.conf\n"
    "      --3proxy    FILE is of 3proxy\n"
    "                  Default: what it looks like\n"
    "      --passwords FOLDER\n"
    "                  write each parent's password into a new file there,\n"
    "                  which is where the configuration will be\n"
    "  -h, --help      print this help\n"
    "  -V, --version   print the version\n"
    "\n"
    "What has no equal is listed on standard error, with its line. Nothing is\n"
    "granted that was refused before.\n"
    "\n"
    "Exit status: 0 all has an equal; 1 some lines have none; 2 usage, or "
    "FILE\n"
    "is neither. See socks4-import(1).\n";

static int
import_usage(const char *what, const char *word)
{
    fprintf(stderr, "socks4-import: %s%s\nTry 'socks4-import --help'.\n", what,
            word);
    return 2;
}

/* The whole file, or NULL with the error said. */
static char *
import_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    char *text;

    if (file == NULL) {
        fprintf(stderr, "socks4-import: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    text = import_alloc(NULL, FILE_MAX + 1, 1);
    *len = fread(text, 1, FILE_MAX + 1, file);
    if (ferror(file) || *len > FILE_MAX || memchr(text, '\0', *len) != NULL) {
        fprintf(stderr,
                "socks4-import: %s: is not a text of at most 1 MiB that can be "
                "read\n",
                path);
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* Skips the word if the line begins with it; false: it does not. */
static bool
line_skip_word(const char **line, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*line, word, len) != 0 || strchr(" \t{", (*line)[len]) == NULL)
        return false;
    *line += len + strspn(*line + len, " \t");
    return true;
}

/* A line of Dante's has a name with a colon, or begins a rule. */
static bool
line_is_dante(const char *line)
{
    size_t name;

    line += strspn(line, " \t");
    name = strspn(line, "abcdefghijklmnopqrstuvwxyz._");
    if (name > 0 && line[name + strspn(line + name, " \t")] == ':')
        return true;
    if (line_skip_word(&line, "socks") || line_skip_word(&line, "client") ||
        line_skip_word(&line, "hostid"))
        return line_skip_word(&line, "pass") || line_skip_word(&line, "block");
    return (line_skip_word(&line, "pass") || line_skip_word(&line, "block") ||
            line_skip_word(&line, "route")) &&
           *line == '{';
}

static bool
import_is_dante(const struct translation *made)
{
    for (size_t i = 0; i < made->line_count; i++)
        if (line_is_dante(made->lines[i]))
            return true;
    return false;
}

/* Whether nothing but comments is there. */
static bool
import_is_empty(const struct translation *made)
{
    for (size_t i = 0; i < made->line_count; i++) {
        const char *line = made->lines[i] + strspn(made->lines[i], " \t");
        if (*line != '\0' && *line != '#')
            return false;
    }
    return true;
}

/* 0: the passwords are written, or what the operator has to do is noted. */
static int
import_passwords(struct translation *made, const char *folder)
{
    char name[32];
    int rc;

    if (folder == NULL) {
        translation_note_passwords(made);
        translation_sort_notes(made);
        return 0;
    }
    rc = translation_write_passwords(made, folder, name);
    if (rc < 0)
        fprintf(stderr, "socks4-import: --passwords: %s/%s: %s\n", folder, name,
                strerror(-rc));
    return rc;
}

static int
import_run(const char *path, const char *folder,
           int (*reader)(struct translation *, unsigned *))
{
    struct translation made;
    unsigned line = 0;
    size_t len;
    char *text = import_read(path, &len);
    int status;

    if (text == NULL)
        return 2;
    translation_init(&made, path, text, len);
    explicit_bzero(text, len);
    free(text);
    if (import_is_empty(&made)) {
        fprintf(stderr, "socks4-import: %s: has no line but comments\n", path);
        translation_fini(&made);
        return 2;
    }
    if (reader == NULL)
        reader = import_is_dante(&made) ? dante_read : threeproxy_read;
    if (reader(&made, &line) != 0) {
        fprintf(stderr,
                "socks4-import: %s:%u: is not understood; does the server "
                "itself accept this file?\n",
                path, line);
        translation_fini(&made);
        return 2;
    }
    if (import_passwords(&made, folder) != 0) {
        translation_fini(&made);
        return 2;
    }
    for (size_t i = 0; i < made.note_count; i++)
        fprintf(stderr, "%s:%u: %s\n", path, made.notes[i].line,
                made.notes[i].text);
    if (made.held > 0)
        fprintf(stderr, "%s:%u: so nothing is allowed\n", path, made.held);
    translation_print(&made, stdout);
    status = made.note_count > 0;
    if (fflush(stdout) != 0) {
        fprintf(stderr, "socks4-import: standard output: %s\n",
                strerror(errno));
        status = 2;
    }
    translation_fini(&made);
    return status;
}

int
main(int argc, char **argv)
{
    int (*reader)(struct translation *, unsigned *) = NULL;
    const char *path = NULL, *folder = NULL;

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
            return fputs(help_text, stdout) == EOF;
        if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
            return printf("socks4-import %s\n", PROJECT_VERSION) < 0;
        if (strcmp(word, "--dante") == 0)
            reader = dante_read;
        else if (strcmp(word, "--3proxy") == 0)
            reader = threeproxy_read;
        else if (strcmp(word, "--passwords") == 0 && i + 1 < argc)
            folder = argv[++i];
        else if (strcmp(word, "--passwords") == 0)
            return import_usage("--passwords: FOLDER is missing", "");
        else if (word[0] == '-')
            return import_usage("unknown option ", word);
        else if (path != NULL)
            return import_usage("unexpected ", word);
        else
            path = word;
    }
    if (path == NULL)
        return import_usage("FILE is missing", "");
    return import_run(path, folder, reader);
}
