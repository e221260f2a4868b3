/* The command line: which configuration, and what to do with it. */

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/arguments.h"
#include "gateway/config/config.h"
#include "gateway/confine/privilege.h"
#include "gateway/explain.h"
#include "gateway/monitor/certificates.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/control_socket.h"
#include "gateway/monitor/descriptors.h"
#include "gateway/monitor/log_file.h"
#include "gateway/monitor/monitor.h"
#include "gateway/monitor/other_user.h"
#include "gateway/monitor/own_addresses.h"
#include "gateway/monitor/program.h"
#include "gateway/monitor/user.h"
#include "gateway/monitor/users_copy.h"
#include "gateway/passwd.h"
#include "gateway/role.h"
#include "gateway/upgrade_check/main.h"
#include "gateway/worker/footprint.h"

static const char help_text[] =
    "socks4d - a SOCKS 4 gateway\n"
    "\n"
    "socks4d [-c FILE] [-l ADDR:PORT]... [--socks4a] [--pid-file FILE]\n"
    "    run in the foreground; without FILE: 127.0.0.1:1080, for clients on\n"
    "    this machine. -l replaces the listeners; --socks4a serves SOCKS 4A\n"
    "    too, on them or those of the built-in default. --pid-file: the file\n"
    "    has the process id while the gateway serves.\n"
    "socks4d --to HOST:PORT [--socks5] [--tls] [--ca FILE]\n"
    "        [--certificate FILE --key FILE]\n"
    "        [--user NAME --password-file FILE] [-l ADDR:PORT]...\n"
    "    the stub beside a client that cannot be changed: everything that it\n"
    "    asks for, by SOCKS 4, 4A or 5, BIND too, through the gateway at\n"
    "    HOST:PORT, in the client's version or always in SOCKS5, as a user\n"
    "    with a password, over TLS, verified by the CAs of this machine or of\n"
    "    a file\n"
    "socks4d -t [--strict] [-c FILE]\n"
    "    check the configuration: exit 0, or 1 and where it is wrong; with\n"
    "    --strict a warning is an error, too\n"
    "socks4d -T [-c FILE]\n"
    "    print the effective configuration\n"
    "socks4d explain [-c FILE] --from ADDR --to ADDR|NAME --port PORT\n"
    "        [--command connect|bind|udp] [--user USERID]\n"
    "        [--certificate NAME] [--auth none|password|certificate]\n"
    "        [--socks5] [--listener NAME] [--json]\n"
    "    say what would be answered, and by which rule: exit 0 granted,\n"
    "    1 refused or not certain, 2 usage\n"
    "socks4d passwd [-D] FILE USER\n"
    "    add USER to a users file, change the password, or remove USER\n"
    "socks4d -h, --help | -V, --version\n"
    "\n"
    "HUP reads the configuration again and opens the log file again, USR1 "
    "opens\n"
    "the log file again and prints figures, TERM and INT drain (a second one:\n"
    "now), USR2 goes on with the program that is there now.\n"
    "See socks4d(8) and socks4d.conf(5).\n";

static int
main_print_config(const struct config *config)
{
    int error = descriptors_raise(); /* figures are of the limit */
    if (error != 0)
        fprintf(stderr, "socks4d: RLIMIT_NOFILE: %s\n", strerror(-error));
    puts("# What socks4d runs on, every key; computed figures are comments.");
    error = config_dump(config, true, stdout);
    footprint_print(config, stdout);
    if (error == 0 && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    perror("socks4d: standard output");
    return EXIT_FAILURE;
}

/* With the id that the log has after a reload. */
static int
main_say_ok(const struct config *config)
{
    char id[CONFIG_VERSION_ID_MAX];
    int error = config_version_find_id(config, id);
    if (error != 0) {
        fprintf(stderr, "socks4d: cannot write the configuration: %s\n",
                strerror(-error));
        return EXIT_FAILURE;
    }
    printf("%s%s: ok, config=%s\n", config->to ? "--to " : "",
           config->to     ? config->to
           : config->file ? config->file
                          : "built-in default",
           id);
    return EXIT_SUCCESS;
}

/* Then it keeps its capabilities, too. */
static bool
main_stays_root(const struct config *config)
{
    return config->sandbox == CONFIG_SANDBOX_OFF ||
           (config->user && (strcmp(config->user, "root") == 0 ||
                             strcmp(config->user, "0") == 0));
}

/* Root reads any file now, but the monitor will not when it reloads. */
static void
main_check_reload(struct config *config, const struct config_source *source,
                  FILE *notes)
{
    struct config_error error;
    struct config *again;
    struct stat status;

    if (geteuid() != 0 || main_stays_root(config) || !source->file ||
        stat(source->file, &status) != 0 || !S_ISREG(status.st_mode) ||
        privilege_override_files(false) != 0)
        return;
    again = config_open(source, true, &error, NULL);
    if (!again && notes) {
        fprintf(notes, "socks4d: warning: a reload will fail: %s\n",
                error.text);
        config->warned++;
    }
    config_unref(again);
    if (privilege_override_files(true) != 0)
        perror("socks4d: capset");
}

/* Where the monitor gives up root's right to ignore permissions, so does this
   process: what it checks then is as it will be. True: it has to be given
   back. */
static bool
main_give_up_override(const struct config *config)
{
    return geteuid() == 0 && !main_stays_root(config) &&
           privilege_override_files(false) == 0;
}

static void
main_take_back_override(bool gave_up)
{
    if (gave_up && privilege_override_files(true) != 0)
        perror("socks4d: capset");
}

/* Whether the log file can be written shows here, and not at the start alone. A
   warning: the folder may come with the service, and the user be another. */
static bool
main_warn_of_log(const struct config *config)
{
    struct user user;

    if (config->log.target != CONFIG_LOG_FILE ||
        (config->user && !user_exists(config->user)) ||
        user_find(config->user, &user) != 0)
        return false;
    bool gave_up = main_give_up_override(config);
    int error = log_file_try(config->log.path, &user);
    main_take_back_override(gave_up);
    if (error != 0)
        fprintf(stderr,
                "%s: warning: log.target: this user cannot write %s: %s\n",
                config->file, config->log.path, log_file_error(error));
    return error != 0;
}

/* What -t accepts starts. Only root becomes another user: for others this is a
   warning. */
static bool
main_lacks_user(const struct config *config)
{
    if (!config->user || user_exists(config->user))
        return false;
    fprintf(stderr,
            "%s:%u:%u: %suser: there is no user \"%s\"; make it with `useradd "
            "--system %s', or write user: auto\n",
            config->file, config->user_line, config->user_column,
            geteuid() == 0 ? "" : "warning: ", config->user, config->user);
    return true;
}

/* With the users file. */
static int
main_read_files(const struct config *config, struct config_error *error,
                FILE *notes)
{
    struct certificates certificates;
    struct users_copy users;
    struct user user;
    char path[PATH_MAX];
    int program = program_find(path, sizeof(path));

    if (program == 0)
        program = program_open_running(path);
    if (program < 0 || user_find(config->user, &user) != 0) {
        snprintf(error->text, sizeof(error->text),
                 "the files cannot be checked");
        return -1;
    }
    int failed = certificates_read(&certificates, config, NULL, error);
    if (failed == 0) {
        failed = certificates_check(&certificates, config, program, &user,
                                    CERTIFICATES_START_MS, error, notes);
        certificates_free(&certificates);
    }
    close(program);
    if (failed == 0) {
        failed = users_copy_read(&users, config, error, notes);
        users_copy_free(&users);
    }
    return failed;
}

/* As at the start, when the monitor has given up root's right to read every
   file. 0, or -1 after the errors; adds to `warned'. */
static int
main_check_files(const struct config *config, bool *warned)
{
    struct config_error error;
    char *notes = NULL;
    size_t len = 0;

    if (!config_has_any_files(config) && !config->auth.users.path)
        return 0;
    FILE *stream = open_memstream(&notes, &len);
    bool gave_up = main_give_up_override(config);
    int failed = main_read_files(config, &error, stream);
    main_take_back_override(gave_up);
    if (failed != 0)
        fprintf(stderr, "%s\n", error.text);
    if (stream != NULL && fclose(stream) == 0)
        fputs(notes, stderr);
    *warned |= len > 0;
    free(notes);
    return failed;
}

static int
main_check_config(const struct config *config,
                  const struct config_source *source, bool strict)
{
    bool lacks_user = main_lacks_user(config);
    bool warned = main_warn_of_log(config);

    warned |= config->warned > 0 || lacks_user;
    warned |= own_addresses_warn(config, stderr) > 0;
    warned |= control_socket_warn(config, stderr) > 0;

    if (main_check_files(config, &warned) != 0 ||
        (lacks_user && geteuid() == 0))
        return EXIT_FAILURE;
    if (geteuid() == 0 && !main_stays_root(config))
        warned |= other_user_warn(config, source, stderr);
    return strict && warned ? EXIT_FAILURE : main_say_ok(config);
}

static int
main_use_config(struct config *config, const struct config_source *source,
                const struct arguments *arguments)
{
    switch (arguments->task) {
    case TEST:
        return main_check_config(config, source, arguments->strict);
    case DUMP:
        return main_print_config(config);
    default:
        if (geteuid() == 0 && main_lacks_user(config))
            return EXIT_FAILURE;
        return monitor_run(config, source, arguments->pid_file,
                           arguments->argv);
    }
}

static int
main_run(const struct arguments *arguments)
{
    struct config_source source = arguments_source(arguments);
    struct config_error error;

    if (arguments->task == RUN && monitor_is_successor())
        return monitor_run(NULL, &source, arguments->pid_file, arguments->argv);
    /* The first error is in `error', all others among what was noted. */
    char *notes = NULL;
    size_t len;
    FILE *stream = open_memstream(&notes, &len);
    struct config *config = config_open(&source, false, &error, stream);

    if (!config)
        fprintf(stderr, "%s\n", error.text);
    else if (arguments->task == TEST)
        main_check_reload(config, &source, stream);
    if (stream != NULL && fclose(stream) == 0)
        fputs(notes, stderr);
    free(notes);
    if (!config)
        return EXIT_FAILURE;
    int status = main_use_config(config, &source, arguments);
    config_unref(config);
    return status;
}

/* What a binary of hand-over version 1 called the upgrade check. */
#define FORMER_UPGRADE_CHECK "--trial"

int
main(int argc, char **argv)
{
    struct arguments arguments = {.argv = argv};
    const char *word = argc > 1 ? argv[1] : "";
    const struct role *role = role_find(word);

    if (role != NULL)
        return role->main(argc, argv);
    if (strcmp(word, FORMER_UPGRADE_CHECK) == 0)
        return upgrade_check_refuse_former();
    if (strcmp(word, "explain") == 0)
        return explain_main(argc - 1, argv + 1);
    if (strcmp(word, "passwd") == 0)
        return passwd_main(argc - 1, argv + 1);
    if (arguments_read(&arguments, argc, argv) < 0)
        return EXIT_USAGE;
    if (arguments.task == HELP)
        return fputs(help_text, stdout) == EOF;
    if (arguments.task == VERSION)
        return printf("socks4d %s\n", PROJECT_VERSION) < 0;
    return main_run(&arguments);
}
