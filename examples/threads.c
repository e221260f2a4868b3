/*
 * Blocking connections in threads, with one deadline. One octet in a pipe,
 * which the handler of SIGINT writes, cancels all that still wait.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <socks4/dial.h>

enum { THREADS = 4 };

struct task {
    const struct socks4_dial *dial;
    const struct socks4_request *request;
    const char *word;
    int result;
};

static int cancel[2];

static void
interrupted(int number)
{
    (void)number;
    (void)!write(cancel[1], "", 1); /* never read: all threads see it */
}

/* Sends all of the word and ends that direction. */
static int
word_send(int fd, const char *word)
{
    for (ssize_t sent; *word != '\0'; word += sent) {
        sent = send(fd, word, strlen(word), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return -errno;
        if (sent < 0)
            sent = 0;
    }
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

/* Returns the result of socks4_dial_open, or a negative errno. Prints the
   answer as one line. */
static int
word_exchange(const struct task *task)
{
    struct socks4_dialled dialled;
    char answer[4096];
    ssize_t got;
    int result = socks4_dial_open(task->dial, task->request, 1, &dialled);

    if (result != 0)
        return result;
    result = word_send(dialled.fd, task->word);
    if (result == 0) {
        got = recv(dialled.fd, answer, sizeof(answer), MSG_WAITALL);
        if (got > 0)
            printf("%.*s\n", (int)got, answer);
    }
    close(dialled.fd);
    return result;
}

static void *
task_run(void *argument)
{
    struct task *task = argument;

    task->result = word_exchange(task);
    return NULL;
}

static int
result_say(int result)
{
    if (result > 0)
        fprintf(stderr, "threads: %s\n", socks4_code_text(result));
    else if (result < 0)
        fprintf(stderr, "threads: %s\n", strerror(-result));
    return result != 0;
}

int
main(int argc, char **argv)
{
    struct sockaddr_in gateway = {.sin_family = AF_INET};
    struct socks4_request request = {.command = SOCKS4_CONNECT};
    struct socks4_dial dial = {.gateway = (struct sockaddr *)&gateway,
                               .gateway_len = sizeof(gateway),
                               .deadline_ms = socks4_dial_deadline(10000)};
    pthread_t threads[THREADS];
    struct task tasks[THREADS];
    int failed = 0;

    if (argc != 6 || pipe(cancel) != 0)
        return 2;
    gateway.sin_addr.s_addr = inet_addr(argv[1]);
    gateway.sin_port = htons((uint16_t)atoi(argv[2]));
    request.dstip = ntohl(inet_addr(argv[3]));
    request.dstport = (uint16_t)atoi(argv[4]);
    dial.cancel = cancel[0];
    signal(SIGINT, interrupted);

    for (int i = 0; i < THREADS; i++) {
        tasks[i] = (struct task){&dial, &request, argv[5], 0};
        if (pthread_create(&threads[i], NULL, task_run, &tasks[i]) != 0)
            return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failed += result_say(tasks[i].result);
    }
    return failed != 0;
}
