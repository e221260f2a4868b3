/* A snapshot made from text, from a file or from the command line, and written
   back. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/auth.h"
#include "gateway/config/diag.h"
#include "gateway/config/file.h"
#include "gateway/config/lint.h"
#include "gateway/config/listeners.h"
#include "gateway/config/section.h"
#include "gateway/config/stub.h"
#include "gateway/config/tree.h"
#include "gateway/policy/index.h"

const char config_default_text[] = "listen:\n"
                                   "  - address: 127.0.0.1:1080\n"
                                   "    name: local\n"
                                   "rules:\n"
                                   "  - name: here\n"
                                   "    action: allow\n"
                                   "    from: [loopback]\n"
                                   "    command: [connect, bind]\n"
                                   "    to: [any, loopback, self]\n";

static int
config_parse_text(struct parse *parse, const char *text, size_t len)
{
    struct node *root = tree_parse(parse, text, len);
    struct policy *policy = &parse->config->policy;

    if (!root)
        return -1;
    if (root->kind != NODE_MAP)
        return diag_error(parse, root,
                          "wants a mapping of settings (listen:, rules:, ...)");
    if (section_parse(parse, root, root, "", parse->config) != 0 ||
        auth_prepare(parse) != 0)
        return -1;
    policy->index = rule_index_build(policy->rules, policy->rule_count,
                                     parse->config->arena, parse->scratch);
    if (!policy->index || listeners_publish(parse->config) != 0)
        return diag_no_memory(parse);
    lint_config(parse);
    return 0;
}

struct config *
config_parse(const char *file, const char *text, size_t len,
             struct config_error *error, FILE *warnings)
{
    struct parse parse = {.file = file,
                          .error = error,
                          .warnings = warnings,
                          .options = options,
                          .option_count = option_count};
    int rc = -1;

    parse.scratch = arena_new();
    parse.config = config_new(file);
    if (parse.scratch && parse.config)
        rc = config_parse_text(&parse, text, len);
    else
        diag_no_memory(&parse);
    arena_free(parse.scratch);
    config_trim(parse.ranges);
    if (rc == 0) {
        parse.config->warned = parse.warned;
        return parse.config;
    }
    config_unref(parse.config);
    return NULL;
}

static struct config *
config_load(const char *file, bool again, struct config_error *error,
            FILE *warnings)
{
    struct parse parse = {.file = file, .error = error};
    struct config *config = NULL;
    struct stat status;
    size_t len;

    if (!file)
        return config_parse(NULL, config_default_text,
                            strlen(config_default_text), error, warnings);
    /* O_NONBLOCK: a FIFO that nobody writes to reads as empty. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        diag_file(&parse, "cannot be opened: %s", file_error(errno));
        return NULL;
    }
    if (again && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        diag_file(&parse, "is not a regular file, and only those can be read "
                          "again; restart, or give one with -c");
        close(fd);
        return NULL;
    }
    char *text = file_read(fd, &len);
    if (text && len == 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
        diag_file(&parse, "a pipe that nobody has written to, not a regular "
                          "file; name the file, or write its text to the pipe "
                          "first");
    else if (text)
        config = config_parse(file, text, len, error, warnings);
    else if (errno == EFBIG)
        diag_file(&parse, "larger than 64 MiB; is it the right file?");
    else
        diag_file(&parse, "cannot be read: %s", file_error(errno));
    free(text);
    close(fd);
    return config;
}

struct config *
config_load_sealed(int fd, size_t len, struct config_error *error)
{
    char *text = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

    if (text == MAP_FAILED) {
        snprintf(error->text, sizeof(error->text), "(monitor): %s",
                 strerror(errno));
        return NULL;
    }
    struct config *config = config_parse("(monitor)", text, len, error, NULL);
    munmap(text, len);
    return config;
}

struct config *
config_open(const struct config_source *source, bool again,
            struct config_error *error, FILE *warnings)
{
    struct config_error why;

    if (source->to)
        return stub_open(source, error, warnings);
    struct config *config = config_load(source->file, again, error, warnings);

    if (!config)
        return NULL;
    if (config_set_listeners(config, source->listen, source->listen_count,
                             source->socks4a, &why) == 0)
        return config;
    snprintf(error->text, sizeof(error->text), "socks4d: %.480s", why.text);
    config_unref(config);
    return NULL;
}

int
config_dump(const struct config *config, bool computed, FILE *to)
{
    struct dump dump = {.to = to,
                        .config = config,
                        .computed = computed,
                        .options = options,
                        .option_count = option_count};

    section_dump(&dump, "", config, "");
    return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}
