/* The CNI executable in C, for hosts where the milliseconds that an interpreter takes to start matter: the same as
 * client.py, which says what is sent and why, and is tested together with it. `hornpipe cni install --native` compiles
 * it with the host's compiler. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SOCKET
#define SOCKET "/run/hornpipe/cni.sock"
#endif
#define LEFT "/cni-left"
#define PATIENCE 60
#define VERSIONS "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"
enum { TRY_AGAIN = 11, NOT_READY = 50 };

struct text {
    char *at;
    size_t size, room;
};

_Static_assert(sizeof SOCKET <= sizeof((struct sockaddr_un *)0)->sun_path, "the socket's path is too long");

extern char **environ;

static void add(struct text *text, const void *from, size_t size)
{
    if (text->size + size + 1 > text->room) {
        text->room = (text->size + size + 1) * 2;
        text->at = realloc(text->at, text->room);
        if (!text->at)
            _exit(1);
    }
    memcpy(text->at + text->size, from, size);
    text->size += size;
    text->at[text->size] = 0;
}

static void add_variable(struct text *text, const char *pair)
{
    add(text, pair, strlen(pair) + 1);
}

/* 0 if all of a descriptor was read. */
static int read_all(int from, struct text *into)
{
    char piece[65536];
    ssize_t got;
    while ((got = read(from, piece, sizeof piece)) != 0) {
        if (got > 0)
            add(into, piece, (size_t)got);
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

static int write_all(int to, const char *from, size_t size)
{
    while (size) {
        ssize_t put = write(to, from, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        from += put;
        size -= (size_t)put;
    }
    return 0;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* 1 if the daemon was reached; `answer` is empty if none came. */
static int ask(const struct text *request, const int *descriptors, int count, struct text *answer)
{
    struct timeval patience = {.tv_sec = PATIENCE};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = request->at, .iov_len = request->size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    int failed, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t sent;

    if (sock < 0)
        return 0;
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    strncpy(address.sun_path, SOCKET, sizeof address.sun_path - 1);
    if (connect(sock, (struct sockaddr *)&address, sizeof address)) {
        close(sock);
        return 0;
    }
    if (count) {
        struct cmsghdr *head;
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, (size_t)count * sizeof(int));
    }
    do
        sent = sendmsg(sock, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    failed = sent < 0;
    while (!failed && (size_t)sent < request->size) {
        ssize_t more = send(sock, request->at + sent, request->size - (size_t)sent, MSG_NOSIGNAL);
        if (more > 0)
            sent += more;
        else
            failed = errno != EINTR;
    }
    if (failed || shutdown(sock, SHUT_WR) || read_all(sock, answer))
        answer->size = 0;
    close(sock);
    return 1;
}

/* 0 if the request is recorded for the daemon. */
static int leave(const struct text *request)
{
    char directory[sizeof SOCKET + sizeof LEFT], name[512], path[1100], beside[1110];
    int file, failed;

    strcpy(directory, SOCKET);
    strcpy(strrchr(directory, '/'), LEFT);
    snprintf(name, sizeof name, "%s-%s-%d", variable("CNI_CONTAINERID"), variable("CNI_IFNAME"), (int)getpid());
    for (char *at = name; *at; at++)
        if (*at == '/')
            *at = '_';
    if (mkdir(directory, 0700) && errno != EEXIST)
        return -1;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(beside, sizeof beside, "%s.new", path);
    file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return -1;
    failed = write_all(file, request->at, request->size);
    return close(file) || failed || rename(beside, path) ? -1 : 0;
}

/* CNI's error on standard output, in the configuration's version. */
static int failure(const char *configuration, int code, const char *words)
{
    char version[16] = "1.0.0", text[512];
    const char *at = configuration ? strstr(configuration, "\"cniVersion\"") : NULL;
    const char *first = at ? strchr(at + strlen("\"cniVersion\""), '"') : NULL;

    if (first) {
        size_t size = strspn(first + 1, "0123456789.");
        if (size && size < sizeof version && first[1 + size] == '"') {
            memcpy(version, first + 1, size);
            version[size] = 0;
        }
    }
    snprintf(text, sizeof text, "{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"%s\"}", version, code, words);
    write_all(1, text, strlen(text));
    return 1;
}

/* The exit status of a whole answer, printed; -1: it is not whole. */
static int told(const struct text *answer)
{
    char *end, *body = answer->size ? memchr(answer->at, '\n', answer->size) : NULL;
    long status, length;

    if (!body || answer->at[0] < '0' || answer->at[0] > '9')
        return -1;
    body++;
    status = strtol(answer->at, &end, 10);
    if (*end != ' ' || end[1] < '0' || end[1] > '9')
        return -1;
    length = strtol(end + 1, &end, 10);
    if (end + 1 != body || (size_t)length != answer->size - (size_t)(body - answer->at))
        return -1;
    write_all(1, body, (size_t)length);
    return (int)status;
}

int main(int count, char **words)
{
    const char *program = count && strrchr(words[0], '/') ? strrchr(words[0], '/') + 1 : count ? words[0] : "hornpipe";
    const char *command = variable("CNI_COMMAND");
    struct text request = {0}, configuration = {0}, answer = {0};
    int descriptors[2], held = 0, namespace = -1, reached, status;
    char extra[64];
    struct stat known;

    if (!*command) {
        dprintf(2, "%s: a CNI plugin of hornpipe; container runtimes call it with CNI_COMMAND set\n", program);
        return 0;
    }
    if (!strcmp(command, "VERSION")) {
        dprintf(1, "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":" VERSIONS "}");
        return 0;
    }
    add(&request, program, strlen(program) + 1);
    for (char **pair = environ; *pair; pair++)
        if (!strncmp(*pair, "CNI_", 4) || !strncmp(*pair, "PATH=", 5))
            add_variable(&request, *pair);
    if (!fstat(2, &known))
        descriptors[held++] = 2;
    if (*variable("CNI_NETNS")) {
        namespace = open(variable("CNI_NETNS"), O_RDONLY | O_CLOEXEC);
        if (namespace >= 0) {
            descriptors[held++] = namespace;
        } else {
            snprintf(extra, sizeof extra, "netns_errno=%d", errno);
            add_variable(&request, extra);
        }
    }
    snprintf(extra, sizeof extra, "descriptors=%s%s%s", held && descriptors[0] == 2 ? "stderr" : "",
             held == 2 ? "," : "", namespace >= 0 ? "netns" : "");
    add_variable(&request, extra);
    add(&request, "", 1);
    add(&configuration, "", 0);
    if (read_all(0, &configuration))
        configuration.size = 0;
    add(&request, configuration.at, configuration.size);

    reached = ask(&request, descriptors, held, &answer);
    status = told(&answer);
    if (status >= 0)
        return status;
    if (!strcmp(command, "DEL") || (!strcmp(command, "ADD") && reached))
        if (!leave(&request) && !strcmp(command, "DEL"))
            return 0;
    if (!strcmp(command, "STATUS"))
        return failure(configuration.at, NOT_READY, "hornpiped does not run: start it (systemctl start hornpiped)");
    return failure(configuration.at, TRY_AGAIN, "no answer from hornpiped: try again when it runs");
}
