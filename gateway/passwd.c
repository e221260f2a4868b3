#include "gateway/passwd.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "gateway/authentication_proto.h"
#include "gateway/config/file.h"
#include "gateway/users_file.h"

static const char passwd_help[] =
    "socks4d passwd FILE USER\n"
    "    add USER to a users file, or change the password: asked for twice on\n"
    "    a terminal, else one line of standard input\n"
    "socks4d passwd -D FILE USER\n"
    "    remove USER\n"
    "See socks4d(8).\n";

struct passwd {
    const char *user;
    bool removes;
    char path[PATH_MAX]; /* where links lead to */
    char folder[PATH_MAX];
    struct stat status; /* of the file; st_mode 0: there is none yet */
    char *text;         /* owned, NULL */
    size_t len;
};

static int __attribute__((format(printf, 1, 2)))
passwd_fail(const char *format, ...)
{
    va_list args;

    fputs("socks4d passwd: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return -1;
}

/* --- the password -------------------------------------------------------- */

static volatile sig_atomic_t passwd_signal;

static void
passwd_on_signal(int number)
{
    passwd_signal = number;
}

/* One line, without its end: its length, or -1 after a line on stderr. */
static int
passwd_read_line(char password[AUTHENTICATION_PASSWORD_MAX + 1])
{
    size_t len = 0;

    for (;;) {
        char octet;
        ssize_t got = read(STDIN_FILENO, &octet, 1);
        if (got < 0 && errno == EINTR && passwd_signal == 0)
            continue;
        if (got < 0)
            return passwd_fail("standard input: %s", strerror(errno));
        if (got == 0 || octet == '\n')
            break;
        if (octet == '\0')
            return passwd_fail("a password cannot have a NUL");
        if (len == AUTHENTICATION_PASSWORD_MAX)
            return passwd_fail("a password has at most %d octets",
                               AUTHENTICATION_PASSWORD_MAX);
        password[len++] = octet;
    }
    password[len] = '\0';
    return len > 0 ? (int)len : passwd_fail("the password is empty; type one");
}

/* Without echo, which is on again whatever comes. */
static int
passwd_ask(const char *prompt, char password[AUTHENTICATION_PASSWORD_MAX + 1])
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    struct sigaction act = {.sa_handler = passwd_on_signal}, before[5];
    struct termios shown, hidden;

    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return passwd_fail("the terminal: %s", strerror(errno));
    for (size_t i = 0; i < 5; i++)
        sigaction(numbers[i], &act, &before[i]);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fputs(prompt, stderr);
    int len = passwd_read_line(password);
    fputc('\n', stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    for (size_t i = 0; i < 5; i++)
        sigaction(numbers[i], &before[i], NULL);
    if (passwd_signal != 0)
        raise(passwd_signal);
    return len;
}

static int
passwd_read(char password[AUTHENTICATION_PASSWORD_MAX + 1])
{
    char again[AUTHENTICATION_PASSWORD_MAX + 1];

    if (!isatty(STDIN_FILENO))
        return passwd_read_line(password);
    int len = passwd_ask("Password: ", password);
    if (len > 0 && passwd_ask("The same again: ", again) > 0 &&
        strcmp(password, again) != 0)
        len = passwd_fail("the two passwords differ; try again");
    explicit_bzero(again, sizeof(again));
    return len;
}

/* 0, or -1 after a line on stderr. */
static int
passwd_make_hash(char hash[CRYPT_OUTPUT_SIZE])
{
    static struct crypt_data scratch;
    char password[AUTHENTICATION_PASSWORD_MAX + 1];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made = NULL;
    int len = passwd_read(password);

    if (len > 0 &&
        crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) != NULL)
        made = crypt_rn(password, setting, &scratch, sizeof(scratch));
    explicit_bzero(password, sizeof(password));
    if (made != NULL) {
        snprintf(hash, CRYPT_OUTPUT_SIZE, "%s", made);
        explicit_bzero(&scratch, sizeof(scratch));
        return 0;
    }
    return len < 0 ? -1 : passwd_fail("crypt(3): %s", strerror(errno));
}

/* --- the file ------------------------------------------------------------ */

/* 0, or -1 after a line on stderr. */
static int
passwd_open(struct passwd *passwd, const char *file)
{
    char copy[PATH_MAX];

    if (strlen(file) >= sizeof(copy))
        return passwd_fail("%s: %s", file, strerror(ENAMETOOLONG));
    if (realpath(file, passwd->path) == NULL) {
        if (errno != ENOENT)
            return passwd_fail("%s: %s", file, file_error(errno));
        strcpy(passwd->path, file);
    }
    strcpy(copy, passwd->path);
    strcpy(passwd->folder, dirname(copy));
    /* Others that do the same wait. */
    int folder = open(passwd->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || flock(folder, LOCK_EX) != 0)
        return passwd_fail("%s: %s", passwd->folder, file_error(errno));
    if (stat(passwd->path, &passwd->status) != 0) {
        if (errno == ENOENT && !passwd->removes)
            return 0;
        return passwd_fail("%s: %s", file, file_error(errno));
    }
    passwd->text = file_read_path(passwd->path, &passwd->len);
    if (passwd->text == NULL)
        return passwd_fail("%s: %s", file,
                           errno == EINVAL ? "is not a regular file"
                                           : file_error(errno));
    return 0;
}

static bool
passwd_is_users(const struct passwd *passwd, const char *line, size_t len)
{
    size_t user = strlen(passwd->user);

    return len > user && memcmp(line, passwd->user, user) == 0 &&
           line[user] == ':';
}

/* All lines but the user's, whose place the first of them has. How many it
   had. */
static unsigned
passwd_write(const struct passwd *passwd, const char *hash, FILE *to)
{
    unsigned found = 0;

    for (size_t at = 0; at < passwd->len;) {
        const char *line = passwd->text + at;
        const char *end = memchr(line, '\n', passwd->len - at);
        size_t len = end != NULL ? (size_t)(end - line) : passwd->len - at;
        if (!passwd_is_users(passwd, line, len)) {
            fwrite(line, 1, len, to);
            fputc('\n', to);
        } else if (found++ == 0 && hash != NULL) {
            fprintf(to, "%s:%s\n", passwd->user, hash);
        }
        at += len + 1;
    }
    if (found == 0 && hash != NULL)
        fprintf(to, "%s:%s\n", passwd->user, hash);
    return found;
}

/* With the owner and the mode of the old one. */
static int
passwd_keep_owner(const struct passwd *passwd, int fd)
{
    const struct stat *status = &passwd->status;
    struct stat made;

    if (status->st_mode == 0)
        return 0;
    if (fstat(fd, &made) != 0)
        return -1;
    if ((made.st_uid != status->st_uid || made.st_gid != status->st_gid) &&
        fchown(fd, status->st_uid, status->st_gid) != 0)
        return -1;
    return fchmod(fd, status->st_mode & 0777);
}

/* The number of lines that the user had, or -1 after a line on stderr. Either
   the old file is there or the new one, whole. */
static int
passwd_replace(const struct passwd *passwd, const char *hash)
{
    char made[PATH_MAX + 16];

    snprintf(made, sizeof(made), "%s.XXXXXX", passwd->path);
    int fd = mkostemp(made, O_CLOEXEC);
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to == NULL)
        return passwd_fail("%s: %s", passwd->folder, file_error(errno));
    unsigned found = passwd_write(passwd, hash, to);
    bool written = fflush(to) == 0 && !ferror(to) &&
                   passwd_keep_owner(passwd, fd) == 0 && fsync(fd) == 0 &&
                   (found > 0 || hash != NULL) &&
                   rename(made, passwd->path) == 0;
    int error = errno;
    fclose(to);
    if (!written)
        unlink(made);
    if (!written && found == 0 && hash == NULL)
        return passwd_fail("%s has no user \"%s\"", passwd->path, passwd->user);
    if (!written)
        return passwd_fail("%s: %s", passwd->path, file_error(error));
    return (int)found;
}

static int
passwd_change(struct passwd *passwd)
{
    char hash[CRYPT_OUTPUT_SIZE];

    if (!passwd->removes && passwd_make_hash(hash) != 0)
        return 1;
    int found = passwd_replace(passwd, passwd->removes ? NULL : hash);
    if (found < 0)
        return 1;
    printf("%s: %s %s; send HUP to the gateway\n", passwd->path, passwd->user,
           passwd->removes ? "removed"
           : found > 0     ? "has another password"
                           : "added");
    if (passwd->status.st_mode == 0)
        fprintf(stderr,
                "socks4d passwd: %s is new, and only its owner may read it; if "
                "the gateway is started as another user, chgrp it to that "
                "user's group and chmod 640\n",
                passwd->path);
    return 0;
}

/* --- the command line ---------------------------------------------------- */

static int
passwd_usage(const char *why, const char *what)
{
    passwd_fail("%s%s", why, what);
    fputs("Try 'socks4d passwd --help'.\n", stderr);
    return 2;
}

int
passwd_main(int argc, char **argv)
{
    static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {0}};
    static struct passwd passwd;
    int chosen;

    opterr = 0;
    while ((chosen = getopt_long(argc, argv, "+DhV", longs, NULL)) != -1) {
        if (chosen == 'h')
            return fputs(passwd_help, stdout) == EOF;
        if (chosen == 'V')
            return printf("socks4d %s\n", PROJECT_VERSION) < 0;
        if (chosen != 'D')
            return passwd_usage("unknown option ", argv[optind - 1]);
        passwd.removes = true;
    }
    if (argc - optind != 2)
        return passwd_usage("usage: socks4d passwd [-D] FILE USER", "");
    passwd.user = argv[optind + 1];
    const char *why = users_file_bad_name(passwd.user, strlen(passwd.user));
    if (why != NULL)
        return passwd_usage("USER: ", why);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    int status =
        passwd_open(&passwd, argv[optind]) != 0 ? 1 : passwd_change(&passwd);
    free(passwd.text);
    return status;
}
