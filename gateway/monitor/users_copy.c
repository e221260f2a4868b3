#include "gateway/monitor/users_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/file.h"
#include "gateway/monitor/memory.h"
#include "gateway/users_file.h"

/* As of a configuration: a file of another kind has an error a line. */
#define USERS_COPY_LINES_MAX 100

/* One run of users_copy_read. */
struct users_copy_reading {
    const struct config *config;
    const char *path;
    struct config_error *error;
    FILE *warnings;
    unsigned lines;
    bool failed;
};

void
users_copy_init(struct users_copy *copy)
{
    *copy = (struct users_copy){.fd = -1};
}

void
users_copy_free(struct users_copy *copy)
{
    if (copy->fd != -1)
        close(copy->fd);
    users_copy_init(copy);
}

static void
users_copy_note(void *context, bool is_error, unsigned line, unsigned column,
                const char *why)
{
    struct users_copy_reading *reading = context;

    if (is_error && !reading->failed)
        snprintf(reading->error->text, sizeof(reading->error->text),
                 "%.200s:%u:%u: %s", reading->path, line, column, why);
    else if (reading->warnings != NULL &&
             reading->lines++ < USERS_COPY_LINES_MAX)
        fprintf(reading->warnings, "%s:%u:%u: %s%s\n", reading->path, line,
                column, is_error ? "" : "warning: ", why);
    reading->failed |= is_error;
}

static bool
users_copy_has(const struct users_file *users, const struct rule_word *word)
{
    return word->prefix ? users_file_has_prefix(users, word->text, word->len)
                        : users_file_find(users, word->text, word->len) != NULL;
}

/* A user of a rule whom nothing but a password names, and who has none. Others
   may name themselves, by a USERID or a certificate. */
static void
users_copy_warn_of_word(const struct users_copy_reading *reading,
                        const struct rule *rule, const struct rule_word *word)
{
    char name[64];
    size_t len = 0;

    for (; len < word->len && len < sizeof(name) - 1; len++)
        name[len] = word->text[len] >= 0x20 && word->text[len] <= 0x7e
                        ? word->text[len]
                        : '?';
    name[len] = '\0';
    fprintf(reading->warnings,
            "%s:%u:%u: warning: rule \"%s\" %s for the user \"%s%s\": only a "
            "password names a user to it, and %s has no such user; add it with "
            "`socks4d passwd', or correct the name\n",
            reading->config->file, rule->line, rule->column, rule->name,
            rule->user_count == 1 ? "never matches" : "does not match", name,
            word->prefix ? "*" : "", reading->path);
}

static void
users_copy_warn_of_rules(const struct users_file *users,
                         struct users_copy_reading *reading)
{
    const struct policy *policy = &reading->config->policy;

    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        bool asks = rule->auth == 0 || (rule->auth >> RULE_AUTH_PASSWORD & 1);
        if (rule->user_count == 0 || !asks ||
            !config_user_is_proved(reading->config, rule))
            continue;
        for (size_t j = 0; j < rule->user_count; j++)
            if (!users_copy_has(users, &rule->users[j]) &&
                reading->lines++ < USERS_COPY_LINES_MAX)
                users_copy_warn_of_word(reading, rule, &rule->users[j]);
    }
}

/* What the copy says, and not the file, which may be another one by now. */
static int
users_copy_check(const struct users_copy *copy,
                 struct users_copy_reading *reading)
{
    struct users_file users;
    char *text = mmap(NULL, copy->len, PROT_READ, MAP_PRIVATE, copy->fd, 0);
    if (text == MAP_FAILED)
        return -errno;
    int error =
        users_file_parse(&users, text, copy->len, users_copy_note, reading);
    if (error == 0 && reading->warnings != NULL)
        users_copy_warn_of_rules(&users, reading);
    users_file_free(&users);
    munmap(text, copy->len);
    return error;
}

static int
users_copy_make(struct users_copy *copy, int from)
{
    copy->fd = memory_begin("socks4d users");
    int error =
        copy->fd < 0 ? copy->fd : memory_copy(copy->fd, from, copy->len);
    return error != 0 ? error : memory_end(copy->fd);
}

/* Why an open file is not read, or NULL. */
static const char *
users_copy_unfit(const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return "is not a regular file; name a users file";
    if (status->st_size == 0)
        return "is empty; add users with `socks4d passwd FILE NAME'";
    if (status->st_size > USERS_FILE_MAX)
        return "is larger than 16 MiB; is it the right file?";
    return NULL;
}

static int
users_copy_refuse(const struct users_copy_reading *reading,
                  const struct config *config, const char *why)
{
    const struct config_file *file = &config->auth.users;

    snprintf(reading->error->text, sizeof(reading->error->text),
             "%.180s:%u:%u: auth.users: %.180s: %s", config->file, file->line,
             file->column, reading->path, why);
    return -1;
}

int
users_copy_read(struct users_copy *copy, const struct config *config,
                struct config_error *error, FILE *warnings)
{
    char path[PATH_MAX];
    struct stat status;
    struct users_copy_reading reading = {
        .config = config, .path = path, .error = error, .warnings = warnings};

    users_copy_init(copy);
    if (config->auth.users.path == NULL)
        return 0;
    file_beside(config->file, config->auth.users.path, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return users_copy_refuse(
            &reading, config,
            errno == ENOENT ? "there is no such file; make it with `socks4d "
                              "passwd FILE NAME'"
                            : file_error(errno));
    const char *unfit =
        fstat(fd, &status) != 0 ? file_error(errno) : users_copy_unfit(&status);
    if (unfit != NULL) {
        close(fd);
        return users_copy_refuse(&reading, config, unfit);
    }
    copy->len = (uint64_t)status.st_size;
    copy->identity = FILE_IDENTITY;
    file_identify(&copy->identity, &status);
    int failed = users_copy_make(copy, fd);
    close(fd);
    if (failed == 0)
        failed = users_copy_check(copy, &reading);
    if (failed == 0) {
        if ((status.st_mode & S_IROTH) != 0 && warnings != NULL)
            fprintf(warnings,
                    "%s: warning: everybody on this machine may read it; chmod "
                    "640\n",
                    path);
        return 0;
    }
    users_copy_free(copy);
    if (!reading.failed)
        users_copy_refuse(&reading, config,
                          failed == -EAGAIN
                              ? "changes while it is read; try again"
                              : strerror(-failed));
    return -1;
}

bool
users_copy_equal(const struct users_copy *a, const struct users_copy *b)
{
    return a->identity == b->identity;
}
